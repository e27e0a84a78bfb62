//! What is written to a layout.

use std::ffi::OsStr;
use std::io::{Read, Write as _};
use std::os::fd::AsFd;
use std::path::Path;

use rustix::fs::{self, FlockOperation, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

use super::{Layout, blob_path, format};
use crate::transport::files::{self, At as _, Replacement};
use crate::transport::verify;
use crate::{Descriptor, Destination, Digest, Error, Result};

/// Directories are made with this mode, less the umask.
const MODE: Mode = Mode::from_raw_mode(0o777);

impl Layout {
    /// Opens a layout, or makes one of an empty directory, or of one that does not exist yet in one that does.
    ///
    /// # Errors
    /// If there is a directory with other files; as [`Layout::open`].
    pub fn create(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        match fs::mkdir(path, MODE) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(errno) => return Err(Error::file("make directory", path)(errno)),
        }
        let layout = Self { path: path.to_path_buf(), directory: files::directory(path)? };
        let _lock = layout.lock()?;
        match layout.marker()? {
            Some(content) => format::check_marker(&content)?,
            None => layout.begin()?,
        }
        Ok(layout)
    }

    /// Makes what an empty layout has. The marker is last: it says that the others are there.
    fn begin(&self) -> Result<()> {
        let entries = std::fs::read_dir(&self.path).map_err(|error| error.at("read", &self.path))?;
        for entry in entries {
            let name = entry.map_err(|error| error.at("read", &self.path))?.file_name();
            // One that was interrupted leaves these.
            let ours = name == "blobs" || name == format::INDEX || name.as_encoded_bytes().ends_with(b".tmp");
            if !ours {
                let path = self.path.to_string_lossy();
                return Err(Error::invalid("directory", path, "is neither empty nor an image layout"));
            }
        }
        self.subdirectory("blobs")?;
        self.subdirectory("blobs/sha256")?;
        if self.index()?.is_none() {
            self.replace(format::INDEX, br#"{"schemaVersion":2,"manifests":[]}"#)?;
        }
        self.replace(format::MARKER, format::MARKER_CONTENT)
    }

    fn subdirectory(&self, name: &str) -> Result<()> {
        match fs::mkdirat(&self.directory, name, MODE) {
            Ok(()) | Err(Errno::EXIST) => Ok(()),
            Err(errno) => Err(Error::file("make directory", name)(errno)),
        }
    }

    fn replace(&self, name: &str, content: &[u8]) -> Result<()> {
        let new = Replacement::new(self.directory.as_fd(), OsStr::new(name))?;
        new.file().write_all(content).map_err(|error| error.at("write", name))?;
        new.commit()
    }

    /// Locks the list of images until the result is dropped, against other threads, too.
    fn lock(&self) -> Result<impl Drop + use<>> {
        let own = files::reopened(&self.directory)?;
        rustix::io::retry_on_intr(|| fs::flock(&own, FlockOperation::LockExclusive))
            .map_err(Error::file("lock", &self.path))?;
        Ok(own)
    }
}

impl Destination for Layout {
    fn has(&self, digest: &Digest) -> Result<bool> {
        Ok(self.blob(digest)?.is_some())
    }

    fn put(&self, descriptor: &Descriptor, content: &mut (dyn Read + Send)) -> Result<()> {
        let parent = format!("blobs/{}", descriptor.digest.algorithm());
        self.subdirectory(&parent)?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
        let directory = fs::openat2(&self.directory, parent.as_str(), flags, Mode::empty(), resolve)
            .map_err(Error::file("open", &parent))?;
        let new = Replacement::new(directory.as_fd(), OsStr::new(descriptor.digest.hex()))?;
        verify::transfer(descriptor, content, &mut |bytes| {
            new.file().write_all(bytes).map_err(|error| error.at("write", blob_path(&descriptor.digest)))
        })?;
        new.commit()
    }

    fn publish(&self, name: Option<&str>, descriptor: &Descriptor) -> Result<()> {
        let _lock = self.lock()?;
        let index = self.index()?;
        self.replace(format::INDEX, &format::with_image(index.as_deref(), name, descriptor)?)
    }
}
