//! Blobs: content by its digest.

use std::fs::File;
use std::io::{Read, Write};

use rustix::fs::FileType;

use super::Store;
use super::dir::Dir;
use super::scratch::Scratch;
use crate::transport::verify::transfer;
use crate::{Algorithm, Descriptor, Digest, Error, Result};

impl Store {
    /// The directory of the blobs of an algorithm.
    pub(super) fn blobs(&self, algorithm: Algorithm) -> Result<Dir> {
        self.root().open("blobs")?.open(algorithm.name())
    }

    /// Whether a blob is there; one of another size than it should have is not.
    pub(super) fn has_blob(&self, descriptor: &Descriptor) -> Result<bool> {
        let stat = self.blobs(descriptor.digest.algorithm())?.stat(descriptor.digest.hex())?;
        Ok(stat.is_some_and(|stat| {
            FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile
                && u64::try_from(stat.st_size).is_ok_and(|size| size == descriptor.size)
        }))
    }

    /// A blob's file, not verified.
    pub(super) fn blob(&self, digest: &Digest) -> Result<File> {
        let missing = || Error::Missing { what: "blob", name: digest.to_string() };
        self.blobs(digest.algorithm())?.file(digest.hex())?.ok_or_else(missing)
    }

    /// Gives a file of the scratch directory, which has been verified and synced, the name of its digest, in place of
    /// what has it.
    pub(super) fn replace_blob(&self, scratch: &Scratch, name: &str, digest: &Digest) -> Result<()> {
        let blobs = self.blobs(digest.algorithm())?;
        scratch.dir().rename(name, &blobs, digest.hex())?;
        blobs.sync()
    }

    /// The same, unless somebody else was faster: who uses an image has a lock on the file of its manifest, which must
    /// stay the one that has the name.
    pub(super) fn add_blob(&self, scratch: &Scratch, name: &str, descriptor: &Descriptor) -> Result<()> {
        let blobs = self.blobs(descriptor.digest.algorithm())?;
        if !scratch.dir().rename_new(name, &blobs, descriptor.digest.hex())? {
            if !self.has_blob(descriptor)? {
                return self.replace_blob(scratch, name, &descriptor.digest);
            }
            scratch.dir().unlink(name)?;
        }
        blobs.sync()
    }
}

/// Fills a new file of the scratch directory with content, verifies it and syncs it.
pub(super) fn fill(
    scratch: &Scratch,
    name: &str,
    descriptor: &Descriptor,
    content: &mut (dyn Read + Send),
) -> Result<()> {
    let mut file = scratch.file(name)?;
    let mut write = |bytes: &[u8]| file.write_all(bytes).map_err(scratch.dir().io("write", name));
    transfer(descriptor, content, &mut write)?;
    file.sync_all().map_err(scratch.dir().io("fsync", name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blob_that_is_there_stays_the_same_file_unless_it_is_damaged() {
        let temporary = tempfile::tempdir().unwrap();
        let store = Store::create(temporary.path().join("store")).unwrap();
        let descriptor = Descriptor::of("x", b"content");
        let inode = || {
            let blobs = store.blobs(Algorithm::Sha256).unwrap();
            blobs.stat(descriptor.digest.hex()).unwrap().map(|stat| stat.st_ino)
        };
        let add = || {
            let scratch = store.scratch().unwrap();
            fill(&scratch, "new", &descriptor, &mut &b"content"[..]).unwrap();
            store.add_blob(&scratch, "new", &descriptor).unwrap();
            assert!(scratch.dir().names().unwrap().is_empty());
        };
        add();
        let first = inode();
        assert!(first.is_some());
        add();
        assert_eq!(inode(), first);
        let path = store.path().join("blobs/sha256").join(descriptor.digest.hex());
        std::fs::write(&path, "short").unwrap();
        add();
        assert_eq!(std::fs::read(&path).unwrap(), b"content");
    }
}
