//! This test binary in a process of its own, for one test.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Command, Stdio};
use tempfile::TempDir;

const MARK: &str = "COFFERDAM_TEST_AGAIN";

/// A run of one test in another process: it waits in [`Again::word`] for what it is told.
#[derive(Debug)]
pub struct Again {
    child: Child,
    /// Until told to go on.
    words: Option<ChildStdin>,
    /// A copy of the binary that other users can read.
    _copy: Option<TempDir>,
}

impl Again {
    /// Starts this binary for the test of this name, as this user or another.
    pub fn start(test: &str, uid: Option<u32>) -> Self {
        let mut binary = std::env::current_exe().expect("test binary");
        let mut copy = None;
        if uid.is_some() {
            let directory = tempfile::tempdir().expect("temporary directory");
            let all = std::fs::Permissions::from_mode(0o755);
            std::fs::set_permissions(directory.path(), all).expect("readable directory");
            let to = directory.path().join("test");
            // Not by this process: a child of another thread could hold the copy open for writing, which makes it busy.
            let copied = Command::new("cp").arg(&binary).arg(&to).status().expect("start cp");
            assert!(copied.success(), "copy of the binary");
            (binary, copy) = (to, Some(directory));
        }
        let mut command = Command::new(binary);
        command.args([test, "--exact", "--nocapture", "--test-threads=1"]).env(MARK, "1").current_dir("/");
        command.stdin(Stdio::piped());
        if let Some(uid) = uid {
            command.uid(uid).gid(uid);
        }
        let mut child = command.spawn().expect("start the test again");
        let words = child.stdin.take();
        Self { child, words, _copy: copy }
    }

    /// Whether this is the other process; the word that it was told.
    pub fn word() -> Option<String> {
        std::env::var_os(MARK)?;
        let mut word = String::new();
        std::io::stdin().read_line(&mut word).expect("a word");
        Some(word.trim().to_owned())
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Tells it to go on.
    pub fn tell(&mut self, word: &str) {
        let mut words = self.words.take().expect("told once");
        writeln!(words, "{word}").expect("tell the other process");
    }

    /// Waits until it has ended; whether its test passed.
    pub fn passed(mut self) -> bool {
        self.child.wait().expect("wait for a child").success()
    }
}

impl Drop for Again {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            self.child.kill().expect("kill a child");
            self.child.wait().expect("wait for a child");
        }
    }
}
