//! A plan made into a layer and an image.

use std::fs::File;
use std::io::{Read, Seek, Write};
use std::num::NonZeroUsize;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::{MemfdFlags, Mode, OFlags, memfd_create, open};
use rustix::io::Errno;

use super::gather::failed;
use super::plan::{FileState, HostEntry, HostPlan, HostSource};
use crate::layer::{Archive, Entry, Kind, pack};
use crate::{
    Created, Descriptor, Destination, Document, Error, History, ImageConfig, LayerCompression, Manifest,
    Platform, Result,
};

impl HostPlan {
    /// Writes the layer: files of root with the time 1970, so it is the same for the same files, on whatever host.
    ///
    /// # Errors
    /// [`Error::File`] for files that cannot be read; [`Error::Entry`] for one that was changed since the plan was made;
    /// [`Error::Stream`] if `sink` fails.
    pub fn write(&self, sink: impl Write + Send, compression: LayerCompression) -> Result<Created> {
        let threads = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        let (entries, sums) = pack(sink, compression, threads, |out| self.archive(out))?;
        let descriptor = Descriptor::new(compression.media_type(), sums.packed, sums.packed_bytes);
        Ok(Created { descriptor, diff_id: sums.plain, entries, bytes: sums.plain_bytes, sockets: 0 })
    }

    /// Makes the image, puts it in a place and gives it a name there. The layer is gzip. Its manifest is what is told.
    ///
    /// A place that is written in one go is not completed by this: [`Destination::finish`] is left to the caller.
    ///
    /// # Errors
    /// As [`HostPlan::write`]; if the place cannot be written, or the layer not be kept in the directory of temporary
    /// files meanwhile.
    pub fn build(&self, destination: &dyn Destination, name: Option<&str>) -> Result<Descriptor> {
        let mut spool = unnamed_file()?;
        let layer = self.write(&spool, LayerCompression::Gzip)?;
        spool.rewind().map_err(failed("rewind", &std::env::temp_dir()))?;
        put(destination, &layer.descriptor, &mut spool)?;

        let config = Document::new(&self.config(&layer))?;
        put(destination, &config.descriptor(), &mut config.bytes())?;
        let mut manifest = Manifest::new(config.descriptor(), vec![layer.descriptor]);
        manifest.annotations.insert(Self::FINGERPRINT.into(), self.fingerprint().to_string());
        let manifest = Document::new(&manifest)?;
        put(destination, &manifest.descriptor(), &mut manifest.bytes())?;
        destination.publish(name, &manifest.descriptor())?;
        Ok(manifest.descriptor())
    }

    fn config(&self, layer: &Created) -> ImageConfig {
        let mut config = ImageConfig::new(Platform::host(), vec![layer.diff_id.clone()]);
        config.config.cmd = self.command.clone();
        config.config.env = vec![format!("PATH={}", self.search_path)];
        config.history = vec![History { created_by: Some("files of the host".into()), ..History::default() }];
        config
    }

    fn archive(&self, out: &mut dyn Write) -> Result<u64> {
        let mut archive = Archive::new(out);
        let mut buffer = vec![0; 1 << 17];
        for entry in &self.entries {
            self.add(&mut archive, entry, &mut buffer)?;
        }
        archive.end()
    }

    fn add(&self, archive: &mut Archive<'_>, entry: &HostEntry, buffer: &mut [u8]) -> Result<()> {
        let path = entry.path.strip_prefix("/").unwrap_or(&entry.path);
        if path.file_name().is_some_and(|name| name.as_bytes().starts_with(b".wh.")) {
            let reason = "has a name that means a deletion in a layer";
            return Err(Error::Entry { entry: path.into(), reason: reason.into() });
        }
        let mode = u16::try_from(entry.mode & 0o7777).unwrap_or(0);
        let head = |kind| Entry::new(path.as_os_str().as_bytes(), kind, mode);
        match &entry.source {
            HostSource::Directory => archive.head(&head(Kind::Directory)),
            HostSource::Link(target) => {
                archive.head(&head(Kind::Symlink { target: target.as_os_str().as_bytes().to_vec() }))
            }
            HostSource::Bytes(bytes) => {
                archive.head(&head(Kind::File { size: bytes.len() as u64 }))?;
                archive.content(bytes)?;
                archive.pad(bytes.len() as u64)
            }
            HostSource::File(state) => {
                archive.head(&head(Kind::File { size: state.size }))?;
                self.copy(archive, &entry.path, state, buffer)?;
                archive.pad(state.size)
            }
        }
    }

    /// The content of a file that is still as it was when the plan was made, and after it was read.
    fn copy(
        &self,
        archive: &mut Archive<'_>,
        path: &Path,
        state: &FileState,
        buffer: &mut [u8],
    ) -> Result<()> {
        let changed =
            || Error::Entry { entry: path.into(), reason: "was changed since it was planned".into() };
        let mut file = self.host.open(path).map_err(failed("open", path))?;
        let same = |file: &File| Ok(FileState::of(&file.metadata().map_err(failed("stat", path))?) == *state);
        if !same(&file)? {
            return Err(changed());
        }
        let mut left = state.size;
        while left > 0 {
            let most = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
            let count = file.read(&mut buffer[..most]).map_err(failed("read", path))?;
            if count == 0 {
                return Err(changed());
            }
            archive.content(&buffer[..count])?;
            left -= count as u64;
        }
        if same(&file)? { Ok(()) } else { Err(changed()) }
    }
}

fn put(
    destination: &dyn Destination,
    descriptor: &Descriptor,
    content: &mut (dyn Read + Send),
) -> Result<()> {
    match destination.has(&descriptor.digest)? {
        true => Ok(()),
        false => destination.put(descriptor, content),
    }
}

/// A file that nobody sees and that is gone when it is closed. In memory, where the file system of temporary files has
/// none without a name.
fn unnamed_file() -> Result<File> {
    let dir = std::env::temp_dir();
    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    let file = match open(&dir, flags, Mode::RUSR | Mode::WUSR) {
        Err(Errno::OPNOTSUPP | Errno::ISDIR) => memfd_create(c"layer", MemfdFlags::CLOEXEC),
        other => other,
    };
    file.map(|file: OwnedFd| file.into()).map_err(Error::file("make an unnamed file in", dir))
}
