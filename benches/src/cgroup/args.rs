//! The command line of `cgroup_ops`.

use super::case::Case;
use crate::flags::{Flags, Strace};

const EXAMPLES: &str = "\
Examples (flags come after `--`; files are written relative to the folder `benches`, so give full paths):
  cargo bench -p cofferdam-benches --bench cgroup_ops
  cargo bench -p cofferdam-benches --bench cgroup_ops -- --quick --case add-process,statistics
  cargo bench -p cofferdam-benches --bench cgroup_ops -- --syscalls --json $PWD/cgroup_ops.jsonl";

/// How long it takes to make a cgroup, to move a process, to read what was used, and to kill.
#[derive(Debug, Clone, clap::Parser)]
#[command(name = "cgroup_ops", after_help = EXAMPLES)]
pub struct Args {
    /// Those of all benches
    #[command(flatten)]
    pub flags: Flags<Case>,
    /// Those of benches that count system calls
    #[command(flatten)]
    pub strace: Strace,
}
