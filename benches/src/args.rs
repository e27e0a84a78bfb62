//! The command line of `spawn`.

use crate::case::Case;
use crate::flags::Flags;

const EXAMPLES: &str = "\
Examples (flags come after `--`; files are written relative to the folder `benches`, so give full paths):
  cargo bench -p cofferdam-benches --bench spawn
  cargo bench -p cofferdam-benches --bench spawn -- --quick
  cargo bench -p cofferdam-benches --bench spawn -- --case sandbox,mounts-600 --subject floor,fork,crun
  cargo bench -p cofferdam-benches --bench spawn -- --json $PWD/spawn.jsonl --svg $PWD/spawn.svg";

/// How long it takes to start an isolated process and see it end.
#[derive(Debug, Clone, clap::Parser)]
#[command(name = "spawn", after_help = EXAMPLES)]
pub struct Args {
    /// Those of all benches
    #[command(flatten)]
    pub flags: Flags<Case>,
    /// Measures one case in this process after giving it many mounts; the answer is one line of JSON
    #[arg(long, hide = true)]
    pub inside: bool,
    /// What is left of the time for `--inside`
    #[arg(long, hide = true, value_name = "MS")]
    pub budget_ms: Option<u64>,
}
