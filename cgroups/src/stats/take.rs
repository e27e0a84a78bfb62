//! From the content of a file to the values of a snapshot.

use super::cpu::Ticks;
use super::files::{Amount, Content, HugeTlbFile};
use super::hugetlb::HugeTlbStatistics;
use super::io;
use super::memory::MemoryStatistics;
use super::memory_stat::V1;
use super::named;
use super::parse::{self, Parsed};
use super::{CgroupStatistics, PidsStatistics, PressureStatistics, Statistics};
use crate::Bytes;
use std::time::Duration;

/// What is true for one reading of all files.
#[derive(Debug, Default)]
pub(crate) struct Round {
    /// How many entries of the lists with names are filled.
    rdma: usize,
    misc: usize,
    /// How many devices the files of throttling had.
    throttled: usize,
    pub(crate) ticks_per_second: u64,
}

impl Round {
    /// Begins a snapshot: what is there already keeps its memory, and loses its values.
    pub(crate) fn begin(into: &mut Statistics, page_sizes: &[Bytes], ticks_per_second: u64) -> Self {
        if let Some(io) = &mut into.io {
            io.clear();
        }
        if let Some(hugetlb) = &mut into.hugetlb {
            hugetlb.clear();
            hugetlb.extend(page_sizes.iter().map(|size| HugeTlbStatistics::new(*size)));
        }
        (into.cpu, into.memory) =
            (into.cpu.map(|_| Default::default()), into.memory.map(|_| Default::default()));
        (into.pids, into.cgroup) =
            (into.pids.map(|_| Default::default()), into.cgroup.map(|_| Default::default()));
        into.pressure = into.pressure.map(|_| Default::default());
        Self { ticks_per_second, ..Self::default() }
    }

    /// Ends it: entries with names that nobody filled go.
    pub(crate) fn end(&self, into: &mut Statistics) {
        if let Some(rdma) = &mut into.rdma {
            rdma.truncate(self.rdma);
        }
        if let Some(misc) = &mut into.misc {
            misc.truncate(self.misc);
        }
    }

    /// Takes one file. A section that is none is not filled.
    pub(crate) fn take<'a>(
        &mut self,
        content: Content,
        bytes: &'a [u8],
        into: &mut Statistics,
    ) -> Parsed<'a> {
        match content {
            Content::CpuStat | Content::CpuAcctUsage | Content::CpuAcctStat => self.cpu(content, bytes, into),
            Content::Memory(amount) => memory_of(into, |memory| take_amount(amount, bytes, memory)),
            Content::MemoryStatV1 => memory_of(into, |memory| parse::flat(bytes, &mut V1(memory))),
            Content::MemoryStatV2 => memory_of(into, |memory| parse::flat(bytes, &mut memory.stat)),
            Content::MemoryEvents => {
                memory_of(into, |memory| parse::flat(bytes, memory.events.get_or_insert_default()))
            }
            Content::MemoryLocalEvents => {
                memory_of(into, |memory| parse::flat(bytes, memory.local_events.get_or_insert_default()))
            }
            Content::SwapEvents => {
                memory_of(into, |memory| parse::flat(bytes, memory.swap.get_or_insert_default()))
            }
            Content::IoStat | Content::BlkIo(..) => self.io(content, bytes, into),
            Content::PidsCurrent | Content::PidsPeak | Content::PidsMax | Content::PidsEvents => {
                into.pids.as_mut().map_or(Ok(()), |pids| take_pids(content, bytes, pids))
            }
            Content::HugeTlb(at, file) => {
                let entry = into.hugetlb.as_mut().and_then(|list| list.get_mut(at));
                entry.map_or(Ok(()), |entry| take_huge(file, bytes, entry))
            }
            Content::Rdma => {
                into.rdma.as_mut().map_or(Ok(()), |list| named::rdma(bytes, list, &mut self.rdma))
            }
            Content::Misc(file) => {
                into.misc.as_mut().map_or(Ok(()), |list| named::misc(bytes, file, list, &mut self.misc))
            }
            Content::CpuPressure | Content::MemoryPressure | Content::IoPressure | Content::IrqPressure => {
                take_pressure(content, bytes, into)
            }
            Content::EffectiveCpus => {
                into.cpuset.as_mut().map_or(Ok(()), |cpuset| parse::list(bytes, &mut cpuset.cpus))
            }
            Content::EffectiveMems => {
                into.cpuset.as_mut().map_or(Ok(()), |cpuset| parse::list(bytes, &mut cpuset.mems))
            }
            Content::Cgroup => into
                .cgroup
                .as_mut()
                .map_or(Ok(()), |cgroup: &mut CgroupStatistics| parse::flat(bytes, cgroup)),
        }
    }

    fn cpu<'a>(&self, content: Content, bytes: &'a [u8], into: &mut Statistics) -> Parsed<'a> {
        let Some(cpu) = &mut into.cpu else { return Ok(()) };
        match content {
            Content::CpuAcctUsage => cpu.usage = Some(Duration::from_nanos(parse::single(bytes)?)),
            Content::CpuAcctStat => parse::flat(bytes, &mut Ticks(cpu, self.ticks_per_second))?,
            _ => parse::flat(bytes, cpu)?,
        }
        Ok(())
    }

    fn io<'a>(&mut self, content: Content, bytes: &'a [u8], into: &mut Statistics) -> Parsed<'a> {
        let Some(list) = &mut into.io else { return Ok(()) };
        match content {
            Content::BlkIo(counts, false) => {
                io::v1(bytes, counts, list, 0)?;
                self.throttled = list.len();
                Ok(())
            }
            Content::BlkIo(counts, true) => io::v1(bytes, counts, list, self.throttled),
            _ => io::v2(bytes, list),
        }
    }
}

