//! The command line.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{OsStringValueParser, TypedValueParser};
use clap::error::ErrorKind;
use clap::{Args as Group, Parser, ValueEnum};
use cofferdam::cgroups::{Bytes, Unified};
use cofferdam::image::Location;
use cofferdam::{CapabilitySet, ClockOffset, IdMap, Namespaces};

use crate::failure::Failure;
use crate::values::{self, Bind, Limit, Tmpfs, Variable};

const AFTER_HELP: &str = "\
Examples:
  isolate                                 a table of what is different inside
  isolate --net host --share uts          the same, with that shared
  isolate sh                              a shell
  isolate -- sh -c 'echo $$ $(id -u)'     prints 1 0
  isolate --bind . -w . make              may write to this directory only
  isolate --timeout 5s --rlimit as=1g -w . ./job
  isolate --net host curl example.org     with the host's network
  isolate --memory 64M --pids 32 --cpus 0.5 sh
                                          at most that much
  isolate --root /srv/alpine --init sh    another root, an init as process 1
  isolate --image docker-archive:debian.tar apt-get --version
                                          in the files of an image
  isolate --image host -- sh              in a few files of this host
  isolate --explain --root /srv/alpine sh the steps, without doing them

Files: the host's are read-only inside; /tmp, /run, /dev, /proc and /sys are
the program's own. The environment is PATH and TERM.

Exit code: the program's; 128 and the number of a signal that ended it; 127 if
it is not found; 126 if it cannot be executed; 125 if isolate could not start
it; 124 if its time was over.

Signals: HUP, INT, QUIT, TERM, USR1 and USR2 are passed on. The kernel drops
those that a process 1 does not handle; isolate then ends it, as they would.

Terminal: the program stays in the session, and a shell has job control, if
the kernel lets no program push input into terminals (the setting
dev.tty.legacy_tiocsti is 0; Linux 6.2). Otherwise it has a session of its own,
unless --session keep says that the program is trusted with the terminal.";

/// Run a program isolated from the host, as root or as an ordinary user.
/// Without a program, show what is different inside.
#[derive(Debug, Parser)]
#[command(name = "isolate", bin_name = "isolate", version, after_help = AFTER_HELP, max_term_width = 110)]
pub struct Args {
    /// Print what would be done, and do nothing
    #[arg(long)]
    explain: bool,
    #[arg(long, hide = true)]
    report: bool,
    #[arg(long, hide = true)]
    nothing: bool,
    #[command(flatten)]
    pub files: Files,
    #[command(flatten)]
    pub surroundings: Surroundings,
    #[command(flatten)]
    pub identity: Identity,
    #[command(flatten)]
    pub limits: Limits,
    #[command(flatten)]
    pub process: Process,
    /// The program, looked up in PATH, and its arguments
    #[arg(trailing_var_arg = true, value_name = "PROGRAM")]
    command: Vec<OsString>,
}

/// What the program sees as files.
#[derive(Debug, Group)]
#[command(next_help_heading = "Files")]
pub struct Files {
    /// The directory that is / inside [default: the host's files, read-only]
    #[arg(long, value_name = "DIR", group = "new_root")]
    #[arg(value_parser = OsStringValueParser::new().try_map(values::path))]
    pub root: Option<PathBuf>,
    /// The image that is / inside: oci:DIR, oci-archive:FILE or docker-archive:FILE, each with :NAME if there are
    /// several, tarball:FILE, store:NAME, or host for one made of this host's shell. Changes are discarded
    #[arg(long, value_name = "SRC", group = "new_root")]
    #[arg(value_parser = OsStringValueParser::new().try_map(Location::parse))]
    pub image: Option<Location>,
    /// Keep changes to the image under this name, for the next time
    #[arg(long, value_name = "NAME", requires = "image", conflicts_with = "read_only")]
    pub container: Option<String>,
    /// Where images are kept [default: /var/lib/cofferdam for root, ~/.local/share/cofferdam]
    #[arg(long, value_name = "DIR", requires = "image")]
    pub store: Option<PathBuf>,
    /// Make DIR or the image read-only
    #[arg(long, requires = "new_root")]
    pub read_only: bool,
    /// Show a file or directory of the host inside, writable
    #[arg(long, value_name = "SRC[:DST]", value_parser = OsStringValueParser::new().try_map(values::bind))]
    pub bind: Vec<Bind>,
    /// The same, read-only
    #[arg(long, value_name = "SRC[:DST]", value_parser = OsStringValueParser::new().try_map(values::bind))]
    pub ro_bind: Vec<Bind>,
    /// An empty directory in memory
    #[arg(long, value_name = "DST[:SIZE]", value_parser = OsStringValueParser::new().try_map(values::tmpfs))]
    pub tmpfs: Vec<Tmpfs>,
}

