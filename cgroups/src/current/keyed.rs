//! Files with names of pages, devices, resources or interfaces, and the class of packets.

use super::{BYTES, Files, LIMIT};
use crate::setting::page_size_from_name;
use crate::{Bytes, HugeTlb, Limit, Misc, NetCls, NetPrio, Rdma, Result, Setting, Version};

pub(super) fn read_hugetlb(files: &Files<'_>) -> Result<Vec<Setting>> {
    let suffix = match files.version() {
        Version::V1 => ".limit_in_bytes",
        Version::V2 => ".max",
    };
    let mut found = Vec::new();
    for name in files.part.dir.file_names()? {
        let Some(size) = name.strip_prefix("hugetlb.").and_then(|rest| rest.strip_suffix(suffix)) else {
            continue;
        };
        let reserved = size.strip_suffix(".rsvd");
        let limit = files.value::<Limit<Bytes>>(&name, BYTES)?;
        let (Some(size), Some(limit)) = (page_size_from_name(reserved.unwrap_or(size)), limit) else {
            continue;
        };
        let limit = of_pages(size, limit);
        found.push(if reserved.is_some() {
            HugeTlb::ReservedMax(size, limit)
        } else {
            HugeTlb::Max(size, limit)
        });
    }
    found.sort_by_key(|setting| setting.order());
    Ok(found.into_iter().map(Setting::HugeTlb).collect())
}

/// The largest number of bytes, in whole pages of either kind, is no limit; a new cgroup of v2 has it, too, until
/// somebody writes `max`.
fn of_pages(size: Bytes, limit: Limit<Bytes>) -> Limit<Bytes> {
    const LARGEST: u64 = i64::MAX as u64;
    match limit {
        Limit::Value(bytes) if bytes.0 > LARGEST.saturating_sub(size.0) => Limit::Max,
        limit => limit,
    }
}

pub(super) fn read_rdma(files: &Files<'_>) -> Result<Vec<Setting>> {
    const FILE: &str = "rdma.max";
    let mut found = Vec::new();
    for line in files.text(FILE)?.unwrap_or_default().lines() {
        let mut words = line.split_whitespace();
        let mut limits =
            Rdma { device: words.next().unwrap_or_default().to_owned(), hca_handle: None, hca_object: None };
        for word in words {
            match word.split_once('=') {
                Some(("hca_handle", limit)) => limits.hca_handle = Some(files.parse(FILE, limit, LIMIT)?),
                Some(("hca_object", limit)) => limits.hca_object = Some(files.parse(FILE, limit, LIMIT)?),
                Some(_) => {}
                None => return Err(files.fault(FILE, line, "keys with limits")),
            }
        }
        found.push(Setting::Rdma(limits));
    }
    Ok(found)
}

pub(super) fn read_misc(files: &Files<'_>) -> Result<Vec<Setting>> {
    let lines = pairs::<Limit<u64>>(files, "misc.max", "a resource and a limit")?;
    Ok(lines.into_iter().map(|(resource, max)| Misc { resource, max }.into()).collect())
}

pub(super) fn read_net_cls(files: &Files<'_>) -> Result<Vec<Setting>> {
    let class = files.value("net_cls.classid", "a class")?;
    Ok(class.map(|class| NetCls(class).into()).into_iter().collect())
}

pub(super) fn read_net_prio(files: &Files<'_>) -> Result<Vec<Setting>> {
    let lines = pairs::<u32>(files, "net_prio.ifpriomap", "an interface and a priority")?;
    Ok(lines.into_iter().map(|(interface, priority)| NetPrio { interface, priority }.into()).collect())
}

/// Lines of a name and a value.
fn pairs<T: std::str::FromStr>(
    files: &Files<'_>,
    file: &str,
    expected: &'static str,
) -> Result<Vec<(String, T)>> {
    let text = files.text(file)?.unwrap_or_default();
    let line = |line: &str| {
        let (name, value) = line.split_once(' ').ok_or_else(|| files.fault(file, line, expected))?;
        Ok((name.to_owned(), files.parse(file, value.trim(), expected)?))
    };
    text.lines().map(line).collect()
}
