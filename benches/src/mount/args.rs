//! The command line of `mount`.

use super::case::Case;
use crate::flags::{Flags, Strace};

const EXAMPLES: &str = "\
Examples (flags come after `--`; files are written relative to the folder `benches`, so give full paths):
  cargo bench -p cofferdam-benches --bench mount
  cargo bench -p cofferdam-benches --bench mount -- --quick --case layers-100
  cargo bench -p cofferdam-benches --bench mount -- --syscalls --json $PWD/mount.jsonl";

/// How long it takes to mount the layers of an image, and to unmount them.
#[derive(Debug, Clone, clap::Parser)]
#[command(name = "mount", after_help = EXAMPLES)]
pub struct Args {
    /// Those of all benches
    #[command(flatten)]
    pub flags: Flags<Case>,
    /// Those of benches that count system calls
    #[command(flatten)]
    pub strace: Strace,
}
