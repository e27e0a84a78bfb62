//! The command line: the commands and flags of runc, and `plan`.

mod container;
mod exec;
mod help;
mod update;
mod values;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{ArgAction, Args as Group, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

pub use container::{Create, Run};
pub use exec::{Exec, User};
pub use update::Update;
pub use values::{Rootless, SignalNumber};

use crate::failure::Failure;

/// What `--version` prints: the lines that engines look for.
const VERSION: &str = concat!("version ", env!("CARGO_PKG_VERSION"), "\nspec: 1.3.0");

/// Run containers by the OCI runtime-spec, in place of runc.
#[derive(Debug, Parser)]
#[command(name = "cofferdam", bin_name = "cofferdam", version = VERSION, disable_version_flag = true)]
#[command(after_help = help::GENERAL, max_term_width = 110, infer_long_args = false)]
pub struct Cli {
    #[command(flatten)]
    pub globals: Globals,
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What stands before the command.
#[derive(Clone, Debug, Group)]
pub struct Globals {
    /// Log what is done, too
    #[arg(long)]
    pub debug: bool,
    /// The file to which messages are added [default: standard error]
    #[arg(long, value_name = "FILE")]
    pub log: Option<PathBuf>,
    /// The format of the log
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,
    /// Where states are kept [default: /run/cofferdam, of ordinary users $XDG_RUNTIME_DIR/cofferdam]
    #[arg(long, value_name = "DIR")]
    pub root: Option<PathBuf>,
    #[arg(long, value_name = "FILE", hide = true)]
    criu: Option<PathBuf>,
    /// Let systemd make cgroups; there is no support for it yet
    #[arg(long)]
    pub systemd_cgroup: bool,
    /// Who makes cgroups, as crun has it
    #[arg(long, value_name = "MANAGER", value_enum, hide = true)]
    pub cgroup_manager: Option<CgroupManager>,
    /// Whether a container may do without a cgroup that cannot be made; auto: if the caller is not root
    #[arg(long, value_enum, ignore_case = true, value_name = "WHEN", default_value_t = Rootless::Auto)]
    pub rootless: Rootless,
    /// Print the version
    #[arg(short = 'v', long = "version", action = ArgAction::Version)]
    version: Option<bool>,
}

/// How messages are written into the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    Text,
    Json,
}

/// The managers that crun knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum CgroupManager {
    Cgroupfs,
    Disabled,
    Systemd,
}

/// What is to be done.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Create a container; its program waits for `start`
    #[command(after_help = help::CREATE)]
    Create(Create),
    /// Start the program of a created container
    #[command(after_help = help::START)]
    Start(Id),
    /// Create a container and start its program
    #[command(after_help = help::RUN)]
    Run(Run),
    /// Print the state of a container as JSON
    #[command(after_help = help::STATE)]
    State(Id),
    /// Send a signal to a container
    #[command(after_help = help::KILL)]
    Kill(Kill),
    /// Delete a container
    #[command(after_help = help::DELETE)]
    Delete(Delete),
    /// List the containers
    #[command(after_help = help::LIST)]
    List(List),
    /// Show the processes of a container
    #[command(after_help = help::PS)]
    Ps(Ps),
    /// Start a further program in a container
    #[command(after_help = help::EXEC)]
    Exec(Box<Exec>),
    /// Freeze the processes of a container
    #[command(after_help = help::PAUSE)]
    Pause(Id),
    /// Let the processes of a paused container go on
    #[command(after_help = help::RESUME)]
    Resume(Id),
    /// Change what a container may use
    #[command(after_help = help::UPDATE)]
    Update(Box<Update>),
    /// Print what a container uses, and when it is out of memory
    #[command(after_help = help::EVENTS)]
    Events(Events),
    /// Print what this runtime can do, as JSON
    #[command(after_help = help::FEATURES)]
    Features,
    /// Write a configuration to begin with
    #[command(after_help = help::SPEC)]
    Spec(SpecFile),
    /// Print what `create` would do, step by step
    #[command(after_help = help::PLAN)]
    Plan(Create),
    /// Print a script that completes commands in a shell
    #[command(after_help = help::COMPLETION)]
    Completion { shell: Shell },
    /// Not supported
    #[command(hide = true)]
    Checkpoint(Anything),
    /// Not supported
    #[command(hide = true)]
    Restore(Anything),
}

/// A container.
#[derive(Debug, Group)]
pub struct Id {
    /// The name of the container
    pub id: String,
}

#[derive(Debug, Group)]
pub struct Kill {
    /// Send it to all processes of the container, also if the first has ended
    #[arg(short, long)]
    pub all: bool,
    /// The name of the container
    pub id: String,
    /// A signal: KILL, SIGKILL, 9
    #[arg(value_parser = values::signal, default_value = "TERM")]
    pub signal: SignalNumber,
}

