//! The cases: what an image is like.

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
    /// All, in the order in which they are run.
    pub const ALL: [Case; 3] = [Case::OneLayer, Case::TwentyLayers, Case::BigLayer];

    /// Its name in the command line and in every output.
    pub fn name(self) -> &'static str {
        match self {
            Case::OneLayer => "one-layer",
            Case::TwentyLayers => "twenty-layers",
            Case::BigLayer => "big-layer",
        }
    }

    /// Its share of a run that must end in time, in parts.
    pub(crate) fn weight(self) -> u32 {
        match self {
            Case::OneLayer | Case::TwentyLayers => 3,
            Case::BigLayer => 1,
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
