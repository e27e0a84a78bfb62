//! The cases: how many layers there are.

use super::subjects::NAMES;
use crate::flags::Cases;

/// One case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Case {
    /// One lower directory below the upper one.
    #[value(name = "layers-1")]
    One,
    /// Ten.
    #[value(name = "layers-10")]
    Ten,
    /// A hundred.
    #[value(name = "layers-100")]
    Hundred,
}

impl Case {
    /// Its name in the command line and in every output.
    pub fn name(self) -> &'static str {
        match self {
            Case::One => "layers-1",
            Case::Ten => "layers-10",
            Case::Hundred => "layers-100",
        }
    }

    /// How many lower directories are below the upper one.
    pub fn layers(self) -> usize {
        match self {
            Case::One => 1,
            Case::Ten => 10,
            Case::Hundred => 100,
        }
    }
}

impl Cases for Case {
    const SUBJECTS: &'static [&'static str] = &NAMES;
}
