//! What all runs need, and its end: the files of containers, the signals, what is left.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use cofferdam::oci::{Spec, default_spec, to_json};
use nix::errno::Errno;
use nix::sys::prctl::set_child_subreaper;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::statfs::{TMPFS_MAGIC, statfs};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{AccessFlags, access};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;
use tempfile::TempDir;

use super::left;
use crate::Error;
use crate::stage;
use crate::workload;

/// The program that does nothing until it is killed.
const IDLE: &str = "idle";

/// The program of a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Program {
    /// The workload, which ends at once.
    Ends,
    /// The one that sleeps.
    Idle,
}

impl Program {
    /// Its path in the container.
    pub(super) fn path(self) -> &'static str {
        match self {
            Program::Ends => "/program",
            Program::Idle => "/idle",
        }
    }
}

/// A bundle of its own for one container at a time, which has its name.
#[derive(Debug, Clone)]
pub(super) struct Bundle {
    pub(super) id: String,
    pub(super) directory: PathBuf,
    /// What its `config.json` says.
    pub(super) spec: Spec,
    /// Whether the container has a cgroup.
    pub(super) cgroup: bool,
}

impl Bundle {
    /// The same for a container without cgroups.
    pub(super) fn without_cgroup(self) -> Bundle {
        Bundle { cgroup: false, ..self }
    }
}

/// What all runs need.
#[derive(Debug)]
pub(super) struct Stage {
    files: stage::Stage,
    /// Where state directories are made.
    state: TempDir,
    /// The configuration that each bundle has, but for names.
    spec: Spec,
    serial: AtomicU32,
    /// Set by a signal.
    ended: Arc<AtomicBool>,
}

impl Stage {
    /// Makes it. Signals end the bench by an error from now on, so that it can tidy up, and processes that others leave
    /// behind become its children, so that it sees how those of containers end.
    pub(super) fn new() -> Result<Stage, Error> {
        if !nix::unistd::geteuid().is_root() {
            return Err(Error::Setting("needs root, as the default configuration does".to_owned()));
        }
        let ended = Arc::new(AtomicBool::new(false));
        for signal in [SIGHUP, SIGINT, SIGTERM] {
            flag::register(signal, Arc::clone(&ended)).map_err(Error::io("catch signals"))?;
        }
        set_child_subreaper(true).map_err(Error::errno("become a subreaper"))?;
        // Whoever keeps five hundred containers needs more descriptors than are usual.
        getrlimit(Resource::RLIMIT_NOFILE)
            .and_then(|(_, most)| setrlimit(Resource::RLIMIT_NOFILE, most, most))
            .map_err(Error::errno("raise the limit of descriptors"))?;
        let files = stage::Stage::new()?;
        let idle = files.root().join(IDLE);
        let what = format!("write {}", idle.display());
        workload::install(&idle, &workload::idle()).map_err(Error::io(what))?;
        Ok(Stage { spec: spec(files.root()), files, state: state()?, serial: AtomicU32::new(0), ended })
    }

    /// The root file system of all containers.
    pub(super) fn root(&self) -> &Path {
        self.files.root()
    }

    /// A new state directory.
    pub(super) fn state(&self) -> Result<PathBuf, Error> {
        let path = self.state.path().join(self.serial.fetch_add(1, Ordering::Relaxed).to_string());
        fs::create_dir(&path).map_err(Error::io(format!("make {}", path.display())))?;
        Ok(path)
    }

    /// A new file without a name.
    pub(super) fn file(&self) -> Result<fs::File, Error> {
        self.files.file()
    }

    /// Writes a bundle whose container has a name and a cgroup of its own.
    pub(super) fn bundle(&self, program: Program) -> Result<Bundle, Error> {
        let id = format!("{}{}", left::prefix(), self.serial.fetch_add(1, Ordering::Relaxed));
        let mut spec = self.spec.clone();
        let mut process = spec.process().clone().unwrap_or_default();
        process.set_args(Some(vec![program.path().to_owned()]));
        spec.set_process(Some(process));
        let mut linux = spec.linux().clone().unwrap_or_default();
        linux.set_cgroups_path(Some(Path::new("/").join(&id)));
        spec.set_linux(Some(linux));
        let directory = self.files.folder("bundle")?;
        let text = to_json(&spec).map_err(|error| Error::Library(error.to_string()))?;
        let file = directory.join("config.json");
        fs::write(&file, text).map_err(Error::io(format!("write {}", file.display())))?;
        Ok(Bundle { id, directory, spec, cgroup: true })
    }

    /// Fails if the bench was told to end.
    pub(super) fn watch(&self) -> Result<(), Error> {
        if self.ended.load(Ordering::Relaxed) { Err(Error::Interrupted) } else { Ok(()) }
    }

    /// Takes away what subjects left: processes, zombies, cgroups. Their containers are deleted before.
    pub(super) fn sweep(&self) -> Result<(), Error> {
        left::remove()?;
        reap_all();
        Ok(())
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // The net below a run that ends in an error, which is reported already.
        drop(self.sweep());
    }
}

/// In memory, as where runtimes have their state, if there is a file system like that.
fn state() -> Result<TempDir, Error> {
    let in_memory = |path: &&str| {
        statfs(*path).is_ok_and(|it| it.filesystem_type() == TMPFS_MAGIC)
            && access(*path, AccessFlags::W_OK).is_ok()
    };
    let parent =
        ["/run", "/dev/shm"].into_iter().find(in_memory).map_or_else(std::env::temp_dir, PathBuf::from);
    TempDir::with_prefix_in("cofferdam-bench-", parent).map_err(Error::io("make a directory for state"))
}

/// The default configuration of a bundle, without a terminal.
fn spec(root: &Path) -> Spec {
    let mut spec = default_spec();
    let mut process = spec.process().clone().unwrap_or_default();
    process.set_terminal(Some(false));
    let mut rootfs = spec.root().clone().unwrap_or_default();
    rootfs.set_path(root.to_owned());
    // Runtimes refuse versions that are newer than they are, and nothing here is newer than this one.
    spec.set_version("1.0.2".to_owned()).set_process(Some(process)).set_root(Some(rootfs));
    spec
}

/// Ended children that nobody waits for: what subjects left behind, as the bench waits for its own.
fn reap_all() {
    loop {
        match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::StillAlive) | Err(Errno::ECHILD) => return,
            // Others are not expected, and would be so again.
            Err(errno) if errno != Errno::EINTR => return,
            _ => {}
        }
    }
}

/// Literal arguments and paths.
pub(super) fn words<const N: usize>(words: [&dyn AsRef<std::ffi::OsStr>; N]) -> Vec<OsString> {
    words.iter().map(|word| word.as_ref().to_owned()).collect()
}
