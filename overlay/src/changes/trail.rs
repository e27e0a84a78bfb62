//! The path of a walk, of any depth, without a piece of memory for each level.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

/// Names from the root to a directory.
#[derive(Debug, Default)]
pub(super) struct Trail {
    /// Each name with a slash behind it.
    bytes: Vec<u8>,
    /// Where the names end, their slashes included.
    ends: Vec<usize>,
}

impl Trail {
    pub(super) fn depth(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn push(&mut self, name: &OsStr) {
        self.bytes.extend_from_slice(name.as_bytes());
        self.bytes.push(b'/');
        self.ends.push(self.bytes.len());
    }

    pub(super) fn pop(&mut self) {
        self.ends.pop();
        self.bytes.truncate(self.end(self.depth()));
    }

    /// The path of a name in the directory.
    pub(super) fn join(&self, name: &OsStr) -> PathBuf {
        OsString::from_vec([&self.bytes, name.as_bytes()].concat()).into()
    }

    /// The longest part of the path from a directory on the way to one further on that has at most so many bytes, and where it ends. It has
    /// one name at least.
    pub(super) fn part(&self, from: usize, to: usize, bytes: usize) -> (&OsStr, usize) {
        let start = self.end(from);
        let fitting = self.ends[from + 1..to].partition_point(|end| end - start <= bytes);
        let to = from + 1 + fitting;
        (OsStr::from_bytes(&self.bytes[start..self.end(to)]), to)
    }

    fn end(&self, depth: usize) -> usize {
        depth.checked_sub(1).map_or(0, |last| self.ends[last])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_end_between_names() {
        let mut trail = Trail::default();
        assert_eq!(trail.join(OsStr::new("x")).to_str(), Some("x"));
        ["ab", "c", "defg", "h"].into_iter().for_each(|name| trail.push(OsStr::new(name)));
        assert_eq!(trail.join(OsStr::new("x")).to_str(), Some("ab/c/defg/h/x"));
        for ((from, to, bytes), expected) in [
            ((0, 4, 100), ("ab/c/defg/h/", 4)),
            ((0, 2, 100), ("ab/c/", 2)),
            ((1, 4, 2), ("c/", 2)),
            ((1, 4, 7), ("c/defg/", 3)),
            ((2, 4, 1), ("defg/", 3)),
            ((3, 4, 1), ("h/", 4)),
        ] {
            let (part, end) = trail.part(from, to, bytes);
            assert_eq!((part.to_str(), end), (Some(expected.0), expected.1), "{from} {to} {bytes}");
        }
        trail.pop();
        trail.pop();
        assert_eq!((trail.depth(), trail.join(OsStr::new("x")).to_str()), (2, Some("ab/c/x")));
    }
}
