//! The bytes that `statmount(2)` answers with. Nothing in them is trusted to lie within them.

use crate::sys::statmount::HEADER;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

/// What is asked for, and what was answered: `STATMOUNT_*`.
#[derive(Clone, Copy, Debug)]
pub(super) enum Part {
    FsBasic = 0x1,
    Basic = 0x2,
    PropagateFrom = 0x4,
    Root = 0x8,
    Point = 0x10,
    FsType = 0x20,
    Namespace = 0x40,
    OptionText = 0x80,
    Subtype = 0x100,
    Source = 0x200,
    Options = 0x400,
    SecurityOptions = 0x800,
    Supported = 0x1000,
    UidMap = 0x2000,
    GidMap = 0x4000,
}

impl Part {
    /// Everything. Kernels pass over what they do not know.
    pub(super) const fn all() -> u64 {
        0x7fff
    }

    const fn bit(self) -> u64 {
        self as u64
    }
}

/// Where a field is in the answer.
macro_rules! field {
    ($name:ident) => {
        std::mem::offset_of!(crate::sys::statmount::Statmount, $name)
    };
}
pub(super) use field;

/// An answer.
#[derive(Debug)]
pub(super) struct Reply<'a>(&'a [u8]);

impl<'a> Reply<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(super) fn u32(&self, offset: usize) -> Option<u32> {
        self.0.get(offset..)?.first_chunk().map(|bytes| u32::from_ne_bytes(*bytes))
    }

    pub(super) fn u64(&self, offset: usize) -> Option<u64> {
        self.0.get(offset..)?.first_chunk().map(|bytes| u64::from_ne_bytes(*bytes))
    }

    pub(super) fn has(&self, part: Part) -> bool {
        self.u64(field!(mask)).is_some_and(|mask| mask & part.bit() != 0)
    }

    /// Whether this kernel gives options, where there are some. The mask of what it supports is as old as Linux 6.15; before, a mount
    /// without options is not told from a kernel without them.
    pub(super) fn knows_options(&self) -> bool {
        let supported = self.u64(field!(supported_mask)).filter(|_| self.has(Part::Supported));
        supported.is_some_and(|mask| mask & Part::OptionText.bit() != 0)
    }

    /// Text at the offset that this field gives. The outer None: it is malformed; the inner one: it is not in the answer.
    pub(super) fn text(&self, part: Part, offset: usize) -> Option<Option<OsString>> {
        if !self.has(part) {
            return Some(None);
        }
        let start = usize::try_from(self.u32(offset)?).ok()?;
        self.strings(start)?.next().map(Some)
    }

    /// So many strings, one after the other. None: malformed.
    pub(super) fn texts(&self, part: Part, count: usize, offset: usize) -> Option<Vec<OsString>> {
        if !self.has(part) {
            return Some(Vec::new());
        }
        let count = usize::try_from(self.u32(count)?).ok()?;
        let start = usize::try_from(self.u32(offset)?).ok()?;
        let texts: Vec<_> = self.strings(start)?.take(count).collect();
        (texts.len() == count).then_some(texts)
    }

    /// The strings from here on, each ended by a zero byte.
    fn strings(&self, start: usize) -> Option<impl Iterator<Item = OsString>> {
        let mut rest = self.0.get(HEADER.checked_add(start)?..)?;
        Some(std::iter::from_fn(move || {
            let end = rest.iter().position(|byte| *byte == 0)?;
            let text = rest[..end].to_vec();
            rest = &rest[end + 1..];
            Some(OsString::from_vec(text))
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(mask: u64, fields: &[(usize, u32)], text: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0; HEADER];
        bytes[field!(mask)..][..8].copy_from_slice(&mask.to_ne_bytes());
        for (offset, value) in fields {
            bytes[*offset..][..4].copy_from_slice(&value.to_ne_bytes());
        }
        bytes.extend_from_slice(text);
        bytes
    }

    #[test]
    fn text_is_found_where_it_is() {
        let bytes = reply(Part::Root.bit(), &[(field!(mnt_root), 3)], b"ab\0/cd\0");
        let reply = Reply::new(&bytes);
        assert_eq!(reply.text(Part::Root, field!(mnt_root)), Some(Some("/cd".into())));
        assert_eq!(reply.text(Part::Point, field!(mnt_point)), Some(None));
    }

    #[test]
    fn arrays_have_as_many_strings_as_they_say() {
        let fields = |count| [(field!(opt_num), count), (field!(opt_array), 1)];
        for (count, expected) in [
            (0, Some(vec![])),
            (2, Some(vec!["a=b".into(), "".into()])),
            (3, Some(vec!["a=b".into(), "".into(), "c".into()])),
            (4, None),
        ] {
            let bytes = reply(Part::Options.bit(), &fields(count), b"\0a=b\0\0c\0");
            let found = Reply::new(&bytes).texts(Part::Options, field!(opt_num), field!(opt_array));
            assert_eq!(found, expected, "{count}");
        }
    }

    #[test]
    fn what_points_outside_is_malformed() {
        for start in [6, 7, u32::MAX] {
            let bytes = reply(Part::Root.bit(), &[(field!(mnt_root), start)], b"/a\0/bc");
            assert_eq!(Reply::new(&bytes).text(Part::Root, field!(mnt_root)), None, "{start}");
        }
        assert_eq!(Reply::new(&[0; 10]).u64(field!(mask)), None);
        assert!(!Reply::new(&[]).has(Part::Basic));
    }
}
