//! How to unpack, and what came of it.

use std::io::Read;
use std::os::fd::BorrowedFd;

use super::pending::{Pending, Redirects};
use super::{extract, remove, stream};
use crate::layer::{Ids, Limits};
use crate::{Descriptor, Digest, Result};

/// The form in which deletions are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A directory for this layer alone, to be a lower directory of an overlay: what it deletes becomes the overlay's
    /// own whiteouts and opaque directories.
    Overlay(OverlayXattrs),
    /// On top of what the layers below left in the same directory: what it deletes is deleted there.
    Plain,
}

/// Which extended attributes mark what is opaque.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OverlayXattrs {
    /// `trusted.overlay.*`, which needs `CAP_SYS_ADMIN` in the initial user namespace.
    Trusted,
    /// `user.overlay.*`, for overlays mounted with `userxattr`.
    User,
}

/// What becomes of device nodes in an archive. The device 0:0 is always refused: it would be a whiteout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Devices {
    /// They are made. Needs `CAP_MKNOD` in the initial user namespace.
    Make,
    /// They are left out and counted.
    Skip,
    /// Empty files take their places, and are counted as skipped.
    EmptyFile,
    /// They are errors.
    Refuse,
}

/// What becomes of `security.capability`: programs that run with more than their caller has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileCapabilities {
    /// Kept, or an error.
    Must,
    /// Kept where caller and file system allow it, else counted.
    IfAllowed,
    /// Left out and counted.
    Drop,
}

/// How to unpack layers.
///
/// ```
/// use cofferdam_image_spec::{Devices, Form, Limits, Unpack};
///
/// let unpack = Unpack::new(Form::Plain)
///     .devices(Devices::Refuse)
///     .limits(Limits { entries: 100_000, ..Limits::default() });
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unpack {
    pub(super) form: Form,
    pub(super) ids: Ids,
    pub(super) devices: Devices,
    pub(super) limits: Limits,
    pub(super) capabilities: FileCapabilities,
    pub(super) accept_mislabelled: bool,
    pub(super) redirects: Redirects,
}

/// A layer that was unpacked.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unpacked {
    /// The digest of the archive after decompression.
    pub diff_id: Digest,
    /// How many entries the archive has, deletions included.
    pub entries: u64,
    /// Bytes of the files, without holes.
    pub bytes: u64,
    /// Whether the archive ends as archives should, with two blocks of zeros. Without them it was taken nonetheless.
    pub end_marker: bool,
    /// What could not be had here.
    pub skipped: Skipped,
    /// What is complete only above the layers below; empty for [`Form::Plain`].
    pub pending: Pending,
}

/// What was left out, by policy or as caller or file system do not allow it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Skipped {
    /// Device nodes.
    pub devices: u64,
    /// Capabilities of programs.
    pub capabilities: u64,
    /// Access control lists.
    pub access_lists: u64,
    /// Labels that mean something only where they were made: `security.selinux`, `security.ima`, `security.evm`.
    pub labels: u64,
    /// Other extended attributes.
    pub xattrs: u64,
}

impl Unpack {
    /// Owners as [`Ids::for_caller`] says, no devices, the default limits, capabilities of programs where possible.
    pub fn new(form: Form) -> Self {
        Self {
            form,
            ids: Ids::for_caller(),
            devices: Devices::Skip,
            limits: Limits::default(),
            capabilities: FileCapabilities::IfAllowed,
            accept_mislabelled: false,
            redirects: Redirects::default(),
        }
    }

    /// Whose the files become.
    #[must_use]
    pub fn ids(mut self, ids: Ids) -> Self {
        self.ids = ids;
        self
    }

    /// What becomes of device nodes.
    #[must_use]
    pub fn devices(mut self, devices: Devices) -> Self {
        self.devices = devices;
        self
    }

    /// What a layer may cost.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// What becomes of capabilities of programs.
    #[must_use]
    pub fn file_capabilities(mut self, capabilities: FileCapabilities) -> Self {
        self.capabilities = capabilities;
        self
    }

    /// Takes layers that are compressed otherwise than their media type says. Their digests are verified as ever.
    #[must_use]
    pub fn accept_mislabelled(mut self, accept: bool) -> Self {
        self.accept_mislabelled = accept;
        self
    }

    /// Puts what lies in some directories elsewhere, as [`Settled::Redirect`](super::Settled::Redirect) asks for. Adds to
    /// what was given before.
    #[must_use]
    pub fn redirect(mut self, redirects: Redirects) -> Self {
        self.redirects.extend(redirects);
        self
    }

    /// One layer into `root`: an empty directory for [`Form::Overlay`], the tree that the layers below left for
    /// [`Form::Plain`]. The blob is read once; `progress` is called with how many more bytes of it came, from another
    /// thread.
    ///
    /// Digest and size of the blob are verified, and the archive's digest if `diff_id` is given.
    ///
    /// # Errors
    /// If anything does not hold, or cannot be made. The directory is empty again then if it was empty before;
    /// otherwise it holds a part of the layer and should be removed.
    ///
    /// # Privileges
    /// None; with capabilities more of a layer can be had, see [`Ids`] and [`Devices`].
    pub fn layer(
        &self,
        blob: impl Read + Send,
        descriptor: &Descriptor,
        diff_id: Option<&Digest>,
        root: BorrowedFd<'_>,
        progress: &(dyn Fn(u64) + Sync),
    ) -> Result<Unpacked> {
        let named = |error: crate::Error| error.in_layer(&descriptor.digest);
        let fresh = extract::is_fresh(self, root).map_err(named)?;
        let work = stream::Work { unpack: self, descriptor, diff_id, progress };
        let outcome = work.run(blob, |chunks| extract::layer(self, root, fresh, chunks));
        if outcome.is_err() && fresh {
            remove::discard(root);
        }
        outcome.map_err(named)
    }
}
