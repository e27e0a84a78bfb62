//! Where caller and init meet: descriptors both ways, errors, and what a waiting init is.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::io::{Read, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use cofferdam_process::{
    BoxError, Error, Location, Mount, Namespaces, Open, Plan, Process, Rendezvous, Spawner, Stdio, Step,
};
use common::{Maps, is_root, require, shell, user_namespaces};

/// Runs functions at the meetings.
struct Meeting<F>(F);

impl<F> Rendezvous for Meeting<F>
where
    F: FnMut(u32, Process<'_>, Vec<OwnedFd>) -> Result<Vec<OwnedFd>, BoxError>,
{
    fn created(&mut self, process: Process<'_>) -> Result<(), BoxError> {
        Maps::single().created(process)
    }

    fn sync(
        &mut self,
        point: u32,
        process: Process<'_>,
        received: Vec<OwnedFd>,
    ) -> Result<Vec<OwnedFd>, BoxError> {
        self.0(point, process, received)
    }
}

#[test]
fn descriptors_go_both_ways() {
    let mut plan = shell("cat <&7");
    plan.stdout = Stdio::Pipe;
    let (theirs, ours) = (plan.slot("their file"), plan.slot("our pipe"));
    plan.steps.push(Step::Open {
        location: Location::path("/proc/version"),
        how: Open { flags: 0, mode: 0, resolve: 0 },
        into: theirs,
    });
    plan.steps.push(Step::Sync { point: 42, send: vec![theirs], receive: vec![ours] });
    plan.pass = vec![(ours, 7)];
    let mut points = Vec::new();
    let mut meeting = Meeting(|point, process: Process<'_>, received: Vec<OwnedFd>| {
        points.push(point);
        let mut content = String::new();
        fs::File::from(received.into_iter().next().unwrap()).read_to_string(&mut content)?;
        assert!(content.starts_with("Linux version"));
        assert!(fs::metadata(format!("/proc/{}", process.pid)).is_ok());
        let (read, write) = rustix::pipe::pipe()?;
        fs::File::from(write).write_all(b"from the caller")?;
        Ok(vec![read])
    });
    let child = Spawner::new(&plan, &[]).rendezvous(&mut meeting).spawn().unwrap();
    assert_eq!(child.wait_with_output().unwrap().stdout, b"from the caller");
    assert_eq!(points, [42]);
}

#[test]
fn an_error_of_the_caller_ends_the_process() {
    let mut plan = shell("exit 0");
    plan.steps.push(Step::Sync { point: 3, send: vec![], receive: vec![] });
    let mut meeting = Meeting(|_, _: Process<'_>, _| Err("the caller does not want to".into()));
    let error = Spawner::new(&plan, &[]).rendezvous(&mut meeting).spawn().unwrap_err();
    assert_eq!(error.to_string(), "meet the new process (at point 3)");
    assert_eq!(std::error::Error::source(&error).unwrap().to_string(), "the caller does not want to");
    // Too few descriptors are an error of the step.
    let slot = plan.slot("missing");
    plan.steps = vec![Step::Sync { point: 4, send: vec![], receive: vec![slot] }];
    let mut meeting = Meeting(|_, _: Process<'_>, _| Ok(vec![]));
    let error = Spawner::new(&plan, &[]).rendezvous(&mut meeting).spawn().unwrap_err();
    assert_eq!(error.to_string(), "meet the caller at point 4: EBADMSG (Bad message)");
}

#[test]
fn an_init_that_is_killed_is_not_taken_for_the_program() {
    let mut plan = shell("exit 0");
    plan.steps.push(Step::Sync { point: 1, send: vec![], receive: vec![] });
    let mut meeting = Meeting(|_, process: Process<'_>, _| {
        rustix::process::pidfd_send_signal(process.pidfd, rustix::process::Signal::KILL)?;
        Ok(vec![])
    });
    let error = Spawner::new(&plan, &[]).rendezvous(&mut meeting).spawn().unwrap_err();
    assert!(matches!(error, Error::Died(_)), "{error:?}");
    assert!(error.to_string().contains("signal: 9"), "{error}");
}

/// Looks at the init while it waits.
fn look(plan: &mut Plan, mut look: impl FnMut(u32)) {
    plan.steps.push(Step::Sync { point: 0, send: vec![], receive: vec![] });
    let mut meeting = Meeting(|_, process: Process<'_>, _| {
        look(process.pid);
        Ok(vec![])
    });
    Spawner::new(plan, &[]).rendezvous(&mut meeting).spawn().unwrap().wait().unwrap();
}

