//! Images copied from one place to another.

mod blobs;
mod plan;

use crate::{Descriptor, Destination, Digest, Platform, Result, Source, resolve_image, select};

/// What is told while an image is copied. All of it may come from several threads.
pub trait Progress: Sync {
    /// The content of a descriptor begins to be copied.
    fn started(&self, descriptor: &Descriptor);

    /// So many bytes more of it were.
    fn advanced(&self, digest: &Digest, bytes: u64);

    /// It was copied as a whole; or it was there already, and is not said to start.
    fn finished(&self, descriptor: &Descriptor);
}

/// How an image is copied.
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct CopyOptions<'p> {
    /// Of an image for several platforms, the one for this. All of them if it is not said.
    pub platform: Option<Platform>,
    /// Who is told what happens.
    pub progress: Option<&'p dyn Progress>,
}

impl<'p> CopyOptions<'p> {
    /// All platforms, and nobody is told.
    pub fn new() -> Self {
        Self::default()
    }

    /// Only the image for this platform.
    pub fn platform(mut self, platform: Platform) -> Self {
        self.platform = Some(platform);
        self
    }

    /// Tells what happens.
    pub fn progress(mut self, progress: &'p dyn Progress) -> Self {
        self.progress = Some(progress);
        self
    }
}

impl std::fmt::Debug for CopyOptions<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { platform, progress } = self;
        f.debug_struct("CopyOptions")
            .field("platform", platform)
            .field("progress", &progress.is_some())
            .finish()
    }
}

/// What was copied.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Copied {
    /// The manifest or index that got the name.
    pub descriptor: Descriptor,
    /// How many blobs and documents were copied.
    pub blobs: u64,
    /// How many bytes they have together.
    pub bytes: u64,
    /// How many were there already.
    pub present: u64,
}

/// Copies an image: what `selector` selects in the source, as by [`select`], gets `name` in the destination.
///
/// Documents are copied as they are, byte by byte, so digests stay. Blobs that the destination has are not read.
/// Several are copied at the same time. Everything is verified before the name is given; after an error, blobs that
/// were complete may be in the destination, but no name.
///
/// Archives are complete after [`Destination::finish`] only, which is for the caller to do, after all images that are
/// to be in it.
///
/// ```no_run
/// use cofferdam_image_spec::{CopyOptions, Destination, DockerArchive, Layout, OciArchiveWriter, copy};
///
/// let saved = DockerArchive::open("busybox.tar")?;
/// copy(&saved, None, &Layout::create("images")?, Some("busybox"), &CopyOptions::new())?;
///
/// let archive = OciArchiveWriter::create("both.tar")?;
/// copy(&saved, Some("busybox:latest"), &archive, Some("busybox"), &CopyOptions::new())?;
/// copy(&Layout::open("images")?, Some("other"), &archive, Some("other"), &CopyOptions::new())?;
/// archive.finish()?;
/// # Ok::<(), cofferdam_image_spec::Error>(())
/// ```
///
/// # Errors
/// If there is no such image, or none for the platform; if a document breaks its format's rules; if content is not what
/// its descriptor says; if indexes are nested more than 8 deep, an image refers to more than 10,000 things, or its
/// documents have more than 64 MiB together; if the source cannot be read or the destination not be written.
pub fn copy(
    source: &dyn Source,
    selector: Option<&str>,
    destination: &dyn Destination,
    name: Option<&str>,
    options: &CopyOptions<'_>,
) -> Result<Copied> {
    let offer = select(source, selector)?;
    let descriptor = match &options.platform {
        Some(platform) => resolve_image(source, &offer.descriptor, platform)?.manifest.descriptor(),
        None => Descriptor { annotations: std::collections::BTreeMap::new(), ..offer.descriptor },
    };
    let plan = plan::Plan::new(source, &descriptor)?;
    let counts = blobs::Counts::default();
    blobs::copy(source, destination, &plan.blobs, options.progress, &counts)?;
    for (document, content) in &plan.documents {
        blobs::put(destination, document, options.progress, &counts, || Ok(Box::new(&content[..])))?;
    }
    destination.publish(name, &descriptor)?;
    Ok(counts.copied(descriptor))
}
