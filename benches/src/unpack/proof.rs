//! The proof that an image was unpacked: the files are looked at.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use cofferdam_image_spec::Digest;

use super::input::Expected;
use crate::Error;

/// Looks at directories that lie over each other; each name counts once.
pub(super) fn prove(expected: &Expected, trees: &[PathBuf]) -> Result<(), Error> {
    let mut found = HashMap::new();
    let mut inodes = HashMap::new();
    for tree in trees {
        walk(tree, Path::new(""), &mut found, &mut inodes)?;
    }
    let bytes: u64 = inodes.into_values().sum();
    if (found.len(), bytes) != (expected.names, expected.bytes) {
        return Err(Error::Undone(format!(
            "{} names and {bytes} bytes are there, not {} and {}",
            found.len(),
            expected.names,
            expected.bytes
        )));
    }
    for (path, digest) in &expected.contents {
        let path = Path::new(OsStr::from_bytes(path));
        let tree: &PathBuf =
            found.get(path).ok_or_else(|| Error::Undone(format!("{} is not there", path.display())))?;
        let content = fs::read(tree.join(path)).map_err(Error::io(format!("read {}", path.display())))?;
        if Digest::sha256(&content) != *digest {
            return Err(Error::Undone(format!("{} has another content", path.display())));
        }
    }
    Ok(())
}

fn walk(
    tree: &PathBuf,
    below: &Path,
    found: &mut HashMap<PathBuf, PathBuf>,
    inodes: &mut HashMap<(u64, u64), u64>,
) -> Result<(), Error> {
    use std::os::unix::fs::MetadataExt;

    let directory = tree.join(below);
    let failed = |error| Error::Io { what: format!("look at {}", directory.display()), source: error };
    for entry in fs::read_dir(&directory).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let path = below.join(entry.file_name());
        let metadata = entry.metadata().map_err(failed)?;
        if metadata.is_file() {
            inodes.insert((metadata.dev(), metadata.ino()), metadata.len());
        }
        if metadata.is_dir() {
            walk(tree, &path, found, inodes)?;
        }
        found.insert(path, tree.clone());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_more_or_different_is_seen() {
        let tree = tempfile::tempdir().unwrap();
        let trees = [tree.path().to_owned()];
        fs::create_dir(tree.path().join("a")).unwrap();
        fs::write(tree.path().join("a/b"), "text").unwrap();
        fs::hard_link(tree.path().join("a/b"), tree.path().join("c")).unwrap();
        let contents = vec![(b"a/b".to_vec(), Digest::sha256(b"text"))];
        let expected = Expected { names: 3, bytes: 4, contents };
        prove(&expected, &trees).unwrap();
        fs::write(tree.path().join("c"), "txet").unwrap();
        assert!(prove(&expected, &trees).unwrap_err().to_string().contains("another content"));
        fs::remove_file(tree.path().join("a/b")).unwrap();
        assert!(prove(&expected, &trees).unwrap_err().to_string().contains("2 names"));
    }
}
