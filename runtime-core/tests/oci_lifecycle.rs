//! The life of a container: created, started, looked at, signalled, deleted.
#![cfg(feature = "oci")]

mod common;

use cofferdam::oci::{Runtime, Status};
use common::bundle::{Bundle, busybox, wait};
use serde_json::json;

#[test]
fn a_container_is_created_started_and_deleted() {
    require!(busybox().is_some(), "a static busybox");
    require!(common::can_isolate(), "namespaces");
    let bundle = Bundle::new("exit 7");
    let mut container = bundle.create("box").unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(container.status().unwrap(), Status::Created);
    let state = container.state().unwrap();
    assert_eq!((state.id.as_str(), state.status, state.pid), ("box", Status::Created, container.pid()));
    assert_eq!(bundle.entries(), ["box"]);

    let mut found = bundle.runtime.load("box").unwrap();
    assert_eq!(found.status().unwrap(), Status::Created);
    assert_eq!(found.pid(), container.pid());
    found.start().unwrap();
    assert_eq!(wait(&mut container), 7);
    assert_eq!(found.status().unwrap(), Status::Stopped);
    assert_eq!(found.state().unwrap().pid, None);
    let again = found.start().unwrap_err().to_string();
    assert_eq!(again, "cannot start container box, which is stopped");
    let error = found.kill(15, false).unwrap_err().to_string();
    assert_eq!(error, "container not running: box is stopped");
    assert!(found.delete(false).unwrap().is_empty());
    assert_eq!(bundle.entries(), [""; 0]);
    assert_eq!(bundle.cgroups(), [""; 0].map(std::path::PathBuf::from));
    let error = bundle.runtime.load("box").unwrap_err().to_string();
    assert_eq!(error, "container does not exist: box");
}

#[test]
fn a_container_without_a_state_directory_is_its_creators() {
    require!(busybox().is_some(), "a static busybox");
    require!(common::can_isolate(), "namespaces");
    let mut bundle = Bundle::new("echo $GREETING; exit 3");
    bundle.config["process"]["env"] = json!(["GREETING=hello", "PATH=/bin"]);
    bundle.runtime = Runtime::without_state();
    assert_eq!(bundle.run("box"), ("hello\n".to_owned(), 3));
    assert_eq!(bundle.cgroups().len(), 0);
}
