//! Plans of others: the OCI runtime-spec's resources, and those of cgroups-rs.

#[cfg(feature = "cgroups-rs")]
mod cgroups_rs;
#[cfg(feature = "oci")]
mod oci;

#[cfg(test)]
#[cfg(feature = "oci")]
mod tests;

use crate::convert::swap_from_sum;
use crate::devices::{Access, DeviceKind, DeviceRule};
use crate::setting::page_size_from_name;
use crate::{Bytes, DeviceNumber, Error, HugeTlb, Limit, List, Memory, Require, Resources, Result};
use std::time::Duration;

/// Both have limits as signed numbers, where 0 means that nothing is said and less than 0 that there is no limit.
fn limit(number: i64) -> Option<Limit<u64>> {
    match u64::try_from(number) {
        Ok(0) => None,
        Ok(number) => Some(Limit::Value(number)),
        Err(_) => Some(Limit::Max),
    }
}

fn bytes(number: i64) -> Option<Limit<Bytes>> {
    limit(number).map(|limit| limit.map(Bytes))
}

fn micros(number: u64) -> Option<Duration> {
    (number != 0).then(|| Duration::from_micros(number))
}

/// A quota of processor time; 0 says nothing here, too.
fn quota(number: i64) -> Option<Limit<Duration>> {
    limit(number).map(|limit| limit.map(Duration::from_micros))
}

/// Adds memory and swap, where swap is given as the sum of both.
fn with_memory(
    mut plan: Resources,
    require: Require,
    max: Option<Limit<Bytes>>,
    sum: Option<Limit<Bytes>>,
) -> Result<Resources> {
    if let Some(max) = max {
        plan = plan.with(Memory::Max(max), require);
    }
    let swap = match (sum, max) {
        // Both were one limit once: who lifts that of memory means that of swap, too. But swap may not be accounted.
        (None, Some(Limit::Max)) => return Ok(plan.if_available(Memory::Swap(Limit::Max))),
        (None, _) => return Ok(plan),
        (Some(Limit::Max), _) => Limit::Max,
        (Some(sum), max) => {
            let refuse = |expected| Error::Value {
                what: "the limit of memory and swap together",
                value: sum.to_string(),
                expected,
            };
            swap_from_sum(sum, max.unwrap_or(Limit::Max)).map_err(refuse)?
        }
    };
    // Where swap is not accounted, what asks for no limit of it, or for none of it, is no loss.
    let demand = match swap {
        Limit::Max | Limit::Value(Bytes(0)) => Require::IfAvailable,
        Limit::Value(_) => require,
    };
    Ok(plan.with(Memory::Swap(swap), demand))
}

fn list(what: &'static str, text: &str) -> Result<Option<List>> {
    if text.trim().is_empty() {
        return Ok(None);
    }
    let refuse = |_| Error::Value { what, value: text.to_owned(), expected: "a list such as 0-3,7" };
    text.parse().map(Some).map_err(refuse)
}

/// Adds limits of huge pages: of reservations where the kernel counts these, and of use.
fn with_huge_pages(plan: Resources, require: Require, size: &str, limit: Limit<u64>) -> Result<Resources> {
    let pages = page_size_from_name(size).ok_or(Error::Value {
        what: "the size of huge pages",
        value: size.to_owned(),
        expected: "a size such as 2MB",
    })?;
    let limit = limit.map(Bytes);
    Ok(plan.with(HugeTlb::Max(pages, limit), require).if_available(HugeTlb::ReservedMax(pages, limit)))
}

/// The number of a device; negative ones are refused.
fn device(major: i64, minor: i64) -> Result<DeviceNumber> {
    match (u32::try_from(major), u32::try_from(minor)) {
        (Ok(major), Ok(minor)) => Ok(DeviceNumber::new(major, minor)),
        _ => Err(Error::Value {
            what: "the number of a block device",
            value: format!("{major}:{minor}"),
            expected: "numbers from 0",
        }),
    }
}

/// A rule for devices, where a negative number means all of them.
fn rule(
    allow: bool,
    kind: DeviceKind,
    (major, minor): (Option<i64>, Option<i64>),
    access: Access,
) -> Result<DeviceRule> {
    let part = |number: Option<i64>| match number {
        None => Ok(None),
        Some(number) if number < 0 => Ok(None),
        Some(number) => u32::try_from(number).map(Some).map_err(|_| Error::Value {
            what: "the number of a device",
            value: number.to_string(),
            expected: "at most 32 bits",
        }),
    };
    Ok(DeviceRule { allow, kind, major: part(major)?, minor: part(minor)?, access })
}
