//! An entry as bytes of a tar archive: a ustar header, before it a PAX header where ustar cannot say something.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use tar_core::EntryType;
use tar_core::builder::HeaderBuilder;

use crate::{Error, Result};

/// What archives are divided into, and files padded to.
pub(crate) const BLOCK: usize = 512;
/// The most that eleven octal digits hold: sizes and times.
const MOST_LONG: u64 = 0o777_7777_7777;
/// The most that seven octal digits hold: ids.
const MOST_SHORT: u32 = 0o777_7777;
const NAME: usize = 100;
const PREFIX: usize = 155;

/// What an entry is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    File { size: u64 },
    Directory,
    Symlink { target: Vec<u8> },
    Link { target: Vec<u8> },
    Character { major: u32, minor: u32 },
    Block { major: u32, minor: u32 },
    Fifo,
}

/// An entry of an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// From the root, without a slash before or after it.
    pub(crate) path: Vec<u8>,
    pub(crate) kind: Kind,
    pub(crate) mode: u16,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    /// Seconds, and the nanoseconds to add.
    pub(crate) mtime: (i64, u32),
    pub(crate) xattrs: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Entry {
    /// One of root's that was last changed in 1970.
    pub(crate) fn new(path: impl Into<Vec<u8>>, kind: Kind, mode: u16) -> Self {
        Self { path: path.into(), kind, mode, uid: 0, gid: 0, mtime: (0, 0), xattrs: Vec::new() }
    }

    pub(crate) fn refused(&self, reason: impl Into<String>) -> Error {
        refused(&self.path, reason)
    }

    /// Appends the headers.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) -> Result<()> {
        let name = self.name();
        let records = self.records(&name)?;
        if !records.is_empty() {
            let body = records.iter().map(|(key, value)| record(key, value)).collect::<Vec<_>>().concat();
            out.extend_from_slice(self.extension(body.len() as u64)?.as_slice());
            out.extend_from_slice(&body);
            out.resize(out.len().next_multiple_of(BLOCK), 0);
        }
        let header = self.header(&name).map_err(|error| self.refused(error.to_string()))?;
        out.extend_from_slice(&header);
        Ok(())
    }

    /// The name in the archive: a directory ends with a slash.
    fn name(&self) -> Cow<'_, [u8]> {
        match self.kind {
            Kind::Directory => Cow::Owned([&self.path, &b"/"[..]].concat()),
            _ => Cow::Borrowed(&self.path),
        }
    }

    fn target(&self) -> &[u8] {
        match &self.kind {
            Kind::Symlink { target } | Kind::Link { target } => target,
            _ => &[],
        }
    }

    fn size(&self) -> u64 {
        match self.kind {
            Kind::File { size } => size,
            _ => 0,
        }
    }

    /// What the ustar header cannot say, in the order of the keys.
    fn records(&self, name: &[u8]) -> Result<BTreeMap<Vec<u8>, Vec<u8>>> {
        let mut records = BTreeMap::new();
        let mut add = |key: &str, value: Vec<u8>| records.insert(key.as_bytes().to_vec(), value);
        if split(name).is_none() {
            add("path", name.to_vec());
        }
        if self.target().len() > NAME {
            add("linkpath", self.target().to_vec());
        }
        if self.size() > MOST_LONG {
            add("size", self.size().to_string().into_bytes());
        }
        for (key, id) in [("uid", self.uid), ("gid", self.gid)] {
            if id > MOST_SHORT {
                add(key, id.to_string().into_bytes());
            }
        }
        let (seconds, nanoseconds) = self.mtime;
        if nanoseconds != 0 || octal_time(seconds).is_none() {
            add("mtime", decimal_time(seconds, nanoseconds).into_bytes());
        }
        for (xattr, value) in &self.xattrs {
            if xattr.contains(&b'=') {
                let name = xattr.escape_ascii();
                return Err(self.refused(format!("no archive can hold its extended attribute \"{name}\"")));
            }
            records.insert([b"SCHILY.xattr.", &xattr[..]].concat(), value.clone());
        }
        Ok(records)
    }

    /// The header of the PAX records.
    fn extension(&self, size: u64) -> Result<Vec<u8>> {
        let last = self.path.rsplit(|&byte| byte == b'/').next().unwrap_or_default();
        let mut path = [b"PaxHeaders/", last].concat();
        path.truncate(NAME);
        let fields = Self::new(path, Kind::File { size }, 0o644);
        let mut header = fields.fields(&fields.path).map_err(|error| self.refused(error.to_string()))?;
        Ok(header.entry_type(EntryType::XHeader).finish().as_bytes().to_vec())
    }

    fn header(&self, name: &[u8]) -> std::result::Result<Vec<u8>, tar_core::HeaderError> {
        Ok(self.fields(name)?.finish().as_bytes().to_vec())
    }

    /// What fits; what does not has a record, and a zero or a part here.
    fn fields(&self, name: &[u8]) -> std::result::Result<HeaderBuilder, tar_core::HeaderError> {
        let mut header = HeaderBuilder::new_ustar();
        let (prefix, rest) = split(name).unwrap_or((&[], &name[..NAME.min(name.len())]));
        header.path(rest)?;
        if !prefix.is_empty() {
            header.prefix(prefix)?;
        }
        let short = |id: u32| u64::from(if id > MOST_SHORT { 0 } else { id });
        header.mode(u32::from(self.mode))?.uid(short(self.uid))?.gid(short(self.gid))?;
        header.size(if self.size() > MOST_LONG { 0 } else { self.size() })?;
        header.mtime(octal_time(self.mtime.0).unwrap_or(0))?;
        header.link_name(&self.target()[..NAME.min(self.target().len())])?;
        header.entry_type(match self.kind {
            Kind::File { .. } => EntryType::Regular,
            Kind::Directory => EntryType::Directory,
            Kind::Symlink { .. } => EntryType::Symlink,
            Kind::Link { .. } => EntryType::Link,
            Kind::Character { .. } => EntryType::Char,
            Kind::Block { .. } => EntryType::Block,
            Kind::Fifo => EntryType::Fifo,
        });
        if let Kind::Character { major, minor } | Kind::Block { major, minor } = self.kind {
            header.device(major, minor)?;
        }
        Ok(header)
    }
}

