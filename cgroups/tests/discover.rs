//! What is mounted, on this host and on made-up ones.

mod common;

use cofferdam_cgroups::{Controller, Mode, Unavailable, Version};
use common::{FakeTree, host};

#[test]
fn the_host_is_what_its_tables_say() {
    let host = host();
    for hierarchy in host.iter() {
        println!(
            "{} {} at {}",
            hierarchy.version(),
            hierarchy.controllers(),
            hierarchy.mount_point().display()
        );
    }
    for controller in Controller::ALL {
        println!("{controller}: {:?}", host.hierarchy_of(controller).map(|h| h.mount_point().to_owned()));
    }
    println!("{:?} {:#?}", host.mode(), host.delegated().unwrap());
    println!("{:?} {}", host.skipped(), host.own().unwrap());
    let v2 = host.iter().any(|hierarchy| hierarchy.version() == Version::V2);
    assert_eq!(host.mode() == Mode::Legacy, !v2);
}

#[test]
fn a_unified_host() {
    let tree = FakeTree::new()
        .v2("/sys/fs/cgroup", "cpu memory")
        .kernel("cpu 0 1 1\nnet_cls 0 1 1\nrdma 0 1 0")
        .own("0::/");
    let host = tree.hierarchies();
    assert_eq!(host.mode(), Mode::Unified);
    assert_eq!(host.hierarchy_of(Controller::NetCls).unwrap_err(), Unavailable::NotMounted);
}
