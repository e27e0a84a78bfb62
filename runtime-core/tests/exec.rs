//! A process in the namespaces of a running one.

mod common;

use std::io::Read;
use std::os::fd::AsFd;

use cofferdam::{Child, Command, Exec, IdMap, Kind, Namespace, Namespaces, Stdio};
use common::{can_isolate, is_root, shell, success, text};

const ALL: &str = "for kind in cgroup ipc mnt net pid time user uts; do readlink /proc/self/ns/$kind; done";

fn start(command: &mut Command) -> Child {
    let mut child = command.kill_on_drop(true).stdout(Stdio::piped()).spawn().expect("spawn");
    child.stdout.as_mut().expect("stdout").read_exact(&mut [0; 6]).expect("ready");
    child
}

fn sleeper() -> Command {
    shell("echo ready; exec sleep 60")
}

fn all_of(child: &Child) -> String {
    let kinds = ["cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts"]
        .map(|name| name.parse::<Kind>().expect("a kind"));
    kinds.map(|kind| Namespace::of_pidfd(child.as_fd(), kind).expect("a namespace").to_string()).join("\n")
}

fn run(exec: &mut Exec<'_>) -> String {
    success(&exec.output().unwrap_or_else(|error| panic!("{error}: {error:?}")))
}

#[test]
fn joins_all_namespaces() {
    require!(can_isolate(), "namespaces");
    let child = start(sleeper().hostname("box").tmpfs("/srv", None));
    assert_eq!(run(Exec::new(&child, "sh").args(["-c", ALL])), all_of(&child));
    let script = "hostname; id -u; pwd; tr '\\0' ' ' < /proc/1/cmdline; touch /srv/x; ls /srv; echo $A; grep NoNewPrivs /proc/self/status";
    let mut exec = Exec::new(&child, "sh");
    let output = run(exec.args(["-c", script]).env("A", "b").current_dir("/srv"));
    assert_eq!(output, "box\n0\n/srv\nsleep 60 x\nb\nNoNewPrivs:\t1");
    let pids = run(Exec::new(&child, "sh").args(["-c", "echo $$"]));
    assert_ne!(pids, "1");
    let explained = Exec::new(&child, "sh").plan().expect("a plan").explain();
    assert!(explained.contains("fork into the joined pid namespace"), "{explained}");
}

#[test]
fn some_namespaces_shared_with_the_caller() {
    require!(can_isolate(), "namespaces");
    let child = start(sleeper().network(true).share(Namespaces::TIME | Namespaces::CGROUP));
    assert_eq!(run(Exec::new(&child, "sh").args(["-c", ALL])), all_of(&child));
}

#[test]
fn root_mapped_elsewhere_and_without_a_user_namespace() {
    require!(is_root(), "root");
    let map = IdMap::parse(b"0 100000 65536").expect("a map");
    let child = start(sleeper().uid_map(map.clone()).gid_map(map));
    let mut exec = Exec::new(&child, "sh");
    assert_eq!(
        run(exec.args(["-c", "id -u; id -G; cat /proc/self/uid_map | tr -s ' '"])),
        "0\n0\n 0 100000 65536"
    );
    assert_eq!(run(Exec::new(&child, "id").arg("-u").user(7)), "7");
    let child = start(sleeper().share(Namespaces::USER).hostname("box"));
    assert_eq!(run(Exec::new(&child, "sh").args(["-c", "hostname; id -u"])), "box\n0");
}

#[test]
fn has_no_more_than_the_process() {
    require!(can_isolate(), "namespaces");
    let child = start(sleeper().capabilities(cofferdam::CapabilitySet::empty()));
    let none = "0".repeat(16);
    let output = run(Exec::new(&child, "sh").args(["-c", "grep Cap /proc/self/status | cut -f2"]));
    assert_eq!(output.lines().collect::<Vec<_>>(), vec![none.as_str(); 5]);
}

#[test]
fn errors_are_those_of_a_program() {
    require!(can_isolate(), "namespaces");
    let mut child = start(&mut sleeper());
    let error = Exec::new(&child, "/no/such/program").spawn().expect_err("missing");
    assert_eq!((error.kind(), error.exit_code()), (std::io::ErrorKind::NotFound, 127));
    let status = Exec::new(&child, "sh").args(["-c", "exit 5"]).status().expect("status");
    assert_eq!(status.code(), Some(5));
    child.kill().expect("kill");
    child.wait().expect("wait");
    let error = Exec::new(&child, "true").spawn().expect_err("ended");
    assert!(error.to_string().ends_with("has ended"), "{error}");
    let file = std::fs::File::open("/dev/null").expect("open");
    let error = Exec::new(&file, "true").spawn().expect_err("no process");
    assert!(error.to_string().ends_with("is not a pidfd"), "{error}");
}

#[test]
fn many_at_once() {
    require!(can_isolate(), "namespaces");
    let child = start(&mut sleeper());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..10).for_each(|_| assert_eq!(run(Exec::new(&child, "echo").arg("x")), "x")));
        }
    });
    assert_eq!(text(&mut shell("echo still")), "still");
}
