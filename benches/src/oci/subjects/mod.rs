//! The subjects: ways to have containers.
//!
//! A subject is added as its name in [`NAMES`] and its maker in [`find`].

mod floor;
mod library;
mod program;

pub(super) use floor::{FLAG, main as floor_main};

use std::fmt;
use std::path::Path;
use std::time::Duration;

use super::stage::{Bundle, Stage};
use crate::Error;
use crate::peers;
use crate::subjects::{Runner, Skip};

/// All names, in the order of the outputs.
pub(crate) const NAMES: [&str; 8] =
    ["floor", "cofferdam-cli", "floor-library", "cofferdam", "cofferdam-state", "crun", "runc", "youki"];
/// Those that know nothing but whole lives.
pub(super) const FLOORS: [&str; 2] = ["floor", "floor-library"];

/// A way to have containers.
pub(super) trait Subject: fmt::Debug {
    /// What of the configuration it leaves undone on this host.
    fn lacks(&self) -> Vec<String> {
        Vec::new()
    }

    /// What runs the container of a bundle, again and again, from its creation until it is deleted.
    fn runner(&self, stage: &Stage, bundle: &Bundle) -> Result<Box<dyn Runner>, Error>;

    /// The container of a bundle, step by step.
    fn life(&self, stage: &Stage, bundle: &Bundle) -> Result<Box<dyn Life>, Error>;
}

/// A container, step by step. What was created is deleted when this is dropped.
pub(super) trait Life: fmt::Debug {
    /// Creates it: its process waits.
    fn create(&mut self) -> Result<(), Error>;

    /// Starts its program.
    fn start(&mut self) -> Result<(), Error>;

    /// Runs the workload in it; answers with its exit status.
    fn exec(&mut self) -> Result<i32, Error>;

    /// Waits for the end of its program and answers with the exit status, which is never timed.
    fn wait(&mut self) -> Result<i32, Error>;

    /// Its process.
    fn pid(&self) -> Result<u32, Error>;

    /// Deletes it after its end, or with `force` before.
    fn delete(&mut self, force: bool) -> Result<(), Error>;
}

/// A subject that is there, or why it is not.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) name: &'static str,
    pub(super) subject: Result<Box<dyn Subject>, Skip>,
}

/// Looks for a subject and lets it run a container. `limit` is how long a program may take, `ours` where our own one is.
pub(super) fn find(stage: &Stage, name: &'static str, ours: Option<&Path>, limit: Duration) -> Entry {
    Entry { name, subject: look(stage, name, ours, limit) }
}

fn look(
    stage: &Stage,
    name: &'static str,
    ours: Option<&Path>,
    limit: Duration,
) -> Result<Box<dyn Subject>, Skip> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    Ok(match name {
        "floor" => Box::new(floor::Whole::new(limit)?),
        "floor-library" => Box::new(floor::Inside),
        "cofferdam" => Box::new(library::Library::without_state()),
        "cofferdam-state" => Box::new(library::Library::with_state(stage)?),
        "cofferdam-cli" => Box::new(program::Program::find_way(stage, built(ours)?, limit)?),
        _ => Box::new(program::Program::find_way(stage, peers::on_path(name, &path)?, limit)?),
    })
}

/// Our own command line: the one that was named, or that cargo built beside the bench.
fn built(named: Option<&Path>) -> Result<std::path::PathBuf, Skip> {
    let absent = |path: &Path| {
        let path = path.display();
        Skip::from(format!("there is no {path}: `cargo build --release --bin cofferdam` makes it").as_str())
    };
    let path = match named {
        Some(path) => path.to_owned(),
        None => {
            let bench = std::env::current_exe().map_err(Error::io("find the bench's own program"))?;
            // target/PROFILE/deps/oci-HASH
            bench.ancestors().nth(2).unwrap_or(&bench).join("cofferdam")
        }
    };
    path.canonicalize().map_err(|_| absent(&path))
}
