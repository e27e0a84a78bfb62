//! Devices that the tests make, in network namespaces that the tests make.

use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};

use nix::sched::{CloneFlags, unshare};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};

use super::message::{Address, Link, Request};
use super::socket::Route;
use super::{Error, NetDevices};

const IFLA_LINKINFO: u16 = 18;
const IFLA_INFO_KIND: u16 = 1;
/// Asked, acknowledged, and made anew.
const MAKE: u16 = 0x1 | 0x4 | 0x400 | 0x200;
const DUMP: u16 = 0x1 | 0x300;

/// Two network namespaces: one for the host, in which the thread is, and one for the container.
struct Two {
    socket: OwnedFd,
    namespace: File,
}

impl Two {
    /// Runs a test in a thread of its own; only for root.
    fn run(test: impl FnOnce(&Self) + Send + 'static) {
        if !rustix::process::geteuid().is_root() {
            println!("skipped: needs root");
            return;
        }
        let thread = std::thread::spawn(move || {
            unshare(CloneFlags::CLONE_NEWNET).expect("a network namespace");
            let namespace = File::open("/proc/thread-self/ns/net").expect("its file");
            let kind = (AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC);
            let socket = socket_with(kind.0, kind.1, kind.2, None).expect("a socket");
            unshare(CloneFlags::CLONE_NEWNET).expect("another one");
            test(&Self { socket, namespace });
        });
        thread.join().expect("the test passes");
    }

    fn socket(&self) -> OwnedFd {
        self.socket.try_clone().expect("a copy")
    }

    fn container(&self) -> Route {
        Route::over(self.socket())
    }

    fn move_all(&self, devices: &str) -> Result<(), Error> {
        let json = format!(
            r#"{{"ociVersion": "1.3.0", "linux": {{"namespaces": [{{"type": "network"}}], "netDevices": {devices}}}}}"#
        );
        let spec = serde_json::from_str(&json).expect("a configuration");
        NetDevices::of(&spec).expect("devices").move_into(self.socket(), self.namespace.as_fd())
    }
}

fn host() -> Route {
    Route::open().expect("a socket")
}

/// A device with nothing behind it.
fn make(route: &mut Route, name: &str, kind: &str) {
    let kind = Request::link(0, 0, 0, (0, 0)).text(IFLA_INFO_KIND, kind).bytes(0);
    // The nested attribute alone, without both headers.
    let nested = kind.get(32..).expect("an attribute");
    let request = Request::link(libc::RTM_NEWLINK, MAKE, 0, (0, 0)).text(libc::IFLA_IFNAME, name);
    route.act(request.attribute(IFLA_LINKINFO, nested)).unwrap_or_else(|errno| panic!("{name}: {errno}"));
}

fn links(route: &mut Route) -> Vec<Link> {
    let request = Request::link(libc::RTM_GETLINK, DUMP, 0, (0, 0));
    route.ask(&request, |message| Link::parse(message.body)).expect("a list of devices")
}

fn names(route: &mut Route) -> Vec<String> {
    let mut names: Vec<String> =
        links(route).into_iter().map(|link| link.name).filter(|name| name != "lo").collect();
    names.sort();
    names
}

fn link(route: &mut Route, name: &str) -> Link {
    links(route).into_iter().find(|link| link.name == name).unwrap_or_else(|| panic!("no device {name}"))
}

fn ipv4(last: u8) -> Address {
    let value = vec![192, 0, 2, last];
    let attributes = vec![(libc::IFA_LOCAL, value.clone()), (libc::IFA_ADDRESS, value)];
    Address { family: 2, prefix: 24, scope: 0, attributes }
}

fn ipv6(last: u8) -> Address {
    let mut value = vec![0x20, 0x01, 0x0d, 0xb8];
    value.resize(15, 0);
    value.push(last);
    Address { family: 10, prefix: 64, scope: 0, attributes: vec![(libc::IFA_ADDRESS, value)] }
}

fn give(route: &mut Route, name: &str, address: &Address) {
    let index = u32::try_from(link(route, name).index).expect("an index");
    route.act(Request::address(libc::RTM_NEWADDR, MAKE, address, index)).expect("an address");
}

/// The global addresses of a device, by their last byte.
fn addresses(route: &mut Route, name: &str) -> Vec<(u8, u8)> {
    let index = u32::try_from(link(route, name).index).expect("an index");
    let every = Address { family: 0, prefix: 0, scope: 0, attributes: Vec::new() };
    let request = Request::address(libc::RTM_GETADDR, DUMP, &every, 0);
    let all = route.ask(&request, |message| Address::parse(message.body)).expect("a list of addresses");
    let of = all.into_iter().filter(|(of, _)| *of == index).map(|(_, address)| {
        let (_, value) =
            address.attributes.into_iter().find(|(kind, _)| *kind == libc::IFA_ADDRESS).expect("one");
        (address.family, *value.last().expect("a byte"))
    });
    let mut found: Vec<(u8, u8)> = of.collect();
    found.sort_unstable();
    found
}

const UP: u32 = 1;

