//! The command line of `oci`.

use std::path::PathBuf;

use super::case::Case;
use super::subjects::NAMES;
use crate::flags::Flags;

const EXAMPLES: &str = "\
Examples (flags come after `--`; files are written relative to the folder `benches`, so give full paths):
  cargo build --release --bin cofferdam && cargo bench -p cofferdam-benches --bench oci
  cargo bench -p cofferdam-benches --bench oci -- --quick --case run,exec --subject floor,cofferdam-cli,crun
  cargo bench -p cofferdam-benches --bench oci -- --program /usr/local/bin/cofferdam --json $PWD/oci.jsonl";

/// How long the parts of the life of a container take, and how much memory it needs.
#[derive(Debug, Clone, clap::Parser)]
#[command(name = "oci", about, after_help = EXAMPLES)]
pub struct Args {
    /// Those of all benches
    #[command(flatten)]
    pub flags: Flags,
    /// Run these cases only (repeat, or separate by commas)
    #[arg(long, value_name = "CASE", value_enum, value_delimiter = ',', ignore_case = true)]
    pub case: Vec<Case>,
    /// Run these subjects only (repeat, or separate by commas); without the floors there are no ratios to them
    #[arg(long, value_name = "SUBJECT", value_delimiter = ',', value_parser = NAMES)]
    pub subject: Vec<String>,
    /// The program of `cofferdam-cli`; otherwise the one that cargo built with the profile of this bench
    #[arg(long, value_name = "FILE")]
    pub program: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[test]
    fn every_case_is_found_by_its_name() {
        for case in Case::ALL {
            let args = Args::try_parse_from(["oci", "--bench", "--case", case.name()]).unwrap();
            assert_eq!(args.case, [case]);
        }
    }

    #[test]
    fn subjects_are_those_of_this_bench() {
        assert!(Args::try_parse_from(["oci", "--subject", "floor,cofferdam-cli,youki"]).is_ok());
        assert!(Args::try_parse_from(["oci", "--subject", "bwrap"]).is_err());
    }
}
