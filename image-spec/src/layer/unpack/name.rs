//! Names in archives: what they mean below a root, and which are deletions.

use super::fault::{Fault, Result};
use crate::layer::Limits;

const PREFIX: &[u8] = b".wh.";
const OPAQUE: &[u8] = b".wh..wh..opq";
/// What AUFS kept in its branches, and early layers therefore have. It says nothing about the image.
const AUFS: [&[u8]; 3] = [b".wh..wh.aufs", b".wh..wh.plnk", b".wh..wh.orph"];
/// `NAME_MAX`
const COMPONENT: usize = 255;

/// A path below the root: components with single slashes between them; the root itself is empty.
pub(super) type Path = Vec<u8>;

/// A name of an archive as a path below the root. It may begin with slashes, and hold `.` and doubled slashes, but no
/// `..`: what that would mean depends on links.
pub(super) fn clean(name: &[u8], limits: &Limits) -> Result<Path> {
    if name.is_empty() {
        return Err(Fault::refused("has no name"));
    }
    if name.contains(&0) {
        return Err(Fault::refused("its name holds a zero byte"));
    }
    let mut path = Vec::with_capacity(name.len());
    let mut depth = 0;
    for part in components(name) {
        if part == b".." {
            return Err(Fault::refused("its name holds `..`"));
        }
        if part.len() > COMPONENT {
            return Err(Fault::limit("length of a file name", COMPONENT));
        }
        depth += 1;
        push(&mut path, part);
    }
    if depth > limits.depth {
        return Err(Fault::limit("depth of a path", limits.depth));
    }
    check_length(&path, limits)?;
    Ok(path)
}

pub(super) fn check_length(path: &[u8], limits: &Limits) -> Result<()> {
    if path.len() > limits.path_bytes {
        return Err(Fault::limit("length of a path", limits.path_bytes));
    }
    Ok(())
}

/// The components but for empty ones and `.`.
pub(super) fn components(path: &[u8]) -> impl DoubleEndedIterator<Item = &[u8]> {
    path.split(|byte| *byte == b'/').filter(|part| !part.is_empty() && *part != b".")
}

pub(super) fn push(path: &mut Path, part: &[u8]) {
    if !path.is_empty() {
        path.push(b'/');
    }
    path.extend_from_slice(part);
}

pub(super) fn join(path: &[u8], part: &[u8]) -> Path {
    let mut joined = Vec::with_capacity(path.len() + 1 + part.len());
    joined.extend_from_slice(path);
    push(&mut joined, part);
    joined
}

/// The path of the directory, and the name in it. The root has no name.
pub(super) fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|byte| *byte == b'/') {
        None => (&[], path),
        Some(at) => (&path[..at], &path[at + 1..]),
    }
}

/// What an entry of this name is for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Role<'a> {
    /// Something that is there.
    Thing,
    /// A deletion of this name beside it.
    Whiteout(&'a [u8]),
    /// A deletion of all that lower layers have in the directory.
    Opaque,
    /// Nothing.
    Ignored,
}

/// What an entry is for. Names that begin with `.wh.` and are nothing of this are refused.
pub(super) fn role(path: &[u8]) -> Result<Role<'_>> {
    let (parent, name) = split(path);
    let mut parts = components(path);
    if parts.next().is_some_and(|first| AUFS.contains(&first)) {
        return Ok(Role::Ignored);
    }
    if components(parent).any(|part| part.starts_with(PREFIX)) {
        return Err(Fault::refused("lies in a directory with a name that begins with `.wh.`"));
    }
    match name.strip_prefix(PREFIX) {
        None => Ok(Role::Thing),
        Some(_) if name == OPAQUE => Ok(Role::Opaque),
        Some(b"" | b"." | b"..") => Err(Fault::refused("deletes nothing that could have a name")),
        Some(deleted) if deleted.starts_with(PREFIX) => Err(Fault::refused("has a reserved name")),
        Some(deleted) => Ok(Role::Whiteout(deleted)),
    }
}

/// Whether something of this name may lie in a layer.
pub(super) fn is_reserved(path: &[u8]) -> bool {
    components(path).any(|part| part.starts_with(PREFIX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_paths_below_the_root() {
        let limits = Limits::default();
        for (name, path) in [
            ("a/b", "a/b"),
            ("/a//b/", "a/b"),
            ("./a/./b/.", "a/b"),
            (".", ""),
            ("./", ""),
            ("//", ""),
            ("...", "..."),
            ("a/..b", "a/..b"),
        ] {
            assert_eq!(clean(name.as_bytes(), &limits).unwrap(), path.as_bytes(), "{name}");
        }
        for bad in ["", "..", "../a", "a/..", "a/../b", "/..", "a\0b"] {
            assert!(matches!(clean(bad.as_bytes(), &limits), Err(Fault::Refused(_))), "{bad}");
        }
        for long in ["x".repeat(256), "x/".repeat(1025), format!("{}x", "y".repeat(200) + "/").repeat(30)] {
            assert!(matches!(clean(long.as_bytes(), &limits), Err(Fault::Whole(_))), "{long}");
        }
    }

    #[test]
    fn reserved_names_are_deletions_or_errors() {
        assert_eq!(role(b"a/.wh.b").unwrap(), Role::Whiteout(b"b"));
        assert_eq!(role(b".wh..x").unwrap(), Role::Whiteout(b".x"));
        assert_eq!(role(b"a/.wh..wh..opq").unwrap(), Role::Opaque);
        assert_eq!(role(b".wh..wh.plnk/12.34").unwrap(), Role::Ignored);
        assert_eq!(role(b"a/.whb").unwrap(), Role::Thing);
        assert_eq!(role(b"").unwrap(), Role::Thing);
        for bad in ["a/.wh.", ".wh..", ".wh...", ".wh.a/b", ".wh..wh.other", "a/.wh..wh..opq/b"] {
            assert!(role(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
