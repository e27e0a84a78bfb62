//! Namespaces, mounts and roots: what the process sees.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt, symlink};

use cofferdam_process::{
    Attributes, ClockOffset, Error, Expected, FileKind, Location, Mount, MountFlags, Namespaces, Open,
    Spawner, Stdio, Step, TargetKind,
};
use common::{Maps, is_root, require, rooted, run_in_user_namespace, run_mapped, shell, user_namespaces};

#[test]
fn names_limits_and_masks_are_set() {
    require!(user_namespaces(), "user namespaces");
    let mut plan = shell("uname -n; cat /proc/sys/kernel/domainname; ulimit -n; umask; pwd; id -u");
    plan.namespaces = Namespaces::UTS;
    plan.steps = vec![
        Step::Hostname("inside".into()),
        Step::Domainname("domain".into()),
        Step::ResourceLimit { resource: "nofile".parse().unwrap(), soft: 33, hard: 44 },
        Step::Umask(0o027),
        Step::WorkingDirectory("/usr".into()),
    ];
    assert_eq!(run_in_user_namespace(plan).unwrap(), "inside\ndomain\n33\n0027\n/usr\n0");
}

#[test]
fn a_directory_becomes_the_root_with_fresh_mounts() {
    require!(user_namespaces(), "user namespaces");
    let directory = tempfile::tempdir().unwrap();
    let mut plan = shell(
        "echo $$; ls / | tr '\\n' ' '; test -e /proc/self/fd && echo proc; cut -d' ' -f5 /proc/self/mountinfo | sort | tr '\\n' ' '",
    );
    plan.namespaces = Namespaces::PID;
    let root = rooted(&mut plan, directory.path());
    plan.steps.push(Step::Mount(Mount::new("proc").target(Some(root), "/proc", Some(TargetKind::Directory))));
    let tmp = Mount::new("tmpfs").option("size", "1M").option("mode", "1777");
    plan.steps.push(Step::Mount(tmp.target(Some(root), "tmp/deep/er", Some(TargetKind::Directory))));
    plan.steps.push(Step::PivotRoot { root });
    let output = run_in_user_namespace(plan).unwrap();
    let lines: Vec<&str> = output.lines().collect();
    assert_eq!(lines[0], "1");
    assert!(lines[1].contains("proc tmp usr"), "{output}");
    assert!(lines[1].ends_with(" proc"), "{output}");
    assert!(lines[2].starts_with("/ /bin"), "{output}");
    assert!(lines[2].contains("/proc /tmp/deep/er"), "{output}");
}

#[test]
fn parts_of_a_fresh_file_system_are_bound_in_it() {
    require!(user_namespaces(), "user namespaces");
    let mut plan = shell(
        "cd /proc; echo x 2>&1 >sys/kernel/hostname; grep -c . uptime; echo self >self/comm && cat self/comm",
    );
    plan.namespaces = Namespaces::MNT | Namespaces::PID | Namespaces::UTS;
    let proc = plan.slot("proc");
    let bind = |from: Location, to: &str| Step::Mount(Mount::bind(from, false).target_in_fresh(proc, to));
    let read_only = |set, clear| Attributes { set, clear, ..Attributes::default() };
    let (yes, no) = (MountFlags::RDONLY, MountFlags::empty());
    plan.steps = vec![
        Step::Mount(
            Mount::new("proc").attributes(read_only(yes, no)).target(None, "/proc", None).into_slot(proc),
        ),
        bind(Location::at(proc, "sys"), "sys"),
        bind(Location::path("/dev/null"), "uptime"),
        Step::MountAttributes { mount: Location::at(proc, ""), attributes: read_only(no, yes) },
        Step::WorkingDirectory("/".into()),
    ];
    let output = run_in_user_namespace(plan.clone()).unwrap();
    assert!(output.contains("sys/kernel/hostname: Read-only file system\n0\n"), "{output}");
    plan.steps[1] = bind(Location::at(proc, "nothing"), "sys");
    let error = run_in_user_namespace(plan).unwrap_err();
    assert_eq!(
        error.to_string(),
        "bind nothing in proc on sys: ENOENT (No such file or directory), by mount"
    );
}

