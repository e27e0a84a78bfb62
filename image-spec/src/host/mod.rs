//! An image made from the files of this host: some programs and what they need to run.

mod build;
mod elf;
mod files;
mod gather;
mod plan;
mod script;
mod search;
mod shell;

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

pub use plan::{FileState, HostEntry, HostPlan, HostSource};

use crate::{Error, Result};
use files::Host;
use gather::{Gather, failed};

/// Where programs are on most hosts, and where those of an image are looked for.
const STANDARD_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Which programs and files of this host an image has.
///
/// With each program come the symbolic links on the way to it, its interpreter and the libraries it is linked with, all
/// at the same paths. What a program loads by itself while it runs, such as plugins, locales or modules of a language,
/// cannot be known and is added by [`HostImage::file`].
///
/// ```no_run
/// use cofferdam_image_spec::{HostImage, Layout};
///
/// let plan = HostImage::new().program("sh").program("ls").plan()?;
/// print!("{plan}");
/// plan.build(&Layout::create("image")?, Some("tools"))?;
/// # Ok::<(), cofferdam_image_spec::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostImage {
    host: Host,
    programs: Vec<OsString>,
    files: Vec<PathBuf>,
    contents: BTreeMap<PathBuf, (u32, Vec<u8>)>,
    base: bool,
    search: Option<OsString>,
}

impl Default for HostImage {
    fn default() -> Self {
        Self::new()
    }
}

impl HostImage {
    /// Nothing of this host yet.
    pub fn new() -> Self {
        Self::of("/")
    }

    /// Nothing yet of a directory that holds the files of a host. Absolute paths and links begin there.
    pub fn of(root: impl Into<PathBuf>) -> Self {
        Self {
            host: Host::new(root),
            programs: Vec::new(),
            files: Vec::new(),
            contents: BTreeMap::new(),
            base: true,
            search: None,
        }
    }

    /// Adds a program, by its name or an absolute path. The first one is what the image runs.
    #[must_use]
    pub fn program(mut self, name: impl AsRef<OsStr>) -> Self {
        self.programs.push(name.as_ref().to_owned());
        self
    }

    /// Adds a file by its absolute path, with what it needs if it is a program, a library or a script.
    #[must_use]
    pub fn file(mut self, path: impl Into<PathBuf>) -> Self {
        self.files.push(path.into());
        self
    }

    /// Adds a file with these bytes and permissions, whatever the host has there.
    #[must_use]
    pub fn content(mut self, path: impl Into<PathBuf>, mode: u32, bytes: impl Into<Vec<u8>>) -> Self {
        self.contents.insert(path.into(), (mode & 0o777, bytes.into()));
        self
    }

    /// Whether the image has what programs expect of any system: `/tmp`, `/root`, places to mount on, `/bin` and others as
    /// links to `/usr` if the host has them so, and `/etc/passwd`, `/etc/group` and `/etc/nsswitch.conf` that know `root`
    /// and `nobody`. It has unless this says otherwise.
    #[must_use]
    pub fn base(mut self, base: bool) -> Self {
        self.base = base;
        self
    }

    /// Where programs are looked for, as in `PATH`. Unless this says otherwise that is this process's `PATH` for this
    /// host, and the usual directories for another root.
    #[must_use]
    pub fn search(mut self, path: impl Into<OsString>) -> Self {
        self.search = Some(path.into());
        self
    }

    /// Finds all files. Of programs and libraries headers and names are read, of other files only what they are.
    ///
    /// # Errors
    /// [`Error::Missing`] names the program, interpreter or library that is not there, and what needs it;
    /// [`Error::Invalid`] an ELF file that breaks the format's rules, or a program that is neither that nor a script;
    /// [`Error::File`] what cannot be read.
    pub fn plan(&self) -> Result<HostPlan> {
        let search = self.search_dirs();
        let mut gather = Gather::new(&self.host, search);
        let mut found = Vec::new();
        for program in &self.programs {
            found.push(gather.program(program)?);
        }
        for file in &self.files {
            gather.file(file)?;
        }
        gather.finish()?;
        let mut entries = gather.entries;
        if self.base {
            self.add_base(&mut entries)?;
        }
        for (path, (mode, bytes)) in &self.contents {
            self.add(&mut entries, path, *mode, HostSource::Bytes(bytes.clone()), true)?;
        }
        let command = found.first().map(|path| text(path)).transpose()?.into_iter().collect();
        Ok(HostPlan {
            host: self.host.clone(),
            entries: entries.into_values().collect(),
            command,
            search_path: image_path(&found)?,
        })
    }

