//! Writing id maps by the set-uid programs `newuidmap(1)` and `newgidmap(1)`.

use crate::idmaps::one_write;
use crate::{Caller, Errno, Error, How, IdMap, IdMaps, Lack, Result};
use rustix::fs::{Access, AtFlags, CWD, accessat};
use std::ffi::OsStr;
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

impl IdMaps {
    /// Lets `newuidmap` and `newgidmap` of `PATH` write the maps, which may use what `/etc/subuid` and
    /// `/etc/subgid` lend to the calling user. `setgroups` is denied first if wanted.
    ///
    /// `pid` and `proc_dir` are the same process: a child that the caller has not waited for, so that the
    /// number stays its own. Starts two processes and waits for them; `SIGCHLD` must not be ignored.
    ///
    /// # Errors
    /// [`Error::NotPermitted`] with [`Lack::Helper`] if a program is not installed; [`Error::HelperRun`];
    /// [`Error::HelperFailed`] with what it said; those of [`IdMaps::write_to`] for `setgroups`.
    pub fn write_with_helpers(&self, pid: u32, proc_dir: BorrowedFd<'_>) -> Result<()> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let find = |helper, map_file, map: &IdMap| {
            find_helper(helper, &path).ok_or_else(|| Error::NotPermitted {
                map: map_file,
                lack: Lack::Helper { helper, range: map.ranges()[0] },
            })
        };
        let newuidmap = find("newuidmap", "uid_map", &self.uid)?;
        let newgidmap = find("newgidmap", "gid_map", &self.gid)?;
        self.run_helpers(&newuidmap, &newgidmap, pid, proc_dir)
    }

    /// Decides by [`IdMaps::plan_for`] and does it.
    ///
    /// # Errors
    /// Those of [`IdMaps::plan_for`], [`IdMaps::write_to`] and [`IdMaps::write_with_helpers`].
    pub fn apply(&self, caller: &Caller, pid: u32, proc_dir: BorrowedFd<'_>) -> Result<How> {
        let how = self.plan_for(caller)?;
        match (how, &caller.newuidmap, &caller.newgidmap) {
            (How::Helpers, Some(uid), Some(gid)) => self.run_helpers(uid, gid, pid, proc_dir)?,
            (How::Helpers, _, _) => self.write_with_helpers(pid, proc_dir)?,
            (How::Direct, _, _) => self.write_to(proc_dir)?,
        }
        Ok(how)
    }

    fn run_helpers(&self, uid: &Path, gid: &Path, pid: u32, proc_dir: BorrowedFd<'_>) -> Result<()> {
        one_write(&self.uid)?;
        one_write(&self.gid)?;
        self.write_setgroups(proc_dir)?;
        run(uid, pid, &self.uid)?;
        run(gid, pid, &self.gid)
    }
}

fn run(helper: &Path, pid: u32, map: &IdMap) -> Result<()> {
    let args = map.to_args();
    let command = || format!("{} {pid} {}", helper.display(), args.join(" "));
    let output = Command::new(helper)
        .arg(pid.to_string())
        .args(&args)
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .output()
        .map_err(|error| Error::HelperRun { command: command(), errno: Errno::of(&error) })?;
    if output.status.success() {
        return Ok(());
    }
    let stderr = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(Error::HelperFailed { command: command(), status: output.status, stderr })
}

/// Finds an executable file in the absolute directories of a `PATH`; others are passed over.
pub fn find_helper(name: &str, path: &OsStr) -> Option<PathBuf> {
    std::env::split_paths(path)
        .filter(|dir| dir.is_absolute())
        .map(|dir| dir.join(name))
        .find(|file| file.is_file() && accessat(CWD, file, Access::EXEC_OK, AtFlags::EACCESS).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn looks_only_in_absolute_directories_for_executables() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let file = dir.path().join("newuidmap");
        fs::write(&file, "").expect("write");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).expect("chmod");
        let path = std::env::join_paths([Path::new(""), Path::new("relative"), dir.path()]).expect("path");
        assert_eq!(find_helper("newuidmap", &path), None);
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).expect("chmod");
        assert_eq!(find_helper("newuidmap", &path), Some(file));
        assert_eq!(find_helper("newuidmap", OsStr::new("")), None);
    }

    #[test]
    fn failure_has_the_command_and_what_it_said() {
        let map = IdMap::identity();
        let error = run(Path::new("/nonexistent/newuidmap"), 7, &map).expect_err("no program");
        assert_eq!(
            error.to_string(),
            "run /nonexistent/newuidmap 7 0 0 4294967295: ENOENT (No such file or directory)"
        );
        let error = run(Path::new("/bin/ls"), 7, &map).expect_err("ls finds no file 7");
        assert!(matches!(&error, Error::HelperFailed { stderr, .. } if !stderr.is_empty()), "{error}");
    }
}
