//! Hooks: programs that engines have run at moments in the life of a container.
//!
//! Each kind has its place: the caller's namespaces, or those of the container. A hook reads the container's state from its
//! standard input and has the environment that the configuration gives it and nothing else.

mod program;

use std::os::fd::BorrowedFd;
use std::path::Path;

use oci_spec::runtime::{Hook, Spec};

use super::{Error, Result, State};

/// When a hook runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Prestart,
    CreateRuntime,
    CreateContainer,
    StartContainer,
    Poststart,
    Poststop,
}

/// Where hooks run, and for whom.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Surroundings<'a> {
    pub(crate) spec: &'a Spec,
    /// The working directory of those in the caller's namespaces.
    pub(crate) bundle: &'a Path,
    /// The process of the container. A hook is not waited for any longer when that has ended.
    pub(crate) process: Option<BorrowedFd<'a>>,
}

impl Kind {
    /// Its list in the configuration.
    fn name(self) -> &'static str {
        match self {
            Self::Prestart => "prestart",
            Self::CreateRuntime => "createRuntime",
            Self::CreateContainer => "createContainer",
            Self::StartContainer => "startContainer",
            Self::Poststart => "poststart",
            Self::Poststop => "poststop",
        }
    }

    /// Whether it runs in the namespaces of the container.
    fn is_inside(self) -> bool {
        matches!(self, Self::CreateContainer | Self::StartContainer)
    }
}

/// The hooks of a kind.
#[allow(deprecated, reason = "engines still use prestart")]
pub(crate) fn list(spec: &Spec, kind: Kind) -> &[Hook] {
    let Some(hooks) = spec.hooks() else { return &[] };
    let list = match kind {
        Kind::Prestart => hooks.prestart(),
        Kind::CreateRuntime => hooks.create_runtime(),
        Kind::CreateContainer => hooks.create_container(),
        Kind::StartContainer => hooks.start_container(),
        Kind::Poststart => hooks.poststart(),
        Kind::Poststop => hooks.poststop(),
    };
    list.as_deref().unwrap_or_default()
}

/// Runs all hooks of a kind, in their order, until one fails.
pub(crate) fn run(kind: Kind, around: Surroundings<'_>, state: &State) -> Result<()> {
    let hooks = list(around.spec, kind);
    if hooks.is_empty() {
        return Ok(());
    }
    let input = as_input(state)?;
    for (index, hook) in hooks.iter().enumerate() {
        run_one(kind, index, hook, around, &input)?;
    }
    Ok(())
}

/// Runs all hooks of a kind, whatever they say; gives what they said.
pub(crate) fn run_all(kind: Kind, around: Surroundings<'_>, state: &State) -> Vec<Error> {
    let hooks = list(around.spec, kind);
    match as_input(state) {
        Err(error) if !hooks.is_empty() => vec![error],
        Err(_) => Vec::new(),
        Ok(input) => {
            let run = |(index, hook)| run_one(kind, index, hook, around, &input).err();
            hooks.iter().enumerate().filter_map(run).collect()
        }
    }
}

fn as_input(state: &State) -> Result<Vec<u8>> {
    let written = serde_json::to_vec(state);
    written.map_err(|error| Error::State { path: state.bundle.clone(), reason: error.to_string() })
}

fn run_one(kind: Kind, index: usize, hook: &Hook, around: Surroundings<'_>, input: &[u8]) -> Result<()> {
    let inside = if kind.is_inside() { around.process } else { None };
    let run = program::run(hook, inside, around, input);
    run.map_err(|reason| Error::Hook {
        path: format!("hooks.{}[{index}]", kind.name()),
        reason: format!("{}: {reason}", hook.path().display()),
    })
}
