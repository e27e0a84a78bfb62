//! From a plan to the init's program: each step becomes one or more operations.

mod builder;
mod by_path;
mod condition;
mod credentials;
mod directory;
mod files;
mod mount;
mod numbering;
mod process;
mod program;

#[cfg(test)]
pub(crate) use program::{Content, Patch, arbitrary_operation, decode};
pub(crate) use program::{Operation, Program, make_last_word};

use builder::Builder;

use crate::Error;
use crate::init::format::{code, flag};
use crate::plan::{Plan, Step};
#[cfg(test)]
pub(crate) use program::Value;

/// What the encoder has to know of the system.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Context {
    /// The highest capability of this kernel.
    pub(crate) last_capability: u32,
    /// The init comes with inheritable and ambient capabilities, which it clears; these are left.
    pub(crate) raised: Option<u64>,
}

/// Which part of a plan an operation belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// A step, by index.
    Step(usize),
    /// What every plan begins or ends with.
    Frame(&'static str),
    /// The exec of the program.
    Exec,
}

/// Where an error of an operation comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Label {
    /// The part of the plan.
    pub(crate) part: Part,
    /// The system call, if one was made.
    pub(crate) call: Option<&'static str>,
}

/// Encodes a whole plan.
pub(crate) fn encode(plan: &Plan, context: Context) -> Result<Program, Error> {
    plan.validate()?;
    let mut builder = Builder::new(plan, context);
    prologue(&mut builder)?;
    for (index, step) in plan.steps.iter().enumerate() {
        builder.part = Part::Step(index);
        lower(&mut builder, index, step)?;
    }
    directory::check(&builder)?;
    epilogue(&mut builder)?;
    Ok(builder.finish())
}

/// Opens what must be opened while the process still owns its files in procfs, waits for the caller, and makes
/// the process invisible to debuggers.
fn prologue(builder: &mut Builder<'_>) -> Result<(), Error> {
    process::open_own_files(builder)?;
    builder.part = Part::Frame("wait for the caller");
    if builder.plan.rendezvous && !builder.plan.maps_root {
        let sync = Operation::new(code::SYNC).flags(flag::SILENT).bytes(Vec::new()).bytes(Vec::new());
        builder.push(sync, None);
    }
    builder.part = Part::Frame("prepare the init");
    process::set_name(builder);
    credentials::hide(builder);
    credentials::clear_raised(builder);
    Ok(())
}

/// Hands over to the program.
fn epilogue(builder: &mut Builder<'_>) -> Result<(), Error> {
    let plan = builder.plan;
    builder.part = Part::Frame("hand over to the program");
    // The caller may ignore SIGCHLD, which process 1 needs.
    builder.push(Operation::new(code::SIGNALS), None);
    // A process that is held is process 1 then, so it stays afterwards; what it is sent meanwhile waits until it can be
    // forwarded.
    let stays_held = plan.stay_as_init && plan.hold.is_some();
    if !stays_held {
        stay(builder);
    }
    process::place(builder)?;
    if plan.find_program {
        builder.part = Part::Exec;
        process::find(builder)?;
    }
    if let Some(hold) = plan.hold {
        builder.part = Part::Frame("wait to be started");
        process::hold(builder, hold);
    }
    builder.part = Part::Frame("hand over to the program");
    if stays_held {
        stay(builder);
    }
    last(builder)?;
    builder.part = Part::Exec;
    process::exec(builder)
}

/// Stays as process 1, if that is wanted, and lets signals through.
fn stay(builder: &mut Builder<'_>) {
    if builder.plan.stay_as_init {
        builder.push(Operation::new(code::STAY), Some("clone3"));
    }
    process::unblock_signals(builder);
}

/// The last steps. The filter of a call of `seccomp(2)` may forbid what it takes to hear the last word. So it is taken
/// before, if the caller is not met any more: what fails from there on is still told if the filter lets it, but a process
/// that is killed counts as started.
fn last(builder: &mut Builder<'_>) -> Result<(), Error> {
    let plan = builder.plan;
    let met = plan.last.iter().rposition(|step| matches!(step, Step::Sync { .. })).map_or(0, |at| at + 1);
    let is_filter =
        |step: &Step| matches!(step, Step::Call(call) if i64::from(call.number) == libc::SYS_seccomp);
    let filter = plan.last.iter().skip(met).position(is_filter).map(|at| at + met);
    for (index, step) in plan.last.iter().enumerate() {
        if filter == Some(index) {
            builder.part = Part::Frame("hand over to the program");
            builder.push(Operation::new(code::TAKE), None);
        }
        builder.part = Part::Step(plan.steps.len() + index);
        lower(builder, plan.steps.len() + index, step)?;
    }
    Ok(())
}

fn lower(builder: &mut Builder<'_>, index: usize, step: &Step) -> Result<(), Error> {
    match step {
        Step::Mount(mount) => mount::mount(builder, index, mount),
        Step::MountAttributes { mount, attributes } => mount::attributes(builder, mount, attributes),
        Step::Unmount(path) => mount::unmount(builder, path),
        Step::PivotRoot { root } => mount::pivot_root(builder, *root),
        Step::ChangeRoot { root } => mount::change_root(builder, *root),
        Step::If { test, then, otherwise } => condition::lower(builder, index, test, [then, otherwise]),
        Step::Open { .. }
        | Step::MakeTarget { .. }
        | Step::Directory { .. }
        | Step::Symlink { .. }
        | Step::Node { .. }
        | Step::Verify { .. }
        | Step::Write { .. }
        | Step::ProcWrite { .. }
        | Step::Sysctl { .. } => files::lower(builder, step),
        Step::Credentials(credentials) => credentials::credentials(builder, credentials),
        _ => process::lower(builder, index, step),
    }
}

#[cfg(test)]
mod tests;
