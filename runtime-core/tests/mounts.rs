//! Binds and file systems in memory.

mod common;

use std::os::unix::fs::symlink;

use cofferdam::{Error, Root};
use common::{Box, can_isolate, is_root, open_to_all, shell, text};

#[test]
fn binds_show_directories_and_files() {
    require!(can_isolate(), "namespaces");
    let source = tempfile::tempdir().expect("a directory");
    open_to_all(source.path());
    std::fs::write(source.path().join("file"), "content\n").expect("write");
    let mut command =
        shell("cat /tmp/a/file /srv/f; echo more > /tmp/a/new; echo x > /tmp/ro/new || echo refused");
    command.tmpfs("/srv", None).stderr(cofferdam::Stdio::null());
    command.bind(source.path(), "/tmp/a").bind_read_only(source.path(), "/tmp/ro");
    command.bind(source.path().join("file"), "/srv/f");
    assert_eq!(text(&mut command), "content\ncontent\nrefused");
    assert_eq!(std::fs::read_to_string(source.path().join("new")).expect("written inside"), "more\n");
}

#[test]
fn binds_of_hidden_places_of_the_host_work() {
    require!(can_isolate(), "namespaces");
    let source = tempfile::tempdir_in("/tmp").expect("a directory");
    open_to_all(source.path());
    std::fs::write(source.path().join("file"), "content").expect("write");
    let path = source.path();
    let mut command = shell(&format!("cat {}/file; ls -A /tmp | wc -l", path.display()));
    assert_eq!(text(command.bind(path, path)), "content1");
}

#[test]
fn bind_of_a_device_node_works() {
    require!(can_isolate(), "namespaces");
    let mut command = shell("head -c 3 /tmp/zero | wc -c");
    assert_eq!(text(command.bind("/dev/zero", "/tmp/zero")), "3");
}

#[test]
fn later_mounts_lie_over_earlier_ones() {
    require!(can_isolate(), "namespaces");
    let (one, two) = (tempfile::tempdir().expect("one"), tempfile::tempdir().expect("two"));
    std::fs::create_dir(one.path().join("sub")).expect("mkdir");
    std::fs::write(two.path().join("file"), "two").expect("write");
    open_to_all(one.path());
    open_to_all(two.path());
    let mut command = shell("cat /tmp/one/sub/file");
    command.bind(one.path(), "/tmp/one").bind(two.path(), "/tmp/one/sub");
    assert_eq!(text(&mut command), "two");
    let mut command = shell("true");
    command.bind(one.path(), "/tmp/one").bind(two.path(), "/tmp/one/missing");
    let error = command.spawn().expect_err("nothing is made in what is bound");
    assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
    assert!(!one.path().join("missing").exists());
}

#[test]
fn own_tmp_and_proc_take_the_place_of_the_usual_ones() {
    require!(can_isolate(), "namespaces");
    let source = tempfile::tempdir().expect("a directory");
    open_to_all(source.path());
    std::fs::write(source.path().join("file"), "content").expect("write");
    let mut command = shell("cat /tmp/file; grep -c ' /tmp ' /proc/self/mountinfo");
    assert_eq!(text(command.bind(source.path(), "/tmp")), "content1");
}

#[test]
fn targets_through_links_that_leave_the_root_are_resolved_inside() {
    require!(can_isolate(), "namespaces");
    let outside = tempfile::tempdir().expect("a directory");
    let root = Box::new();
    std::fs::create_dir(root.path().join("inner")).expect("mkdir");
    symlink("../../../../../inner", root.path().join("up")).expect("symlink");
    symlink(outside.path(), root.path().join("away")).expect("symlink");
    let mut command = root.shell("ls /inner /up");
    let source = tempfile::tempdir().expect("a source");
    open_to_all(source.path());
    std::fs::write(source.path().join("file"), "").expect("write");
    assert_eq!(text(command.bind(source.path(), "/up")), "/inner:\nfile\n\n/up:\nfile");
    // A link to a directory that exists on the host, and not inside.
    let mut command = root.shell("ls /away/");
    let result = command.bind(source.path(), "/away").output();
    assert_eq!(common::names(outside.path()), [""; 0], "nothing happened outside");
    assert!(result.is_err() || result.is_ok_and(|output| output.stdout == b"file\n"));
}

#[test]
fn targets_are_made_in_a_writable_root_only() {
    require!(can_isolate(), "namespaces");
    let source = tempfile::tempdir().expect("a directory");
    let root = Box::with_mount_points();
    let mut command = root.shell("test -d /a/b/c && test -f /a/file && echo ok");
    command.bind(source.path(), "/a/b/c").bind("/etc/passwd", "/a/file");
    assert_eq!(text(&mut command), "ok");
    assert!(root.path().join("a/b/c").is_dir() && root.path().join("a/file").is_file());
    let mut command = root.shell("true");
    command.root(Root::directory(root.path()).read_only(true)).bind(source.path(), "/other");
    assert!(matches!(command.spawn().expect_err("read-only"), Error::NoMountPoint { .. }));
    let error = shell("true").bind(source.path(), "/no-such-place").spawn().expect_err("the host's root");
    assert_eq!(error.to_string(), "mount target /no-such-place does not exist, and the root / is read-only");
}

#[test]
fn tmpfs_is_limited() {
    require!(can_isolate(), "namespaces");
    let script = "head -c 2000000 /dev/zero > /srv/big 2>/dev/null || stat -c %s /srv/big";
    assert_eq!(text(shell(script).tmpfs("/srv", Some(1 << 20))), (1 << 20).to_string());
}

#[test]
fn root_cannot_change_the_host_through_proc_and_sys() {
    require!(is_root(), "root");
    let script = "for file in /proc/sys/kernel/shmmni /proc/sysrq-trigger /sys/kernel/profiling /sys/kernel/mm/ksm/run; do \
                  test -e $file && (echo x > $file) 2>/dev/null && echo $file; done; true";
    assert_eq!(text(&mut shell(script)), "");
    assert_eq!(text(&mut Box::new().shell(script)), "");
    assert_eq!(text(&mut shell("cat /proc/kcore /proc/timer_list 2>/dev/null | wc -c")), "0");
}
