//! Who the program is: ids, groups and the five capability sets (`credentials(7)`, `capabilities(7)`).

use super::CapabilitySet;

/// The five capability sets of a process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// The limit of what an exec can ever give.
    pub bounding: CapabilitySet,
    /// What may be made effective.
    pub permitted: CapabilitySet,
    /// What is in force.
    pub effective: CapabilitySet,
    /// What files may hand on.
    pub inheritable: CapabilitySet,
    /// What survives an exec by a user other than root; must be permitted and inheritable.
    pub ambient: CapabilitySet,
}

impl Capabilities {
    /// No capability, now or ever.
    pub const NONE: Self = Self {
        bounding: CapabilitySet::empty(),
        permitted: CapabilitySet::empty(),
        effective: CapabilitySet::empty(),
        inheritable: CapabilitySet::empty(),
        ambient: CapabilitySet::empty(),
    };

    /// Exactly `set` for a program that runs as root: bounding, permitted and effective.
    pub const fn for_root(set: CapabilitySet) -> Self {
        Self { bounding: set, permitted: set, effective: set, ..Self::NONE }
    }
}

/// Ids and capabilities, changed together because their order matters: bounding set, groups, group id, user id,
/// then the other sets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Credentials {
    /// Supplementary groups; `None` leaves them (a user namespace may deny changing them).
    pub groups: Option<Vec<u32>>,
    /// Real, effective and saved group id, as numbered in the namespace.
    pub gid: Option<u32>,
    /// Real, effective and saved user id, as numbered in the namespace.
    pub uid: Option<u32>,
    /// The capability sets; `None` leaves them to the kernel's rules for a change of user id.
    pub capabilities: Option<Capabilities>,
}
