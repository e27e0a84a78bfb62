//! Huge pages.

use super::out_of_range;
use crate::resources::{Operations, Resources, Write, or_minus_one};
use crate::{Bytes, Limit, Result, Version};

/// A setting of the hugetlb controller, for one size of pages.
///
/// See cgroup-v2 "HugeTLB" and cgroup-v1/hugetlb of the kernel's documentation.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HugeTlb {
    /// What may be used: `hugetlb.2MB.max`, on v1 `hugetlb.2MB.limit_in_bytes`. More ends with SIGBUS.
    Max(Bytes, Limit<Bytes>),
    /// What may be reserved: `hugetlb.2MB.rsvd.max`; more is refused when it is mapped. Linux 5.7.
    ReservedMax(Bytes, Limit<Bytes>),
}

impl HugeTlb {
    fn parts(&self) -> (Bytes, Limit<Bytes>) {
        match self {
            Self::Max(size, limit) | Self::ReservedMax(size, limit) => (*size, *limit),
        }
    }

    /// Small pages first, what may be used before what may be reserved.
    pub(crate) fn order(&self) -> (Bytes, bool) {
        (self.parts().0, matches!(self, Self::ReservedMax(..)))
    }

    fn file(&self, version: Version) -> String {
        let size = page_size_name(self.parts().0);
        let reserved = if matches!(self, Self::ReservedMax(..)) { ".rsvd" } else { "" };
        let limit = if version == Version::V1 { "limit_in_bytes" } else { "max" };
        format!("hugetlb.{size}{reserved}.{limit}")
    }

    pub(super) fn subject(&self) -> String {
        self.file(Version::V2)
    }

    pub(super) fn value_text(&self) -> String {
        self.parts().1.to_string()
    }

    pub(super) fn validate(&self) -> Result<()> {
        let (size, _) = self.parts();
        if size.0.is_power_of_two() && size >= Bytes::kib(1) {
            return Ok(());
        }
        out_of_range("the size of huge pages", size, "a power of two such as 2 MiB")
    }

    pub(super) fn lower(&self, version: Version, _all: &Resources) -> Result<Operations> {
        let limit = self.parts().1;
        let value = if version == Version::V1 { or_minus_one(limit) } else { limit.to_string() };
        Ok(vec![Write::value(self.file(version), value).into()])
    }
}

/// A size of pages as the kernel has it in names of files: `64KB`, `2MB`, `1GB`.
pub(crate) fn page_size_name(size: Bytes) -> String {
    match size.0 {
        bytes if bytes >= 1 << 30 => format!("{}GB", bytes >> 30),
        bytes if bytes >= 1 << 20 => format!("{}MB", bytes >> 20),
        bytes => format!("{}KB", bytes >> 10),
    }
}

/// The size that a name means.
pub(crate) fn page_size_from_name(name: &str) -> Option<Bytes> {
    let digits = name.find(|c: char| !c.is_ascii_digit())?;
    let count = name.get(..digits)?.parse().ok()?;
    match name.get(digits..)? {
        "KB" => Some(Bytes::kib(count)),
        "MB" => Some(Bytes::mib(count)),
        "GB" => Some(Bytes::gib(count)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_named_as_the_kernel_does() {
        for (size, name) in [
            (Bytes::kib(64), "64KB"),
            (Bytes::mib(2), "2MB"),
            (Bytes::mib(32), "32MB"),
            (Bytes::gib(16), "16GB"),
        ] {
            assert_eq!(page_size_name(size), name);
            assert_eq!(page_size_from_name(name), Some(size));
        }
        for name in ["", "MB", "2", "2mb", "twoMB"] {
            assert_eq!(page_size_from_name(name), None, "{name}");
        }
    }

    #[test]
    fn a_size_that_is_none_is_refused() {
        assert!(HugeTlb::Max(Bytes::mib(3), Limit::Max).validate().is_err());
        assert!(HugeTlb::Max(Bytes(0), Limit::Max).validate().is_err());
        assert!(HugeTlb::Max(Bytes::mib(2), Limit::Max).validate().is_ok());
    }
}