/// The error about an entry.
pub(crate) fn refused(path: &[u8], reason: impl Into<String>) -> Error {
    Error::Entry { entry: OsStr::from_bytes(path).into(), reason: reason.into() }
}

/// A name as ustar's prefix and name; `None` if it is too long for them.
fn split(name: &[u8]) -> Option<(&[u8], &[u8])> {
    if name.len() <= NAME {
        return Some((&[], name));
    }
    // The shortest prefix that leaves a name which fits, and something of it.
    let first = name.len() - NAME - 1;
    let last = (name.len() - 2).min(PREFIX);
    let at = (first..=last).find(|&at| name[at] == b'/' && at > 0)?;
    Some((&name[..at], &name[at + 1..]))
}

fn octal_time(seconds: i64) -> Option<u64> {
    u64::try_from(seconds).ok().filter(|&seconds| seconds <= MOST_LONG)
}

/// Seconds with a fraction without zeros at its end.
fn decimal_time(seconds: i64, nanoseconds: u32) -> String {
    let (sign, whole, fraction) = match (seconds, nanoseconds) {
        (..0, 0) => ("-", seconds.unsigned_abs(), 0),
        (..0, _) => ("-", seconds.unsigned_abs() - 1, 1_000_000_000 - nanoseconds),
        (0.., _) => ("", seconds.unsigned_abs(), nanoseconds),
    };
    match fraction {
        0 => format!("{sign}{whole}"),
        _ => format!("{sign}{whole}.{}", format!("{fraction:09}").trim_end_matches('0')),
    }
}

