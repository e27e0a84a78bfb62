//! Huge pages.

use super::parse::number;
use crate::Bytes;

/// Huge pages of one size that a cgroup and all below it use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HugeTlbStatistics {
    /// The size of a page, as it stands in the names of the files.
    pub page_size: Bytes,
    /// How much is used. v2 `hugetlb.SIZE.current`; v1 `hugetlb.SIZE.usage_in_bytes`.
    pub usage: Option<Bytes>,
    /// How much was used at most. v1 `hugetlb.SIZE.max_usage_in_bytes`; not on v2.
    pub peak: Option<Bytes>,
    /// How often the limit refused some. v2 `max` of `hugetlb.SIZE.events`; v1 `hugetlb.SIZE.failcnt`.
    pub refused: Option<u64>,
    /// How much is reserved. v2 `hugetlb.SIZE.rsvd.current`; v1 `hugetlb.SIZE.rsvd.usage_in_bytes`.
    pub reserved: Option<Bytes>,
}

impl HugeTlbStatistics {
    pub(crate) fn new(page_size: Bytes) -> Self {
        Self { page_size, usage: None, peak: None, refused: None, reserved: None }
    }
}

impl super::parse::Keyed for HugeTlbStatistics {
    fn field(&mut self, key: &[u8]) -> Option<super::parse::Field<'_>> {
        (key == b"max").then_some(super::parse::Field::Count(&mut self.refused))
    }
}

/// The page size in a name such as `hugetlb.2MB.current`; none for other files.
pub(crate) fn page_size(file: &[u8]) -> Option<(Bytes, &[u8])> {
    let rest = file.strip_prefix(b"hugetlb.")?;
    let at = rest.iter().position(|byte| *byte == b'.')?;
    let (size, rest) = (rest.get(..at)?, rest.get(at + 1..)?);
    let (digits, unit) = size.split_at_checked(size.len().checked_sub(2)?)?;
    let shift = match unit {
        b"KB" => 10,
        b"MB" => 20,
        b"GB" => 30,
        _ => return None,
    };
    Some((Bytes(number(digits)?.checked_mul(1 << shift)?), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn page_sizes_stand_in_names() {
        assert_eq!(page_size(b"hugetlb.2MB.current"), Some((Bytes::mib(2), &b"current"[..])));
        assert_eq!(page_size(b"hugetlb.64KB.rsvd.usage_in_bytes").unwrap().0, Bytes::kib(64));
        assert_eq!(page_size(b"hugetlb.1GB.").unwrap().0, Bytes::gib(1));
        for name in
            ["hugetlb", "hugetlb.", "hugetlb.2MB", "hugetlb.B.x", "hugetlb.MB.x", "hugetlb.2TB.x", "x"]
        {
            assert_eq!(page_size(name.as_bytes()), None, "{name}");
        }
    }
}
