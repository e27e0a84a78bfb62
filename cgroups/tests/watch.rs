//! Events of real cgroups.

mod common;

use cofferdam_cgroups::{
    Bytes, Cgroup, Controller, Controllers, Error, Event, MemoryLevel, Pressure, PressureResource, Version,
    Watch, WatchOptions,
};
use common::{SOON, TestCgroup, version_of};
use std::os::fd::AsFd;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A shell in a cgroup that begins its script once it is there.
struct Script(Child);

impl Script {
    fn start(cgroup: &Cgroup, script: &str) -> Self {
        let mut command = Command::new("sh");
        command.args(["-c", &format!("read line; {script}")]);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().expect("start sh");
        cgroup.add(child.id()).expect("move a process into the test's cgroup");
        drop(child.stdin.take());
        Self(child)
    }

    fn end(&mut self) {
        self.0.wait().expect("end of a child");
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        self.0.kill().and_then(|()| self.0.wait()).expect("end a child");
    }
}

/// Events up to and with the first one that fits.
fn until(watch: &mut Watch, fits: impl Fn(&Event) -> bool) -> Vec<Event> {
    let started = Instant::now();
    let mut events = Vec::new();
    while started.elapsed() < SOON {
        events.extend(watch.wait(Some(Duration::from_millis(500))).expect("an event"));
        if events.last().is_some_and(&fits) {
            return events;
        }
    }
    panic!("no such event, only {events:?}");
}

fn nothing(watch: &mut Watch) {
    assert_eq!(watch.wait(Some(Duration::from_millis(50))), Ok(None));
}

/// A cgroup with a limit of memory, of a test.
fn with_memory_limit(limit: Bytes) -> Result<TestCgroup, common::Lack> {
    let cgroup = TestCgroup::new([Controller::Memory])?;
    // Without swap, or a process could hide there for long.
    let files = match version_of(Controller::Memory) {
        Some(Version::V1) => ["memory.limit_in_bytes", "memory.memsw.limit_in_bytes"],
        _ => ["memory.max", "memory.swap.max"],
    };
    write_file(&cgroup, Controller::Memory, files[0], &limit.to_string());
    let directory = directory(&cgroup, Controller::Memory);
    if directory.join(files[1]).exists() {
        let swap = if files[1].contains("memsw") { limit } else { Bytes(0) };
        write_file(&cgroup, Controller::Memory, files[1], &swap.to_string());
    }
    Ok(cgroup)
}

/// Where the files of a controller are.
fn directory(cgroup: &Cgroup, controller: Controller) -> std::path::PathBuf {
    let hierarchy = cgroup.hierarchies().hierarchy_of(controller).expect("a hierarchy");
    let found = cgroup.paths().find(|(of, _)| of.mount_point() == hierarchy.mount_point());
    hierarchy.mount_point().join(found.expect("a path").1.as_path())
}

fn write_file(cgroup: &Cgroup, controller: Controller, file: &str, value: &str) {
    std::fs::write(directory(cgroup, controller).join(file), value).expect("write a control file");
}

macro_rules! or_skip {
    ($made:expr) => {
        match $made {
            Ok(made) => made,
            Err(common::Lack::Expected(reason)) => absent!("{reason}"),
            Err(common::Lack::Fault(reason)) => skip!("{reason}"),
        }
    };
}

const EAT: &str = "exec tail /dev/zero";

#[test]
fn a_kill_for_want_of_memory_is_seen() {
    let cgroup = or_skip!(with_memory_limit(Bytes::mib(16)));
    let mut watch = Watch::new(&cgroup, &WatchOptions::new().memory().removal()).unwrap();
    nothing(&mut watch);
    let mut eater = Script::start(&cgroup, EAT);
    let events = until(&mut watch, |event| matches!(event, Event::OomKill(_)));
    let Some(Event::OomKill(count)) = events.last() else { unreachable!() };
    assert_eq!((count.total, count.new), (1, 1));
    assert!(events.iter().any(|event| matches!(event, Event::Oom(count) if count.new >= 1)), "{events:?}");
    eater.end();
    let total = cgroup.statistics().unwrap().memory.unwrap().events.unwrap().oom_kill;
    assert_eq!(total, Some(1));
}