#[test]
fn a_device_is_moved_with_its_addresses_and_up() {
    Two::run(|two| {
        let (mut host, mut container) = (host(), two.container());
        make(&mut host, "one", "ifb");
        give(&mut host, "one", &ipv4(7));
        give(&mut host, "one", &ipv6(8));
        let local = ipv4(9).attributes.into_iter().map(|(kind, _)| (kind, vec![198, 51, 100, 9])).collect();
        let local = Address { scope: 253, attributes: local, ..ipv4(9) };
        give(&mut host, "one", &local);
        two.move_all(r#"{"one": {}}"#).expect("it is moved");
        assert_eq!((names(&mut host), names(&mut container)), (vec![], vec!["one".to_owned()]));
        assert_eq!(addresses(&mut container, "one"), [(2, 7), (10, 8)]);
        assert_ne!(link(&mut container, "one").flags & UP, 0);
    });
}

#[test]
fn devices_are_renamed_also_when_their_names_are_taken() {
    Two::run(|two| {
        let (mut host, mut container) = (host(), two.container());
        make(&mut container, "eth0", "ifb");
        make(&mut host, "eth0", "ifb");
        make(&mut host, "eth1", "ifb");
        make(&mut host, "eth2", "ifb");
        two.move_all(r#"{"eth0": {"name": "eth%d"}, "eth1": {"name": "lan"}, "eth2": {"name": "eth%d"}}"#)
            .expect("all are moved");
        assert_eq!(names(&mut host), Vec::<String>::new());
        assert_eq!(names(&mut container), ["eth0", "eth1", "eth2", "lan"]);
    });
}

#[test]
fn a_name_that_is_taken_or_a_device_that_is_not_there_is_an_error() {
    Two::run(|two| {
        let (mut host, mut container) = (host(), two.container());
        make(&mut container, "eth0", "ifb");
        make(&mut host, "eth0", "ifb");
        let text = two.move_all(r#"{"eth0": {}}"#).expect_err("a refusal").to_string();
        let expected = "config.json: linux.netDevices[\"eth0\"]: name it \"eth0\" in the container: EEXIST (File exists)";
        assert_eq!(text, expected);
        let text = two.move_all(r#"{"gone": {}}"#).expect_err("a refusal").to_string();
        let expected =
            "config.json: linux.netDevices[\"gone\"]: find it on the host: ENODEV (No such device)";
        assert_eq!(text, expected);
        assert_eq!(
            (names(&mut host), names(&mut container)),
            (vec!["eth0".to_owned()], vec!["eth0".to_owned()])
        );
    });
}

#[test]
fn if_one_cannot_be_moved_those_before_come_back_as_they_were() {
    Two::run(|two| {
        let (mut host, mut container) = (host(), two.container());
        make(&mut host, "a0", "ifb");
        give(&mut host, "a0", &ipv4(5));
        let index = link(&mut host, "a0").index;
        host.act(Request::link(libc::RTM_NEWLINK, 0x1 | 0x4, index, (UP, UP))).expect("it is up");
        // Bridges belong to their namespace.
        make(&mut host, "b0", "bridge");
        let text = two.move_all(r#"{"a0": {"name": "other"}, "b0": {}}"#).expect_err("a refusal").to_string();
        assert!(
            text.starts_with("config.json: linux.netDevices[\"b0\"]: move it into the container: EINVAL "),
            "{text}"
        );
        assert_eq!(
            (names(&mut host), names(&mut container)),
            (vec!["a0".to_owned(), "b0".to_owned()], vec![])
        );
        assert_eq!(addresses(&mut host, "a0"), [(2, 5)]);
        assert_ne!(link(&mut host, "a0").flags & UP, 0);
    });
}

fn devices(json: &str) -> Result<NetDevices, Error> {
    let spec = format!(
        r#"{{"ociVersion": "1.3.0", "linux": {{"namespaces": [{{"type": "network"}}], "netDevices": {json}}}}}"#
    );
    NetDevices::of(&serde_json::from_str(&spec).expect("a configuration"))
}

#[test]
fn devices_are_sorted_and_keep_their_names_unless_told_otherwise() {
    let found = devices(r#"{"eth1": {"name": "lan%d"}, "eth0": {}, "veth2": {"name": "up"}}"#)
        .expect("a configuration");
    let names: Vec<(&str, String)> =
        found.0.iter().map(|device| (device.name.as_str(), device.target.to_string())).collect();
    assert_eq!(names, [("eth0", "eth0".into()), ("eth1", "lan%d".into()), ("veth2", "up".into())]);
    assert!(NetDevices::of(&oci_spec::runtime::Spec::default()).expect("a configuration").is_empty());
}

#[test]
fn what_cannot_be_names_its_property() {
    let text = |json| devices(json).expect_err("a refusal").to_string();
    assert_eq!(
        text(r#"{"eth0": {"name": "a/b"}}"#),
        "config.json: linux.netDevices[\"eth0\"].name: \"a/b\" is no name of a network device"
    );
    assert_eq!(
        text(r#"{"eth0": {"name": "x"}, "eth1": {"name": "x"}}"#),
        "config.json: linux.netDevices[\"eth1\"].name: \"eth0\" has the same name in the container"
    );
    assert!(devices(r#"{"eth0": {"name": "x%d"}, "eth1": {"name": "x%d"}}"#).is_ok());
    let json = r#"{"ociVersion": "1.3.0", "linux": {"netDevices": {"eth0": {}}}}"#;
    let text = NetDevices::of(&serde_json::from_str(json).expect("a configuration"))
        .expect_err("a refusal")
        .to_string();
    assert_eq!(text, "config.json: linux.netDevices: the container has no network namespace of its own");
}
