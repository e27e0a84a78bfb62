//! Which namespaces a configuration has.

use oci_spec::runtime::{Linux, LinuxNamespace, LinuxNamespaceType};

use crate::oci::{Error, Result};

/// The namespaces of a configuration.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spaces<'a>(&'a [LinuxNamespace]);

impl<'a> Spaces<'a> {
    pub(super) fn of(linux: Option<&'a Linux>) -> Self {
        Self(linux.and_then(|linux| linux.namespaces().as_deref()).unwrap_or_default())
    }

    fn find(self, kind: LinuxNamespaceType) -> Option<&'a LinuxNamespace> {
        self.0.iter().find(|namespace| namespace.typ() == kind)
    }

    /// Whether there is one that is not the runtime's.
    pub(super) fn has(self, kind: LinuxNamespaceType) -> bool {
        self.find(kind).is_some()
    }

    /// Whether one is made.
    pub(super) fn is_new(self, kind: LinuxNamespaceType) -> bool {
        self.find(kind).is_some_and(|namespace| namespace.path().is_none())
    }

    /// An error for a value at `path` that would change the runtime's namespace.
    pub(super) fn require(self, kind: LinuxNamespaceType, path: &str) -> Result<()> {
        if self.has(kind) {
            return Ok(());
        }
        let name = super::namespaces::name(kind);
        Err(Error::config(path, format!("the container has no {name} namespace of its own")))
    }
}
