//! Statistics, of real cgroups and of recorded ones.

mod common;
mod recorded;

use cofferdam_cgroups::{
    Bytes, Controller, DeviceNumber, Error, Limit, Section, Sections, Statistics, StatisticsReader, Version,
};
use common::{eventually, version_of};
use recorded::{recorded_v1, recorded_v2};
use std::time::Duration;

/// A process that runs or writes without end, until this is dropped.
struct Busy(std::process::Child);

impl Busy {
    fn start(cgroup: &common::TestCgroup, script: &str) -> Self {
        let mut command = std::process::Command::new("sh");
        command.args(["-c", &format!("read line; {script}")]).stdin(std::process::Stdio::piped());
        let mut child = command.stdout(std::process::Stdio::null()).spawn().expect("start sh");
        cgroup.add(child.id()).expect("move a process into the test's cgroup");
        drop(child.stdin.take());
        Self(child)
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.kill().and_then(|()| self.0.wait()).expect("end a child");
    }
}

#[test]
fn a_busy_process_makes_time_and_memory_grow() {
    let cgroup = test_cgroup!(Controller::Cpu, Controller::Memory, Controller::Pids);
    let mut reader = StatisticsReader::new(&cgroup).unwrap();
    let mut statistics = Statistics::default();
    reader.read(&mut statistics).unwrap();
    assert_eq!(statistics.pids.unwrap().current, Some(0));
    assert_eq!(statistics.pids.unwrap().limit, Some(Limit::Max));
    let before = statistics.clone();

    let busy = Busy::start(&cgroup, "text=$(seq 100000); while :; do :; done");
    assert!(eventually(|| {
        reader.read(&mut statistics).unwrap();
        let cpu = statistics.cpu.unwrap();
        cpu.usage >= Some(Duration::from_millis(200)) && cpu.user >= Some(Duration::from_millis(100))
    }));
    assert!(statistics.cpu.unwrap().system >= before.cpu.unwrap().system);
    assert!(statistics.pids.unwrap().current >= Some(1));
    let (now, then) = (statistics.memory.unwrap(), before.memory.unwrap());
    assert!(now.usage > then.usage && now.stat.pgfault > then.stat.pgfault, "{now:?}");
    assert!(now.working_set() <= now.usage && now.working_set() > Some(Bytes(0)));
    if version_of(Controller::Memory) == Some(Version::V1) {
        assert_eq!(now.own.unwrap().anon, now.stat.anon);
        assert_eq!(now.events.unwrap().oom_kill, Some(0));
    }

    drop(busy);
    assert!(eventually(|| {
        reader.read(&mut statistics).unwrap();
        statistics.pids.unwrap().current == Some(0)
    }));
}

#[test]
fn reads_of_a_device_are_counted() {
    let cgroup = test_cgroup!(Controller::Io);
    if version_of(Controller::Io) != Some(Version::V2) {
        absent!("v1 counts only for devices with a limit");
    }
    let Ok(device) = std::fs::File::open("/dev/nullb0") else { absent!("needs /dev/nullb0") };
    drop(device);
    let copy = "exec dd if=/dev/nullb0 of=/dev/null bs=64k count=20 iflag=direct";
    let _busy = Busy::start(&cgroup, copy);
    let mut statistics = Statistics::default();
    let mut reader = StatisticsReader::with(&cgroup, Section::Io.into()).unwrap();
    assert!(eventually(|| {
        reader.read(&mut statistics).unwrap();
        statistics.io.iter().flatten().any(|io| io.read >= Bytes(20 << 16) && io.reads >= 20)
    }));
    assert_eq!(statistics.cpu, None);
}

#[test]
fn the_v2_part_knows_about_its_processes_and_pressure() {
    let cgroup = test_cgroup!();
    let sections = Sections::from(Section::Cgroup).with(Section::Pressure);
    if cgroup.fd().is_none() {
        absent!("needs cgroup v2");
    }
    let mut reader = StatisticsReader::with(&cgroup, sections).unwrap();
    let mut statistics = Statistics::default();
    reader.read(&mut statistics).unwrap();
    assert_eq!(statistics.cgroup.unwrap().populated, Some(false));
    let _sleeper = cgroup.sleeper();
    let below = cgroup.create("below", Default::default()).unwrap();
    reader.read(&mut statistics).unwrap();
    let now = statistics.cgroup.unwrap();
    assert_eq!((now.populated, now.frozen, now.descendants), (Some(true), Some(false), Some(1)));
    if let Some(pressure) = statistics.pressure {
        assert!(pressure.memory.unwrap().full.unwrap().total < Duration::from_secs(1));
    }
    below.remove(common::SOON).unwrap();
}

