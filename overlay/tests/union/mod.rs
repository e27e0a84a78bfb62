//! A real overlay mount over directories of a temporary one.

use cofferdam_overlay::{Change, Changes, Error, XattrNamespace};
use nix::mount::{MsFlags, mount};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// Directories for an overlay: `upper`, `work`, `merged`, and lower ones by number, topmost first.
pub struct Union {
    pub directory: TempDir,
    lowers: usize,
}

impl Union {
    pub fn new(lowers: usize) -> Self {
        let directory = tempfile::tempdir().expect("temporary directory");
        let numbers = (0..lowers).map(|lower| lower.to_string());
        for name in ["upper", "work", "merged"].into_iter().map(str::to_owned).chain(numbers) {
            fs::create_dir(directory.path().join(name)).expect("a directory");
        }
        Self { directory, lowers }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Changes of the upper directory.
    pub fn changes(&self) -> Vec<Result<Change, Error>> {
        let open = |name: &str| File::open(self.path(name)).expect("open a layer");
        let lowers: Vec<_> = (0..self.lowers).map(|lower| open(&lower.to_string())).collect();
        Changes::new(&open("upper"), &lowers, xattrs()).collect()
    }

    /// What is needed to mount it, for another thread.
    pub fn mountable(&self) -> Mountable {
        let lowers = (0..self.lowers).map(|lower| self.path(&lower.to_string()).display().to_string());
        let options = format!(
            "lowerdir={},upperdir={},workdir={}",
            lowers.collect::<Vec<_>>().join(":"),
            self.path("upper").display(),
            self.path("work").display()
        );
        Mountable { options, at: self.path("merged") }
    }
}

/// An overlay that is mounted in the mount namespace of a thread.
pub struct Mountable {
    options: String,
    at: PathBuf,
}

impl Mountable {
    /// Mounts it, with more options. Where it is, or why this host does not do it.
    pub fn mount(&self, more: &str) -> nix::Result<&Path> {
        let user = if xattrs() == XattrNamespace::User { ",userxattr" } else { "" };
        let options = format!("{}{user}{more}", self.options);
        mount(Some("overlay"), &self.at, Some("overlay"), MsFlags::empty(), Some(options.as_str()))?;
        Ok(&self.at)
    }
}

/// What the caller may use: root of the host, or of a user namespace.
pub fn xattrs() -> XattrNamespace {
    if crate::common::is_root_of_the_host() { XattrNamespace::Trusted } else { XattrNamespace::User }
}