    fn search_dirs(&self) -> Vec<PathBuf> {
        let own = || self.host.is_root().then(|| std::env::var_os("PATH")).flatten();
        let path = self.search.clone().or_else(own).unwrap_or_else(|| STANDARD_PATH.into());
        std::env::split_paths(&path).filter(|dir| dir.is_absolute()).collect()
    }

    fn add_base(&self, entries: &mut BTreeMap<PathBuf, HostEntry>) -> Result<()> {
        let directories =
            [("/dev", 0o755), ("/proc", 0o555), ("/root", 0o700), ("/run", 0o755), ("/sys", 0o555)];
        for (path, mode) in directories.into_iter().chain([("/tmp", 0o1777)]) {
            self.add(entries, Path::new(path), mode, HostSource::Directory, false)?;
        }
        // Where `/bin` and others are links to `/usr`, programs expect to find what is there by both.
        for path in ["/bin", "/sbin", "/lib", "/lib64"].map(Path::new) {
            if let Some(found) = self.host.follow(path).ok().filter(|found| found.path != path) {
                entries.extend(found.into_entries().into_iter().map(|entry| (entry.path.clone(), entry)));
            }
        }
        let texts = [
            ("/etc/passwd", "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/sbin/nologin\n"),
            ("/etc/group", "root:x:0:\nnobody:x:65534:\n"),
            ("/etc/nsswitch.conf", "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n"),
        ];
        for (path, text) in texts {
            self.add(entries, Path::new(path), 0o644, HostSource::Bytes(text.into()), false)?;
        }
        Ok(())
    }

    /// Adds something that is not the host's, in directories as the host has them.
    fn add(
        &self,
        entries: &mut BTreeMap<PathBuf, HostEntry>,
        path: &Path,
        mode: u32,
        source: HostSource,
        replace: bool,
    ) -> Result<()> {
        let wrong = || Error::invalid("path", path.to_string_lossy(), "is not an absolute path of a file");
        let plain = |part| matches!(part, Component::RootDir | Component::Normal(_));
        let right =
            path.is_absolute() && path.components().all(plain) && !path.as_os_str().as_bytes().contains(&0);
        let name = path.file_name().filter(|_| right).ok_or_else(wrong)?;
        let mut dir = PathBuf::from("/");
        for part in path.parent().into_iter().flat_map(Path::components).skip(1) {
            dir.push(part);
            match self.host.follow(&dir) {
                Ok(found) if found.meta.is_dir() => {
                    dir = found.path;
                    entries.extend(found.way.into_iter().map(|entry| (entry.path.clone(), entry)));
                }
                Ok(_) => return Err(failed("add", path)(std::io::ErrorKind::NotADirectory.into())),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                    entries.insert(dir.clone(), HostEntry::new(&dir, 0o755, HostSource::Directory));
                }
                Err(error) => return Err(failed("find", &dir)(error)),
            }
        }
        let path = dir.join(name);
        if replace || !entries.contains_key(&path) {
            entries.insert(path.clone(), HostEntry::new(path, mode, source));
        }
        Ok(())
    }
}

/// `PATH` of the image: the usual directories, and those of programs that lie elsewhere.
fn image_path(programs: &[PathBuf]) -> Result<String> {
    let mut dirs = STANDARD_PATH.split(':').map(str::to_owned).collect::<Vec<_>>();
    for program in programs {
        let dir = text(program.parent().unwrap_or(Path::new("/")))?;
        if !dirs.contains(&dir) && !dir.as_bytes().contains(&b':') {
            dirs.push(dir);
        }
    }
    Ok(dirs.join(":"))
}

/// Configs are JSON, so what they name is text.
fn text(path: &Path) -> Result<String> {
    let wrong = || Error::invalid("path of a program", path.to_string_lossy(), "is not UTF-8");
    std::str::from_utf8(path.as_os_str().as_bytes()).map(str::to_owned).map_err(|_| wrong())
}
