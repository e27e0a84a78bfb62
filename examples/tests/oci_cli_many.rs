//! The command line `cofferdam`: many containers, one after the other and at once, leave nothing behind.
//! `COFFERDAM_TEST_MANY` says how many.

mod common;

#[path = "../../runtime-core/tests/common/traces.rs"]
mod traces;

use std::fs;
use std::process::Stdio;
use std::sync::{Mutex, PoisonError};

use common::User;
use common::oci::{Bundle, PATIENCE, end, users};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use serde_json::json;
use traces::{Traces, sizes};

/// They look at the whole process, so one goes after the other.
static TURN: Mutex<()> = Mutex::new(());

/// How many there are of each kind, unless it is said.
const USUAL: (usize, usize) = (40, 20);

/// Containers of one bundle.
struct Many<'a> {
    user: &'a User,
    bundle: Bundle<'a>,
    mark: String,
}

impl<'a> Many<'a> {
    fn new(user: &'a User, args: &[&str]) -> Self {
        let bundle = Bundle::new(user, args);
        let mark = format!("{}-many-", bundle.id);
        bundle.edit(|config| config["process"]["env"] = json!(["PATH=/bin", format!("MARK={mark}")]));
        Self { user, bundle, mark }
    }

    fn id(&self, index: usize) -> String {
        format!("{}{index}", self.mark)
    }

    /// Creates one; its process, held so that its end can be waited for.
    fn create(&self, index: usize, flags: &[&str]) -> Waited {
        let id = self.id(index);
        let words = [&["create", "--pid-file", "pid"], flags, &[&id]].concat();
        let mut command = self.bundle.command(&words);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let (status, text) = end(command.spawn().expect("cofferdam"));
        assert!(status.success(), "{index} {status}: {text}");
        let pid = fs::read_to_string(self.bundle.path.join("pid")).expect("the file");
        let pid = Pid::from_raw(pid.parse().expect("a number")).expect("a process id");
        Waited(pidfd_open(pid, PidfdFlags::empty()).expect("a process"))
    }

    fn act(&self, command: &str, index: usize) {
        self.bundle.text(&[command, &self.id(index)]);
    }

    fn look(&self) -> Traces {
        Traces::look(&self.mark, self.user.path())
    }

    /// How many there are, all of them with this status.
    fn count(&self, status: &str) -> usize {
        let all = self.bundle.json(&["list", "--format", "json"]);
        let all = all.as_array().map_or(&[][..], Vec::as_slice);
        assert!(all.iter().all(|one| one["status"] == status), "not all are {status}: {all:?}");
        all.len()
    }
}

/// A test that fails leaves nothing running.
impl Drop for Many<'_> {
    fn drop(&mut self) {
        for id in self.look().state {
            self.bundle.run(&["delete", "--force", &id]);
        }
    }
}

/// A process that is nobody's child here.
struct Waited(std::os::fd::OwnedFd);

impl Waited {
    fn end(&self) {
        let limit = Timespec::try_from(PATIENCE).expect("a time");
        let count = poll(&mut [PollFd::new(&self.0, PollFlags::IN)], Some(&limit)).expect("poll");
        assert_eq!(count, 1, "it ends");
    }
}

#[test]
fn many_containers_one_after_the_other_leave_nothing() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let (count, _) = sizes(USUAL);
    for user in users() {
        let many = Many::new(&user, &["true"]);
        let before = many.look();
        for index in 0..count {
            let process = many.create(index, &[]);
            many.act("start", index);
            process.end();
            many.act("delete", index);
        }
        before.assert_same(|| many.look());
    }
}

#[test]
fn many_containers_at_once_leave_nothing() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let (_, count) = sizes(USUAL);
    for user in users() {
        let many = Many::new(&user, &["sleep", "1000"]);
        let before = many.look();
        // Usually an ordinary user may have 200 keyrings.
        let flags: &[&str] = if user.root { &[] } else { &["--no-new-keyring"] };
        let processes: Vec<Waited> = (0..count).map(|index| many.create(index, flags)).collect();
        assert_eq!(many.count("created"), count);
        (0..count).for_each(|index| many.act("start", index));
        assert_eq!(many.count("running"), count);
        assert_eq!(many.look().processes.len(), count);
        for index in 0..count {
            many.bundle.text(&["kill", &many.id(index), "KILL"]);
        }
        processes.iter().for_each(Waited::end);
        assert_eq!(many.count("stopped"), count);
        (0..count).for_each(|index| many.act("delete", index));
        drop(processes);
        before.assert_same(|| many.look());
    }
}
