//! Union mounts: several directories seen as one, as a plan.

mod execute;
mod layer;
mod legacy;
mod options;
mod parameters;
mod support;
mod validate;

use std::ffi::OsString;

use crate::MountFlags;

pub use layer::Layer;
pub use options::{RedirectDir, Uuid, Xino};
pub use parameters::{Method, Parameter, Value};
pub use support::Support;

/// How many lower directories the kernel takes.
pub const MAX_LOWERS: usize = 500;

/// A union mount (`overlay`) as a plain value: which directories are on top of which, and the options.
///
/// **Lower directories are given topmost first**, in the order of the kernel's `lowerdir=`. (The layers of an image
/// are listed the other way round, from the bottom.) A name is looked up in the upper directory, if there is one,
/// then in the lower ones in their order; directories of the same name are merged. Lower directories are never
/// written to. What is written goes to the upper directory. Without one the mount is read-only.
///
/// An option that is not set is not passed, so the kernel's default holds, which is a setting of the host
/// (`/sys/module/overlay/parameters`).
///
/// A *single* lower directory without an upper one is no union, and the kernel refuses it: it becomes a read-only
/// clone of that directory's mount, see [`sole`](Self::sole). It shows what is in the directory, also what would be
/// a deletion in a union; options other than the mount's flags count for nothing.
///
/// A directory may not be used twice, nor lie within another lower directory, the upper or the work directory. The
/// upper directory may lie within a lower one, as the kernel allows it, so that a scratch directory can be had on top of
/// a whole file system; what shows there through the mount is undefined. Lower directories should not change while
/// they are mounted. While it is mounted, an upper and work directory belong to this mount only.
///
/// ```no_run
/// use cofferdam_overlay::{MountFlags, Stack};
///
/// let stack = Stack::new()
///     .lower("/images/app")
///     .lower("/images/base")
///     .upper("/run/box/upper", "/run/box/work")
///     .flags(MountFlags::NODEV);
/// stack.validate()?;
/// let root = stack.mount()?; // detached: nobody else sees it
/// # Ok::<(), cofferdam_overlay::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Stack {
    lowers: Vec<Layer>,
    upper: Option<Upper>,
    index: Option<bool>,
    metacopy: Option<bool>,
    redirect_dir: Option<RedirectDir>,
    xino: Option<Xino>,
    uuid: Option<Uuid>,
    volatile: bool,
    userxattr: bool,
    flags: MountFlags,
    source: Option<OsString>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Upper {
    upper: Layer,
    work: Layer,
}

impl Stack {
    /// A stack without layers.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a lower directory below those that it has.
    #[must_use]
    pub fn lower(mut self, layer: impl Into<Layer>) -> Self {
        self.lowers.push(layer.into());
        self
    }

    /// Adds lower directories, topmost first, below those that it has.
    #[must_use]
    pub fn lowers<L: Into<Layer>>(mut self, layers: impl IntoIterator<Item = L>) -> Self {
        self.lowers.extend(layers.into_iter().map(Into::into));
        self
    }

    /// Replaces the lower directories, topmost first.
    #[must_use]
    pub fn with_lowers<L: Into<Layer>>(self, layers: impl IntoIterator<Item = L>) -> Self {
        Self { lowers: Vec::new(), ..self }.lowers(layers)
    }

    /// The directory that takes what is written, and one for the kernel's work in progress: empty, below the same
    /// mount, and neither within the other.
    #[must_use]
    pub fn upper(mut self, upper: impl Into<Layer>, work: impl Into<Layer>) -> Self {
        self.upper = Some(Upper { upper: upper.into(), work: work.into() });
        self
    }

    /// `index=`: hard links stay one file when they are copied up, and an upper directory cannot be used with other
    /// lower directories.
    #[must_use]
    pub fn index(mut self, on: bool) -> Self {
        self.index = Some(on);
        self
    }

    /// `metacopy=`: a change of owner or mode copies no data up. Not safe with layers that others have made.
    #[must_use]
    pub fn metacopy(mut self, on: bool) -> Self {
        self.metacopy = Some(on);
        self
    }

    /// `redirect_dir=`
    #[must_use]
    pub fn redirect_dir(mut self, value: RedirectDir) -> Self {
        self.redirect_dir = Some(value);
        self
    }

    /// `xino=`
    #[must_use]
    pub fn xino(mut self, value: Xino) -> Self {
        self.xino = Some(value);
        self
    }

    /// `uuid=`
    #[must_use]
    pub fn uuid(mut self, value: Uuid) -> Self {
        self.uuid = Some(value);
        self
    }

    /// `volatile`: nothing is synced to disk (Linux 5.10). The upper directory cannot be mounted again until
    /// `work/incompat/volatile` below the work directory is removed, which says that its files may be incomplete
    /// after a crash.
    #[must_use]
    pub fn volatile(mut self) -> Self {
        self.volatile = true;
        self
    }

    /// `userxattr`: the kernel's notes are extended attributes `user.overlay.*` rather than `trusted.overlay.*`
    /// (Linux 5.11). In a user namespace it is needed for a directory that replaces one of a lower layer, and for
    /// reading such layers; it forbids `metacopy` and `redirect_dir`.
    #[must_use]
    pub fn userxattr(mut self) -> Self {
        self.userxattr = true;
        self
    }

    /// The mount's attributes, besides those that it has.
    #[must_use]
    pub fn flags(mut self, flags: MountFlags) -> Self {
        self.flags |= flags;
        self
    }

    /// What the mount table shows as the source of the mount; `overlay` if not set.
    #[must_use]
    pub fn source(mut self, name: impl Into<OsString>) -> Self {
        self.source = Some(name.into());
        self
    }

    /// The lower directories, topmost first.
    pub fn lower_layers(&self) -> &[Layer] {
        &self.lowers
    }

    /// The upper directory.
    pub fn upper_layer(&self) -> Option<&Layer> {
        self.upper.as_ref().map(|upper| &upper.upper)
    }

    /// The work directory.
    pub fn work_layer(&self) -> Option<&Layer> {
        self.upper.as_ref().map(|upper| &upper.work)
    }

    /// The mount's attributes.
    pub fn mount_flags(&self) -> MountFlags {
        self.flags
    }

    /// The directory that is cloned read-only, if this stack is no union: its one lower directory without an upper
    /// one.
    pub fn sole(&self) -> Option<&Layer> {
        match (self.lowers.as_slice(), &self.upper) {
            ([layer], None) => Some(layer),
            _ => None,
        }
    }
}
