//! Limits: programs are held to them, in cgroups that go with them.

mod common;

use std::os::unix::process::ExitStatusExt;
use std::time::Duration;

use cofferdam::cgroups::{
    Bytes, Cgroup, CgroupPath, Controller, Controllers, Cpu, DeviceRules, Error as CgroupError, Hierarchies,
    Limit, Memory, Resources, Setting, Unified,
};
use cofferdam::{Command, Error, Exec, LimitPolicy, Namespaces};
use common::{can_isolate, is_root, shell, text};

/// Ends the test where this user has no cgroup to put programs into; that is no fault of anybody.
macro_rules! require_limits {
    ($($controller:expr),*) => {
        require!(can_isolate(), "namespaces");
        if let Err(error) = can_limit(&[$($controller),*]) {
            assert!(!is_root(), "{error}");
            println!("skipped: {error}");
            return;
        }
    };
}

fn can_limit(controllers: &[Controller]) -> Result<(), Error> {
    let wanted: Controllers = controllers.iter().copied().collect();
    Command::new("true").accounting(wanted.with(Controller::Pids)).status().map(drop)
}

/// Where cgroups of programs lie here.
fn nest() -> Cgroup {
    Hierarchies::discover().and_then(|host| host.nest()).expect("a place for cgroups")
}

/// The names of cgroups of programs of this process.
fn of_this_process() -> Vec<String> {
    let own = format!("-{}-", std::process::id());
    let names = nest().children().expect("names").into_iter().filter_map(|name| name.into_string().ok());
    names.filter(|name| name.starts_with("cofferdam-") && name.contains(&own)).collect()
}

#[test]
fn memory_is_limited_and_the_kill_is_seen() {
    require_limits!(Controller::Memory);
    let mut command = shell("exec tail /dev/zero");
    command.memory(16 << 20).limit_if_available(Memory::Swap(Limit::Value(Bytes(0))));
    let mut child = command.spawn().unwrap();
    assert!(child.limits().unwrap().applied().iter().any(|one| one.setting == Memory::max(16 << 20).into()));
    let status = child.wait().unwrap();
    assert_eq!(status.signal(), Some(libc::SIGKILL));
    assert_eq!(child.oom_kills().unwrap(), 1);
    let path = child.cgroup().unwrap().path().clone();
    drop(child);
    assert!(is_gone(&path), "{path}");
}

fn is_gone(path: &CgroupPath) -> bool {
    matches!(Hierarchies::discover().expect("the host").open(path), Err(CgroupError::NoPart { .. }))
}

#[test]
fn processes_are_limited() {
    require_limits!(Controller::Pids);
    let script = "for i in 1 2 3 4 5 6 7 8; do sleep 60 >/dev/null 2>&1 & done; echo all";
    let output = shell(script).pids(4).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr).to_lowercase();
    assert!(errors.contains("fork"), "{output:?}");
}

#[test]
fn time_on_processors_is_limited() {
    require_limits!(Controller::Cpu, Controller::CpuAcct);
    let mut command = shell("while :; do :; done");
    command.cpus(0.1).accounting(Controller::CpuAcct).kill_on_drop(true);
    // What starts the program counts as well.
    let started = std::time::Instant::now();
    let child = command.spawn().unwrap();
    let cpu = || child.statistics().unwrap().cpu.unwrap();
    while cpu().throttled_periods.unwrap_or(0) < 5 {
        assert!(started.elapsed() < Duration::from_secs(60), "{:?}", cpu());
        std::thread::sleep(Duration::from_millis(20));
    }
    let usage = cpu().usage.unwrap();
    // A tenth, begun periods in full, and what the kernel hands out in slices.
    let bound = started.elapsed() / 10 + Duration::from_millis(60) + started.elapsed() / 20;
    assert!(usage <= bound, "{usage:?} of {bound:?}");
}

#[test]
fn devices_are_limited() {
    if !is_root() {
        return;
    }
    require_limits!(Controller::Devices);
    let rules: DeviceRules = "deny a *:* rwm\nallow c 1:3 rwm".parse().unwrap();
    let output = shell("cat /dev/null; head -c 1 /dev/zero").limit(rules).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(errors.contains("/dev/zero") && errors.contains("not permitted"), "{output:?}");
    assert!(!errors.contains("/dev/null"), "{output:?}");
}

