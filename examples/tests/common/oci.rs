//! Containers of the command line `cofferdam`, in bundles with a busybox.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::IoSliceMut;
use std::mem::MaybeUninit;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use serde_json::{Value, json};

use super::{User, errors};

/// What the busybox in a bundle is called.
const APPLETS: [&str; 22] = [
    "cat", "cut", "echo", "env", "false", "grep", "head", "id", "kill", "ls", "mkdir", "printf", "pwd",
    "readlink", "sh", "sleep", "stat", "stty", "test", "touch", "true", "tty",
];

/// How long something may take that is waited for.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// The static busybox of this host.
pub fn busybox() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).map(|directory| directory.join("busybox")).find(|path| path.is_file())
}

/// Root, and an ordinary user. COFFERDAM_TEST_RUNTIME may name another runtime, to see whether it does what is expected.
pub fn users() -> Vec<User> {
    if busybox().is_none() {
        super::skip("a static busybox");
        return Vec::new();
    }
    let program = std::env::var("COFFERDAM_TEST_RUNTIME").ok();
    let program = program.as_deref().unwrap_or(env!("CARGO_BIN_EXE_cofferdam"));
    super::users(program, env!("CARGO_BIN_EXE_isolate"))
}

/// Root alone.
pub fn root() -> Option<User> {
    let root = users().into_iter().find(|user| user.root);
    if root.is_none() {
        super::skip("root");
    }
    root
}

/// A bundle, and a container of its own name.
pub struct Bundle<'a> {
    user: &'a User,
    pub id: String,
    pub path: PathBuf,
}

impl<'a> Bundle<'a> {
    /// A program in what `cofferdam spec` writes, without a terminal.
    pub fn new<S: AsRef<str>>(user: &'a User, args: &[S]) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let id = format!("cofferdam-test-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = user.path().join(&id);
        root_file_system(&path.join("rootfs"));
        super::open_to_all(&path);
        let bundle = Self { user, id, path };
        let flag: &[&str] = if user.root { &[] } else { &["--rootless"] };
        let words: Vec<&str> = std::iter::once("spec").chain(flag.iter().copied()).collect();
        let output = bundle.run(&words);
        assert!(output.status.success(), "{}", errors(&output));
        let args: Vec<&str> = args.iter().map(AsRef::as_ref).collect();
        bundle.edit(|config| {
            config["process"]["terminal"] = json!(false);
            config["process"]["args"] = json!(args);
            config["root"]["readonly"] = json!(false);
        });
        bundle
    }

    /// A shell that runs a script.
    pub fn script(user: &'a User, script: &str) -> Self {
        Self::new(user, &["sh", "-c", script])
    }

    /// Changes its configuration.
    pub fn edit(&self, change: impl FnOnce(&mut Value)) {
        let path = self.path.join("config.json");
        let mut config: Value =
            serde_json::from_slice(&fs::read(&path).expect("a configuration")).expect("JSON");
        change(&mut config);
        fs::write(&path, config.to_string()).expect("write");
    }

    /// The command line, run in the bundle.
    pub fn command<S: AsRef<OsStr>>(&self, args: &[S]) -> Command {
        let root = self.user.path().join("state");
        let before = [OsStr::new("--root"), root.as_os_str()];
        let words: Vec<&OsStr> = before.into_iter().chain(args.iter().map(AsRef::as_ref)).collect();
        let mut command = self.user.command(&words);
        command.current_dir(&self.path);
        command
    }

    pub fn run<S: AsRef<OsStr>>(&self, args: &[S]) -> Output {
        self.command(args).stdin(Stdio::null()).output().expect("cofferdam")
    }

    /// What it prints; it must succeed.
    pub fn text<S: AsRef<OsStr>>(&self, args: &[S]) -> String {
        let output = self.run(args);
        let words: Vec<&OsStr> = args.iter().map(AsRef::as_ref).collect();
        assert!(output.status.success(), "{words:?} {}: {}", output.status, errors(&output));
        String::from_utf8(output.stdout).expect("text").trim_end().to_owned()
    }

    /// What it prints about itself as it fails with this code: one line.
    pub fn complaint<S: AsRef<OsStr>>(&self, args: &[S], code: i32) -> String {
        let output = self.run(args);
        assert_eq!(output.status.code(), Some(code), "{}", errors(&output));
        complaint(&output)
    }

