//! Which files the statistics are in.

use super::hugetlb::page_size;
use super::io::Counts;
use super::named::MiscFile;
use super::section::{Section, Sections};
use crate::cgroup::Part;
use crate::{Bytes, Cgroup, Controller, Result, Version};
use std::borrow::Cow;

/// What a file holds, which says how it is read and where its values go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    CpuStat,
    CpuAcctUsage,
    CpuAcctStat,
    Memory(Amount),
    MemoryStatV1,
    MemoryStatV2,
    MemoryEvents,
    MemoryLocalEvents,
    SwapEvents,
    IoStat,
    /// A file of throttling, or of the scheduler `bfq`, which only adds what the former does not have.
    BlkIo(Counts, bool),
    PidsCurrent,
    PidsPeak,
    PidsMax,
    PidsEvents,
    /// The index of the page size comes first.
    HugeTlb(usize, HugeTlbFile),
    Rdma,
    Misc(MiscFile),
    CpuPressure,
    MemoryPressure,
    IoPressure,
    IrqPressure,
    EffectiveCpus,
    EffectiveMems,
    Cgroup,
}

/// A single number of the section of memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Amount {
    Usage,
    Peak,
    Failures,
    Swap,
    SwapPeak,
    Zswap,
    MemswUsage,
    MemswPeak,
    MemswFailures,
    KernelUsage,
    KernelPeak,
    KernelFailures,
    TcpUsage,
    TcpPeak,
    TcpFailures,
}

/// The files of one page size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HugeTlbFile {
    Usage,
    Peak,
    Failures,
    Events,
    Reserved,
}

type Table = &'static [(&'static str, Content)];

/// The files of a section, for v1 and v2.
fn table(section: Section, version: Version) -> Table {
    use Content as C;
    match (section, version) {
        (Section::Cpu, _) => &[("cpu.stat", C::CpuStat)],
        (Section::Memory, Version::V1) => &[
            ("memory.usage_in_bytes", C::Memory(Amount::Usage)),
            ("memory.max_usage_in_bytes", C::Memory(Amount::Peak)),
            ("memory.stat", C::MemoryStatV1),
        ],
        (Section::Memory, Version::V2) => &[
            ("memory.current", C::Memory(Amount::Usage)),
            ("memory.peak", C::Memory(Amount::Peak)),
            ("memory.stat", C::MemoryStatV2),
        ],
        (Section::MemoryEvents, Version::V1) => {
            &[("memory.failcnt", C::Memory(Amount::Failures)), ("memory.oom_control", C::MemoryEvents)]
        }
        (Section::MemoryEvents, Version::V2) => {
            &[("memory.events", C::MemoryEvents), ("memory.events.local", C::MemoryLocalEvents)]
        }
        (Section::Swap | Section::KernelMemory, _) => swap_or_kernel(section, version),
        (Section::Io, Version::V1) => &[
            ("blkio.throttle.io_service_bytes_recursive", C::BlkIo(Counts::Bytes, false)),
            ("blkio.throttle.io_serviced_recursive", C::BlkIo(Counts::Operations, false)),
            ("blkio.bfq.io_service_bytes_recursive", C::BlkIo(Counts::Bytes, true)),
            ("blkio.bfq.io_serviced_recursive", C::BlkIo(Counts::Operations, true)),
        ],
        (Section::Io, Version::V2) => &[("io.stat", C::IoStat)],
        _ => rest(section, version),
    }
}

fn swap_or_kernel(section: Section, version: Version) -> Table {
    use Content::{Memory, SwapEvents};
    match (section, version) {
        (Section::Swap, Version::V1) => &[
            ("memory.memsw.usage_in_bytes", Memory(Amount::MemswUsage)),
            ("memory.memsw.max_usage_in_bytes", Memory(Amount::MemswPeak)),
            ("memory.memsw.failcnt", Memory(Amount::MemswFailures)),
        ],
        (Section::Swap, Version::V2) => &[
            ("memory.swap.current", Memory(Amount::Swap)),
            ("memory.swap.peak", Memory(Amount::SwapPeak)),
            ("memory.swap.events", SwapEvents),
            ("memory.zswap.current", Memory(Amount::Zswap)),
        ],
        (Section::KernelMemory, Version::V1) => &[
            ("memory.kmem.usage_in_bytes", Memory(Amount::KernelUsage)),
            ("memory.kmem.max_usage_in_bytes", Memory(Amount::KernelPeak)),
            ("memory.kmem.failcnt", Memory(Amount::KernelFailures)),
            ("memory.kmem.tcp.usage_in_bytes", Memory(Amount::TcpUsage)),
            ("memory.kmem.tcp.max_usage_in_bytes", Memory(Amount::TcpPeak)),
            ("memory.kmem.tcp.failcnt", Memory(Amount::TcpFailures)),
        ],
        _ => &[],
    }
}