/// On whichever version, the program is in its cgroup before its first instruction, and in a cgroup namespace that begins
/// there.
#[test]
fn the_program_starts_in_its_cgroup_and_sees_it_as_the_root() {
    require_limits!(Controller::Pids);
    let seen = text(shell("cat /proc/self/cgroup").pids(20));
    let version = Hierarchies::discover().unwrap().hierarchy_of(Controller::Pids).unwrap().version();
    let line = match version {
        cofferdam::cgroups::Version::V1 => seen.lines().find(|line| line.contains(":pids:")),
        cofferdam::cgroups::Version::V2 => seen.lines().find(|line| line.starts_with("0::")),
    };
    assert!(line.unwrap().ends_with(":/"), "{seen}");
    let shared = text(shell("cat /proc/self/cgroup").pids(20).share(Namespaces::CGROUP));
    assert!(shared.contains(&format!("/cofferdam-{}-", std::process::id())), "{shared}");
}

#[test]
fn the_plan_shows_how_the_program_gets_there() {
    require_limits!(Controller::Pids);
    let mut command = shell("true");
    command.pids(20);
    let plan = command.plan().unwrap();
    let version = Hierarchies::discover().unwrap().hierarchy_of(Controller::Pids).unwrap().version();
    let explained = plan.explain();
    match version {
        cofferdam::cgroups::Version::V1 => assert!(explained.contains("tasks of the cgroup"), "{explained}"),
        cofferdam::cgroups::Version::V2 => assert!(plan.cgroup.is_some(), "{explained}"),
    }
    assert!(of_this_process().is_empty() || plan.cgroup.is_some(), "a plan makes nothing");
}

#[test]
fn nothing_is_left_by_any_way_to_run_a_program() {
    require_limits!(Controller::Pids);
    let path = std::cell::RefCell::new(Vec::new());
    let started = |child: &cofferdam::Child| {
        path.borrow_mut().push(child.cgroup().unwrap().path().clone());
    };
    shell("exit 3").pids(20).status().unwrap();
    shell("echo").pids(20).output().unwrap();
    let mut child = shell("true").pids(20).spawn().unwrap();
    started(&child);
    child.wait().unwrap();
    drop(child);
    let child = shell("sleep 60").pids(20).kill_on_drop(true).spawn().unwrap();
    started(&child);
    drop(child);
    let mut child = shell("sleep 60").pids(20).timeout(Duration::from_millis(10)).spawn().unwrap();
    started(&child);
    assert!(matches!(child.wait(), Err(Error::TimedOut { .. })));
    child.remove_cgroup().unwrap();
    assert!(child.cgroup().is_none() && child.statistics().is_err());
    drop(child);
    // One that cannot be started, before and after the clone.
    assert!(Command::new("/no/such/program").pids(20).spawn().is_err());
    for operation in [0, 3, 9] {
        assert!(shell("true").pids(20).spawn_with_fault(operation).is_err());
    }
    assert!(path.borrow().iter().all(is_gone), "{path:?}");
}

/// Without a pid namespace of its own a program can leave others behind. They are in the cgroup.
#[test]
fn what_a_program_leaves_running_ends_with_its_cgroup() {
    require_limits!(Controller::Pids);
    let mut command = shell("sleep 100 >/dev/null 2>&1 & echo $!");
    command.share(Namespaces::PID).pids(20).stdout(cofferdam::Stdio::piped());
    let mut child = command.spawn().unwrap();
    let stdout = child.stdout.take().unwrap();
    let pid = std::io::read_to_string(stdout).unwrap();
    child.wait().unwrap();
    let left = child.cgroup().unwrap().processes().unwrap();
    assert_eq!(left.iter().map(u32::to_string).collect::<Vec<_>>(), [pid.trim()]);
    drop(child);
    let state = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
    assert!(state.is_empty() || state.contains(" Z "), "{state}");
}

#[test]
fn another_program_joins_the_limits() {
    require_limits!(Controller::Pids);
    let child = shell("sleep 60").pids(20).kill_on_drop(true).spawn().unwrap();
    let path = child.cgroup().unwrap().path().to_string();
    let seen = Exec::new(&child, "cat").arg("/proc/1/cgroup").limits_of(&child).output().unwrap();
    assert!(seen.status.success(), "{seen:?}");
    let mut other =
        Exec::new(&child, "sleep").arg("60").limits_of(&child).kill_on_drop(true).spawn().unwrap();
    let members = child.cgroup().unwrap().processes().unwrap();
    assert!(members.contains(&other.id()) && members.contains(&child.id()), "{members:?} of {path}");
    other.kill().unwrap();
    other.wait().unwrap();
}

