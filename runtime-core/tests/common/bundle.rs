//! Bundles for containers: a root with busybox, a configuration, a state directory.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use cofferdam::Stdio;
use cofferdam::oci::{Container, CreateOptions, Error, Runtime, Spec, default_spec, default_spec_rootless};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Where a busybox is that needs no libraries. It is looked for once: tests that look at all descriptors of the process
/// would see another test read it.
pub fn busybox() -> Option<PathBuf> {
    static FOUND: OnceLock<Option<PathBuf>> = OnceLock::new();
    FOUND.get_or_init(static_busybox).clone()
}

fn static_busybox() -> Option<PathBuf> {
    let found =
        ["/bin/busybox", "/usr/bin/busybox"].into_iter().map(PathBuf::from).find(|path| path.exists())?;
    // A program with an interpreter needs libraries.
    let bytes = std::fs::read(&found).ok()?;
    let linked = bytes.windows(9).any(|window| window == b"/ld-linux")
        || bytes.windows(8).any(|window| window == b"/ld-musl");
    (!linked).then_some(found)
}

/// A bundle with what belongs to a test.
pub struct Bundle {
    pub directory: TempDir,
    pub config: Value,
    pub runtime: Runtime,
}

impl Bundle {
    /// A container that runs a shell script, for root or an ordinary user.
    pub fn new(script: &str) -> Self {
        let directory = TempDir::new().expect("a temporary directory");
        let bundle = directory.path();
        std::fs::set_permissions(bundle, std::fs::Permissions::from_mode(0o755)).expect("chmod");
        let root = bundle.join("rootfs");
        for name in ["bin", "proc", "sys", "dev", "tmp", "etc"] {
            std::fs::create_dir_all(root.join(name)).expect("mkdir");
        }
        std::fs::copy(busybox().expect("busybox"), root.join("bin/busybox")).expect("copy");
        for name in
            ["sh", "sleep", "cat", "true", "false", "echo", "kill", "ls", "id", "hostname", "env", "test"]
        {
            symlink("busybox", root.join("bin").join(name)).expect("symlink");
        }
        let uid = rustix::process::geteuid();
        let spec = match uid.is_root() {
            true => default_spec(),
            false => default_spec_rootless(uid.as_raw(), rustix::process::getegid().as_raw()),
        };
        let mut config = serde_json::to_value(&spec).expect("json");
        config["process"]["terminal"] = json!(false);
        config["process"]["args"] = json!(["/bin/sh", "-c", script]);
        // Of an ordinary user, below what is delegated.
        let below = if uid.is_root() { "/" } else { "" };
        config["linux"]["cgroupsPath"] = json!(format!("{below}cofferdam-test-{}", unique()));
        let runtime = Runtime::new(bundle.join("state"));
        Self { directory, config, runtime }
    }

    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    pub fn spec(&self) -> Spec {
        serde_json::from_value(self.config.clone()).expect("a configuration")
    }

    /// Creates a container whose streams go nowhere.
    pub fn create(&self, id: &str) -> Result<Container, Error> {
        let spec = self.spec();
        self.runtime.create(self.options(id, &spec))
    }

    pub fn options<'a>(&self, id: &str, spec: &'a Spec) -> CreateOptions<'a> {
        let mut options = CreateOptions::new(id, spec, self.path());
        (options.stdin, options.stdout, options.stderr) = (Stdio::null(), Stdio::null(), Stdio::null());
        if !super::is_root() {
            options.cgroup = cofferdam::LimitPolicy::IfAvailable;
        }
        options
    }

    /// Creates, starts, and waits: what it wrote and its exit code.
    pub fn run(&self, id: &str) -> (String, i32) {
        let spec = self.spec();
        let mut options = self.options(id, &spec);
        options.stdout = Stdio::piped();
        let mut container = self.runtime.create(options).unwrap_or_else(|error| panic!("{error}"));
        container.start().unwrap_or_else(|error| panic!("{error}"));
        let mut text = String::new();
        if let Some(mut stdout) = container.stdout.take() {
            std::io::Read::read_to_string(&mut stdout, &mut text).expect("text");
        }
        let status = wait(&mut container);
        let warnings = container.delete(false).unwrap_or_else(|error| panic!("{error}"));
        assert!(warnings.is_empty(), "{warnings:?}");
        (text, status)
    }

    /// What is in the state directory.
    pub fn entries(&self) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(self.path().join("state")) else { return Vec::new() };
        let mut names: Vec<String> = entries
            .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    /// The cgroups that exist for its containers.
    pub fn cgroups(&self) -> Vec<PathBuf> {
        let Some(path) = self.config["linux"]["cgroupsPath"].as_str() else { return Vec::new() };
        let mounts = std::fs::read_to_string("/proc/self/mountinfo").expect("mountinfo");
        let points = mounts
            .lines()
            .filter(|line| line.contains(" - cgroup"))
            .filter_map(|line| line.split(' ').nth(4));
        points
            .map(|point| Path::new(point).join(path.trim_start_matches('/')))
            .filter(|at| at.exists())
            .collect()
    }
}

/// A test that fails leaves nothing running.
impl Drop for Bundle {
    fn drop(&mut self) {
        for id in self.entries() {
            if let Err(error) = self.runtime.delete(&id, true) {
                eprintln!("{error}");
            }
        }
    }
}

/// A number that no other test has.
pub fn unique() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

/// The exit code; a container that does not end fails the test.
pub fn wait(container: &mut Container) -> i32 {
    let status = container.wait_timeout(Duration::from_secs(30)).unwrap_or_else(|error| panic!("{error}"));
    let status = status.expect("the container ends");
    status
        .code()
        .unwrap_or_else(|| 128 + std::os::unix::process::ExitStatusExt::signal(&status).expect("a signal"))
}