#[test]
fn a_removed_cgroup_is_an_error_and_not_zeros() {
    let cgroup = test_cgroup!(Controller::Pids);
    let job = cgroup.create("job", Controller::Pids.into());
    // Where the test's cgroup has processes of its own no controller can be enabled below it.
    let Ok(job) = job.or_else(|_| cgroup.create("job", Default::default())) else { unreachable!() };
    let mut reader = StatisticsReader::new(&job).unwrap();
    let mut statistics = Statistics::default();
    reader.read(&mut statistics).unwrap();
    cgroup.open("job").unwrap().remove(common::SOON).unwrap();
    let error = reader.read(&mut statistics).unwrap_err();
    assert!(error.is_gone(), "{error}");
    assert!(error.to_string().ends_with("ENODEV (No such device)"), "{error}");
    assert!(StatisticsReader::new(&job).unwrap_err().is_gone());
    assert!(job.statistics().unwrap_err().is_gone());
}

#[test]
fn files_that_go_without_their_cgroup_are_told_apart() {
    let cgroup = test_cgroup!();
    let Some((hierarchy, path)) = cgroup.paths().find(|(of, _)| of.version() == Version::V2) else {
        absent!("needs cgroup v2");
    };
    let directory = hierarchy.mount_point().join(path.as_path());
    let switch = directory.join("cgroup.pressure");
    if !switch.exists() {
        absent!("needs cgroup.pressure, which is of 6.1");
    }
    let mut reader = StatisticsReader::with(&cgroup, Section::Pressure.into()).unwrap();
    let mut statistics = Statistics::default();
    reader.read(&mut statistics).unwrap();
    assert!(statistics.pressure.is_some());
    std::fs::write(&switch, "0").unwrap();
    let error = reader.read(&mut statistics).unwrap_err();
    assert_eq!(error, Error::Withdrawn { path: directory.join("cpu.pressure") });
    assert!(!error.is_gone());
    assert_eq!(cgroup.statistics().unwrap().pressure, None);
}

#[test]
fn files_of_v1_are_understood() {
    let (_tree, cgroup) = recorded_v1();
    let statistics = cgroup.statistics().unwrap();
    let cpu = statistics.cpu.unwrap();
    assert_eq!(
        (cpu.usage, cpu.user),
        (Some(Duration::from_nanos(413_444_504)), Some(Duration::from_millis(400)))
    );
    assert_eq!((cpu.throttled_periods, cpu.throttled), (Some(20), Some(Duration::from_nanos(1_454_453_015))));
    let memory = statistics.memory.unwrap();
    assert_eq!((memory.usage, memory.peak), (Some(Bytes(806_912)), Some(Bytes(10_952_704))));
    assert_eq!(memory.working_set(), Some(Bytes(806_912 - 8192)));
    assert_eq!(
        (memory.kernel.unwrap().usage, memory.tcp.unwrap().usage),
        (Some(Bytes(12288)), Some(Bytes(0)))
    );
    assert_eq!(memory.swap.unwrap().memsw_usage, Some(Bytes(806_912)));
    let events = memory.events.unwrap();
    assert_eq!((events.max, events.oom_kill, events.under_oom), (Some(0), Some(1), Some(false)));
    assert_eq!(memory.local_events, None);
    let io = &statistics.io.unwrap()[0];
    assert_eq!((io.device, io.written, io.writes), (DeviceNumber::new(8, 16), Bytes::mib(1), 2));
    let pids = statistics.pids.unwrap();
    assert_eq!((pids.current, pids.limit, pids.refused), (Some(2), Some(Limit::Max), Some(3)));
    let huge = statistics.hugetlb.unwrap()[0];
    assert_eq!((huge.page_size, huge.peak, huge.refused), (Bytes::mib(2), Some(Bytes::mib(4)), Some(1)));
    assert_eq!(statistics.cpuset.unwrap().cpus, [0..=1]);
    assert_eq!((statistics.pressure, statistics.cgroup), (None, None));
}

