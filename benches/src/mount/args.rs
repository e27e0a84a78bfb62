//! The command line of `mount`.

use super::case::Case;
use super::subjects::NAMES;
use crate::flags::Flags;

const EXAMPLES: &str = "\
Examples (flags come after `--`; files are written relative to the folder `benches`, so give full paths):
  cargo bench -p cofferdam-benches --bench mount
  cargo bench -p cofferdam-benches --bench mount -- --quick --case layers-100
  cargo bench -p cofferdam-benches --bench mount -- --syscalls --json $PWD/mount.jsonl";

/// How long it takes to mount the layers of an image, and to unmount them.
#[derive(Debug, Clone, clap::Parser)]
#[command(name = "mount", about, after_help = EXAMPLES)]
pub struct Args {
    /// Those of all benches
    #[command(flatten)]
    pub flags: Flags,
    /// Run these cases only (repeat, or separate by commas)
    #[arg(long, value_name = "CASE", value_enum, value_delimiter = ',', ignore_case = true)]
    pub case: Vec<Case>,
    /// Run these subjects only (repeat, or separate by commas); without `floor` there are no ratios to it
    #[arg(long, value_name = "SUBJECT", value_delimiter = ',', value_parser = NAMES)]
    pub subject: Vec<String>,
    /// Count the system calls too, by strace
    #[arg(long)]
    pub syscalls: bool,
    /// Runs one subject in one case so many times, with marks for strace around each
    #[arg(long, hide = true, value_name = "N")]
    pub traced: Option<u32>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[test]
    fn every_case_is_found_by_its_name() {
        for case in Case::ALL {
            let args = Args::try_parse_from(["mount", "--bench", "--case", case.name()]).unwrap();
            assert_eq!(args.case, [case]);
        }
    }
}
