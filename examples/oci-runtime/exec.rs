//! `exec`.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use cofferdam::oci::{Config, Container, ExecOptions, add_capabilities};
use oci_spec::runtime::{Box as Size, BoxBuilder, Process};

use crate::args::Exec;
use crate::create::check_console;
use crate::failure::Failure;
use crate::foreground;
use crate::places::Context;
use crate::signals::Signals;

/// The exit code where the program could not be started.
const NOT_STARTED: u8 = 255;

/// Starts a program, and unless detached waits for it.
pub fn exec(context: &Context<'_>, options: &Exec) -> Result<u8, Failure> {
    run(context, options)
        .map_err(|failure| Failure { code: NOT_STARTED, ..failure.while_doing("exec failed") })
}

fn run(context: &Context<'_>, options: &Exec) -> Result<u8, Failure> {
    let container = context.container(&options.id)?;
    let mut process = process(&container, options)?;
    let terminal = process.terminal().unwrap_or(false);
    check_console(terminal, options.console_socket.as_deref(), options.detach)?;
    if terminal && !options.detach {
        // From the first moment on: the program runs before the terminals are connected.
        process.set_console_size(console_size().or(process.console_size()));
    }
    let signals = Signals::block()?;
    let (started, asked) = signals.guard(|| container.exec(exec_options(&process, options)))?;
    if let Some(signal) = asked {
        drop(started);
        return Ok(foreground::code_of_signal(signal));
    }
    let mut program = started?;
    if options.detach {
        return Ok(0);
    }
    let bridge = foreground::connect(&mut program)?;
    foreground::wait(&mut program, bridge, &signals, context.log)
}

fn exec_options<'a>(process: &'a Process, options: &Exec) -> ExecOptions<'a> {
    let mut exec = ExecOptions::new(process);
    exec.console_socket = options.console_socket.clone();
    exec.pidfd_socket = options.pidfd_socket.clone();
    exec.pid_file = options.pid_file.clone();
    exec.preserve_fds = options.preserve_fds;
    exec.sub_cgroups = options.cgroup.clone();
    exec.ignore_paused = options.ignore_paused;
    exec
}

fn console_size() -> Option<Size> {
    let (rows, columns) = crate::console::size()?;
    BoxBuilder::default().height(rows).width(columns).build().ok()
}

/// The process as a file has it, or that of the container with what the flags say.
fn process(container: &Container, options: &Exec) -> Result<Process, Failure> {
    if let Some(path) = &options.process {
        let mut process = Config::process_from_slice(&read(path)?)?;
        // conmon says it twice.
        if options.tty {
            process.set_terminal(Some(true));
        }
        if options.no_new_privs {
            process.set_no_new_privileges(Some(true));
        }
        return Ok(process);
    }
    if options.words.is_empty() {
        return Err(Failure::new("no program is named, neither behind the container nor by --process"));
    }
    let mut process = container.process_template();
    process.set_terminal(Some(options.tty));
    process.set_args(Some(options.words.clone()));
    if let Some(cwd) = &options.cwd {
        process.set_cwd(cwd.clone());
    }
    let mut environment = process.env().clone().unwrap_or_default();
    environment.extend(options.env.iter().cloned());
    process.set_env(Some(environment));
    if options.process_label.is_some() {
        process.set_selinux_label(options.process_label.clone());
    }
    if options.apparmor.is_some() {
        process.set_apparmor_profile(options.apparmor.clone());
    }
    if options.no_new_privs {
        process.set_no_new_privileges(Some(true));
    }
    user(&mut process, options);
    add_capabilities(&mut process, &options.cap);
    Ok(process)
}

/// What is not said stays as it is for the container's own process, also its group and further groups.
fn user(process: &mut Process, options: &Exec) {
    let user = process.user_mut();
    if let Some(wanted) = options.user {
        user.set_uid(wanted.uid);
        user.set_gid(wanted.gid.unwrap_or(user.gid()));
    }
    if !options.additional_gids.is_empty() {
        let mut groups = user.additional_gids().clone().unwrap_or_default();
        groups.extend(&options.additional_gids);
        user.set_additional_gids(Some(groups));
    }
}

/// A file of a configuration's size at most; the reader of the document says if it is larger.
pub fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let failed = Failure::of(format!("read {}", path.display()));
    let mut options = File::options();
    options.read(true).custom_flags(libc::O_NOCTTY);
    read_all(options.open(path).map_err(&failed)?).map_err(failed)
}

/// The same of what is open.
pub fn read_all(source: impl Read) -> std::io::Result<Vec<u8>> {
    const LIMIT: u64 = (64 << 20) + 1;
    let mut bytes = Vec::new();
    source.take(LIMIT).read_to_end(&mut bytes)?;
    Ok(bytes)
}
