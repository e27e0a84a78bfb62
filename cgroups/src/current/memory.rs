//! Memory and swap.

use super::{BYTES, Files};
use crate::{Bytes, Limit, Memory, Result, Setting, Version};

pub(super) fn read(files: &Files<'_>) -> Result<Vec<Setting>> {
    let found = match files.version() {
        Version::V1 => read_v1(files)?,
        Version::V2 => read_v2(files)?,
    };
    Ok(found.into_iter().map(Setting::Memory).collect())
}

fn read_v1(files: &Files<'_>) -> Result<Vec<Memory>> {
    let mut found = Vec::new();
    let max = files.bytes_v1("memory.limit_in_bytes")?;
    found.extend(max.map(Memory::Max));
    found.extend(files.bytes_v1("memory.soft_limit_in_bytes")?.map(Memory::Low));
    if let (Some(max), Some(sum)) = (max, files.bytes_v1("memory.memsw.limit_in_bytes")?) {
        found.push(Memory::Swap(beyond(sum, max)));
    }
    if let Some(text) = files.text("memory.oom_control")? {
        let disabled = text.lines().find_map(|line| line.strip_prefix("oom_kill_disable "));
        let fault = || files.fault("memory.oom_control", text.trim(), "a line oom_kill_disable");
        found.push(Memory::OomKill(disabled.ok_or_else(fault)? == "0"));
    }
    found.extend(files.value("memory.swappiness", "0 to 100")?.map(Memory::Swappiness));
    found.extend(files.bytes_v1("memory.kmem.tcp.limit_in_bytes")?.map(Memory::KernelTcp));
    found.extend(files.flag("memory.use_hierarchy")?.map(Memory::UseHierarchy));
    Ok(found)
}

/// Swap alone, of a limit of both.
fn beyond(sum: Limit<Bytes>, memory: Limit<Bytes>) -> Limit<Bytes> {
    match (sum, memory) {
        (Limit::Value(sum), Limit::Value(memory)) => Limit::Value(Bytes(sum.0.saturating_sub(memory.0))),
        _ => Limit::Max,
    }
}

fn read_v2(files: &Files<'_>) -> Result<Vec<Memory>> {
    type Make = fn(Limit<Bytes>) -> Memory;
    let limits: [(&str, Make); 5] = [
        ("memory.max", Memory::Max),
        ("memory.high", Memory::High),
        ("memory.low", Memory::Low),
        ("memory.min", Memory::Min),
        ("memory.swap.max", Memory::Swap),
    ];
    let mut found = Vec::new();
    for (file, make) in limits {
        found.extend(files.value::<Limit<Bytes>>(file, BYTES)?.map(make));
    }
    found.extend(files.flag("memory.oom.group")?.map(Memory::OomGroup));
    Ok(found)
}
