//! The peers: container tools found on PATH, each started by the floor's own line so that the bench costs them nothing.

mod bundle;
mod bwrap;
mod oci;
mod unshare;

pub(crate) use oci::cgroup2_only;

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::unistd::{AccessFlags, access};

use crate::Error;
use crate::case::Shape;
use crate::floor::{Fence, Launch, Launcher, Memory};
use crate::stage::{Stage, Task};
use crate::subjects::{Skip, Subject};

/// A peer by name, or why it is not there.
#[derive(Debug)]
pub struct Found {
    /// Its name.
    pub name: &'static str,
    /// Ready to prepare tasks, or the reason why not.
    pub subject: Result<Box<dyn Subject>, Skip>,
}

/// Looks in `path` for the peers that `wants` names; `limit` is how long one run of theirs may take.
pub fn find(path: &OsStr, stage: &Stage, limit: Duration, wants: impl Fn(&str) -> bool) -> Vec<Found> {
    let names = ["crun", "runc", "youki", "bwrap", "unshare"];
    let wanted = names.into_iter().filter(|name| wants(name));
    wanted.map(|name| Found { name, subject: look(name, path, stage, limit) }).collect()
}

fn look(name: &'static str, path: &OsStr, stage: &Stage, limit: Duration) -> Result<Box<dyn Subject>, Skip> {
    let program = on_path(name, path)?;
    match name {
        "bwrap" => Ok(Box::new(bwrap::Bwrap { program, limit })),
        "unshare" => Ok(Box::new(unshare::Unshare { program, limit })),
        _ => Ok(Box::new(oci::Oci::find_way(name, program, stage, limit)?)),
    }
}

/// The line that starts `program` with `arguments` for a task.
fn launcher(program: &Path, arguments: &[OsString], task: &Task<'_>, fence: Fence) -> Result<Launcher, Skip> {
    Ok(line(program, arguments, task.output()?, fence)?)
}

/// The line that starts `program` with `arguments`.
pub(crate) fn line(
    program: &Path,
    arguments: &[OsString],
    output: Option<File>,
    fence: Fence,
) -> Result<Launcher, Error> {
    let kept = |(name, _): &(OsString, OsString)| name == "PATH" || name == "XDG_RUNTIME_DIR";
    let env: Vec<OsString> =
        env::vars_os().filter(kept).map(|(name, value)| assignment(&name, &value)).collect();
    let argv = [program.as_os_str()].into_iter().chain(arguments.iter().map(OsString::as_os_str)).collect();
    Launcher::new(Launch {
        shape: Shape::BARE,
        root: Path::new("/"),
        program,
        argv,
        env: env.iter().map(OsString::as_os_str).collect(),
        memory: Memory::Shared,
        output,
        fence: Some(fence),
    })
}

/// The first program of this name in the directories of `path` that may be executed.
pub(crate) fn on_path(name: &str, path: &OsStr) -> Result<PathBuf, Skip> {
    let mut files = env::split_paths(path).map(|dir| dir.join(name));
    files.find(|file| access(file, AccessFlags::X_OK).is_ok()).ok_or_else(|| "not on PATH".into())
}

fn assignment(name: &OsStr, value: &OsStr) -> OsString {
    let mut text = name.to_owned();
    text.push("=");
    text.push(value);
    text
}

/// Literal arguments.
fn words(words: &[&str]) -> Vec<OsString> {
    words.iter().map(OsString::from).collect()
}