/// A PAX record: its length, which counts itself, then `KEY=VALUE`. Keys can be of any bytes but `=`.
fn record(key: &[u8], value: &[u8]) -> Vec<u8> {
    let rest = key.len() + value.len() + 3;
    let mut length = rest;
    while rest + length.to_string().len() != length {
        length = rest + length.to_string().len();
    }
    [length.to_string().as_bytes(), b" ", key, b"=", value, b"\n"].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_counts_its_own_length() {
        assert_eq!(record(b"path", b"x"), b"9 path=x\n");
        for length in 0..2000 {
            let record = record(b"k", &vec![b'v'; length]);
            let said = record.split(|&byte| byte == b' ').next().unwrap();
            assert_eq!(std::str::from_utf8(said).unwrap(), record.len().to_string());
        }
    }

    #[test]
    fn times_are_written_as_decimals() {
        for (time, text) in [
            ((5, 0), "5"),
            ((5, 120_000_000), "5.12"),
            ((5, 1), "5.000000001"),
            ((-1, 500_000_000), "-0.5"),
            ((-2, 300_000_000), "-1.7"),
            ((-2, 0), "-2"),
            ((i64::MIN, 1), "-9223372036854775807.999999999"),
        ] {
            assert_eq!(decimal_time(time.0, time.1), text);
        }
    }

    #[test]
    fn names_are_split_at_a_slash_or_not_at_all() {
        let long = |a: usize, b: usize| [vec![b'a'; a], b"/".to_vec(), vec![b'b'; b]].concat();
        assert_eq!(split(&[b'a'; 100]).unwrap(), (&[][..], &[b'a'; 100][..]));
        assert_eq!(split(&[b'a'; 101]), None);
        assert_eq!(split(&long(155, 100)).unwrap(), (&[b'a'; 155][..], &[b'b'; 100][..]));
        assert_eq!(split(&long(156, 99)), None);
        assert_eq!(split(&long(155, 101)), None);
        assert_eq!(split(&long(100, 0)), None);
        assert_eq!(split(&long(0, 100)), None);
    }

    #[test]
    fn plain_entries_have_one_block_and_others_a_record_for_what_does_not_fit() {
        let mut out = Vec::new();
        let mut entry = Entry::new("d/f", Kind::File { size: MOST_LONG }, 0o4755);
        entry.mtime.0 = MOST_LONG.cast_signed();
        entry.uid = MOST_SHORT;
        entry.encode(&mut out).unwrap();
        assert_eq!(out.len(), BLOCK);

        entry.kind = Kind::File { size: MOST_LONG + 1 };
        entry.mtime.0 += 1;
        entry.uid += 1;
        entry.gid = u32::MAX;
        entry.xattrs = vec![(b"user.b".to_vec(), b"\0\n=".to_vec()), (b"user.a".to_vec(), Vec::new())];
        out.clear();
        entry.encode(&mut out).unwrap();
        assert_eq!(out.len(), 3 * BLOCK);
        let records = &out[BLOCK..2 * BLOCK];
        let end = records.iter().rposition(|&byte| byte != 0).unwrap() + 1;
        let expected: &[u8] = b"24 SCHILY.xattr.user.a=\n27 SCHILY.xattr.user.b=\0\n=\n18 gid=4294967295\n\
            20 mtime=8589934592\n19 size=8589934592\n15 uid=2097152\n";
        assert_eq!(records[..end].escape_ascii().to_string(), expected.escape_ascii().to_string());
    }

    #[test]
    fn an_attribute_that_no_record_can_name_is_an_error() {
        let mut entry = Entry::new("f", Kind::Fifo, 0o644);
        entry.xattrs = vec![(b"user.a=b".to_vec(), Vec::new())];
        let error = entry.encode(&mut Vec::new()).unwrap_err();
        assert!(error.to_string().contains("user.a=b"), "{error}");
    }
}
