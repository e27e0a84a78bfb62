//! Plans become the operations they should.

use super::*;
use crate::plan::{Credentials, Location, Mount, Namespaces, TargetKind};
use crate::{Capabilities, CapabilitySet};

const CONTEXT: Context = Context { last_capability: 40, raised: None };

fn calls(plan: &Plan) -> Vec<&'static str> {
    let program = encode(plan, CONTEXT).unwrap();
    program
        .labels
        .iter()
        .filter(|label| matches!(label.part, Part::Step(_)))
        .filter_map(|label| label.call)
        .collect()
}

#[test]
fn a_mount_is_made_configured_and_attached_by_descriptor() {
    let mut plan = Plan::new("/bin/true");
    let root = plan.slot("root");
    plan.steps.push(Step::Mount(Mount::new("tmpfs").option("size", "1M").target(
        Some(root),
        "/tmp",
        Some(TargetKind::Directory),
    )));
    let expected = ["fsopen", "fsconfig", "fsconfig", "fsmount", "make target", "move_mount", "close"];
    assert_eq!(calls(&plan), expected);
    // Nobody wants the descriptor, and the working directory is set anyhow: one call attaches it.
    plan.steps.push(Step::WorkingDirectory("/".into()));
    assert_eq!(calls(&plan), ["make target", "fchdir", "mount", "chdir", "getcwd"]);
    plan.steps.insert(1, Step::Directory { location: Location::path("relative"), mode: 0 });
    assert!(calls(&plan).contains(&"fsmount"));
    plan.steps = vec![Step::Mount(Mount::bind(Location::path("/usr"), true).into_slot(root))];
    assert_eq!(calls(&plan), ["open_tree"]);
}

#[test]
fn the_bounding_set_goes_first_and_the_user_id_before_the_rest() {
    let mut plan = Plan::new("/bin/true");
    plan.steps.push(Step::Credentials(Credentials {
        groups: Some(vec![1, 2]),
        gid: Some(3),
        uid: Some(4),
        capabilities: Some(Capabilities::for_root(CapabilitySet::from_bits(0b11))),
    }));
    let calls = calls(&plan);
    assert_eq!(calls, ["prctl", "prctl", "setgroups", "setresgid", "setresuid", "capset", "prctl"]);
}

#[test]
fn slots_are_given_inputs_then_streams_then_the_rest() {
    let mut plan = Plan::new("/bin/true");
    let made = plan.slot("made");
    let input = plan.input("input");
    plan.steps = vec![Step::Close(made), Step::Close(input)];
    let program = encode(&plan, CONTEXT).unwrap();
    let closed: Vec<_> = program.operations.iter().flat_map(|operation| operation.values.clone()).collect();
    assert!(closed.contains(&Value::Slot(4)) && closed.contains(&Value::Slot(0)), "{closed:?}");
    assert_eq!(program.slots, 5);
}

#[test]
fn sysctl_names_are_paths() {
    let path = files::sysctl_path;
    assert_eq!(path("net.ipv4.ip_forward"), "sys/net/ipv4/ip_forward");
    assert_eq!(path("net/ipv4/conf/eth0.1/forwarding"), "sys/net/ipv4/conf/eth0.1/forwarding");
    assert_eq!(path("net.ipv4.conf.eth0/1.forwarding"), "sys/net/ipv4/conf/eth0.1/forwarding");
}

#[test]
fn a_slot_of_another_plan_is_refused() {
    let mut other = Plan::new("/bin/true");
    let foreign = other.slot("foreign");
    let mut plan = Plan::new("/bin/true");
    plan.steps.push(Step::Close(foreign));
    assert!(encode(&plan, CONTEXT).is_err());
    plan.namespaces = Namespaces::TIME;
    assert!(encode(&plan, CONTEXT).is_err());
}