fn rest(section: Section, version: Version) -> Table {
    use Content as C;
    match (section, version) {
        (Section::Pids, _) => &[
            ("pids.current", C::PidsCurrent),
            ("pids.peak", C::PidsPeak),
            ("pids.max", C::PidsMax),
            ("pids.events", C::PidsEvents),
        ],
        (Section::Rdma, _) => &[("rdma.current", C::Rdma)],
        (Section::Misc, _) => &[
            ("misc.current", C::Misc(MiscFile::Current)),
            ("misc.peak", C::Misc(MiscFile::Peak)),
            ("misc.events", C::Misc(MiscFile::Events)),
        ],
        (Section::Pressure, Version::V2) => &[
            ("cpu.pressure", C::CpuPressure),
            ("memory.pressure", C::MemoryPressure),
            ("io.pressure", C::IoPressure),
            ("irq.pressure", C::IrqPressure),
        ],
        (Section::CpuSet, Version::V1) => {
            &[("cpuset.effective_cpus", C::EffectiveCpus), ("cpuset.effective_mems", C::EffectiveMems)]
        }
        (Section::CpuSet, Version::V2) => {
            &[("cpuset.cpus.effective", C::EffectiveCpus), ("cpuset.mems.effective", C::EffectiveMems)]
        }
        (Section::Cgroup, Version::V2) => {
            &[("cgroup.stat", C::Cgroup), ("cgroup.stat.local", C::Cgroup), ("cgroup.events", C::Cgroup)]
        }
        _ => &[],
    }
}

/// A file that may be there, and the directory that it would be in.
pub(crate) struct Candidate<'c> {
    pub(crate) part: &'c Part,
    pub(crate) name: Cow<'static, str>,
    pub(crate) content: Content,
    pub(crate) section: Section,
}

/// All files of the sections, and the page sizes of which there are any.
pub(crate) fn candidates(cgroup: &Cgroup, sections: Sections) -> Result<(Vec<Candidate<'_>>, Vec<Bytes>)> {
    let (mut list, mut page_sizes) = (Vec::with_capacity(48), Vec::new());
    for section in sections.iter() {
        let part = section.controller().map_or_else(|| cgroup.unified(), |of| cgroup.part_of(of));
        if section == Section::Cpu {
            accounting(cgroup, part, &mut list);
        }
        let Some(part) = part else { continue };
        if section == Section::HugeTlb {
            huge_pages(part, &mut list, &mut page_sizes)?;
        }
        list.extend(table(section, part.version).iter().map(|(name, content)| Candidate {
            part,
            name: Cow::Borrowed(*name),
            content: *content,
            section,
        }));
    }
    Ok((list, page_sizes))
}

/// The time on processors, where it is not in the `cpu.stat` that comes with the controller.
fn accounting<'c>(cgroup: &'c Cgroup, cpu: Option<&'c Part>, list: &mut Vec<Candidate<'c>>) {
    let Some(part) = cgroup.part_of(Controller::CpuAcct) else { return };
    let section = Section::Cpu;
    let mut push = |name, content| list.push(Candidate { part, name: Cow::Borrowed(name), content, section });
    match part.version {
        Version::V1 => {
            push("cpuacct.usage", Content::CpuAcctUsage);
            push("cpuacct.stat", Content::CpuAcctStat);
        }
        Version::V2 if cpu.is_none_or(|cpu| cpu.version == Version::V1) => push("cpu.stat", Content::CpuStat),
        Version::V2 => {}
    }
}

/// The files of each page size that the directory has.
fn huge_pages<'c>(part: &'c Part, list: &mut Vec<Candidate<'c>>, sizes: &mut Vec<Bytes>) -> Result<()> {
    let mut found = Vec::new();
    for name in part.dir.file_names()? {
        let Some((size, rest)) = page_size(name.as_bytes()) else { continue };
        let file = match (rest, part.version) {
            (b"current", Version::V2) | (b"usage_in_bytes", Version::V1) => HugeTlbFile::Usage,
            (b"max_usage_in_bytes", Version::V1) => HugeTlbFile::Peak,
            (b"failcnt", Version::V1) => HugeTlbFile::Failures,
            (b"events", Version::V2) => HugeTlbFile::Events,
            (b"rsvd.current", Version::V2) | (b"rsvd.usage_in_bytes", Version::V1) => HugeTlbFile::Reserved,
            _ => continue,
        };
        found.push((size, name, file));
        sizes.push(size);
    }
    sizes.sort_unstable();
    sizes.dedup();
    for (size, name, file) in found {
        let content = Content::HugeTlb(sizes.binary_search(&size).unwrap_or_default(), file);
        list.push(Candidate { part, name: Cow::Owned(name), content, section: Section::HugeTlb });
    }
    Ok(())
}
