//! `create`, `start`, `run` and `plan`.

use std::path::Path;

use cofferdam::oci::{Bundle, Container, CreateOptions, Error, Runtime, Spec};
use rustix::process::{getpid, set_child_subreaper};

use crate::args::{Create, Run};
use crate::failure::Failure;
use crate::foreground;
use crate::places::Context;
use crate::signals::Signals;

/// `create`: the container stays when this process ends.
pub fn create(context: &Context<'_>, options: &Create) -> Result<u8, Failure> {
    let bundle = Bundle::open(&options.bundle)?;
    console(&bundle.spec, options, true)?;
    let signals = Signals::block()?;
    let runtime = context.runtime()?;
    let made = make(context, &runtime, &bundle, options, &signals)?;
    Ok(made.err().unwrap_or(0))
}

/// `start`.
pub fn start(context: &Context<'_>, id: &str) -> Result<u8, Failure> {
    let mut container = context.container(id)?;
    container.start()?;
    notify(context, &container);
    Ok(0)
}

/// `run`: create, start, and unless detached wait and delete.
pub fn run(context: &Context<'_>, options: &Run) -> Result<u8, Failure> {
    let bundle = Bundle::open(&options.create.bundle)?;
    console(&bundle.spec, &options.create, options.detach)?;
    let signals = Signals::block()?;
    if !options.detach && !options.no_subreaper {
        set_child_subreaper(Some(getpid())).map_err(Failure::of("become a subreaper"))?;
    }
    let runtime = context.runtime()?;
    let mut container = match make(context, &runtime, &bundle, &options.create, &signals)? {
        Ok(container) => container,
        Err(code) => return Ok(code),
    };
    let result = follow(context, &mut container, options, &signals);
    let remains = match &result {
        Ok(End::Detached) => true,
        Ok(End::Program(_)) => options.keep,
        Ok(End::GivenUp(_)) | Err(_) => false,
    };
    if !remains {
        match (&result, container.delete(true)) {
            (_, Ok(errors)) => context.warn("delete", &errors),
            // Somebody else was faster.
            (_, Err(Error::NotFound { .. })) => {}
            (Ok(_), Err(error)) => return Err(error.into()),
            (Err(_), Err(error)) => context.warn("delete", &[error]),
        }
    }
    result.map(|end| match end {
        End::Detached => 0,
        End::Program(code) => code,
        End::GivenUp(signal) => foreground::code_of_signal(signal),
    })
}

/// How `run` ends, if it does not fail.
enum End {
    /// The program goes on.
    Detached,
    /// The program ended with this code.
    Program(u8),
    /// This signal came before the program was there.
    GivenUp(i32),
}

/// Starts the program, and in the foreground waits for it.
fn follow(
    context: &Context<'_>,
    container: &mut Container,
    options: &Run,
    signals: &Signals,
) -> Result<End, Failure> {
    // The end of the bridge restores the terminal, also where the start fails.
    let bridge = if options.detach { None } else { foreground::connect(container)? };
    let (started, asked) = signals.guard(|| container.start())?;
    match (started, asked) {
        (Ok(()), None) => {}
        // The program is there: it is for the program.
        (Ok(()), Some(signal)) => signals.keep(signal),
        (Err(error), Some(signal)) => {
            context.log.debug(&format!("given up: {}", crate::failure::text(&error)));
            return Ok(End::GivenUp(signal));
        }
        (Err(error), None) => return Err(error.into()),
    }
    if options.detach {
        notify(context, container);
        return Ok(End::Detached);
    }
    foreground::wait(container, bridge, signals, context.log).map(End::Program)
}

/// Waits until the program says that it is ready, where somebody wants to know.
fn notify(context: &Context<'_>, container: &Container) {
    if foreground::notify_socket().is_some() {
        container.forward_notifications().unwrap_or_else(|error| context.warn("notifications", &[error]));
    }
}

/// Creates the container. `Ok(Err(code))` if this process was asked to end meanwhile; nothing is left behind then.
fn make(
    context: &Context<'_>,
    runtime: &Runtime,
    bundle: &Bundle,
    options: &Create,
    signals: &Signals,
) -> Result<Result<Container, u8>, Failure> {
    let (result, asked) = signals.guard(|| runtime.create(create_options(context, bundle, options)))?;
    match (result, asked) {
        (Ok(container), None) => {
            for what in container.not_applied() {
                context.log.warning(what);
            }
            Ok(Ok(container))
        }
        (Err(error), None) => Err(error.into()),
        (Ok(container), Some(signal)) => {
            context.warn("delete", &container.delete(true)?);
            Ok(Err(foreground::code_of_signal(signal)))
        }
        (Err(error), Some(signal)) => {
            context.log.debug(&format!("given up: {}", crate::failure::text(&error)));
            Ok(Err(foreground::code_of_signal(signal)))
        }
    }
}

fn create_options<'a>(context: &Context<'_>, bundle: &'a Bundle, options: &Create) -> CreateOptions<'a> {
    let mut create = CreateOptions::new(options.id.clone(), &bundle.spec, &bundle.path);
    create.console_socket = options.console_socket.clone();
    create.pidfd_socket = options.pidfd_socket.clone();
    create.pid_file = options.pid_file.clone();
    create.no_pivot = options.no_pivot;
    create.no_new_keyring = options.no_new_keyring;
    create.listen_fds = listen_fds();
    create.preserve_fds = options.preserve_fds;
    create.notify_socket = foreground::notify_socket();
    create.cgroup = context.cgroup_policy();
    create
}

/// How many sockets were passed to this process.
fn listen_fds() -> u32 {
    let number = |name| std::env::var(name).ok().and_then(|value| value.parse::<u32>().ok());
    let count = number("LISTEN_FDS").unwrap_or(0);
    // Those for another process are not ours. Engines that pass them on do not say for whom they are.
    if number("LISTEN_PID").is_none_or(|pid| pid == std::process::id()) { count } else { 0 }
}

/// A terminal needs somebody who has its master.
fn console(spec: &Spec, options: &Create, detach: bool) -> Result<(), Failure> {
    let terminal = spec.process().as_ref().and_then(|process| process.terminal()).unwrap_or(false);
    check_console(terminal, options.console_socket.as_deref(), detach)
}

/// The same for any program.
pub fn check_console(terminal: bool, socket: Option<&Path>, detach: bool) -> Result<(), Failure> {
    match (terminal, socket, detach) {
        (true, None, true) => {
            Err(Failure::new("cannot allocate tty if cofferdam will detach without setting console socket"))
        }
        (false, Some(_), _) | (_, Some(_), false) => {
            Err(Failure::new("cannot use console socket if cofferdam will not detach or allocate tty"))
        }
        _ => Ok(()),
    }
}

/// `plan`: prints what `create` would do.
pub fn plan(context: &Context<'_>, options: &Create) -> Result<u8, Failure> {
    let bundle = Bundle::open(&options.bundle)?;
    let plan = context.runtime()?.explain(&create_options(context, &bundle, options))?;
    crate::print(&plan)
}
