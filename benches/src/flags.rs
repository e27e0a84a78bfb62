//! The flags that all benches have.

use std::path::PathBuf;

use clap::ValueEnum;
use clap::builder::PossibleValuesParser;

use crate::Error;

/// The cases of a bench, in the order in which they are run.
pub trait Cases: ValueEnum + Copy + PartialEq + Send + Sync + 'static {
    /// The names of all subjects, in the order of the outputs.
    const SUBJECTS: &'static [&'static str];

    /// The share of this case in a run that must end in time, in parts.
    fn weight(self) -> u32 {
        1
    }
}

/// What is measured, how much, and where the results go.
#[derive(Debug, Clone, clap::Args)]
pub struct Flags<C: Cases> {
    /// Run these cases only (repeat, or separate by commas)
    #[arg(long, value_name = "CASE", value_enum, value_delimiter = ',', ignore_case = true)]
    pub case: Vec<C>,
    /// Run these subjects only (repeat, or separate by commas); without the floor there are no ratios to it
    #[arg(long, value_name = "SUBJECT", value_delimiter = ',', value_parser = PossibleValuesParser::new(C::SUBJECTS))]
    pub subject: Vec<String>,
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

impl<C: Cases> Flags<C> {
    /// The chosen cases, in the usual order; all if none was chosen.
    pub fn cases(&self) -> Vec<C> {
        let wanted = |case: &&C| self.case.is_empty() || self.case.contains(case);
        C::value_variants().iter().filter(wanted).copied().collect()
    }

    /// Whether a subject was chosen: all are if none was.
    pub fn wants(&self, subject: &str) -> bool {
        self.subject.is_empty() || self.subject.iter().any(|name| name == subject)
    }

    /// The chosen subjects, in the usual order.
    pub fn subjects(&self) -> impl Iterator<Item = &'static str> + '_ {
        C::SUBJECTS.iter().copied().filter(|name| self.wants(name))
    }

    /// The one case of a process that the bench started for it.
    pub(crate) fn one_case(&self) -> Result<C, Error> {
        self.case.first().copied().ok_or_else(|| Error::Inner("no case".to_owned()))
    }

    /// The one subject of such a process.
    pub(crate) fn one_subject(&self) -> Result<&str, Error> {
        self.subject.first().map(String::as_str).ok_or_else(|| Error::Inner("no subject".to_owned()))
    }
}

/// The flags of benches whose system calls can be counted.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct Strace {
    /// Count the system calls too, by strace
    #[arg(long)]
    pub syscalls: bool,
    /// Runs one subject in one case so many times, with marks for strace around each
    #[arg(long, hide = true, value_name = "N")]
    pub traced: Option<u32>,
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    /// A bench that has nothing but these flags.
    #[derive(Debug, Parser)]
    struct Bench<C: Cases> {
        #[command(flatten)]
        flags: Flags<C>,
    }

    fn parse<C: Cases>(words: &[&str]) -> Result<Flags<C>, clap::Error> {
        let words = ["bench", "--bench"].iter().chain(words);
        Bench::try_parse_from(words).map(|bench: Bench<C>| bench.flags)
    }

    fn found_by_name<C: Cases + std::fmt::Debug>(name: fn(C) -> &'static str) {
        assert_eq!(parse::<C>(&[]).unwrap().cases(), C::value_variants());
        for case in C::value_variants() {
            assert_eq!(parse::<C>(&["--case", name(*case)]).unwrap().cases(), [*case]);
        }
    }

    #[test]
    fn every_case_is_found_by_its_name() {
        found_by_name(crate::case::Case::name);
        found_by_name(crate::cgroup::case::Case::name);
        found_by_name(crate::mount::case::Case::name);
        found_by_name(crate::oci::case::Case::name);
        found_by_name(crate::unpack::case::Case::name);
    }

    #[test]
    fn what_was_chosen_comes_in_the_usual_order() {
        use crate::case::Case;

        let flags: Flags<Case> = parse(&["--case", "mounts-600,bare", "--subject", "crun,floor"]).unwrap();
        assert_eq!(flags.cases(), [Case::Bare, Case::Mounts]);
        assert_eq!(flags.subjects().collect::<Vec<_>>(), ["floor", "crun"]);
        assert!(flags.wants("floor") && !flags.wants("runc"));
    }

    #[test]
    fn unknown_names_and_no_samples_are_refused() {
        for bad in [["--case", "nothing"], ["--subject", "docker"], ["--samples", "0"]] {
            assert!(parse::<crate::case::Case>(&bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn subjects_are_those_of_the_bench() {
        let cgroup = |name| parse::<crate::cgroup::case::Case>(&["--subject", name]).is_ok();
        assert!(cgroup("floor,cgroups-rs") && !cgroup("crun"));
        let oci = |name| parse::<crate::oci::case::Case>(&["--subject", name]).is_ok();
        assert!(oci("floor,cofferdam-cli,youki") && !oci("bwrap"));
        let unpack = |name| parse::<crate::unpack::case::Case>(&["--subject", name]).is_ok();
        assert!(unpack("tar,umoci") && !unpack("crun"));
    }
}
