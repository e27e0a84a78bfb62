//! A caller that was moved to another cgroup. It changes the cgroup of the whole process, so it is alone in its file.

mod common;

use std::time::Duration;

use cofferdam::Command;
use cofferdam::cgroups::{Controller, Hierarchies};
use common::{can_isolate, is_root};

#[test]
fn programs_lie_where_the_caller_is_now() {
    require!(can_isolate(), "namespaces");
    let start = || Command::new("true").pids(20).spawn();
    if let Err(error) = start().and_then(|mut child| child.wait()) {
        assert!(!is_root(), "{error}");
        println!("skipped: {error}");
        return;
    }
    let host = Hierarchies::discover().unwrap();
    let (before, nest) = (host.own().unwrap(), host.nest().unwrap());
    let outer = nest.create(format!("moved-{}", std::process::id()), Controller::Pids.into()).unwrap();
    let inner = outer.create("inner", Controller::Pids.into()).unwrap();
    inner.add(std::process::id()).unwrap();
    let child = start();
    let path = child.as_ref().map(|child| child.cgroup().unwrap().path().clone()).ok();
    let waited = child.and_then(|mut child| child.wait());
    before.add(std::process::id()).unwrap();
    outer.remove(Duration::from_secs(5)).unwrap();
    assert!(waited.unwrap().success());
    assert!(path.as_ref().unwrap().below(outer.path()).is_some(), "{path:?} is not below {outer}");
}
