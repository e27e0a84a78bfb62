//! What a container, and a further process in one, is made from.

use std::os::fd::OwnedFd;
use std::path::PathBuf;

use oci_spec::runtime::{Process as ProcessSpec, Spec};

use crate::{LimitPolicy, Stdio};

/// A container to be created.
#[derive(Debug)]
#[non_exhaustive]
pub struct CreateOptions<'a> {
    /// Its name among the containers of the state directory: letters, digits and `_+-.`, not beginning with a dot.
    pub id: String,
    /// The configuration. Later changes to it do not matter to the container.
    pub spec: &'a Spec,
    /// The directory of the bundle, to which relative paths of the configuration refer. It must be absolute.
    pub bundle: PathBuf,
    /// A listening `AF_UNIX` stream socket to which the master of the terminal is sent, if the configuration asks for a
    /// terminal. Without one the master is kept for [`Container::take_console`](super::Container::take_console).
    pub console_socket: Option<PathBuf>,
    /// A file to which the process id is written, all at once, before the container counts as created.
    pub pid_file: Option<PathBuf>,
    /// A listening `AF_UNIX` stream socket to which the pidfd of the container's process is sent.
    pub pidfd_socket: Option<PathBuf>,
    /// Standard input of the program, where it has no terminal. The caller's own unless told otherwise.
    pub stdin: Stdio,
    /// Its standard output.
    pub stdout: Stdio,
    /// Its standard error.
    pub stderr: Stdio,
    /// So many of the caller's descriptors from number 3 on are sockets of `sd_listen_fds(3)` and are passed with the
    /// variables `LISTEN_FDS` and `LISTEN_PID`.
    pub listen_fds: u32,
    /// So many of the caller's descriptors after those are passed under the same numbers.
    pub preserve_fds: u32,
    /// Further descriptors for the program, with the numbers after those.
    pub descriptors: Vec<OwnedFd>,
    /// A datagram socket to which notifications of `sd_notify(3)` are forwarded
    /// (see [`Container::forward_notifications`](super::Container::forward_notifications)).
    pub notify_socket: Option<PathBuf>,
    /// `MS_MOVE` and `chroot` in place of `pivot_root`: for a host whose root is the kernel's initial one.
    pub no_pivot: bool,
    /// The session keyring stays the caller's.
    pub no_new_keyring: bool,
    /// What it means that there is no cgroup for the container.
    pub cgroup: LimitPolicy,
    /// Where resctrl is mounted, for `linux.intelRdt`; where the mount table says, unless told otherwise.
    pub rdt_root: Option<PathBuf>,
}

impl<'a> CreateOptions<'a> {
    /// A container with this configuration, the caller's streams and nothing else passed.
    pub fn new(id: impl Into<String>, spec: &'a Spec, bundle: impl Into<PathBuf>) -> Self {
        Self {
            id: id.into(),
            spec,
            bundle: bundle.into(),
            console_socket: None,
            pid_file: None,
            pidfd_socket: None,
            stdin: Stdio::inherit(),
            stdout: Stdio::inherit(),
            stderr: Stdio::inherit(),
            listen_fds: 0,
            preserve_fds: 0,
            descriptors: Vec::new(),
            notify_socket: None,
            no_pivot: false,
            no_new_keyring: false,
            cgroup: LimitPolicy::Required,
            rdt_root: None,
        }
    }
}

/// A further process in a container.
#[derive(Debug)]
#[non_exhaustive]
pub struct ExecOptions<'a> {
    /// What is executed and as whom. What it leaves out is not taken from the container's own process: see
    /// [`Container::process_template`](super::Container::process_template) for that.
    pub process: &'a ProcessSpec,
    /// As [`CreateOptions::console_socket`].
    pub console_socket: Option<PathBuf>,
    /// A file to which the process id is written, all at once, before the program runs.
    pub pid_file: Option<PathBuf>,
    /// As [`CreateOptions::pidfd_socket`].
    pub pidfd_socket: Option<PathBuf>,
    /// Standard input of the program, where it has no terminal. The caller's own unless told otherwise.
    pub stdin: Stdio,
    /// Its standard output.
    pub stdout: Stdio,
    /// Its standard error.
    pub stderr: Stdio,
    /// So many of the caller's descriptors from number 3 on are passed under the same numbers.
    pub preserve_fds: u32,
    /// Further descriptors for the program, with the numbers after those.
    pub descriptors: Vec<OwnedFd>,
    /// A cgroup below the container's, by its relative path, without `..`; it must exist. On v1 it may be limited to some
    /// hierarchies: `cpu,memory:path`.
    pub sub_cgroups: Vec<String>,
    /// A paused container is no error: the program waits until it is resumed.
    pub ignore_paused: bool,
}

impl<'a> ExecOptions<'a> {
    /// A process with the caller's streams and nothing else passed.
    pub fn new(process: &'a ProcessSpec) -> Self {
        Self {
            process,
            console_socket: None,
            pid_file: None,
            pidfd_socket: None,
            stdin: Stdio::inherit(),
            stdout: Stdio::inherit(),
            stderr: Stdio::inherit(),
            preserve_fds: 0,
            descriptors: Vec::new(),
            sub_cgroups: Vec::new(),
            ignore_paused: false,
        }
    }
}
