//! What is set has an effect: the kernel holds processes to it.

mod common;

use cofferdam_cgroups::{
    Bytes, Cgroup, Controller, Cpu, CpuSet, DeviceNumber, Io, Limit, Memory, Rate, Resources, Setting,
};
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

fn apply(cgroup: &Cgroup, setting: impl Into<Setting>) {
    let outcome = cgroup.apply(&Resources::new().must(setting)).expect("as always");
    assert!(outcome.is_complete());
}

/// A shell that runs a script once it is in the cgroup.
fn start_in(cgroup: &Cgroup, script: &str) -> Child {
    let mut child = Command::new("sh")
        .args(["-c", &format!("read go; {script}")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("as always");
    cgroup.add(child.id()).expect("as always");
    child.stdin.take().expect("as always").write_all(b"go\n").expect("as always");
    child
}

fn run_in(cgroup: &Cgroup, script: &str) -> Output {
    start_in(cgroup, script).wait_with_output().expect("as always")
}

#[test]
fn a_process_over_its_memory_is_killed_and_counted() {
    let cgroup = test_cgroup!(Controller::Memory);
    let plan = Resources::new().must(Memory::max(Bytes::mib(16))).if_available(Memory::Swap(Bytes(0).into()));
    cgroup.apply(&plan).unwrap();
    // Keeps all that it reads until the end of its input, which never comes.
    let output = run_in(&cgroup, "exec tail /dev/zero");
    assert_eq!(output.status.signal(), Some(libc::SIGKILL), "{output:?}");
    let memory = cgroup.statistics().unwrap().memory.expect("statistics of memory");
    let kills = memory.events.and_then(|events| events.oom_kill);
    assert_eq!(kills, Some(1), "{memory:?}");
    let peak = memory.peak;
    assert!(peak.is_none_or(|peak| peak <= Bytes::mib(17) && peak > Bytes::mib(8)), "{memory:?}");
    // Below the limit nothing happens.
    let small = run_in(&cgroup, "head -c 1000000 /dev/zero | tail -c 1 | wc -c");
    assert!(small.status.success(), "{small:?}");
}

#[test]
fn a_fork_over_the_limit_of_processes_is_refused() {
    let cgroup = test_cgroup!(Controller::Pids);
    apply(&cgroup, Setting::Pids(Limit::Value(4)));
    let output = run_in(&cgroup, "for i in 1 2 3 4 5; do sleep 60 >/dev/null 2>&1 & done; echo all");
    let refusal = String::from_utf8_lossy(&output.stderr).to_lowercase();
    assert!(refusal.contains("fork"), "{output:?}");
    let pids = cgroup.statistics().unwrap().pids.expect("statistics of pids");
    assert!(pids.current.is_some_and(|current| current <= 4), "{pids:?}");
    assert!(pids.refused.is_some_and(|refused| refused >= 1), "{pids:?}");
}

#[test]
fn a_process_that_spins_is_throttled_and_stays_under_its_quota() {
    let cgroup = test_cgroup!(Controller::Cpu, Controller::CpuAcct);
    let (quota, period) = (Duration::from_millis(10), Duration::from_millis(100));
    apply(&cgroup, Cpu::Max { quota: Some(Limit::Value(quota)), period: Some(period) });
    let started = Instant::now();
    let mut child = start_in(&cgroup, "while :; do :; done");
    let throttled = || {
        let cpu = cgroup.statistics().unwrap().cpu.expect("statistics of cpu");
        (cpu.throttled_periods.unwrap_or(0), cpu.usage.expect("accounting of cpu time"))
    };
    assert!(common::eventually(|| throttled().0 >= 5), "throttled {:?}", throttled());
    let (periods, usage) = throttled();
    let elapsed = started.elapsed();
    // A quota for each period that has begun. The slices by which the kernel hands it out to processors are what can
    // exceed it, by a few milliseconds in each.
    let begun = u32::try_from(elapsed.as_millis() / period.as_millis()).unwrap() + 2;
    let bound = quota * begun + Duration::from_millis(5) * begun;
    assert!(usage <= bound, "{usage:?} of {bound:?} after {elapsed:?}, {periods} periods throttled");
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_process_runs_on_its_processors_only() {
    let cgroup = test_cgroup!(Controller::CpuSet);
    apply(&cgroup, CpuSet::Cpus("0".parse().unwrap()));
    let output = run_in(&cgroup, "grep Cpus_allowed_list /proc/self/status");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "Cpus_allowed_list:\t0\n");
}

/// A block device with something to read, and what ends it.
struct Disk {
    path: String,
    number: DeviceNumber,
    looped: bool,
    _file: Option<tempfile::NamedTempFile>,
}

impl Disk {
    /// A loop device over a file; else the device that temporary files are on.
    fn find() -> Option<Self> {
        Self::looped().or_else(Self::of_files)
    }

    fn looped() -> Option<Self> {
        let file = tempfile::NamedTempFile::new().ok()?;
        file.as_file().set_len(4 << 20).ok()?;
        let output = Command::new("losetup").args(["--find", "--show"]).arg(file.path()).output().ok()?;
        let path = String::from_utf8(output.stdout).ok()?.trim().to_owned();
        let number = device_number(&path)?;
        Some(Self { path, number, looped: true, _file: Some(file) })
    }

    fn of_files() -> Option<Self> {
        use std::os::unix::fs::MetadataExt;
        let mut file = tempfile::NamedTempFile::new_in(env!("CARGO_TARGET_TMPDIR")).ok()?;
        file.write_all(&vec![1; 4 << 20]).ok()?;
        file.as_file().sync_all().ok()?;
        let device = file.as_file().metadata().ok()?.dev();
        let number = DeviceNumber::new(rustix::fs::major(device), rustix::fs::minor(device));
        // A whole disk: limits of a partition are refused.
        let whole = std::path::Path::new(&format!("/sys/dev/block/{number}/queue")).exists();
        whole.then(|| {
            let path = file.path().to_string_lossy().into_owned();
            Self { path, number, looped: false, _file: Some(file) }
        })
    }
}

fn device_number(path: &str) -> Option<DeviceNumber> {
    use std::os::unix::fs::MetadataExt;
    let device = std::fs::metadata(path).ok()?.rdev();
    Some(DeviceNumber::new(rustix::fs::major(device), rustix::fs::minor(device)))
}

impl Drop for Disk {
    fn drop(&mut self) {
        if self.looped {
            let ended = Command::new("losetup").args(["--detach", &self.path]).status();
            assert!(std::thread::panicking() || ended.is_ok_and(|status| status.success()));
        }
    }
}

#[test]
fn reading_from_a_disk_takes_as_long_as_its_limit_says() {
    require_root!();
    let cgroup = test_cgroup!(Controller::Io);
    let Some(disk) = Disk::find() else { absent!("no block device to read from") };
    let read = format!("exec dd if={} of=/dev/null iflag=direct bs=64k count=16 2>&1", disk.path);
    let free = run_in(&cgroup, &read);
    require!(free.status.success(), "direct reads of {}", disk.path);
    apply(&cgroup, Io::Max(disk.number, Rate::ReadBytes, Limit::Value(512 << 10)));
    let started = Instant::now();
    let limited = run_in(&cgroup, &read);
    let elapsed = started.elapsed();
    assert!(limited.status.success(), "{limited:?}");
    // 1 MiB at 512 KiB a second; the first slice may be free.
    assert!(elapsed >= Duration::from_millis(1200), "{elapsed:?}");
    let now = cgroup.settings(Controller::Io).unwrap();
    assert!(now.contains(&Io::Max(disk.number, Rate::ReadBytes, Limit::Value(512 << 10)).into()), "{now:?}");
    apply(&cgroup, Io::Max(disk.number, Rate::ReadBytes, Limit::Max));
    let now = cgroup.settings(Controller::Io).unwrap();
    assert!(!now.contains(&Io::Max(disk.number, Rate::ReadBytes, Limit::Value(512 << 10)).into()), "{now:?}");
}
