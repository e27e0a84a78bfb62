//! Where the bench makes its cgroups: found once, swept in the end.

mod mounts;

use std::cell::Cell;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::Error;
use mounts::Mount;
use nix::unistd::{AccessFlags, access};

/// The interface of the kernel that the controllers are on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    V1,
    V2,
}

/// How long a cgroup may stay busy after its last process.
const SETTLE: Duration = Duration::from_secs(2);
/// What every cgroup of this bench is called, before its numbers.
const PREFIX: &str = "cofferdam-bench";

/// A hierarchy that cgroups are made in.
#[derive(Debug)]
pub(crate) struct Hierarchy {
    mount: Mount,
    /// The directory below which ours are made: on v1 that of the bench, on v2 the topmost that it may use.
    own: PathBuf,
    /// That of the bench.
    home: PathBuf,
}

impl Hierarchy {
    /// The directory below which ours are made.
    pub(crate) fn own(&self) -> &Path {
        &self.own
    }

    /// Where it is mounted.
    pub(crate) fn top(&self) -> &Path {
        &self.mount.point
    }
}

/// All hierarchies, the names of ours in them, and the controllers that were enabled for them.
#[derive(Debug)]
pub(crate) struct Place {
    version: Version,
    /// Of v1 those with a controller that a case needs, and that of v2 if it is mounted.
    hierarchies: Vec<Hierarchy>,
    enabled: Vec<(PathBuf, &'static str)>,
    serial: Cell<u32>,
}

const LEAST: [&str; 3] = ["memory", "pids", "cpu"];

impl Place {
    /// Finds it, and enables on v2 what cgroups of the bench need.
    pub(crate) fn discover() -> Result<Place, Error> {
        let text = |path: &str| fs::read_to_string(path).map_err(Error::io(format!("read {path}")));
        let membership = text("/proc/self/cgroup")?;
        let mounts = mounts::parse(&text("/proc/self/mountinfo")?);
        let used = mounts.into_iter().filter(|mount| {
            mount.unified || LEAST.iter().chain(&["cpuacct"]).any(|controller| mount.serves(controller))
        });
        let used: Vec<Mount> = used.collect();
        let v1 = LEAST.into_iter().all(|controller| used.iter().any(|mount| mount.serves(controller)));
        let version = if v1 { Version::V1 } else { Version::V2 };
        let hierarchies = used
            .into_iter()
            .map(|mount| {
                let home = mount.directory(&membership);
                let own = if version == Version::V2 { topmost(&home, &mount.point) } else { home.clone() };
                Hierarchy { mount, own, home }
            })
            .collect();
        let mut place = Place { version, hierarchies, enabled: Vec::new(), serial: Cell::new(0) };
        place.enable()?;
        place.attempt()?;
        Ok(place)
    }

    pub(crate) fn version(&self) -> Version {
        self.version
    }

    /// A name that no other cgroup has.
    pub(crate) fn name(&self) -> String {
        self.serial.set(self.serial.get() + 1);
        format!("{}{}", prefix(), self.serial.get())
    }

    /// The hierarchy that serves a controller.
    pub(crate) fn hierarchy(&self, controller: &str) -> Result<&Hierarchy, Error> {
        let serves = |hierarchy: &&Hierarchy| match self.version {
            Version::V1 => hierarchy.mount.serves(controller),
            Version::V2 => hierarchy.mount.unified,
        };
        let found = self.hierarchies.iter().find(serves);
        found.ok_or_else(|| {
            Error::Setting(format!("no hierarchy with the controller {controller} is mounted"))
        })
    }

    /// That of v2, if it is mounted.
    pub(crate) fn unified(&self) -> Option<&Hierarchy> {
        self.hierarchies.iter().find(|hierarchy| hierarchy.mount.unified)
    }

    /// The hierarchies that serve these controllers, each once.
    pub(crate) fn hierarchies(&self, controllers: &[&str]) -> Result<Vec<&Hierarchy>, Error> {
        let mut found: Vec<&Hierarchy> = Vec::new();
        for controller in controllers {
            let hierarchy = self.hierarchy(controller)?;
            if !found.iter().any(|other| other.mount == hierarchy.mount) {
                found.push(hierarchy);
            }
        }
        Ok(found)
    }

