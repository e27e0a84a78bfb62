//! The flags that all benches have.

use std::path::PathBuf;

/// What is written, how much is measured.
#[derive(Debug, Clone, clap::Args)]
pub struct Flags {
    /// Write one JSON object per line and result to FILE
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Draw the medians into FILE
    #[arg(long, value_name = "FILE")]
    pub svg: Option<PathBuf>,
    /// End within 30 seconds, with fewer samples
    #[arg(long)]
    pub quick: bool,
    /// Samples of each subject in each case
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub samples: u32,
    /// Given by cargo
    #[arg(long, hide = true)]
    pub bench: bool,
}

/// What was chosen of `all`, in the usual order; everything if nothing was.
pub(crate) fn chosen<T: PartialEq>(all: impl IntoIterator<Item = T>, asked: &[T]) -> Vec<T> {
    all.into_iter().filter(|one| asked.is_empty() || asked.contains(one)).collect()
}

/// Whether a subject was chosen.
pub(crate) fn wants(asked: &[String], subject: &str) -> bool {
    asked.is_empty() || asked.iter().any(|name| name == subject)
}