#[test]
fn files_of_v2_are_understood() {
    let (_tree, cgroup) = recorded_v2();
    let statistics = cgroup.statistics().unwrap();
    let cpu = statistics.cpu.unwrap();
    assert_eq!((cpu.usage, cpu.nice), (Some(Duration::from_micros(11_837_055)), Some(Duration::ZERO)));
    assert_eq!(cpu.throttled_periods, Some(589));
    let memory = statistics.memory.unwrap();
    assert_eq!(memory.stat.workingset_refault_anon, Some(28284));
    let events = memory.events.unwrap();
    assert_eq!((events.max, events.oom, events.oom_kill), (Some(1308), Some(2), Some(1)));
    assert_eq!((memory.local_events, memory.own), (Some(events), None));
    assert_eq!(memory.swap.unwrap().fail, Some(0));
    let io = statistics.io.unwrap();
    assert_eq!((io.len(), io[1].device, io[1].reads), (2, DeviceNumber::new(254, 0), 20));
    assert_eq!(statistics.pids.unwrap().refused, Some(3));
    let huge = statistics.hugetlb.unwrap();
    assert_eq!(huge.iter().map(|huge| huge.page_size).collect::<Vec<_>>(), [Bytes::mib(2), Bytes::gib(1)]);
    assert_eq!(statistics.rdma.unwrap()[1].objects, Some(23));
    let misc = statistics.misc.unwrap();
    assert_eq!((misc[1].resource.as_str(), misc[1].peak, misc[1].refused), ("sev_es", Some(3), Some(1)));
    let pressure = statistics.pressure.unwrap();
    assert_eq!(pressure.cpu.unwrap().some.unwrap().avg10.percent(), 47.94);
    assert_eq!((pressure.irq.unwrap().some, pressure.irq.unwrap().full.is_some()), (None, true));
    let own = statistics.cgroup.unwrap();
    assert_eq!((own.descendants, own.populated), (Some(1), Some(false)));
}

#[test]
fn only_the_sections_asked_for_are_filled() {
    let (_tree, cgroup) = recorded_v2();
    let mut statistics = cgroup.statistics().unwrap();
    let mut reader =
        StatisticsReader::with(&cgroup, Sections::from(Section::Swap).with(Section::Pids)).unwrap();
    assert_eq!(reader.sections().iter().collect::<Vec<_>>(), [Section::Swap, Section::Pids]);
    reader.read(&mut statistics).unwrap();
    let memory = statistics.memory.take().unwrap();
    assert!(memory.swap.is_some() && memory.usage.is_none() && memory.events.is_none());
    let pids = statistics.pids.take();
    assert!(pids.is_some());
    assert_eq!(statistics, Statistics::default());
}

#[test]
fn a_value_that_is_no_number_is_an_error_with_file_and_line() {
    let (tree, cgroup) = recorded_v2();
    let tree = tree.file("/sys/fs/cgroup/job/cpu.stat", "usage_usec 1\nnew_key what ever\nuser_usec 1x\n");
    let error = cgroup.statistics().unwrap_err();
    let path = tree.path("/sys/fs/cgroup/job/cpu.stat");
    let line = "user_usec 1x".to_owned();
    assert_eq!(error, Error::Parse { path: path.clone(), line, expected: "a key and a number" });
    let text = format!("{} has the line \"user_usec 1x\": a key and a number expected", path.display());
    assert_eq!(error.to_string(), text);
}

#[test]
fn a_file_longer_than_the_buffer_is_read_whole() {
    use std::fmt::Write as _;
    let mut content = String::new();
    for minor in 0..2000 {
        writeln!(content, "259:{minor} rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6").unwrap();
    }
    let (tree, cgroup) = recorded_v2();
    let _tree = tree.file("/sys/fs/cgroup/job/io.stat", &content);
    let io = cgroup.statistics().unwrap().io.unwrap();
    assert_eq!((io.len(), io[1999].device, io[1999].discards), (2000, DeviceNumber::new(259, 1999), Some(6)));
}

#[test]
fn values_are_forgotten_before_the_next_reading() {
    let (tree, cgroup) = recorded_v2();
    let mut reader = StatisticsReader::new(&cgroup).unwrap();
    let mut statistics = Statistics::default();
    reader.read(&mut statistics).unwrap();
    // In place, as the reader holds the files.
    let write = |name: &str, content: &str| {
        std::fs::write(tree.path(format!("/sys/fs/cgroup/job/{name}")), content).unwrap();
    };
    write("memory.stat", "anon 5\n");
    write("rdma.current", "ocrdma1 hca_object=4\n");
    write("io.stat", "");
    reader.read(&mut statistics).unwrap();
    let stat = statistics.memory.unwrap().stat;
    assert_eq!((stat.anon, stat.file), (Some(Bytes(5)), None));
    let rdma = statistics.rdma.unwrap();
    assert_eq!((rdma.len(), rdma[0].device.as_str(), rdma[0].handles), (1, "ocrdma1", None));
    assert_eq!(statistics.io.unwrap(), []);
}