#[test]
fn targets_through_links_stay_in_the_root() {
    require!(user_namespaces(), "user namespaces");
    let outside = tempfile::tempdir().unwrap();
    let directory = tempfile::tempdir().unwrap();
    symlink(outside.path(), directory.path().join("link")).unwrap();
    symlink("../../../../../../..", directory.path().join("up")).unwrap();
    let mut plan = shell("cut -d' ' -f5 /proc/self/mountinfo | sort | tr '\\n' ' '");
    plan.namespaces = Namespaces::PID;
    let root = rooted(&mut plan, directory.path());
    for target in ["link/tmp", "up/other", "/proc"] {
        let kind = if target == "/proc" { "proc" } else { "tmpfs" };
        // What a link names is looked for in the root; it is missing there, and is not made outside.
        let mount = Mount::new(kind).target(Some(root), target, Some(TargetKind::Directory));
        plan.steps.push(Step::Mount(mount));
    }
    plan.steps.push(Step::PivotRoot { root });
    let error = run_in_user_namespace(plan.clone()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "mount tmpfs on link/tmp: ENOENT (No such file or directory), by make target"
    );

    let inside = directory.path().join(outside.path().strip_prefix("/").unwrap());
    fs::create_dir_all(inside).unwrap();
    let output = run_in_user_namespace(plan).unwrap();
    assert!(output.contains(&format!("{}/tmp", outside.path().display())), "{output}");
    assert!(output.contains(" /other "), "{output}");
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
}

#[test]
fn clocks_are_offset_in_a_time_namespace() {
    require!(user_namespaces(), "user namespaces");
    let proc = fs::File::open("/proc").unwrap();
    let mut plan = shell("cut -d. -f1 /proc/uptime; cat /proc/self/timens_offsets");
    let slot = plan.input("/proc of the host");
    let days = |days: i64| ClockOffset { seconds: days * 86_400, nanoseconds: 5 };
    plan.steps.push(Step::TimeOffsets { monotonic: days(1), boottime: days(1000), proc: slot });
    plan.namespaces = Namespaces::USER;
    plan.rendezvous = true;
    plan.stdout = Stdio::Pipe;
    let child = Spawner::new(&plan, &[proc.as_fd()]).rendezvous(&mut Maps::single()).spawn().unwrap();
    let output = common::text(&child.wait_with_output().unwrap().stdout);
    let uptime: u64 = output.lines().next().unwrap().parse().unwrap();
    assert!(uptime > 1000 * 86_400, "{output}");
    let words: Vec<&str> = output.split_whitespace().skip(1).collect();
    assert_eq!(words, ["monotonic", "86400", "5", "boottime", "86400000", "5"]);
}

#[test]
fn sysctls_and_the_loopback_interface() {
    require!(user_namespaces(), "user namespaces");
    let mut plan = shell(
        "cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/msgmax; cat /sys/class/net/lo/operstate; cat /proc/net/dev | grep -c :",
    );
    plan.namespaces = Namespaces::NET | Namespaces::IPC | Namespaces::PID | Namespaces::MNT;
    plan.steps = vec![
        Step::LoopbackUp,
        Step::Sysctl { name: "net.ipv4.ip_forward".into(), value: "1".into() },
        Step::Sysctl { name: "kernel/msgmax".into(), value: "1234".into() },
        Step::Mount(Mount::new("proc").target(None, "/proc", None)),
        Step::Call(cofferdam_process::RawCall {
            name: "socket".into(),
            number: u32::try_from(libc::SYS_socket).unwrap(),
            arguments: [2, 2, 0].map(cofferdam_process::Argument::Number).into(),
            into: None,
            tolerate: None,
        }),
    ];
    let output = run_in_user_namespace(plan).unwrap();
    assert!(output.starts_with("1\n1234\n"), "{output}");

    for name in ["net.../../kernel/core_pattern", "kernel..x", "", "/kernel/core_pattern"] {
        let mut plan = shell("true");
        plan.steps.push(Step::Sysctl { name: name.into(), value: "x".into() });
        assert_eq!(plan.spawn(&[]).unwrap_err().kind(), std::io::ErrorKind::InvalidInput, "{name}");
    }
}