#[test]
fn a_second_kill_is_counted_from_the_first() {
    let cgroup = or_skip!(with_memory_limit(Bytes::mib(16)));
    Script::start(&cgroup, EAT).end();
    let mut watch = Watch::new(&cgroup, &WatchOptions::new().memory()).unwrap();
    // Between the making of the watch and the first waiting.
    Script::start(&cgroup, EAT).end();
    let events = until(&mut watch, |event| matches!(event, Event::OomKill(_)));
    let Some(Event::OomKill(count)) = events.last() else { unreachable!() };
    assert_eq!((count.total, count.new), (2, 1));
}

#[test]
fn own_memory_is_told_apart_from_that_below() {
    let cgroup = or_skip!(with_memory_limit(Bytes::mib(16)));
    if version_of(Controller::Memory) == Some(Version::V1) {
        let error = Watch::new(&cgroup, &WatchOptions::new().own_memory()).unwrap_err();
        assert_eq!(error.to_string(), "cgroup v1 has no memory.events.local");
        return;
    }
    let mut watch = Watch::new(&cgroup, &WatchOptions::new().memory().own_memory()).unwrap();
    Script::start(&cgroup, EAT).end();
    let is_own_kill = |event: &Event| matches!(event, Event::OomKill(count) if count.scope == cofferdam_cgroups::Scope::Own);
    until(&mut watch, is_own_kill);
}

#[test]
fn refused_forks_are_seen() {
    let cgroup = test_cgroup!(Controller::Pids);
    write_file(&cgroup, Controller::Pids, "pids.max", "1");
    let mut watch = Watch::new(&cgroup, &WatchOptions::new().pids()).unwrap();
    Script::start(&cgroup, "true | true").end();
    let events = until(&mut watch, |event| matches!(event, Event::PidsMax(_)));
    let Event::PidsMax(count) = events[0] else { panic!("{events:?}") };
    assert!(count.new >= 1 && count.total >= count.new);
}

#[test]
fn the_first_and_the_last_process_are_seen() {
    let cgroup = test_cgroup!();
    let options = WatchOptions::new().population();
    if cgroup.fd().is_none() {
        let error = Watch::new(&cgroup, &options).unwrap_err();
        assert_eq!(error.to_string(), "cgroup v1 has no notice of processes that come and go");
        return;
    }
    let mut watch = Watch::new(&cgroup, &options).unwrap();
    nothing(&mut watch);
    let sleeper = cgroup.sleeper();
    assert_eq!(watch.wait(Some(SOON)), Ok(Some(Event::Populated(true))));
    nothing(&mut watch);
    drop(sleeper);
    assert_eq!(watch.wait(Some(SOON)), Ok(Some(Event::Populated(false))));
    nothing(&mut watch);
}

#[test]
fn what_happens_before_the_first_waiting_is_not_lost() {
    let cgroup = test_cgroup!();
    if cgroup.fd().is_none() {
        absent!("needs cgroup v2");
    }
    for _ in 0..100 {
        let mut watch = Watch::new(&cgroup, &WatchOptions::new().population()).unwrap();
        let _sleeper = cgroup.sleeper();
        assert_eq!(watch.wait(Some(SOON)), Ok(Some(Event::Populated(true))));
    }
}

#[test]
fn freezing_is_seen() {
    let cgroup = test_cgroup!();
    if cgroup.fd().is_none() {
        absent!("needs cgroup v2");
    }
    let unified = directory_of_v2(&cgroup);
    let _sleeper = cgroup.sleeper();
    let mut watch = Watch::new(&cgroup, &WatchOptions::new().population()).unwrap();
    for (value, frozen) in [("1", true), ("0", false)] {
        std::fs::write(unified.join("cgroup.freeze"), value).unwrap();
        assert_eq!(watch.wait(Some(SOON)), Ok(Some(Event::Frozen(frozen))));
    }
}

fn directory_of_v2(cgroup: &Cgroup) -> std::path::PathBuf {
    let (hierarchy, path) = cgroup.paths().next().expect("a part");
    assert_eq!(hierarchy.version(), Version::V2);
    hierarchy.mount_point().join(path.as_path())
}