#[test]
fn a_limit_that_cannot_be_had_is_an_error_unless_it_may_be_left_out() {
    require_limits!(Controller::Pids);
    let nothing = Unified::new("cofferdam.nothing", "1");
    let error = shell("true").pids(20).limit(nothing.clone()).status().unwrap_err();
    assert!(matches!(error, Error::Cgroup(_)), "{error}");
    let mut child = shell("true").pids(20).limit_if_available(nothing.clone()).spawn().unwrap();
    assert_eq!(child.limits().unwrap().left_out().len(), 1);
    child.wait().unwrap();
    let mut command = shell("true");
    let mut child = command.pids(20).limit(nothing).limit_policy(LimitPolicy::IfAvailable).spawn().unwrap();
    assert_eq!(child.limits().unwrap().applied().len(), 1);
    child.wait().unwrap();
    let mut child = command.limit_policy(LimitPolicy::None).spawn().unwrap();
    assert!(child.limits().is_none() && child.cgroup().is_none());
    child.wait().unwrap();
    let text = child.statistics().unwrap_err().to_string();
    assert_eq!(text, "statistics \"of the program\" need a cgroup, by limits or accounting");
}

#[test]
fn values_that_cannot_be_are_refused_before_anything_happens() {
    let refused = |command: &mut Command| command.status().unwrap_err().to_string();
    assert_eq!(
        refused(Command::new("true").cpus(-1.0)),
        "the quota of cpu.max cannot be 0ns: at least 1 ms, or no limit"
    );
    assert_eq!(refused(Command::new("true").limit(Cpu::Weight(0))), "cpu.weight cannot be 0: 1 to 10000");
    let directory = std::fs::File::open("/").unwrap();
    let mut command = Command::new("true");
    let both = refused(command.pids(5).cgroup(directory));
    assert_eq!(both, "cgroup \"given\" cannot be had together with limits, which make one");
    // By the plan, too.
    assert_eq!(command.plan().unwrap_err().to_string(), both);
    let planned = Command::new("true").limit(Cpu::Weight(0)).plan().unwrap_err();
    assert_eq!(planned.to_string(), "cpu.weight cannot be 0: 1 to 10000");
}

#[test]
fn a_cgroup_can_be_made_below_a_given_one() {
    require_limits!(Controller::Pids);
    let name = format!("cofferdam-test-{}", std::process::id());
    let (parent, _) =
        nest().create_with(&name, &Resources::new().must(Setting::Pids(Limit::Value(100)))).unwrap();
    let parent = std::sync::Arc::new(parent);
    let mut child =
        shell("cat").cgroup_parent(parent.clone()).pids(20).stdin(cofferdam::Stdio::piped()).spawn().unwrap();
    assert_eq!(child.cgroup().unwrap().path().parent().as_ref(), Some(parent.path()));
    child.wait().unwrap();
    drop(child);
    assert!(parent.children().unwrap().is_empty());
    parent.remove(Duration::from_secs(5)).unwrap();
}

/// Forty programs from four threads, each with its own limit.
#[test]
fn programs_with_limits_start_side_by_side() {
    require_limits!(Controller::Pids);
    let run = || {
        for count in 20..30 {
            let mut child = shell("true").pids(count).spawn().unwrap();
            let settings = child.cgroup().unwrap().settings(Controller::Pids).unwrap();
            assert_eq!(settings, [Setting::Pids(Limit::Value(count))]);
            assert!(child.wait().unwrap().success());
        }
    };
    std::thread::scope(|scope| {
        (0..4).for_each(|_| drop(scope.spawn(run)));
    });
}

/// An ordinary user on a host that gives cgroups to root alone.
#[test]
fn without_a_delegated_cgroup_the_error_says_so() {
    if is_root() || can_limit(&[]).is_ok() {
        return;
    }
    require!(can_isolate(), "namespaces");
    let error = shell("true").pids(20).status().unwrap_err();
    assert!(error.to_string().contains("cgroup"), "{error}");
    let mut child = shell("true").pids(20).limit_policy(LimitPolicy::IfAvailable).spawn().unwrap();
    assert_eq!(child.limits().unwrap().left_out().len(), 1);
    assert!(child.wait().unwrap().success());
}