#[test]
fn a_waiting_init_is_the_sealed_file_and_nothing_else() {
    require!(is_root(), "root, as the init lets nobody else look at it");
    let secret = tempfile::tempfile().unwrap();
    // A descriptor without close-on-exec must not reach the init.
    rustix::io::fcntl_setfd(&secret, rustix::io::FdFlags::empty()).unwrap();
    look(&mut shell("true"), |pid| {
        let exe = fs::read_link(format!("/proc/{pid}/exe")).unwrap();
        assert_eq!(exe.to_string_lossy(), "/memfd:cofferdam-init (deleted)");
        assert_eq!(fs::read_to_string(format!("/proc/{pid}/comm")).unwrap(), "cofferdam-init\n");
        let content = fs::read(format!("/proc/{pid}/exe")).unwrap();
        // Running, it cannot even be opened for writing; idle, it can, and not be written.
        let mut writer = fs::OpenOptions::new().write(true).open(format!("/proc/{pid}/exe"));
        if let Ok(writer) = &mut writer {
            assert!(writer.write_all(b"changed").is_err());
        }
        assert_eq!(fs::read(format!("/proc/{pid}/exe")).unwrap(), content);
        let descriptors: Vec<_> =
            fs::read_dir(format!("/proc/{pid}/fd")).unwrap().filter_map(Result::ok).collect();
        assert!(descriptors.len() <= 4, "{descriptors:?}");
        let inode =
            |path: &std::path::Path| fs::metadata(path).ok().map(|m| std::os::unix::fs::MetadataExt::ino(&m));
        let secret = inode(format!("/proc/self/fd/{}", secret.as_raw_fd()).as_ref());
        assert!(descriptors.iter().all(|entry| inode(&entry.path()) != secret));
        assert_eq!(fs::read(format!("/proc/{pid}/environ")).unwrap(), b"");
    });
}

#[test]
fn a_waiting_init_has_little_memory_of_its_own() {
    require!(is_root(), "root, as the init lets nobody else look at it");
    look(&mut shell("true"), |pid| {
        let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap();
        let field = |name: &str| -> u64 {
            let line = rollup.lines().find(|line| line.starts_with(name)).unwrap();
            line.split_whitespace().nth(1).unwrap().parse().unwrap()
        };
        let private = field("Private_Clean:") + field("Private_Dirty:");
        assert!(private <= 100, "{private} KiB: {rollup}");
        println!("a waiting init has {private} KiB of private memory");
    });
}

#[test]
fn a_waiting_init_is_not_dumpable() {
    // The files of a process that is not dumpable belong to root.
    look(&mut shell("true"), |pid| {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        assert!(status.contains("CapInh:\t0000000000000000"), "{status}");
        assert!(status.contains("CapAmb:\t0000000000000000"), "{status}");
        let owner = std::os::unix::fs::MetadataExt::uid(&fs::metadata(format!("/proc/{pid}/stat")).unwrap());
        assert_eq!(owner, 0);
        if !is_root() {
            assert!(fs::read_link(format!("/proc/{pid}/exe")).is_err());
        }
    });
}

#[test]
fn a_process_joins_user_and_pid_namespaces_of_another() {
    require!(user_namespaces(), "user namespaces");
    let mut first = shell("exec sleep 60");
    first.namespaces = Namespaces::USER | Namespaces::PID | Namespaces::MNT | Namespaces::UTS;
    first.rendezvous = true;
    first.steps.push(Step::Hostname("joined".into()));
    first.steps.push(Step::Mount(Mount::new("proc").target(None, "/proc", None)));
    let mut first = Spawner::new(&first, &[]).rendezvous(&mut Maps::single()).spawn().unwrap();

    let mut plan = shell("uname -n; id -u; readlink /proc/self/ns/pid; cat /proc/1/comm; echo $$");
    let target = plan.input("the other process");
    plan.stdout = Stdio::Pipe;
    let kinds = Namespaces::USER | Namespaces::PID | Namespaces::MNT | Namespaces::UTS;
    plan.steps = vec![Step::Join { from: target, kinds }, Step::Fork];
    let child = plan.spawn(&[first.pidfd()]).unwrap();
    let id = child.id();
    assert!(id > 10, "an id of this pid namespace: {id}");
    let output = common::text(&child.wait_with_output().unwrap().stdout);
    let lines: Vec<&str> = output.lines().collect();
    assert_eq!(lines[..2], ["joined", "0"], "{output}");
    assert_eq!(lines[2], fs::read_link(format!("/proc/{}/ns/pid", first.id())).unwrap().to_string_lossy());
    assert_eq!(lines[3], "sleep", "{output}");
    assert!(lines[4].parse::<u32>().unwrap() < 10, "{output}");

    // The status of the second process is the child's, and failures are named as ever.
    let mut plan = plan.clone();
    plan.args = vec!["sh".into(), "-c".into(), "exit 9".into()];
    assert_eq!(plan.spawn(&[first.pidfd()]).unwrap().wait().unwrap().code(), Some(9));
    // However fast the second process fails, it is known and reaped: otherwise the namespace could not end.
    plan.program = "/nowhere".into();
    for _ in 0..200 {
        assert_eq!(plan.spawn(&[first.pidfd()]).unwrap_err().kind(), std::io::ErrorKind::NotFound);
    }
    let error = plan.spawn(&[fs::File::open("/dev/null").unwrap().as_fd()]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "join namespaces of the other process: user pid mnt uts: EINVAL (Invalid argument), by setns"
    );
    first.kill(libc::SIGKILL).unwrap();
    first.wait().unwrap();
}