/// Which network: a loopback device alone, or the host's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Net {
    None,
    Host,
}

/// Namespaces, and what is in them.
#[derive(Debug, Group)]
#[command(next_help_heading = "Namespaces")]
pub struct Surroundings {
    /// The network: a loopback device alone, or the host's
    #[arg(long, value_enum, default_value_t = Net::None)]
    pub net: Net,
    /// Namespaces to share with the host: cgroup, ipc, mnt, net, pid, time, user, uts, with commas
    #[arg(long, value_name = "KINDS", value_parser = values::kinds)]
    pub share: Vec<Namespaces>,
    /// The host name inside [default: isolate]
    #[arg(long, value_name = "NAME")]
    pub hostname: Option<OsString>,
    /// A kernel parameter of the new namespaces
    #[arg(long, value_name = "NAME=VALUE", value_parser = values::sysctl)]
    pub sysctl: Vec<(String, String)>,
    /// How far the monotonic and boot time clocks are from the host's, such as 1d or -5m
    #[arg(long, value_name = "TIME", value_parser = values::offset, allow_hyphen_values = true)]
    pub time_offset: Option<ClockOffset>,
    /// A small init as process 1 that reaps orphans and forwards signals
    #[arg(long)]
    pub init: bool,
}

/// Who the program is.
#[derive(Debug, Group)]
#[command(next_help_heading = "Identity")]
pub struct Identity {
    /// The user id inside [default: 0]
    #[arg(long, value_name = "UID")]
    pub uid: Option<u32>,
    /// The group id inside [default: 0]
    #[arg(long, value_name = "GID")]
    pub gid: Option<u32>,
    /// Which host users the users inside are, several with commas
    #[arg(long, value_name = "INSIDE:OUTSIDE:COUNT", value_parser = values::id_map)]
    pub uid_map: Option<IdMap>,
    /// Which host groups the groups inside are, several with commas
    #[arg(long, value_name = "INSIDE:OUTSIDE:COUNT", value_parser = values::id_map)]
    pub gid_map: Option<IdMap>,
    /// Map 0 to the caller, and 1 and up to the ids that /etc/subuid and /etc/subgid lend
    #[arg(long, conflicts_with_all = ["uid_map", "gid_map"])]
    pub subids: bool,
    /// Capabilities in addition to the usual 14, with commas, or all
    #[arg(long, value_name = "CAPS", value_parser = values::capabilities)]
    pub cap_add: Vec<CapabilitySet>,
    /// Capabilities to take away, with commas, or all
    #[arg(long, value_name = "CAPS", value_parser = values::capabilities)]
    pub cap_drop: Vec<CapabilitySet>,
}

/// Whether the program stays in the caller's session: on a terminal that is safe, never, always.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Session {
    Auto,
    New,
    Keep,
}

/// What limits mean that cannot be had: isolate does not start the program, starts it without them, or does not even try.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Policy {
    Required,
    IfAvailable,
    None,
}

