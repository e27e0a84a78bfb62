//! Which namespaces the container has of its own.

use cofferdam_namespaces::{IdMap, Setgroups};

use crate::Namespaces;
use crate::prepare::Maps;

/// The users and groups of a user namespace, and whether groups may be changed there.
pub(crate) type JoinedMaps = (IdMap, IdMap, Setgroups);

/// The namespaces of a container, as its other parts have to know them.
#[derive(Debug)]
pub(crate) struct Spaces {
    /// Made for it.
    pub(crate) new: Namespaces,
    /// Joined by a path, other than the caller's.
    pub(crate) joined: Namespaces,
    /// The id maps of a new user namespace.
    pub(crate) maps: Option<Maps>,
    /// Those of a user namespace that is joined, where they can be known.
    pub(crate) known: Option<JoinedMaps>,
    /// Its user namespace is not the caller's: device nodes cannot be made, and not every id is mapped.
    pub(crate) other_user: bool,
}

impl Spaces {
    /// Whether it does not share this kind with the caller.
    pub(crate) fn has_own(&self, kind: Namespaces) -> bool {
        self.new.contains(kind) || self.joined.contains(kind)
    }
}
