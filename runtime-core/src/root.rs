//! What a program sees as its root.

use std::path::{Path, PathBuf};

use cofferdam_overlay::Stack;

use crate::held::Held;

/// What the program sees as `/`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Root {
    /// The host's files, read-only, without set-user-id bits and device nodes.
    #[default]
    Host,
    /// A directory of the host, with what is mounted below it. The program can write there as far as its ids may.
    ///
    /// Missing mount points are made in it. They stay if the program could be started; if not, they are removed
    /// again, so do not start from one directory by several processes at once before it has them.
    Directory(PathBuf),
    /// The same, read-only. All mount points must exist.
    ReadOnlyDirectory(PathBuf),
    /// Several directories, one over the other.
    Stack(StackRoot),
}

impl Root {
    /// A writable directory.
    pub fn directory(path: impl AsRef<Path>) -> Self {
        Self::Directory(path.as_ref().to_owned())
    }

    /// A union of directories. What the program changes goes to the stack's upper directory; without one it can
    /// change everything, and all of it is [discarded](Changes::Discard) in the end.
    ///
    /// ```no_run
    /// use cofferdam::{Command, Root, overlay::Stack};
    ///
    /// let stack = Stack::new().lower("/srv/tools").lower("/srv/base");
    /// let status = Command::new("/bin/sh").args(["-c", "rm -r /etc"]).root(Root::stack(stack)).status()?;
    /// assert!(status.success()); // and /srv is as it was
    /// # Ok::<(), cofferdam::Error>(())
    /// ```
    pub fn stack(stack: Stack) -> Self {
        let changes =
            if stack.upper_layer().is_some() { Changes::Keep } else { Changes::Discard { size: None } };
        Self::Stack(StackRoot { stack, changes, held: Held::default() })
    }

    /// Makes a directory or stack read-only, or writable. The host's root is always read-only.
    #[must_use]
    pub fn read_only(self, yes: bool) -> Self {
        match self {
            Self::Host => Self::Host,
            Self::Directory(path) | Self::ReadOnlyDirectory(path) if yes => Self::ReadOnlyDirectory(path),
            Self::Directory(path) | Self::ReadOnlyDirectory(path) => Self::Directory(path),
            Self::Stack(root) => Self::Stack(root.read_only(yes)),
        }
    }

    /// Its path on the host, if it has one.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Host => Some(Path::new("/")),
            Self::Directory(path) | Self::ReadOnlyDirectory(path) => Some(path),
            Self::Stack(_) => None,
        }
    }

    /// Whether mount points are made in a directory of the host.
    pub(crate) fn is_writable_directory(&self) -> bool {
        matches!(self, Self::Directory(_))
    }

    /// What must stay on disk while the program runs.
    pub(crate) fn held(&self) -> Held {
        match self {
            Self::Stack(root) => root.held.clone(),
            Self::Host | Self::Directory(_) | Self::ReadOnlyDirectory(_) => Held::default(),
        }
    }
}

/// A root of several directories, and what becomes of changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StackRoot {
    pub(crate) stack: Stack,
    pub(crate) changes: Changes,
    pub(crate) held: Held,
}

/// What becomes of what a program changes in a [stack](Root::stack).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Changes {
    /// They are kept in memory and gone with the last process that can see them, however it and its caller end. They
    /// count towards the memory limit of who writes.
    ///
    /// Before Linux 6.6 a file system in memory has no extended attributes for ordinary users; there a directory of a
    /// lower layer cannot be removed and made again by a program in a user namespace.
    Discard {
        /// The most that they may take, in bytes; half of the memory otherwise.
        size: Option<u64>,
    },
    /// There are none: everything but the usual mounts is read-only.
    Refuse,
    /// They stay in the stack's upper directory, which only one program at a time may use.
    Keep,
}

impl StackRoot {
    /// The directories.
    pub fn stack(&self) -> &Stack {
        &self.stack
    }

    /// What becomes of changes.
    pub fn changes(&self) -> Changes {
        self.changes
    }

    /// Sets what becomes of changes.
    #[must_use]
    pub fn with_changes(self, changes: Changes) -> Self {
        Self { changes, ..self }
    }

    fn read_only(self, yes: bool) -> Self {
        let writable = match self.stack.upper_layer() {
            Some(_) => Changes::Keep,
            None => Changes::Discard { size: None },
        };
        let changes = match (yes, self.changes) {
            (true, _) => Changes::Refuse,
            (false, Changes::Refuse) => writable,
            (false, changes) => changes,
        };
        Self { changes, ..self }
    }
}

impl From<StackRoot> for Root {
    fn from(root: StackRoot) -> Self {
        Self::Stack(root)
    }
}
