//! What an argument must be.

/// What one argument of a call must be.
///
/// A filter sees registers. Where the kernel takes an `int`, the high half of a 64-bit register does not count for the
/// kernel, but does for a comparison: forbid by [`Comparison::MaskedEq`] with a mask of 32 bits, or allow by
/// [`Comparison::Eq`]. [`Comparison::Ne`] allows what it seems to forbid to a program that sets a high bit. On 32-bit
/// architectures only the low half is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Condition {
    /// Which argument, from 0 to 5.
    pub argument: u8,
    /// What it must be.
    pub comparison: Comparison,
}

/// A comparison of an argument, as an unsigned number (`SCMP_CMP_*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Comparison {
    /// Not this.
    Ne(u64),
    /// Below this.
    Lt(u64),
    /// This or below.
    Le(u64),
    /// This.
    Eq(u64),
    /// This or above.
    Ge(u64),
    /// Above this.
    Gt(u64),
    /// This value in the bits of the mask. A value with bits outside the mask never matches.
    MaskedEq {
        /// The bits that count.
        mask: u64,
        /// What they must be.
        value: u64,
    },
}

impl Condition {
    pub(crate) const LAST_ARGUMENT: u8 = 5;

    /// A condition on an argument, from 0 to 5.
    pub const fn new(argument: u8, comparison: Comparison) -> Self {
        Self { argument, comparison }
    }
}
