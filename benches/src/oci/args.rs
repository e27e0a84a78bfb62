//! The command line of `oci`.

use std::path::PathBuf;

use super::case::Case;
use crate::flags::Flags;

const EXAMPLES: &str = "\
Examples (flags come after `--`; files are written relative to the folder `benches`, so give full paths):
  cargo build --release --bin cofferdam && cargo bench -p cofferdam-benches --bench oci
  cargo bench -p cofferdam-benches --bench oci -- --quick --case run,exec --subject floor,cofferdam-cli,crun
  cargo bench -p cofferdam-benches --bench oci -- --program /usr/local/bin/cofferdam --json $PWD/oci.jsonl";

/// How long the parts of the life of a container take, and how much memory it needs.
#[derive(Debug, Clone, clap::Parser)]
#[command(name = "oci", after_help = EXAMPLES)]
pub struct Args {
    /// Those of all benches
    #[command(flatten)]
    pub flags: Flags<Case>,
    /// The program of `cofferdam-cli`; otherwise the one that cargo built with the profile of this bench
    #[arg(long, value_name = "FILE")]
    pub program: Option<PathBuf>,
}
