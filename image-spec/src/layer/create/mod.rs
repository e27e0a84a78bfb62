//! A directory to an archive: the same bytes each time, whatever the order of the directory, threads and host.

pub(crate) mod archive;
mod encoder;
pub(crate) mod header;
mod options;
pub(crate) mod pipeline;
mod tree;
mod walk;
mod xattrs;

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io::Write;
use std::num::NonZeroUsize;
use std::os::fd::BorrowedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

pub use options::{LayerCompression, LayerIds, LayerTimes};

pub(crate) use archive::Archive;
pub(crate) use header::{Entry, Kind};
pub(crate) use pipeline::pack;

use crate::{Descriptor, Digest, Result};

/// How a layer is made of a directory.
///
/// Entries come in the order of their names' bytes, a directory before what is in it. Names of owners are never written,
/// a name for the owner means another one on each host. Of extended attributes `user.*`, `trusted.*` and file
/// capabilities are, and access control lists if owners are kept. Sparse files are written with their holes, sockets are left out.
///
/// ```
/// use std::os::fd::AsFd;
///
/// use cofferdam_image_spec::{CreateLayer, LayerIds, LayerTimes};
///
/// let tree = tempfile::tempdir()?;
/// std::fs::write(tree.path().join("hello"), "hello\n")?;
/// let dir = std::fs::File::open(tree.path())?;
///
/// let mut blob = Vec::new();
/// let layer = CreateLayer::tree().ids(LayerIds::Squash).times(LayerTimes::Fixed(0));
/// let created = layer.create(dir.as_fd(), &mut blob)?;
/// assert_eq!(created.descriptor.size, blob.len() as u64);
/// assert_eq!(created.entries, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateLayer {
    form: Form,
    compression: LayerCompression,
    times: LayerTimes,
    ids: LayerIds,
    excluded: BTreeSet<PathBuf>,
    root: bool,
    threads: Option<NonZeroUsize>,
}

/// What the directory is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Tree,
    Upper,
}

/// A layer that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Created {
    /// The layer's blob: what was written.
    pub descriptor: Descriptor,
    /// The digest of the archive before it was compressed, for the image's config.
    pub diff_id: Digest,
    /// How many entries it has.
    pub entries: u64,
    /// The length of the archive before it was compressed.
    pub bytes: u64,
    /// How many sockets were left out: no archive can hold them.
    pub sockets: u64,
}

impl CreateLayer {
    /// All of a directory tree. Marks of overlay in it are an error: then it is an upper directory.
    pub fn tree() -> Self {
        Self {
            form: Form::Tree,
            compression: LayerCompression::default(),
            times: LayerTimes::default(),
            ids: LayerIds::default(),
            excluded: BTreeSet::new(),
            root: false,
            threads: None,
        }
    }

    /// The changes in an upper directory of overlay: whiteouts (devices 0:0, and files that are marked, which Linux 6.7
    /// has) become entries `.wh.NAME`, opaque directories get `.wh..wh..opq`, and attributes of overlay are left out.
    ///
    /// Files and directories whose content is elsewhere are an error: overlay makes them only with `metacopy=on` and
    /// `redirect_dir=on`.
    pub fn upper() -> Self {
        Self { form: Form::Upper, ..Self::tree() }
    }

    /// How the archive is compressed; gzip unless this says otherwise.
    #[must_use]
    pub fn compression(mut self, compression: LayerCompression) -> Self {
        self.compression = compression;
        self
    }

    /// Which times the entries have; their own unless this says otherwise.
    #[must_use]
    pub fn times(mut self, times: LayerTimes) -> Self {
        self.times = times;
        self
    }

    /// Which owners the entries have; their own unless this says otherwise.
    #[must_use]
    pub fn ids(mut self, ids: LayerIds) -> Self {
        self.ids = ids;
        self
    }

    /// Leaves out a path, and all below it. It is taken from the directory, with or without a leading slash.
    #[must_use]
    pub fn exclude(mut self, path: impl AsRef<Path>) -> Self {
        let normal = path.as_ref().components().filter(|part| matches!(part, Component::Normal(_)));
        self.excluded.insert(normal.collect());
        self
    }

    /// Whether the directory itself has an entry, `./`, which gives the container's `/` its mode, owner and times.
    /// Not unless this says so: a directory made for a while is often closed to others.
    #[must_use]
    pub fn root(mut self, root: bool) -> Self {
        self.root = root;
        self
    }

    /// How many threads compress, beside one that reads and one that writes; as many as there are processors, up to 8,
    /// unless this says otherwise. What is written does not depend on it. Each takes about 6 MiB.
    #[must_use]
    pub fn threads(mut self, threads: NonZeroUsize) -> Self {
        self.threads = Some(threads);
        self
    }

    /// Makes the layer and writes its blob to `sink`, which is flushed but not synced to disk.
    ///
    /// The directory should not change meanwhile: a file that does is an error.
    ///
    /// # Privileges
    /// Those to read the files. Without `CAP_SYS_ADMIN` in the initial user namespace the kernel does not show
    /// `trusted.*` attributes, so an upper directory of a mount without `userxattr` lacks its opaque marks.
    ///
    /// # Errors
    /// [`Error::EntryCall`](crate::Error::EntryCall) and [`Error::Entry`](crate::Error::Entry) name the file that could
    /// not be read, or not be put in a layer; [`Error::Stream`](crate::Error::Stream) if `sink` fails or no thread can
    /// be started; [`Error::Unsupported`](crate::Error::Unsupported) for a level that the encoder does not have. What
    /// was written by then is of no use.
    pub fn create(&self, dir: BorrowedFd<'_>, sink: impl Write + Send) -> Result<Created> {
        self.ids.check()?;
        let write = |out: &mut dyn Write| tree::Tree::new(self, archive::Archive::new(out)).write(dir);
        let threads = self.threads.unwrap_or_else(default_threads);
        let ((entries, sockets), sums) = pipeline::pack(sink, self.compression, threads, write)?;
        let descriptor = Descriptor::new(self.compression.media_type(), sums.packed, sums.packed_bytes);
        Ok(Created { descriptor, diff_id: sums.plain, entries, bytes: sums.plain_bytes, sockets })
    }

    fn excluded(&self, path: &[u8]) -> bool {
        self.excluded.contains(Path::new(OsStr::from_bytes(path)))
    }
}

fn default_threads() -> NonZeroUsize {
    const MOST: NonZeroUsize = NonZeroUsize::new(8).unwrap();
    std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN).min(MOST)
}
