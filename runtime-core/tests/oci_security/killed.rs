//! Whoever creates a container is killed while that is in a process which goes on in another one: with a pid namespace that
//! is joined, the end of the first process of that namespace ends nothing of it, and no cgroup may be there to find it by.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio as ProcessStdio};
use std::time::Duration;

use cofferdam::LimitPolicy;
use cofferdam::oci::{Container, CreateOptions, ExecOptions, Runtime, Status};
use serde_json::json;

use crate::common::bundle::{Bundle, busybox, wait};
use crate::common::{can_isolate, is_root, times};
use crate::fixture::{for_everybody, full, until};
use crate::require;

/// Where the creator finds its bundle.
const BUNDLE: &str = "COFFERDAM_TEST_BUNDLE";
/// A socket that it is to tell of the process.
const SOCKET: &str = "COFFERDAM_TEST_SOCKET";
/// It makes no cgroup.
const NO_CGROUP: &str = "COFFERDAM_TEST_NO_CGROUP";

/// Not a test: the program that the others kill.
#[test]
#[ignore = "is run by another test"]
fn create_and_delete_for_ever() {
    let directory = std::env::var_os(BUNDLE).expect("a bundle");
    let directory = Path::new(&directory);
    let config = fs::read(directory.join("config.json")).expect("a configuration");
    let spec = serde_json::from_slice(&config).expect("a configuration");
    let runtime = Runtime::new(directory.join("state"));
    loop {
        let mut options = CreateOptions::new("box", &spec, directory);
        let without = std::env::var_os(NO_CGROUP).is_some();
        options.cgroup = if without { LimitPolicy::None } else { LimitPolicy::IfAvailable };
        options.pidfd_socket = std::env::var_os(SOCKET).map(Into::into);
        let mut container = runtime.create(options).expect("a container");
        container.start().expect("a start");
        // Of a container without a cgroup only the first process is known.
        let further = (is_root() && !without).then(|| container.process_template());
        let further = further.map(|one| container.exec(ExecOptions::new(&one)).expect("a process"));
        container.delete(true).expect("an end");
        further.map(|mut process| process.wait().expect("a status"));
    }
}

/// Starts it.
fn creator(bundle: &Bundle, with_cgroup: bool, socket: Option<&Path>) -> Child {
    fs::write(bundle.path().join("config.json"), bundle.config.to_string()).unwrap();
    let mut creator = Command::new(std::env::current_exe().unwrap());
    creator.args(["--exact", "killed::create_and_delete_for_ever", "--ignored", "--nocapture"]);
    creator.env(BUNDLE, bundle.path()).stdin(ProcessStdio::null()).stdout(ProcessStdio::null());
    if let Some(socket) = socket {
        creator.env(SOCKET, socket);
    }
    if !with_cgroup {
        creator.env(NO_CGROUP, "1");
    }
    creator.stderr(ProcessStdio::null()).process_group(0).spawn().unwrap()
}

/// A container that runs, and a bundle for one that joins its pid namespace.
fn holder_and_guest() -> (Bundle, Container, Bundle) {
    let holder = Bundle::new("exec sleep 100");
    let mut container = holder.create("holder").unwrap_or_else(|error| panic!("{error}"));
    container.start().unwrap_or_else(|error| panic!("{error}"));
    let pid = container.pid().unwrap();
    let mut guest = Bundle::new("exec sleep 100");
    for entry in guest.config["linux"]["namespaces"].as_array_mut().unwrap() {
        let kind = entry["type"].as_str().unwrap().to_owned();
        if ["pid", "user"].contains(&kind.as_str()) {
            entry["path"] = json!(format!("/proc/{pid}/ns/{kind}"));
        }
    }
    (holder, container, guest)
}

/// The processes in the pid namespace of a container besides its first.
fn others(container: &Container) -> Vec<String> {
    const LIST: &str =
        "for p in /proc/[0-9]*; do case ${p#/proc/} in 1|$$) ;; *) echo ${p#/proc/};; esac; done";
    let mut process = container.process_template();
    process.set_args(Some(["sh", "-c", LIST].map(str::to_owned).to_vec()));
    let mut options = ExecOptions::new(&process);
    options.stdout = cofferdam::Stdio::piped();
    let mut process = container.exec(options).unwrap_or_else(|error| panic!("{error}"));
    let mut text = String::new();
    std::io::Read::read_to_string(&mut process.stdout.take().unwrap(), &mut text).unwrap();
    assert!(process.wait().unwrap().success());
    text.lines().map(str::to_owned).collect()
}

/// Whether a thread of a process sleeps for a time, as one that connects to a full listener does again and again.
fn sleeps(pid: u32) -> bool {
    let sleeping = [libc::SYS_nanosleep, libc::SYS_clock_nanosleep].map(|number| number.to_string());
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    tasks.filter_map(Result::ok).any(|task| {
        let call = fs::read_to_string(task.path().join("syscall")).unwrap_or_default();
        call.split(' ').next().is_some_and(|number| sleeping.iter().any(|one| one == number))
    })
}

fn assert_nothing_left(guest: &Bundle, holder: &Container, what: &str) {
    until(&format!("{what}: all processes have ended"), || others(holder).is_empty());
    assert_eq!(guest.entries(), [""; 0], "{what}");
    assert_eq!(guest.cgroups().len(), 0, "{what}: {:?}", guest.cgroups());
}

