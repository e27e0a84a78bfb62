//! What a layer says only together with the layers below it.

mod copy;
mod restore;
mod settle;
mod view;

use std::collections::BTreeMap;
use std::os::fd::BorrowedFd;

use serde::{Deserialize, Serialize};

use super::notes::LowerLink;
use super::plan::OverlayXattrs;
use crate::Result;

/// What a layer, unpacked alone for an overlay, says only together with the layers below it:
///
/// * directories without an entry of their own, which keep owner, mode, times and attributes from below;
/// * hard links to files of lower layers;
/// * that its root hides all below, which an overlay has no mark for.
///
/// [`settle`](Self::settle) makes it so. Until then the layer must not be used above others. Paths are bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    /// From the root down.
    pub(super) implicit: Vec<Vec<u8>>,
    /// Directories that had no entry when something was put into them, and got one later, or were deleted.
    pub(super) late: Vec<Vec<u8>>,
    pub(super) links: Vec<LowerLink>,
    pub(super) opaque_root: bool,
    pub(super) marks: Marks,
}

/// As [`OverlayXattrs`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Marks {
    #[default]
    Trusted,
    User,
}

impl Marks {
    pub(super) fn opaque(self) -> &'static str {
        match self {
            Self::Trusted => "trusted.overlay.opaque",
            Self::User => "user.overlay.opaque",
        }
    }
}

impl From<OverlayXattrs> for Marks {
    fn from(xattrs: OverlayXattrs) -> Self {
        match xattrs {
            OverlayXattrs::Trusted => Self::Trusted,
            OverlayXattrs::User => Self::User,
        }
    }
}

/// What became of [`Pending::settle`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Settled {
    /// The layer is complete.
    Complete,
    /// Some directories without an entry of their own are symbolic links below, so what lies in them belongs
    /// elsewhere. Nothing was changed: the layer has to be unpacked again with [`Unpack::redirect`](super::Unpack::redirect)
    /// into an empty directory, and settled again. That ends after as many rounds as links lead to each other.
    Redirect(Redirects),
}

/// Directories of an archive that lie elsewhere.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Redirects(pub(super) BTreeMap<Vec<u8>, Vec<u8>>);

impl Redirects {
    /// Adds others.
    pub fn extend(&mut self, others: Self) {
        self.0.extend(others.0);
    }
}

impl Pending {
    /// Whether the layer is complete as it is.
    pub fn is_empty(&self) -> bool {
        self.implicit.is_empty() && self.late.is_empty() && self.links.is_empty() && !self.opaque_root
    }

    /// Completes a layer above `lowers`, the topmost first, which are complete and stay as they are.
    ///
    /// # Errors
    /// If a hard link leads to nothing, or something cannot be read below or made in the layer, which is to be removed
    /// then.
    ///
    /// # Privileges
    /// Those with which the layers were unpacked.
    pub fn settle(&self, layer: BorrowedFd<'_>, lowers: &[BorrowedFd<'_>]) -> Result<Settled> {
        settle::settle(self, layer, lowers)
    }
}
