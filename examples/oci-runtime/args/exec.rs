//! `exec`.

use std::path::PathBuf;

use clap::Args as Group;

use super::values;

/// Who a program runs as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct User {
    pub uid: u32,
    pub gid: Option<u32>,
}

#[derive(Debug, Group)]
pub struct Exec {
    /// A socket that gets the master of the terminal
    #[arg(long, value_name = "SOCKET")]
    pub console_socket: Option<PathBuf>,
    /// A socket that gets a pidfd of the program
    #[arg(long, value_name = "SOCKET")]
    pub pidfd_socket: Option<PathBuf>,
    /// The working directory
    #[arg(long, value_name = "DIR")]
    pub cwd: Option<PathBuf>,
    /// Set a variable
    #[arg(short, long, value_name = "NAME=VALUE", value_parser = values::variable)]
    pub env: Vec<String>,
    /// Give it a terminal
    #[arg(short, long)]
    pub tty: bool,
    /// Who it runs as, in numbers
    #[arg(short, long, value_name = "UID[:GID]", value_parser = values::user)]
    pub user: Option<User>,
    /// A further group, in numbers
    #[arg(short = 'g', long, value_name = "GID", value_delimiter = ',', value_parser = values::id)]
    pub additional_gids: Vec<u32>,
    /// A file with the whole process as the runtime-spec has it
    #[arg(short, long, value_name = "FILE")]
    #[arg(conflicts_with_all = ["cwd", "env", "user", "additional_gids", "process_label", "apparmor", "cap"])]
    pub process: Option<PathBuf>,
    /// Do not wait for it
    #[arg(short, long)]
    pub detach: bool,
    /// A file that gets the process id
    #[arg(long, value_name = "FILE")]
    pub pid_file: Option<PathBuf>,
    /// The SELinux label
    #[arg(long, value_name = "LABEL")]
    pub process_label: Option<String>,
    /// The AppArmor profile
    #[arg(long, value_name = "PROFILE")]
    pub apparmor: Option<String>,
    /// It cannot gain privileges
    #[arg(long)]
    pub no_new_privs: bool,
    /// A further capability
    #[arg(short, long, value_name = "CAP", value_delimiter = ',', value_parser = values::capability)]
    pub cap: Vec<oci_spec::runtime::Capability>,
    /// Pass so many descriptors from number 3 on
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub preserve_fds: u32,
    /// Start it in a cgroup below the container's; on v1 for each controller
    #[arg(long, value_name = "[CONTROLLERS:]PATH")]
    pub cgroup: Vec<String>,
    /// Start it in a paused container, too
    #[arg(long)]
    pub ignore_paused: bool,
    /// The name of the container
    pub id: String,
    /// The program and its arguments
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "PROGRAM")]
    pub words: Vec<String>,
}