    /// What it prints as JSON.
    pub fn json<S: AsRef<OsStr>>(&self, args: &[S]) -> Value {
        serde_json::from_str(&self.text(args)).expect("JSON")
    }

    /// A container whose program was started, with nothing but its process left here.
    pub fn start(&self) {
        let (input, output) = (Stdio::null(), Stdio::null());
        let mut command = self.command(&["run", "--detach", &self.id]);
        let child = command.stdin(input).stdout(output).stderr(Stdio::piped()).spawn().expect("cofferdam");
        // The error stream is the program's too: only the end of the command is waited for.
        let output = end(child);
        assert!(output.0.success(), "{}", output.1);
    }

    pub fn status(&self) -> String {
        self.json(&["state", &self.id])["status"].as_str().expect("a status").to_owned()
    }

    pub fn wait_for(&self, status: &str) {
        wait_until(status, || self.status() == status);
    }

    pub fn pid(&self) -> i32 {
        let pid = self.json(&["state", &self.id])["pid"].as_i64().expect("a number");
        i32::try_from(pid).expect("a process id")
    }

    /// Whether nothing is left of it.
    pub fn is_gone(&self) -> bool {
        let cgroups = walk(Path::new("/sys/fs/cgroup"), 3);
        let names = cgroups.iter().filter(|path| path.file_name() == Some(OsStr::new(&self.id)));
        !self.user.path().join("state").join(&self.id).exists() && names.count() == 0
    }
}

impl Drop for Bundle<'_> {
    fn drop(&mut self) {
        self.run(&["delete", "--force", &self.id]);
    }
}

/// The end of a command whose streams others may keep open, and what it has written until then.
pub fn end(mut child: Child) -> (std::process::ExitStatus, String) {
    let status = child.wait().expect("wait");
    let mut text = Vec::new();
    if let Some(stderr) = child.stderr.take() {
        rustix::io::ioctl_fionbio(&stderr, true).expect("a pipe");
        let mut buffer = [0; 4096];
        while let Ok(count @ 1..) = rustix::io::read(&stderr, &mut buffer) {
            text.extend_from_slice(&buffer[..count]);
        }
    }
    (status, String::from_utf8_lossy(&text).into_owned())
}

/// The message of a failure of `cofferdam` itself: one line.
pub fn complaint(output: &Output) -> String {
    let text = errors(output);
    let line = text.strip_suffix('\n').filter(|line| !line.contains('\n'));
    let message = line.and_then(|line| line.strip_prefix("cofferdam: "));
    message.unwrap_or_else(|| panic!("not a line of cofferdam: {text:?}")).to_owned()
}

/// Waits until something holds.
pub fn wait_until(what: &str, holds: impl Fn() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < PATIENCE, "in vain waited: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The descriptor that was sent, and its name.
pub fn receive(listener: &UnixListener) -> (File, String) {
    let (stream, _) = listener.accept().expect("a connection");
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let mut name = [0; 256];
    let message =
        recvmsg(&stream, &mut [IoSliceMut::new(&mut name)], &mut ancillary, RecvFlags::CMSG_CLOEXEC);
    let count = message.expect("a message").bytes;
    let sent = ancillary.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut fds) => fds.next(),
        _ => None,
    });
    (sent.expect("a descriptor").into(), String::from_utf8_lossy(&name[..count]).into_owned())
}

/// A directory with a busybox under its names, and the directories that are mounted on.
pub fn root_file_system(path: &Path) {
    for directory in ["bin", "dev", "etc", "proc", "sys", "tmp"] {
        fs::create_dir_all(path.join(directory)).expect("a directory");
    }
    fs::set_permissions(path.join("tmp"), fs::Permissions::from_mode(0o1777)).expect("chmod");
    let copied = Command::new("cp").arg(busybox().expect("busybox")).arg(path.join("bin/busybox")).status();
    assert!(copied.expect("cp").success());
    for applet in APPLETS {
        symlink("busybox", path.join("bin").join(applet)).expect("a link");
    }
}

/// The directories below one.
fn walk(path: &Path, depth: usize) -> Vec<PathBuf> {
    let Some(depth) = depth.checked_sub(1) else { return Vec::new() };
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    let directories: Vec<PathBuf> = entries
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .map(|entry| entry.path())
        .collect();
    let below = directories.iter().flat_map(|path| walk(path, depth)).collect::<Vec<_>>();
    directories.into_iter().chain(below).collect()
}