    /// Moves a process out of every cgroup of the bench, back to where the bench is.
    pub(crate) fn take_back(&self, pid: i32) -> Result<(), Error> {
        let path = format!("/proc/{pid}/cgroup");
        let membership = fs::read_to_string(&path).map_err(Error::io(format!("read {path}")))?;
        for hierarchy in &self.hierarchies {
            if hierarchy.mount.directory(&membership).to_string_lossy().contains(&prefix()) {
                write(&hierarchy.home.join("cgroup.procs"), &pid.to_string())?;
            }
        }
        Ok(())
    }

    /// Removes every cgroup of the bench; their processes must have ended.
    pub(crate) fn sweep(&self) -> Result<(), Error> {
        for hierarchy in &self.hierarchies {
            for parent in [&hierarchy.own, &hierarchy.mount.point] {
                let entries =
                    fs::read_dir(parent).map_err(Error::io(format!("read {}", parent.display())))?;
                let ours = |entry: &fs::DirEntry| entry.file_name().to_string_lossy().starts_with(&prefix());
                for entry in entries.filter_map(Result::ok).filter(ours) {
                    remove(&entry.path())?;
                }
            }
        }
        Ok(())
    }

    /// Sweeps, and leaves the host's cgroups as they were.
    pub(crate) fn close(mut self) -> Result<(), Error> {
        self.restore()
    }

    fn restore(&mut self) -> Result<(), Error> {
        self.sweep()?;
        while let Some((file, controller)) = self.enabled.pop() {
            write(&file, &format!("-{controller}"))?;
        }
        Ok(())
    }

    fn enable(&mut self) -> Result<(), Error> {
        if self.version == Version::V1 {
            return Ok(());
        }
        let file = self.hierarchy("memory")?.own.join("cgroup.subtree_control");
        let enabled = fs::read_to_string(&file).map_err(refused("read", &file))?;
        for controller in LEAST {
            if !enabled.split_whitespace().any(|name| name == controller) {
                fs::write(&file, format!("+{controller}"))
                    .map_err(refused("enable controllers in", &file))?;
                self.enabled.push((file.clone(), controller));
            }
        }
        Ok(())
    }

    /// Whether cgroups may be made at all.
    fn attempt(&self) -> Result<(), Error> {
        let name = self.name();
        for hierarchy in self.hierarchies(&LEAST)? {
            let path = hierarchy.own.join(&name);
            fs::create_dir(&path).map_err(refused("make", &path))?;
            remove(&path)?;
        }
        Ok(())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // The net below `close`, after an error that is reported already.
        drop(self.restore());
    }
}

fn prefix() -> String {
    format!("{PREFIX}-{}-", std::process::id())
}

/// From `home` upwards as long as this process may make cgroups and move processes there.
fn topmost(home: &Path, top: &Path) -> PathBuf {
    let writable = |path: &Path| {
        let files = [path.to_owned(), path.join("cgroup.procs"), path.join("cgroup.subtree_control")];
        files.iter().all(|file| access(file, AccessFlags::W_OK).is_ok())
    };
    let above = home.ancestors().take_while(|path| path.starts_with(top) && writable(path));
    above.last().unwrap_or(home).to_owned()
}

fn refused(what: &str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.display();
    Error::io(format!("no cgroups can be made, which takes root or a delegated cgroup: {what} {path}"))
}

fn write(path: &Path, value: &str) -> Result<(), Error> {
    fs::write(path, value).map_err(Error::io(format!("write {value:?} to {}", path.display())))
}

/// A cgroup stays busy for a moment after its last process.
fn remove(path: &Path) -> Result<(), Error> {
    let end = Instant::now() + SETTLE;
    loop {
        match fs::remove_dir(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::ResourceBusy && Instant::now() < end => {
                std::thread::sleep(Duration::from_millis(1));
            }
            done => return done.map_err(Error::io(format!("remove {}", path.display()))),
        }
    }
}
