//! The floor does what a case asks, names the step that failed, and leaves nothing behind.

#![cfg(target_arch = "x86_64")]
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::ffi::OsStr;
use std::fs;
use std::io::{Read, Seek};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use cofferdam_benches::Error;
use cofferdam_benches::case::Shape;
use cofferdam_benches::floor::{Fence, Launch, Launcher, Memory};
use cofferdam_benches::probe;
use cofferdam_benches::stage::Stage;
use cofferdam_benches::subjects::ours;
use cofferdam_benches::workload::{EXIT, Op, install, program};
use nix::errno::Errno;
use nix::sys::prctl::get_dumpable;
use nix::sys::wait::{WaitPidFlag, waitpid};

/// One test at a time: each looks at the children and descriptors of the whole process.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether this process may make what `shape` wants; says so if not, and fails under `REQUIRE_ALL=1`.
fn allowed(stage: &Stage, shape: Shape) -> bool {
    let root = nix::unistd::geteuid().is_root();
    let refusal = if shape.needs_root() && !root {
        Some("needs root".to_owned())
    } else {
        match launcher(stage, shape, "program").run() {
            Err(error) if !root => Some(error.to_string()),
            _ => None,
        }
    };
    if let Some(reason) = &refusal {
        assert!(std::env::var_os("REQUIRE_ALL").is_none_or(|value| value != "1"), "{reason}");
        eprintln!("skipped {shape:?}: {reason}");
    }
    refusal.is_none()
}

fn launcher(stage: &Stage, shape: Shape, name: &str) -> Launcher {
    launch(stage, shape, name, None).unwrap()
}

fn launch(stage: &Stage, shape: Shape, name: &str, output: Option<fs::File>) -> Result<Launcher, Error> {
    let path = if shape.sandbox { Path::new("/").join(name) } else { stage.root().join(name) };
    Launcher::new(Launch {
        shape,
        root: stage.root(),
        program: &path,
        argv: vec![path.as_os_str()],
        env: Vec::new(),
        memory: Memory::Shared,
        output,
        fence: None,
    })
}

/// What a spawn must not change: descriptors, mounts, the signal mask, the folder, whether we are dumpable.
fn surroundings() -> (usize, String, String, std::path::PathBuf, bool) {
    let status = fs::read_to_string("/proc/thread-self/status").unwrap();
    let blocked = status.lines().find(|line| line.starts_with("SigBlk")).unwrap().to_owned();
    (
        fs::read_dir("/proc/self/fd").unwrap().count(),
        fs::read_to_string("/proc/self/mountinfo").unwrap(),
        blocked,
        std::env::current_dir().unwrap(),
        get_dumpable().unwrap(),
    )
}

fn no_child() -> bool {
    waitpid(None, Some(WaitPidFlag::WNOHANG)) == Err(Errno::ECHILD)
}

#[test]
fn floor_and_fork_do_all_that_each_shape_asks() {
    let _alone = alone();
    let stage = Stage::new().unwrap();
    for shape in [Shape::BARE, Shape::NAMESPACES, Shape::NETWORK, Shape::USER, Shape::SANDBOX] {
        if !allowed(&stage, shape) {
            continue;
        }
        for subject in ours().iter().filter(|subject| subject.name() != "std") {
            let lacks = probe::prove(subject.as_ref(), &stage, shape);
            assert_eq!(lacks, Ok(Vec::new()), "{} in {shape:?}", subject.name());
        }
    }
}

#[test]
fn the_sandbox_has_working_devices_and_links() {
    let _alone = alone();
    let stage = Stage::new().unwrap();
    if !allowed(&stage, Shape::SANDBOX) {
        return;
    }
    let show = |path: &str| Op::Show(path.to_owned());
    let link = |path: &str| Op::Link(path.to_owned());
    let ops = [show("/dev/zero"), show("/dev/null"), link("/dev/fd"), link("/dev/ptmx"), show("/etc/passwd")];
    install(&stage.root().join("extra"), &program(&ops)).unwrap();
    let mut file = stage.file().unwrap();
    let output = file.try_clone().unwrap();
    assert_eq!(launch(&stage, Shape::SANDBOX, "extra", Some(output)).unwrap().run().unwrap(), EXIT);
    let mut seen = Vec::new();
    file.rewind().unwrap();
    file.read_to_end(&mut seen).unwrap();
    let (zeros, links) = seen.split_at(0x4000);
    assert!(zeros.iter().all(|byte| *byte == 0));
    assert_eq!(String::from_utf8_lossy(links), "/proc/self/fdpts/ptmx");
}

#[test]
fn a_hundred_runs_leave_nothing_behind() {
    let _alone = alone();
    let stage = Stage::new().unwrap();
    if !allowed(&stage, Shape::SANDBOX) {
        return;
    }
    let mut launcher = launcher(&stage, Shape::SANDBOX, "program");
    let before = surroundings();
    for _ in 0..100 {
        assert_eq!(launcher.run().unwrap(), EXIT);
    }
    assert_eq!(surroundings(), before);
    assert!(no_child());
    assert_eq!(fs::read_dir(stage.root().join("dev")).unwrap().count(), 0);
}

#[test]
fn a_failed_step_is_named_and_leaves_nothing_behind() {
    let _alone = alone();
    let stage = Stage::new().unwrap();
    let before = surroundings();
    let error = launcher(&stage, Shape::BARE, "absent").run().unwrap_err();
    assert!(error.to_string().starts_with("step \"execve\": No such file"), "{error}");
    if allowed(&stage, Shape::SANDBOX) {
        fs::remove_dir(stage.root().join("proc")).unwrap();
        let error = launcher(&stage, Shape::SANDBOX, "program").run().unwrap_err();
        assert!(error.to_string().starts_with("step \"mount proc\": No such file"), "{error}");
    }
    assert_eq!(surroundings(), before);
    assert!(no_child());
}

#[test]
fn what_does_not_end_is_killed() {
    let _alone = alone();
    let stage = Stage::new().unwrap();
    let limit = Duration::from_millis(200);
    let mut launcher = Launcher::new(Launch {
        shape: Shape::BARE,
        root: stage.root(),
        program: Path::new("/bin/sh"),
        argv: ["sh", "-c", "sleep 60 & sleep 60"].map(OsStr::new).into(),
        env: vec![OsStr::new("PATH=/bin:/usr/bin")],
        memory: Memory::Shared,
        output: None,
        fence: Some(Fence { limit, mounts: None }),
    })
    .unwrap();
    let start = Instant::now();
    assert!(matches!(launcher.run(), Err(Error::Hang(_))));
    assert!(start.elapsed() < Duration::from_secs(10));
    assert!(no_child());
}