#[test]
fn process_one_reaps_forwards_and_ends_with_the_program() {
    require!(user_namespaces(), "user namespaces");
    let plan = |script: &str| {
        let mut plan = shell(script);
        plan.namespaces = Namespaces::USER | Namespaces::PID | Namespaces::MNT;
        plan.rendezvous = true;
        plan.stay_as_init = true;
        plan.stdout = Stdio::Pipe;
        plan.steps.push(Step::Mount(Mount::new("proc").target(None, "/proc", None)));
        plan
    };
    let spawn = |script: &str| {
        let plan = plan(script);
        Spawner::new(&plan, &[]).rendezvous(&mut Maps::single()).spawn().unwrap()
    };
    // Orphans become children of process 1 and do not stay zombies.
    let script =
        "echo $$; (sh -c 'sleep 0.01 &' &); sleep 0.1; grep -l 'State:.Z' /proc/[0-9]*/status; exit 5";
    let output = spawn(script).wait_with_output().unwrap();
    assert_eq!((output.status.code(), common::text(&output.stdout).as_str()), (Some(5), "2"));

    let mut child = spawn("trap 'exit 6' TERM; echo ready; while :; do sleep 0.01; done");
    let mut byte = [0];
    child.stdout.as_mut().unwrap().read_exact(&mut byte).unwrap();
    child.kill(libc::SIGTERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(6));

    assert_eq!(spawn("kill -KILL $$").wait().unwrap().code(), Some(137));
    let mut wrong = plan("true");
    wrong.program = "/nowhere".into();
    let error = Spawner::new(&wrong, &[]).rendezvous(&mut Maps::single()).spawn().unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
}

/// Where a cgroup hierarchy is mounted, by the end of its line in `mountinfo`.
fn hierarchy(is_wanted: impl Fn(&str) -> bool) -> Option<String> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let line = mounts.lines().find(|line| line.split_once(" - ").is_some_and(|(_, end)| is_wanted(end)))?;
    Some(line.split(' ').nth(4).unwrap().to_owned())
}

/// A new cgroup v2: for root anywhere, for others beside their own, where that was delegated to them.
fn new_cgroup() -> Option<String> {
    let mut parent = hierarchy(|end| end.starts_with("cgroup2 "))?;
    if !is_root() {
        let own = fs::read_to_string("/proc/self/cgroup").unwrap();
        let own = own.lines().find_map(|line| line.strip_prefix("0::")).unwrap();
        parent += own.rsplit_once('/').unwrap().0;
    }
    let path = format!("{parent}/cofferdam-test-{}", std::process::id());
    fs::create_dir(&path).ok()?;
    Some(path)
}

#[test]
fn a_process_is_born_in_a_cgroup() {
    let path = new_cgroup();
    require!(path.is_some(), "a cgroup v2 hierarchy, and a part of it that may be changed");
    let path = path.unwrap();
    let directory = fs::File::open(&path).unwrap();
    let mut plan = shell("cat /proc/self/cgroup");
    plan.cgroup = Some(plan.input("cgroup"));
    plan.stdout = Stdio::Pipe;
    let output = plan.spawn(&[directory.as_fd()]).unwrap().wait_with_output().unwrap();
    fs::remove_dir(&path).unwrap();
    let name = path.rsplit_once('/').unwrap().1;
    let text = common::text(&output.stdout);
    assert!(text.lines().any(|line| line.starts_with("0::/") && line.ends_with(name)), "{output:?}");
}

#[test]
fn a_process_enters_a_cgroup_v1() {
    require!(is_root(), "root");
    let Some(root) = hierarchy(|end| end.starts_with("cgroup ") && end.ends_with("freezer")) else {
        return with_freezer_mounted();
    };
    let path = format!("{root}/cofferdam-test-{}", std::process::id());
    fs::create_dir(&path).unwrap();
    let tasks = fs::OpenOptions::new().write(true).open(format!("{path}/tasks")).unwrap();
    let mut plan = shell("grep freezer /proc/self/cgroup");
    let slot = plan.input("tasks");
    plan.steps.push(Step::EnterCgroup { tasks: slot });
    plan.stdout = Stdio::Pipe;
    let output = plan.spawn(&[tasks.as_fd()]).unwrap().wait_with_output().unwrap();
    fs::remove_dir(&path).unwrap();
    assert!(common::text(&output.stdout).contains(":/cofferdam-test-"), "{output:?}");
}

/// Runs the test again where the hierarchy is mounted, in mounts of its own.
fn with_freezer_mounted() {
    let directory = tempfile::tempdir().unwrap();
    let script = "mount -t cgroup -o freezer cgroup \"$0\" || exit 9; exec \"$@\"";
    let status = std::process::Command::new("unshare")
        .args(["--mount", "sh", "-c", script])
        .arg(directory.path())
        .arg(std::env::current_exe().unwrap())
        .args(["a_process_enters_a_cgroup_v1", "--exact", "--nocapture"])
        .status()
        .unwrap();
    require!(status.code() != Some(9), "cgroup v1");
    assert!(status.success(), "{status}");
}
