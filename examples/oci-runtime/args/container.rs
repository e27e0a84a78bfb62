//! `create`, `run` and `plan`.

use std::path::PathBuf;

use clap::Args as Group;

#[derive(Debug, Group)]
pub struct Create {
    /// The directory of the bundle
    #[arg(short, long, value_name = "DIR", default_value = ".")]
    pub bundle: PathBuf,
    /// A socket that gets the master of the terminal
    #[arg(long, value_name = "SOCKET")]
    pub console_socket: Option<PathBuf>,
    /// A socket that gets a pidfd of the program
    #[arg(long, value_name = "SOCKET")]
    pub pidfd_socket: Option<PathBuf>,
    /// A file that gets the process id
    #[arg(long, value_name = "FILE")]
    pub pid_file: Option<PathBuf>,
    /// Use MS_MOVE and chroot(2): for a host whose root is an initramfs
    #[arg(long)]
    pub no_pivot: bool,
    /// Stay in the caller's session keyring
    #[arg(long)]
    pub no_new_keyring: bool,
    /// Pass so many descriptors from number 3 on, in addition to those of $LISTEN_FDS
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub preserve_fds: u32,
    /// The name of the container
    pub id: String,
}

#[derive(Debug, Group)]
pub struct Run {
    /// Do not wait for the program
    #[arg(short, long)]
    pub detach: bool,
    /// Do not delete the container when the program has ended
    #[arg(long)]
    pub keep: bool,
    /// Leave orphans of the container to the host's init
    #[arg(long)]
    pub no_subreaper: bool,
    #[command(flatten)]
    pub create: Create,
}