#[derive(Debug, Group)]
pub struct Delete {
    /// Kill what runs first, and remove what is left of a broken container; none is no error
    #[arg(short, long)]
    pub force: bool,
    /// The name of the container
    pub id: String,
}

/// How lists are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ListFormat {
    Table,
    Json,
}

#[derive(Debug, Group)]
pub struct List {
    /// How they are printed
    #[arg(short, long, value_enum, default_value_t = ListFormat::Table)]
    pub format: ListFormat,
    /// Print the names alone
    #[arg(short, long)]
    pub quiet: bool,
}

#[derive(Debug, Group)]
pub struct Ps {
    /// How they are printed
    #[arg(short, long, value_enum, default_value_t = ListFormat::Table)]
    pub format: ListFormat,
    /// The name of the container
    pub id: String,
    /// Options of ps(1) [default: -ef]
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub options: Vec<OsString>,
}

#[derive(Debug, Group)]
pub struct Events {
    /// The time between two prints, such as 5s or 500ms
    #[arg(long, value_name = "TIME", value_parser = values::duration, default_value = "5s")]
    pub interval: Duration,
    /// Print what it uses once
    #[arg(long)]
    pub stats: bool,
    /// The name of the container
    pub id: String,
}

#[derive(Debug, Group)]
pub struct SpecFile {
    /// The directory of the bundle
    #[arg(short, long, value_name = "DIR", default_value = ".")]
    pub bundle: PathBuf,
    /// For an ordinary user
    #[arg(long)]
    pub rootless: bool,
}

/// Whatever is said to commands that are not supported.
#[derive(Debug, Group)]
#[command(disable_help_flag = true)]
pub struct Anything {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    rest: Vec<OsString>,
}

impl Cli {
    /// Reads the command line; `None` if help was asked for and given.
    pub fn read(words: &[OsString]) -> Result<Option<Self>, Failure> {
        match Self::try_parse_from(words) {
            Ok(cli) => Ok(Some(cli)),
            Err(error) if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => {
                crate::print(&error.render().to_string()).map(|_| None)
            }
            Err(error) => Err(Failure::new(messages::usage(&error.render().to_string()))),
        }
    }
}

impl Globals {
    /// What can be understood of a command line that is wrong somewhere, so that the log learns of it.
    pub fn guess(words: &[OsString]) -> Option<Self> {
        let matches = Cli::command().ignore_errors(true).try_get_matches_from(words).ok()?;
        Self::from_arg_matches(&matches).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str]) -> Cli {
        Cli::try_parse_from(std::iter::once(&"cofferdam").chain(words)).expect("valid arguments")
    }

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn what_engines_say_is_understood() {
        let line = "--root /r --log /l --log-format json --systemd-cgroup create --bundle /b --pid-file /p \
                    --console-socket /c --no-pivot --preserve-fds 2 box";
        let cli = parse(&line.split_whitespace().collect::<Vec<_>>());
        assert!(cli.globals.systemd_cgroup && cli.globals.log_format == LogFormat::Json);
        let Some(Command::Create(create)) = cli.command else { panic!("not create") };
        assert_eq!((create.id.as_str(), create.preserve_fds, create.no_pivot), ("box", 2, true));
        let line = "--cgroup-manager=cgroupfs exec --pid-file /p --process /x --detach box";
        let Some(Command::Exec(exec)) = parse(&line.split_whitespace().collect::<Vec<_>>()).command else {
            panic!("not exec")
        };
        assert!(exec.detach && exec.words.is_empty() && exec.process == Some(PathBuf::from("/x")));
    }

    #[test]
    fn rootless_is_said_in_runcs_words() {
        let rootless = |word| parse(&["--rootless", word, "list"]).globals.rootless;
        assert_eq!(["true", "1", "T", "True"].map(rootless), [Rootless::True; 4]);
        assert_eq!(["false", "0", "FALSE"].map(rootless), [Rootless::False; 3]);
        assert_eq!(rootless("auto"), Rootless::Auto);
    }

    #[test]
    fn what_follows_the_container_is_the_programs() {
        let cli = parse(&["exec", "-t", "-u", "1:2", "box", "sh", "-c", "x", "--detach"]);
        let Some(Command::Exec(exec)) = cli.command else { panic!("not exec") };
        assert!(exec.tty && !exec.detach);
        assert_eq!(exec.words, ["sh", "-c", "x", "--detach"]);
        let cli = parse(&["ps", "box", "-o", "pid"]);
        assert!(matches!(cli.command, Some(Command::Ps(ps)) if ps.options == ["-o", "pid"]));
    }

    #[test]
    fn the_log_of_a_wrong_line_is_known() {
        let words = ["cofferdam", "--log", "/l", "--log-format", "json", "create", "--nope", "box"];
        let globals = Globals::guess(&words.map(OsString::from)).expect("globals");
        assert_eq!((globals.log, globals.log_format), (Some("/l".into()), LogFormat::Json));
    }
}
