//! The network inside.

mod common;

use std::io::Read;
use std::net::TcpListener;

use cofferdam::{Kind, Namespace, Stdio};
use common::{can_isolate, shell, text};

const INTERFACES: &str = "tail -n +3 /proc/net/dev | cut -d: -f1 | tr -d ' '; cat /sys/class/net/lo/flags";

#[test]
fn only_loopback_which_is_up() {
    require!(can_isolate(), "namespaces");
    // IFF_UP and IFF_LOOPBACK.
    assert_eq!(text(&mut shell(INTERFACES)), "lo\n0x9");
    assert_eq!(text(shell(INTERFACES).loopback(false)), "lo\n0x8");
}

#[test]
fn the_host_cannot_be_reached() {
    require!(can_isolate(), "namespaces");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port of the host");
    let port = listener.local_addr().expect("an address").port();
    let script = format!("exec 3<>/dev/tcp/127.0.0.1/{port}");
    let mut command = cofferdam::Command::new("bash");
    command.args(["-c", &script]).stderr(Stdio::null());
    let isolated = match command.status() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return println!("skipped: needs bash"),
        status => status.expect("status"),
    };
    assert!(!isolated.success());
    assert!(command.network(true).status().expect("status").success());
}

#[test]
fn a_network_namespace_can_be_joined() {
    require!(can_isolate(), "namespaces");
    let mut holder = shell("echo ready; exec sleep 60");
    let mut holder = holder.kill_on_drop(true).stdout(Stdio::piped()).spawn().expect("spawn");
    holder.stdout.as_mut().expect("stdout").read_exact(&mut [0; 6]).expect("ready");
    let open = |kind| Namespace::of_pidfd(&holder, kind).expect("a namespace");
    let expected = open(Kind::Net).to_string();
    let script = "readlink /proc/self/ns/net; echo $$ $(id -u); cat /sys/class/net/lo/flags; ls /tmp | wc -l";
    // What belongs to a user namespace is joined together with it; everything else is new in that.
    let mut command = shell(script);
    let output = text(command.join(open(Kind::User)).join(open(Kind::Net)));
    let lines: Vec<_> = output.lines().collect();
    assert_eq!((lines[0], lines[1], lines[3]), (expected.as_str(), "1 0", "0"));
}