#[test]
fn an_inode_is_verified_before_it_is_used() {
    let host = fs::metadata("/dev/null").unwrap();
    let verify = |file: &str, expected: Expected| {
        let mut plan = shell("true");
        let slot = plan.slot("the file");
        plan.steps.push(Step::Open { location: Location::path(file), how: Open::PATH, into: slot });
        plan.steps.push(Step::Verify { file: slot, expected });
        plan.spawn(&[]).map(|mut child| child.wait().unwrap()).map_err(|error| error.to_string())
    };
    let device = |major, minor| Some(cofferdam_process::Device { major, minor });
    let null = Expected { kind: Some(FileKind::CharacterDevice), rdev: device(1, 3), ..Expected::default() };
    assert!(verify("/dev/null", null).unwrap().success());
    assert!(verify("/dev/null", Expected { ino: Some(host.ino()), ..null }).unwrap().success());
    assert_eq!(verify("/dev/zero", null).unwrap_err(), "verify the file: EINVAL (Invalid argument)");
    assert!(verify("/etc/passwd", null).is_err());
    let proc = Expected { filesystem: Some(0x9fa0), ..Expected::default() };
    assert!(verify("/proc/self/stat", proc).unwrap().success());
    assert!(verify("/etc/passwd", proc).unwrap_err().contains("EXDEV"));
}

#[test]
fn files_directories_links_and_nodes_are_made() {
    require!(user_namespaces(), "user namespaces");
    let mut plan =
        shell("cd /tmp && cat file && readlink link && stat -c %F,%a fifo directory | tr '\\n' ' '");
    let tmp = plan.slot("tmp");
    plan.namespaces = Namespaces::MNT;
    plan.steps = vec![
        Step::Umask(0),
        Step::Mount(Mount::new("tmpfs").target(None, "/tmp", None).into_slot(tmp)),
        Step::Directory { location: Location::at(tmp, "directory"), mode: 0o751 },
        Step::Directory { location: Location::at(tmp, "directory"), mode: 0o751 },
        Step::Symlink { location: Location::at(tmp, "link"), target: "directory".into() },
        Step::Node {
            location: Location::at(tmp, "fifo"),
            kind: FileKind::Fifo,
            mode: 0o640,
            device: cofferdam_process::Device { major: 0, minor: 0 },
        },
        Step::Node {
            location: Location::at(tmp, "file"),
            kind: FileKind::Regular,
            mode: 0o644,
            device: cofferdam_process::Device { major: 0, minor: 0 },
        },
        Step::Write { location: Location::at(tmp, "file"), content: b"content\n".to_vec() },
        Step::Close(tmp),
    ];
    assert_eq!(run_in_user_namespace(plan).unwrap(), "content\ndirectory\nfifo,640 directory,751");
}

#[test]
fn the_working_directory_must_lie_in_the_root() {
    require!(user_namespaces(), "user namespaces");
    let error = |directory: &str| {
        let mut plan = shell("true");
        plan.steps.push(Step::WorkingDirectory(directory.into()));
        plan.spawn(&[]).unwrap_err()
    };
    assert_eq!(
        error("/nowhere").to_string(),
        "change directory to /nowhere: ENOENT (No such file or directory), by chdir"
    );

    // A descriptor of the host's root, kept open over the change of root, is outside.
    let directory = tempfile::tempdir().unwrap();
    let mut plan = shell("readlink /proc/self/cwd");
    plan.namespaces = Namespaces::PID;
    let host = plan.slot("the host's root");
    plan.steps.push(Step::Open { location: Location::path("/"), how: Open::PATH, into: host });
    let root = rooted(&mut plan, directory.path());
    plan.steps.push(Step::Mount(Mount::new("proc").target(Some(root), "/proc", Some(TargetKind::Directory))));
    plan.steps.push(Step::PivotRoot { root });
    // The init's descriptors are few: one of these numbers is the host's root.
    let spawn = |number: u32| {
        let mut plan = plan.clone();
        plan.steps.push(Step::WorkingDirectory(format!("/proc/self/fd/{number}").into()));
        run_in_user_namespace(plan)
    };
    let results: Vec<_> = (0..16).map(spawn).collect();
    // The root's own descriptor is fine.
    assert!(
        results.iter().all(|result| result.as_ref().map_or(true, |directory| directory == "/")),
        "{results:?}"
    );
    let outside = |error: &Error| error.errno().is_some_and(|errno| errno.number() == libc::EXDEV);
    assert!(results.iter().any(|result| result.as_ref().is_err_and(outside)), "{results:?}");
}