fn memory_of<'a>(
    into: &mut Statistics,
    take: impl FnOnce(&mut MemoryStatistics) -> Parsed<'a>,
) -> Parsed<'a> {
    into.memory.as_mut().map_or(Ok(()), take)
}

fn take_amount<'a>(amount: Amount, bytes: &'a [u8], memory: &mut MemoryStatistics) -> Parsed<'a> {
    let number = parse::single(bytes)?;
    let bytes = Some(Bytes(number));
    match amount {
        Amount::Usage => memory.usage = bytes,
        Amount::Peak => memory.peak = bytes,
        Amount::Failures => memory.events.get_or_insert_default().max = Some(number),
        Amount::Swap => memory.swap.get_or_insert_default().usage = bytes,
        Amount::SwapPeak => memory.swap.get_or_insert_default().peak = bytes,
        Amount::Zswap => memory.swap.get_or_insert_default().zswap = bytes,
        Amount::MemswUsage => memory.swap.get_or_insert_default().memsw_usage = bytes,
        Amount::MemswPeak => memory.swap.get_or_insert_default().memsw_peak = bytes,
        Amount::MemswFailures => memory.swap.get_or_insert_default().memsw_failures = Some(number),
        Amount::KernelUsage => memory.kernel.get_or_insert_default().usage = bytes,
        Amount::KernelPeak => memory.kernel.get_or_insert_default().peak = bytes,
        Amount::KernelFailures => memory.kernel.get_or_insert_default().failures = Some(number),
        Amount::TcpUsage => memory.tcp.get_or_insert_default().usage = bytes,
        Amount::TcpPeak => memory.tcp.get_or_insert_default().peak = bytes,
        Amount::TcpFailures => memory.tcp.get_or_insert_default().failures = Some(number),
    }
    Ok(())
}

fn take_pids<'a>(content: Content, bytes: &'a [u8], pids: &mut PidsStatistics) -> Parsed<'a> {
    match content {
        Content::PidsPeak => pids.peak = Some(parse::single(bytes)?),
        Content::PidsMax => pids.limit = Some(parse::limit(bytes)?),
        Content::PidsEvents => parse::flat(bytes, pids)?,
        _ => pids.current = Some(parse::single(bytes)?),
    }
    Ok(())
}

fn take_huge<'a>(file: HugeTlbFile, bytes: &'a [u8], entry: &mut HugeTlbStatistics) -> Parsed<'a> {
    match file {
        HugeTlbFile::Usage => entry.usage = Some(Bytes(parse::single(bytes)?)),
        HugeTlbFile::Peak => entry.peak = Some(Bytes(parse::single(bytes)?)),
        HugeTlbFile::Reserved => entry.reserved = Some(Bytes(parse::single(bytes)?)),
        HugeTlbFile::Failures => entry.refused = Some(parse::single(bytes)?),
        HugeTlbFile::Events => parse::flat(bytes, entry)?,
    }
    Ok(())
}

fn take_pressure<'a>(content: Content, bytes: &'a [u8], into: &mut Statistics) -> Parsed<'a> {
    let Some(pressure) = &mut into.pressure else { return Ok(()) };
    let parsed = Some(PressureStatistics::parse(bytes)?);
    match content {
        Content::CpuPressure => pressure.cpu = parsed,
        Content::MemoryPressure => pressure.memory = parsed,
        Content::IoPressure => pressure.io = parsed,
        _ => pressure.irq = parsed,
    }
    Ok(())
}
