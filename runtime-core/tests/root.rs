//! A directory as the root.

mod common;

use std::path::Path;

use cofferdam::{Command, Error, Root};
use common::{Box, can_isolate, names, shell, text};

#[test]
fn host_files_are_read_only_and_the_private_directories_empty() {
    require!(can_isolate(), "namespaces");
    let script = "echo $(ls -A /tmp | wc -l) $(ls -A /run | wc -l); touch /etc/x /usr/x 2>/dev/null; touch /tmp/x /run/x /dev/shm/x && echo ok";
    assert_eq!(text(&mut shell(&format!("{script}; true"))), "0 0\nok");
    let options = text(&mut shell("grep ' / / ' /proc/self/mountinfo | cut -d' ' -f6"));
    for option in ["ro", "nosuid", "nodev"] {
        assert!(options.split(',').any(|one| one == option), "{options}");
    }
}

#[test]
fn directory_is_the_root_and_nothing_else_of_the_host_is_there() {
    require!(can_isolate(), "namespaces");
    let root = Box::with_mount_points();
    std::fs::write(root.path().join("here"), "content").expect("write");
    let script = "cat /here; echo; ls -d /etc /home /var /opt 2>/dev/null | wc -l; echo new > /made; grep -c . /proc/self/mountinfo";
    let output = text(&mut root.shell(script));
    let lines: Vec<_> = output.lines().collect();
    assert_eq!(lines[..2], ["content", "0"]);
    let mounts: usize = lines[2].parse().expect("a number");
    assert!(mounts < 40, "{mounts}: the host's mounts are gone");
    assert_eq!(std::fs::read_to_string(root.path().join("made")).expect("made by the program"), "new\n");
}

#[test]
fn missing_mount_points_are_made_and_stay() {
    require!(can_isolate(), "namespaces");
    let root = Box::new();
    let before = root.names();
    assert_eq!(text(&mut root.shell("test -e /proc/self && test -c /dev/null && echo ok")), "ok");
    let made: Vec<_> = root.names().into_iter().filter(|name| !before.contains(name)).collect();
    assert_eq!(made, ["dev", "proc", "tmp"]);
    assert_eq!(text(&mut root.shell("echo again")), "again");
}

#[test]
fn read_only_directory_needs_its_mount_points() {
    require!(can_isolate(), "namespaces");
    let root = Box::new();
    let mut command = root.shell("true");
    let error = command.root(Root::directory(root.path()).read_only(true)).spawn().expect_err("no /proc");
    let expected =
        format!("mount target /proc does not exist, and the root {} is read-only", root.path().display());
    assert_eq!(error.to_string(), expected);
    assert!(matches!(error, Error::NoMountPoint { path, .. } if path == Path::new("/proc")));
    let root = Box::with_mount_points();
    let mut command = root.shell("touch /x 2>/dev/null || echo read-only; touch /tmp/x && echo writable");
    assert_eq!(text(command.root(Root::directory(root.path()).read_only(true))), "read-only\nwritable");
}

#[test]
fn private_directories_can_be_left_out() {
    require!(can_isolate(), "namespaces");
    let root = Box::new();
    let mut command = root.shell("echo /*");
    let inside = text(command.proc(false).dev(false).tmp(false));
    for name in ["proc", "dev", "tmp"] {
        assert!(!inside.contains(name), "{inside}");
    }
    assert_eq!(root.names(), names(root.path()));
}

#[test]
fn private_dev_has_the_usual_nodes_and_terminals() {
    require!(can_isolate(), "namespaces");
    let script = "echo x > /dev/null; head -c 2 /dev/zero | wc -c; head -c 1 /dev/urandom | wc -c; ls /dev/pts; \
                  test -c /dev/ptmx && test -L /dev/stdin && test -d /dev/mqueue && echo $(ls /dev)";
    let all = "fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero";
    assert_eq!(text(&mut shell(script)), format!("2\n1\nptmx\n{all}"));
    let root = Box::new();
    assert_eq!(text(&mut root.shell(script)), format!("2\n1\nptmx\n{all}"));
}

#[test]
fn root_works_without_a_user_namespace() {
    require!(common::is_root(), "root");
    let root = Box::new();
    let script = "echo $$; echo x > /dev/null && ls -l /dev/null /dev/tty | cut -c1-10; touch /made; stat -c %a /dev/pts /dev/shm";
    for mut command in [root.shell(script), shell(script)] {
        let output = text(command.share(cofferdam::Namespaces::USER).stderr(cofferdam::Stdio::null()));
        assert_eq!(output, "1\ncrw-rw-rw-\ncrw-rw-rw-\n755\n1777");
    }
    assert!(!Path::new("/made").exists());
    assert!(root.path().join("made").exists());
}

#[test]
fn working_directory_is_checked_inside() {
    require!(can_isolate(), "namespaces");
    assert_eq!(text(Command::new("pwd").current_dir("/usr")), "/usr");
    let error = Command::new("pwd").current_dir("/nowhere").spawn().expect_err("missing");
    assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
    assert!(error.to_string().starts_with("change directory to /nowhere: "), "{error}");
}