/// How much the program may use.
#[derive(Debug, Group)]
#[command(next_help_heading = "Limits (root, or a delegated cgroup)")]
pub struct Limits {
    /// Memory, such as 64M; what needs more is killed
    #[arg(long, value_name = "SIZE", value_parser = values::bytes)]
    pub memory: Option<Bytes>,
    /// Processes and threads together
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub pids: Option<u64>,
    /// Processors' time, such as 0.5 for half of one
    #[arg(long, value_name = "N", value_parser = values::cpus)]
    pub cpus: Option<f64>,
    /// A control file of cgroup v2 and its value, such as memory.high=48M
    #[arg(long, value_name = "FILE=VALUE", value_parser = values::control_file)]
    pub limit: Vec<Unified>,
    /// What it means that a limit cannot be had
    #[arg(long, value_enum, default_value_t = Policy::Required, value_name = "POLICY")]
    pub limits: Policy,
}

/// The process.
#[derive(Debug, Group)]
#[command(next_help_heading = "Process")]
pub struct Process {
    /// Set a variable, or take the caller's
    #[arg(short, long, value_name = "NAME[=VALUE]", value_parser = OsStringValueParser::new().try_map(values::variable))]
    pub env: Vec<Variable>,
    /// Start from the caller's environment
    #[arg(long)]
    pub inherit_env: bool,
    /// The working directory [default: /]
    #[arg(short, long, value_name = "DIR", value_parser = OsStringValueParser::new().try_map(values::path))]
    pub workdir: Option<PathBuf>,
    /// A limit of setrlimit(2): nofile=64, as=1g, cpu=10:20
    #[arg(long, value_name = "NAME=SOFT[:HARD]", value_parser = values::limit)]
    pub rlimit: Vec<Limit>,
    /// Kill the program after this time, such as 5s, 300ms, 2m
    #[arg(long, value_name = "TIME", value_parser = values::duration)]
    pub timeout: Option<Duration>,
    /// Whether it is in a session of its own, without a controlling terminal
    #[arg(long, value_enum, default_value_t = Session::Auto)]
    pub session: Session,
}

/// What is to be done.
#[derive(Debug)]
pub enum Action<'a> {
    Nothing,
    Report,
    Compare,
    Explain,
    Run { program: &'a OsStr, arguments: &'a [OsString] },
}

impl Args {
    /// Reads the command line; `None` if help was asked for and given.
    pub fn read() -> Result<Option<Self>, Failure> {
        match Self::try_parse() {
            Ok(args) => Ok(Some(args)),
            Err(error) if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => {
                error.print().map_err(Failure::of("print"))?;
                Ok(None)
            }
            Err(error) => Err(Failure::new(messages::usage(&error.render().to_string()))),
        }
    }

    /// The program and its arguments, if there is one.
    pub fn program(&self) -> Option<(&OsStr, &[OsString])> {
        self.command.split_first().map(|(program, arguments)| (program.as_os_str(), arguments))
    }

    pub fn action(&self) -> Action<'_> {
        match (self.program(), self.explain) {
            _ if self.nothing => Action::Nothing,
            _ if self.report => Action::Report,
            (_, true) => Action::Explain,
            (None, false) => Action::Compare,
            (Some((program, arguments)), false) => Action::Run { program, arguments },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str]) -> Args {
        Args::try_parse_from(std::iter::once(&"isolate").chain(words)).expect("valid arguments")
    }

    #[test]
    fn the_definition_is_sound() {
        use clap::CommandFactory;
        Args::command().debug_assert();
    }

    #[test]
    fn what_follows_the_program_is_the_programs() {
        let args = parse(&["--init", "sh", "-c", "exit", "--explain"]);
        let (program, arguments) = args.program().expect("a program");
        assert_eq!((program, arguments.len()), ("sh".as_ref(), 3));
        assert!(!args.explain && args.surroundings.init);
        let args = parse(&["--", "--odd-name", "--init"]);
        assert_eq!(args.program().expect("a program").0, "--odd-name");
    }
}
