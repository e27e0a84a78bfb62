//! The cases: what an image is like.

use super::subjects::NAMES;
use crate::flags::Cases;

/// One case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Case {
    /// All files in one layer.
    OneLayer,
    /// The same files in twenty layers of about the same size.
    TwentyLayers,
    /// One layer with one large file of zeros: what matters is the memory.
    BigLayer,
}

impl Case {
    /// Its name in the command line and in every output.
    pub fn name(self) -> &'static str {
        match self {
            Case::OneLayer => "one-layer",
            Case::TwentyLayers => "twenty-layers",
            Case::BigLayer => "big-layer",
        }
    }

    /// How many samples are taken where `asked` were asked for: each takes seconds.
    pub(crate) fn samples(self, asked: u32) -> u32 {
        match self {
            Case::OneLayer | Case::TwentyLayers => asked.div_ceil(10),
            Case::BigLayer => asked.div_ceil(40),
        }
    }

    /// How many layers there are.
    pub(crate) fn layers(self) -> u64 {
        if self == Case::TwentyLayers { 20 } else { 1 }
    }

    /// Whether a subject takes part.
    pub(crate) fn has(self, subject: &str) -> bool {
        self != Case::BigLayer || subject == "cofferdam"
    }
}

impl Cases for Case {
    const SUBJECTS: &'static [&'static str] = &NAMES;

    fn weight(self) -> u32 {
        match self {
            Case::OneLayer | Case::TwentyLayers => 3,
            Case::BigLayer => 1,
        }
    }
}
