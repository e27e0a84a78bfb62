//! The command line of `spawn`.

use crate::case::Case;
use crate::flags::{self, Flags};

const EXAMPLES: &str = "\
Examples (flags come after `--`; files are written relative to the folder `benches`, so give full paths):
  cargo bench -p cofferdam-benches --bench spawn
  cargo bench -p cofferdam-benches --bench spawn -- --quick
  cargo bench -p cofferdam-benches --bench spawn -- --case sandbox,mounts-600 --subject floor,fork,crun
  cargo bench -p cofferdam-benches --bench spawn -- --json $PWD/spawn.jsonl --svg $PWD/spawn.svg";

/// How long it takes to start an isolated process and see it end.
#[derive(Debug, Clone, clap::Parser)]
#[command(name = "spawn", about, after_help = EXAMPLES)]
pub struct Args {
    /// Those of all benches
    #[command(flatten)]
    pub flags: Flags,
    /// Run these cases only (repeat, or separate by commas)
    #[arg(long, value_name = "CASE", value_enum, value_delimiter = ',', ignore_case = true)]
    pub case: Vec<Case>,
    /// Run these subjects only (repeat, or separate by commas); without `floor` there are no ratios to it
    #[arg(long, value_name = "SUBJECT", value_delimiter = ',', value_parser = crate::subjects::NAMES)]
    pub subject: Vec<String>,
    /// Measures one case in this process after giving it many mounts; the answer is one line of JSON
    #[arg(long, hide = true)]
    pub inside: bool,
    /// What is left of the time for `--inside`
    #[arg(long, hide = true, value_name = "MS")]
    pub budget_ms: Option<u64>,
}

impl Args {
    /// The chosen cases, in the usual order.
    pub fn cases(&self) -> Vec<Case> {
        flags::chosen(Case::ALL, &self.case)
    }

    /// Whether a subject was chosen.
    pub fn wants(&self, subject: &str) -> bool {
        flags::wants(&self.subject, subject)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[test]
    fn accepts_what_cargo_adds_and_lists() {
        let args =
            Args::try_parse_from(["spawn", "--case", "bare,mounts-600", "--subject", "floor", "--bench"])
                .unwrap();
        assert_eq!(args.cases(), [Case::Bare, Case::Mounts]);
        assert!(args.wants("floor") && !args.wants("crun"));
    }

    #[test]
    fn refuses_unknown_names_and_no_samples() {
        for bad in [["--case", "nothing"], ["--subject", "docker"], ["--samples", "0"]] {
            assert!(Args::try_parse_from(["spawn"].into_iter().chain(bad)).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn every_case_is_found_by_its_name() {
        for case in Case::ALL {
            let args = Args::try_parse_from(["spawn", "--case", case.name()]).unwrap();
            assert_eq!(args.cases(), [case]);
        }
    }
}