#[test]
fn the_end_of_a_cgroup_ends_the_watch() {
    let cgroup = test_cgroup!(Controller::Pids);
    let job = match cgroup.create("job", Controllers::from(Controller::Pids)) {
        Ok(job) => job,
        Err(_) => cgroup.create("job", Controllers::EMPTY).unwrap(),
    };
    let mut options = WatchOptions::new().removal();
    if job.fd().is_some() {
        options = options.population();
    }
    let watch = Watch::new(&job, &options).unwrap();
    let other = cgroup.open("job").unwrap();
    let sleeper = common::Sleeper::start();
    job.add(sleeper.pid()).unwrap();
    let remover = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(20));
        drop(sleeper);
        other.remove(SOON).unwrap();
    });
    let events: Vec<Event> = watch.map(Result::unwrap).collect();
    remover.join().unwrap();
    let expected = match job.fd() {
        Some(_) => vec![Event::Populated(true), Event::Populated(false), Event::Removed],
        None => vec![Event::Removed],
    };
    assert_eq!(events, expected);
    let error = Watch::new(&job, &options).unwrap_err();
    assert!(error.is_gone(), "{error}");
}

#[test]
fn a_removal_before_the_first_waiting_is_seen() {
    let cgroup = test_cgroup!();
    let job = cgroup.create("job", Controllers::EMPTY).unwrap();
    let mut watch = Watch::new(&job, &WatchOptions::new().removal()).unwrap();
    // Somebody else's end is not ours.
    cgroup.create("other", Controllers::EMPTY).and_then(|other| other.remove(SOON)).unwrap();
    nothing(&mut watch);
    cgroup.open("job").and_then(|job| job.remove(SOON)).unwrap();
    assert_eq!(watch.wait(Some(SOON)), Ok(Some(Event::Removed)));
    assert!(watch.has_ended());
    assert_eq!(watch.wait(None), Ok(None));
}

#[test]
fn pressure_on_a_processor_fires() {
    let cgroup = test_cgroup!();
    if cgroup.fd().is_none() {
        absent!("needs cgroup v2");
    }
    let trigger = busy_trigger();
    let mut watch = match Watch::new(&cgroup, &WatchOptions::new().pressure(trigger)) {
        Err(error @ Error::Unsupported { .. }) => absent!("{error}"),
        watch => watch.unwrap(),
    };
    let _busy = [pinned(&cgroup), pinned(&cgroup)];
    let events = until(&mut watch, |event| matches!(event, Event::Pressure { .. }));
    let Event::Pressure { trigger: of, total, new } = events[0] else { panic!("{events:?}") };
    assert_eq!(of, trigger);
    assert!(total >= new && new >= trigger.stall / 2, "{new:?} of {total:?}");
}

#[test]
fn a_trigger_is_not_lost_when_the_descriptor_is_polled() {
    use rustix::event::{PollFd, PollFlags, poll};
    let cgroup = test_cgroup!();
    if cgroup.fd().is_none() {
        absent!("needs cgroup v2");
    }
    let mut watch = match Watch::new(&cgroup, &WatchOptions::new().pressure(busy_trigger())) {
        Err(error @ Error::Unsupported { .. }) => absent!("{error}"),
        watch => watch.unwrap(),
    };
    let _busy = [pinned(&cgroup), pinned(&cgroup)];
    let started = Instant::now();
    let event = loop {
        assert!(started.elapsed() < SOON, "no event");
        let timeout = rustix::time::Timespec { tv_sec: 1, tv_nsec: 0 };
        poll(&mut [PollFd::new(&watch.as_fd(), PollFlags::IN)], Some(&timeout)).unwrap();
        if let Some(event) = watch.wait(Some(Duration::ZERO)).unwrap() {
            break event;
        }
    };
    assert!(matches!(event, Event::Pressure { .. }), "{event:?}");
}

