//! Many containers, one after the other and at once, leave nothing behind. `COFFERDAM_TEST_MANY` says how many.
#![cfg(feature = "oci")]

mod common;

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use cofferdam::oci::{Container, Error, Status};
use common::bundle::{Bundle, busybox, unique, wait};
use common::times;
use common::traces::{Traces, sizes};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::json;

/// They look at the whole process, so one goes after the other.
static TURN: Mutex<()> = Mutex::new(());

/// Containers of one bundle, each with a cgroup of its own.
struct Many {
    bundle: Bundle,
    mark: String,
}

impl Many {
    fn new(args: &[&str]) -> Self {
        let mark = format!("cofferdam-test-many-{}-", unique());
        let mut bundle = Bundle::new("");
        bundle.config["process"]["args"] = json!(args);
        bundle.config["process"]["env"] = json!(["PATH=/bin", format!("MARK={mark}")]);
        Self { bundle, mark }
    }

    fn create(&self, index: usize) -> Result<Container, Error> {
        let below = if common::is_root() { "/" } else { "" };
        let name = format!("{below}{}{index}", self.mark);
        let mut spec = self.bundle.spec();
        spec.linux_mut().as_mut().expect("a section").set_cgroups_path(Some(name.into()));
        let id = format!("box-{index}");
        let mut options = self.bundle.options(&id, &spec);
        // Usually an ordinary user may have 200 keyrings.
        options.no_new_keyring = !common::is_root();
        self.bundle.runtime.create(options)
    }

    /// One from its creation to its end, by two who know nothing of each other.
    fn run(&self, index: usize) -> Result<(), Error> {
        let mut container = self.create(index)?;
        let mut found = self.bundle.runtime.load(container.id())?;
        found.start()?;
        assert_eq!(wait(&mut container), 0);
        let left = found.delete(false)?;
        assert!(left.is_empty(), "{left:?}");
        Ok(())
    }

    fn look(&self) -> Traces {
        Traces::look(&self.mark, self.bundle.path())
    }

    /// How many are found in the state directory, all of them with this status.
    fn count(&self, status: Status) -> usize {
        let all = self.bundle.runtime.list().expect("a list");
        for one in &all {
            assert_eq!(one.details.as_ref().expect("details").status, status, "{}", one.id);
        }
        all.len()
    }
}

/// Each container that is held has a few descriptors.
fn allow_descriptors() {
    let maximum = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).expect("a limit");
}

#[test]
fn many_containers_one_after_the_other_leave_nothing() {
    require!(busybox().is_some(), "a static busybox");
    require!(common::can_isolate(), "namespaces");
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let (count, _) = sizes((times(200), times(50)));
    let many = Many::new(&["/bin/true"]);
    // What is kept on purpose, such as the sealed init, is there after the first one.
    many.run(0).unwrap_or_else(|error| panic!("{error}"));
    let before = many.look();
    for index in 0..count {
        many.run(index).unwrap_or_else(|error| panic!("{index}: {error}"));
    }
    before.assert_same(|| many.look());
}

#[test]
fn many_containers_at_once_leave_nothing() {
    require!(busybox().is_some(), "a static busybox");
    require!(common::can_isolate(), "namespaces");
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    allow_descriptors();
    let (_, count) = sizes((times(200), times(50)));
    Many::new(&["/bin/true"]).run(0).unwrap_or_else(|error| panic!("{error}"));
    let many = Many::new(&["/bin/sleep", "1000"]);
    let before = many.look();
    let create = |index| many.create(index).unwrap_or_else(|error| panic!("{index}: {error}"));
    let mut containers: Vec<Container> = (0..count).map(create).collect();
    assert_eq!(many.count(Status::Created), count);
    for container in &mut containers {
        container.start().unwrap_or_else(|error| panic!("{}: {error}", container.id()));
    }
    assert_eq!(many.count(Status::Running), count);
    let pids: BTreeSet<_> = containers.iter().filter_map(Container::pid).collect();
    let now = many.look();
    assert_eq!(now.processes.iter().copied().collect::<BTreeSet<_>>(), pids);
    assert_eq!((pids.len(), now.state.len()), (count, count));
    assert!(!common::is_root() || now.cgroups.len() >= count, "each has a cgroup");
    for container in &containers {
        container.kill(libc::SIGKILL, false).unwrap_or_else(|error| panic!("{}: {error}", container.id()));
    }
    for container in &mut containers {
        assert_eq!(wait(container), 128 + libc::SIGKILL);
    }
    assert_eq!(many.count(Status::Stopped), count);
    for container in containers {
        let left = container.delete(false).unwrap_or_else(|error| panic!("{error}"));
        assert!(left.is_empty(), "{left:?}");
    }
    before.assert_same(|| many.look());
}