#[test]
fn root_may_map_ids_that_do_not_include_its_own() {
    require!(is_root(), "root");
    // The exec of the init would lose all capabilities in these maps.
    let mut plan =
        shell("id -u; grep CapEff /proc/self/status | cut -f2; cat /proc/self/uid_map | tr -s ' '");
    plan.namespaces = Namespaces::USER | Namespaces::UTS;
    plan.steps.push(Step::Hostname("mapped".into()));
    plan.steps.push(Step::Credentials(cofferdam_process::Credentials {
        groups: Some(vec![]),
        gid: Some(0),
        uid: Some(0),
        capabilities: None,
    }));
    let output = run_mapped(plan.clone(), &mut Maps::new("0 100000 1000")).unwrap();
    let lines: Vec<&str> = output.lines().collect();
    assert_eq!((lines[0], lines[2]), ("0", " 0 100000 1000"));
    assert_ne!(u64::from_str_radix(lines[1], 16).unwrap(), 0, "{output}");

    // Without id 0 at all.
    let Some(Step::Credentials(credentials)) = plan.steps.last_mut() else { unreachable!() };
    (credentials.uid, credentials.gid) = (Some(1000), Some(1000));
    let output = run_mapped(plan, &mut Maps::new("1000 100000 1")).unwrap();
    assert!(output.starts_with("1000\n0000000000000000\n"), "{output}");
}

#[test]
fn a_user_may_be_someone_else_than_root_inside() {
    require!(user_namespaces(), "user namespaces");
    let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    let mut plan = shell("id -u; id -g; uname -n");
    plan.namespaces = Namespaces::USER | Namespaces::UTS;
    plan.steps.push(Step::Hostname("still".into()));
    let mut maps = Maps { uid: format!("1234 {uid} 1"), gid: format!("4321 {gid} 1") };
    assert_eq!(run_mapped(plan, &mut maps).unwrap(), "1234\n4321\nstill");
}

#[test]
fn mounts_can_be_copied_from_another_namespace() {
    require!(is_root(), "root");
    // The other namespace has a single mount: an empty tmpfs.
    let mut plan = shell("exec sleep 60");
    plan.namespaces = Namespaces::MNT;
    let mut holder = plan.spawn(&[]).unwrap();
    let namespace = fs::File::open(format!("/proc/{}/ns/mnt", holder.id())).unwrap();

    let mut plan = shell("grep -c . /proc/self/mountinfo; readlink /proc/self/ns/mnt");
    let from = plan.input("the other namespace");
    plan.namespaces = Namespaces::MNT;
    plan.mounts_from = Some(from);
    plan.stdout = Stdio::Pipe;
    let output = plan.spawn(&[namespace.as_fd()]).unwrap().wait_with_output().unwrap();
    let output = common::text(&output.stdout);
    let other = fs::read_link(format!("/proc/{}/ns/mnt", holder.id())).unwrap();
    let own = fs::read_link("/proc/self/ns/mnt").unwrap();
    let theirs = output.lines().nth(1).unwrap();
    assert!(theirs != other.to_string_lossy() && theirs != own.to_string_lossy(), "{output}");

    // What is no mount namespace is refused, and nothing is left.
    let error = plan.spawn(&[fs::File::open("/proc/self/ns/uts").unwrap().as_fd()]).unwrap_err();
    assert_eq!(error.errno().unwrap().number(), libc::EINVAL, "{error}");
    holder.kill(libc::SIGKILL).unwrap();
    holder.wait().unwrap();
}

#[test]
fn a_file_on_a_file_system_that_must_not_be_is_refused() {
    let mut plan = shell("true");
    let slot = plan.slot("the file");
    const PROC: u64 = 0x9fa0;
    let how = Open::PATH;
    plan.steps.push(Step::Open { location: Location::path("/proc/version"), how, into: slot });
    let expected = Expected { other_filesystem: Some(PROC), ..Expected::default() };
    plan.steps.push(Step::Verify { file: slot, expected });
    let error = Spawner::new(&plan, &[]).spawn().unwrap_err();
    assert_eq!(error.to_string(), "verify the file: EXDEV (Invalid cross-device link)");
}