#[test]
fn a_file_that_goes_is_an_error_and_all_else_goes_on() {
    let cgroup = test_cgroup!();
    if cgroup.fd().is_none() {
        absent!("needs cgroup v2");
    }
    let switch = directory_of_v2(&cgroup).join("cgroup.pressure");
    if !switch.exists() {
        absent!("needs cgroup.pressure, which is of 6.1");
    }
    let options = WatchOptions::new().pressure(busy_trigger()).population();
    let mut watch = Watch::new(&cgroup, &options).unwrap();
    std::fs::write(&switch, "0").unwrap();
    let error = watch.wait(Some(SOON)).unwrap_err();
    assert_eq!(error, Error::Withdrawn { path: directory_of_v2(&cgroup).join("cpu.pressure") });
    let _sleeper = cgroup.sleeper();
    assert_eq!(watch.wait(Some(SOON)), Ok(Some(Event::Populated(true))));
}

fn busy_trigger() -> Pressure {
    // So long a window is open to everybody.
    Pressure::some(PressureResource::Cpu, Duration::from_millis(200), Duration::from_secs(2))
}

/// A process that wants the first processor for itself.
fn pinned(cgroup: &Cgroup) -> Script {
    Script::start(cgroup, "taskset -p 1 $$ >/dev/null; while :; do :; done")
}

#[test]
fn triggers_that_no_kernel_takes_are_refused_before() {
    let short = Pressure::some(PressureResource::Io, Duration::from_millis(1), Duration::from_millis(10));
    let error = Watch::system(&[short]).unwrap_err();
    let text = "the window of a pressure trigger cannot be 10000 us: from 500 ms to 10 s";
    assert_eq!(error.to_string(), text);
}

#[test]
fn the_kernel_says_why_it_refuses_a_trigger() {
    let trigger =
        Pressure::some(PressureResource::Io, Duration::from_millis(100), Duration::from_millis(500));
    match Watch::system(&[trigger]) {
        Ok(mut watch) => nothing(&mut watch),
        Err(error @ Error::Unsupported { .. }) => absent!("{error}"),
        Err(error) => {
            let text = "set the pressure trigger \"some 100000 500000\" in /proc/pressure/io: EINVAL (Invalid \
                argument); without CAP_SYS_RESOURCE the window has to be a multiple of 2 s";
            assert_eq!(error.to_string(), text);
        }
    }
}

#[test]
fn notices_of_v1_are_of_v1_only() {
    let cgroup = or_skip!(with_memory_limit(Bytes::mib(16)));
    let options = WatchOptions::new().level(MemoryLevel::Low).threshold(Bytes::mib(4));
    if version_of(Controller::Memory) == Some(Version::V2) {
        let error = Watch::new(&cgroup, &options).unwrap_err();
        assert_eq!(error.to_string(), "cgroup v2 has no levels of memory pressure");
        return;
    }
    let mut watch = Watch::new(&cgroup, &options).unwrap();
    let mut eater = Script::start(&cgroup, EAT);
    let events = until(&mut watch, |event| matches!(event, Event::MemoryThreshold { .. }));
    let crossed = |event: &Event| matches!(event, Event::MemoryThreshold { threshold, .. } if *threshold == Bytes::mib(4));
    assert!(events.iter().any(crossed), "{events:?}");
    eater.end();
}

#[test]
fn pressure_levels_of_v1_are_seen() {
    let cgroup = or_skip!(with_memory_limit(Bytes::mib(16)));
    if version_of(Controller::Memory) == Some(Version::V2) {
        absent!("v2 has no levels");
    }
    let mut watch = Watch::new(&cgroup, &WatchOptions::new().level(MemoryLevel::Low)).unwrap();
    let file = std::env::temp_dir().join(common::unique_name());
    // Files fill the limit, and are reclaimed again and again.
    let script = format!("dd if=/dev/zero of={0} bs=1M count=256 2>/dev/null; rm -f {0}", file.display());
    let mut writer = Script::start(&cgroup, &script);
    let events = until(&mut watch, |event| matches!(event, Event::MemoryLevel { .. }));
    assert!(matches!(events[0], Event::MemoryLevel { level: MemoryLevel::Low, new: 1.. }), "{events:?}");
    writer.end();
}

#[test]
fn nothing_to_watch_is_an_error() {
    let cgroup = test_cgroup!();
    let error = Watch::new(&cgroup, &WatchOptions::new()).unwrap_err();
    assert_eq!(error.to_string(), "what is watched cannot be nothing: at least one subject");
}
