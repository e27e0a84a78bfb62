//! What has to be remembered until a layer is complete, within a limit.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};

use serde::{Deserialize, Serialize};

use super::fault::{Fault, Result};
use super::name::Path;
use super::pax::Time;

/// What is known of a path.
#[derive(Clone, Copy, Hash)]
pub(super) enum Fact {
    /// What is there is of this layer.
    Made,
    /// A directory of lower layers in which something was changed; its times were noted.
    Touched,
    /// A directory with something of this layer somewhere in it.
    Passed,
    /// What lower layers have there is deleted.
    Deleted,
    /// A directory in which all of lower layers is deleted.
    Cleared,
    /// A deletion of it was carried out.
    Hidden,
}

/// What a directory gets at the end: making things in it changes its times, and may need rights that it does not give.
#[derive(Clone, Debug)]
pub(super) struct Later {
    pub(super) path: Box<[u8]>,
    pub(super) mode: Option<u32>,
    pub(super) atime: Time,
    pub(super) mtime: Time,
}

/// Facts are kept as hashes: 64 bits with a random key, so that a layer of a million entries needs 16 MB, and an archive
/// cannot be made to collide. Comparing times or inode numbers instead would not survive links and clocks.
pub(super) struct Notes {
    facts: HashSet<u64>,
    hasher: RandomState,
    later: Vec<Later>,
    used: usize,
    limit: usize,
}

impl Notes {
    pub(super) fn new(limit: usize) -> Self {
        Self { facts: HashSet::new(), hasher: RandomState::new(), later: Vec::new(), used: 0, limit }
    }

    /// Counts memory.
    pub(super) fn pay(&mut self, bytes: usize) -> Result<()> {
        self.used = self.used.saturating_add(bytes);
        if self.used > self.limit {
            return Err(Fault::limit("bytes of notes on a layer", self.limit));
        }
        Ok(())
    }

    /// Whether it was not known before.
    pub(super) fn learn(&mut self, fact: Fact, path: &[u8]) -> Result<bool> {
        let new = self.facts.insert(self.hasher.hash_one((fact, path)));
        if new {
            self.pay(2 * size_of::<u64>())?;
        }
        Ok(new)
    }

    pub(super) fn knows(&self, fact: Fact, path: &[u8]) -> bool {
        !self.facts.is_empty() && self.facts.contains(&self.hasher.hash_one((fact, path)))
    }

    pub(super) fn later(&mut self, path: &[u8], mode: Option<u32>, atime: Time, mtime: Time) -> Result<()> {
        self.pay(size_of::<Later>() + path.len() + 16)?;
        self.later.push(Later { path: path.into(), mode, atime, mtime });
        Ok(())
    }

    /// What is to be done at the end: the last word on each directory, those in a directory before it.
    pub(super) fn take_later(&mut self) -> Vec<Later> {
        let mut later = std::mem::take(&mut self.later);
        later.sort_by(|one, other| other.path.cmp(&one.path));
        // Of equal neighbours the first is kept, and it has to be the last that was noted.
        let mut kept: Vec<Later> = Vec::with_capacity(later.len());
        for next in later {
            match kept.last_mut() {
                Some(last) if last.path == next.path => *last = next,
                _ => kept.push(next),
            }
        }
        kept
    }
}

/// The directories above a path, the nearest first, without the root.
pub(super) fn above(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = path;
    std::iter::from_fn(move || {
        rest = super::name::split(rest).0;
        (!rest.is_empty()).then_some(rest)
    })
}

/// A hard link to a file that only lower layers can have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct LowerLink {
    pub(super) path: Path,
    pub(super) target: Path,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_word_on_a_directory_counts_and_children_come_first() {
        let mut notes = Notes::new(1 << 20);
        let time = |seconds| Time { seconds, nanoseconds: 0 };
        for (path, seconds) in [(&b"a"[..], 1), (b"a/b", 2), (b"", 3), (b"a", 4), (b"a-", 5)] {
            notes.later(path, None, time(0), time(seconds)).unwrap();
        }
        let order: Vec<_> = notes.take_later().iter().map(|l| (l.path.to_vec(), l.mtime.seconds)).collect();
        let expected = [(&b"a/b"[..], 2), (b"a-", 5), (b"a", 4), (b"", 3)];
        assert_eq!(order, expected.map(|(path, seconds)| (path.to_vec(), seconds)));
    }

    #[test]
    fn memory_is_limited() {
        let mut notes = Notes::new(1000);
        let time = Time::default();
        assert!((0..100).any(|_| notes.later(b"some/path", None, time, time).is_err()));
        let mut notes = Notes::new(1000);
        assert!((0..100_u8).any(|n| notes.learn(Fact::Made, &[n]).is_err()));
    }

    #[test]
    fn all_directories_above_are_named() {
        assert_eq!(above(b"a/b/c").collect::<Vec<_>>(), [&b"a/b"[..], b"a"]);
        assert_eq!(above(b"a").count(), 0);
    }
}
