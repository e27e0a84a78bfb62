//! The peers: container tools found on PATH, each started by the floor's own line so that the bench costs them nothing.

mod bundle;
mod bwrap;
mod oci;
mod unshare;

use std::env;
use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::time::Duration;

use nix::unistd::{AccessFlags, access};

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
    let mut files = env::split_paths(path).map(|dir| dir.join(name));
    let program = files.find(|file| access(file, AccessFlags::X_OK).is_ok()).ok_or("not on PATH")?;
    match name {
        "bwrap" => Ok(Box::new(bwrap::Bwrap { program, limit })),
        "unshare" => Ok(Box::new(unshare::Unshare { program, limit })),
        _ => Ok(Box::new(oci::Oci::find_way(name, program, stage, limit)?)),
    }
}

/// The line that starts `program` with `arguments`.
fn launcher(program: &Path, arguments: &[OsString], task: &Task<'_>, fence: Fence) -> Result<Launcher, Skip> {
    let kept = |(name, _): &(OsString, OsString)| name == "PATH" || name == "XDG_RUNTIME_DIR";
    let env: Vec<OsString> =
        env::vars_os().filter(kept).map(|(name, value)| assignment(&name, &value)).collect();
    let argv = [program.as_os_str()].into_iter().chain(arguments.iter().map(OsString::as_os_str)).collect();
    Ok(Launcher::new(Launch {
        shape: Shape::BARE,
        root: task.stage.root(),
        program,
        argv,
        env: env.iter().map(OsString::as_os_str).collect(),
        memory: Memory::Shared,
        output: task.output()?,
        fence: Some(fence),
    })?)
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