#[test]
fn r1_a_creator_that_is_killed_before_it_has_said_that_it_is_ready_leaves_what_can_be_deleted() {
    require!(busybox().is_some(), "a static busybox");
    require!(can_isolate(), "namespaces");
    let name =
        "killed::r1_a_creator_that_is_killed_before_it_has_said_that_it_is_ready_leaves_what_can_be_deleted";
    for_everybody(name, || {
        let (_bundle, holder, guest) = holder_and_guest();
        let socket = guest.path().join("full");
        let _full = full(&socket);
        for with_cgroup in [true, false] {
            let what = if with_cgroup { "with a cgroup" } else { "without a cgroup" };
            let mut creator = creator(&guest, with_cgroup, Some(&socket));
            // The init has said that it waits, and is on its own; the creator has not stored that yet.
            until("the creator waits for the socket", || sleeps(creator.id()));
            creator.kill().unwrap();
            creator.wait().unwrap();
            assert_eq!(others(&holder).len(), 1, "{what}: the init waits");
            assert_eq!(guest.runtime.load("box").unwrap().status().unwrap(), Status::Stopped);
            guest.runtime.delete("box", true).unwrap_or_else(|error| panic!("{what}: {error}"));
            assert_nothing_left(&guest, &holder, what);
        }
        holder.delete(true).unwrap();
    });
}

#[test]
fn r1_a_creator_that_is_killed_while_a_pid_namespace_is_joined_leaves_what_can_be_deleted() {
    require!(busybox().is_some(), "a static busybox");
    require!(can_isolate(), "namespaces");
    let name =
        "killed::r1_a_creator_that_is_killed_while_a_pid_namespace_is_joined_leaves_what_can_be_deleted";
    for_everybody(name, || {
        let (_bundle, holder, guest) = holder_and_guest();
        // xorshift: what counts is that it is another moment each time.
        let mut random = 88_172_645_463_325_252_u64;
        for round in 0..times(20) {
            let mut creator = creator(&guest, round % 2 == 0, None);
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            std::thread::sleep(Duration::from_micros(3000 + random % 60_000));
            assert_eq!(creator.try_wait().unwrap(), None, "round {round}: the creator has ended by itself");
            creator.kill().unwrap();
            creator.wait().unwrap();
            let deleted = guest.runtime.delete("box", true);
            deleted.unwrap_or_else(|error| panic!("round {round}: {error}"));
            assert_nothing_left(&guest, &holder, &format!("round {round}"));
        }
        holder.delete(true).unwrap();
    });
}

#[test]
fn a_container_in_a_pid_namespace_that_is_joined_is_found_by_others() {
    require!(busybox().is_some(), "a static busybox");
    require!(can_isolate(), "namespaces");
    for_everybody("killed::a_container_in_a_pid_namespace_that_is_joined_is_found_by_others", || {
        let (_bundle, holder, guest) = holder_and_guest();
        let mut created = guest.create("box").unwrap_or_else(|error| panic!("{error}"));
        let mut found = guest.runtime.load("box").unwrap();
        assert_eq!((found.status().unwrap(), found.pid()), (Status::Created, created.pid()));
        found.start().unwrap_or_else(|error| panic!("{error}"));
        let found = guest.runtime.load("box").unwrap();
        assert_eq!((found.status().unwrap(), found.pid()), (Status::Running, created.pid()));
        assert_eq!(others(&holder).len(), 1);
        found.kill(9, false).unwrap();
        assert_eq!(wait(&mut created), 137);
        created.delete(false).unwrap();
        assert_nothing_left(&guest, &holder, "killed");
        holder.delete(true).unwrap();
    });
}

#[test]
fn a_user_namespace_is_made_after_others_are_joined() {
    require!(is_root() && busybox().is_some(), "root and a static busybox");
    let _turn = crate::fixture::turn();
    let (_bundle, holder, mut guest) = holder_and_guest();
    guest.config["process"]["args"] = json!(["sh", "-c", "cat /proc/self/uid_map; exit 3"]);
    let namespaces = guest.config["linux"]["namespaces"].as_array_mut().unwrap();
    namespaces.push(json!({ "type": "user" }));
    let map = json!([{ "containerID": 0, "hostID": 100_000, "size": 10 }]);
    (guest.config["linux"]["uidMappings"], guest.config["linux"]["gidMappings"]) = (map.clone(), map);
    // The procfs of a pid namespace that belongs to another user namespace cannot be mounted.
    guest.config["linux"]["maskedPaths"] = json!([]);
    guest.config["linux"]["readonlyPaths"] = json!([]);
    for mount in guest.config["mounts"].as_array_mut().unwrap() {
        if mount["destination"] == "/proc" {
            *mount =
                json!({ "destination": "/proc", "type": "bind", "source": "/proc", "options": ["rbind"] });
        }
    }
    let (text, status) = guest.run("box");
    assert_eq!((text.split_whitespace().collect::<Vec<_>>(), status), (vec!["0", "100000", "10"], 3));
    assert_nothing_left(&guest, &holder, "ended");
    holder.delete(true).unwrap();
}
