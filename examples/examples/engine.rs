//! An engine in a few lines: it keeps its own list of containers, runs them beside each other, and sees each end. Containers are
//! values here, and nothing about them is on disk but their roots. Needs root, or user namespaces.

use std::collections::BTreeMap;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use cofferdam::oci::{
    Container, CreateOptions, ExecOptions, Runtime, Spec, default_spec, default_spec_rootless,
};
use cofferdam::{LimitPolicy, Stdio};
use rustix::process::{getegid, geteuid};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// What an engine knows.
struct Engine {
    root: PathBuf,
    runtime: Runtime,
    containers: BTreeMap<String, Container>,
}

impl Engine {
    /// One whose containers share a root, which they cannot write to.
    fn new(root: PathBuf) -> Result<Self> {
        std::fs::create_dir_all(root.join("rootfs/bin"))?;
        std::fs::copy("/bin/busybox", root.join("rootfs/bin/busybox"))?;
        for name in ["sh", "sleep", "hostname"] {
            symlink("busybox", root.join("rootfs/bin").join(name))?;
        }
        Ok(Self { root, runtime: Runtime::without_state(), containers: BTreeMap::new() })
    }

    /// The configuration of a container: a value, changed as it is needed.
    fn spec(&self, name: &str, script: &str) -> Result<Spec> {
        let mut spec = match geteuid().is_root() {
            true => default_spec(),
            false => default_spec_rootless(geteuid().as_raw(), getegid().as_raw()),
        };
        spec.set_hostname(Some(name.into()));
        let process = spec.process_mut().as_mut().ok_or("a default without a process")?;
        process.set_terminal(Some(false));
        process.set_args(Some(vec!["sh".into(), "-c".into(), script.into()]));
        Ok(spec)
    }

    fn run(&mut self, name: &str, script: &str) -> Result<()> {
        let spec = self.spec(name, script)?;
        let mut options = CreateOptions::new(name, &spec, &self.root);
        options.cgroup = LimitPolicy::IfAvailable;
        options.stdin = Stdio::null();
        let mut container = self.runtime.create(options)?;
        container.start()?;
        self.containers.insert(name.to_owned(), container);
        Ok(())
    }

    fn exec(&self, name: &str, script: &str) -> Result<()> {
        let container = self.containers.get(name).ok_or("no such container")?;
        let mut process = container.process_template();
        process.set_args(Some(vec!["sh".into(), "-c".into(), script.into()]));
        let status = container.exec(ExecOptions::new(&process))?.wait()?;
        println!("in {name}: {status}");
        Ok(())
    }

    /// Takes those that have ended out of the list.
    fn reap(&mut self) -> Result<()> {
        let names: Vec<String> = self.containers.keys().cloned().collect();
        for name in names {
            let Some(container) = self.containers.get_mut(&name) else { continue };
            if let Some(status) = container.wait_timeout(Duration::ZERO)? {
                println!("{name} ended: {status}");
                self.containers.remove(&name).map(|container| container.delete(false)).transpose()?;
            }
        }
        Ok(())
    }
}

fn work(directory: &Path) -> Result<()> {
    let mut engine = Engine::new(directory.to_owned())?;
    engine.run("first", "sleep 0.2; exit 3")?;
    engine.run("second", "sleep 60")?;
    engine.exec("second", "test $(hostname) = second")?;
    let end = Instant::now() + Duration::from_secs(20);
    while engine.containers.len() > 1 && Instant::now() < end {
        engine.reap()?;
        std::thread::sleep(Duration::from_millis(10));
    }
    engine.containers.get("second").ok_or("it should run")?.kill(libc::SIGKILL, false)?;
    while !engine.containers.is_empty() && Instant::now() < end {
        engine.reap()?;
        std::thread::sleep(Duration::from_millis(10));
    }
    println!("containers left: {}", engine.containers.len());
    Ok(())
}

fn main() -> Result<()> {
    let directory = std::env::temp_dir().join(format!("cofferdam-engine-{}", std::process::id()));
    let result = work(&directory);
    std::fs::remove_dir_all(&directory)?;
    result
}
