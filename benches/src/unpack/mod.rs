//! The bench `layer_unpack`: the directory of an image, made out of its layers.
//!
//! Every subject is a process of its own that is given an OCI layout and an empty place, and the bench looks at the
//! files itself to see that they are there.

mod archive;
mod args;
pub(crate) mod case;
mod child;
mod input;
mod layout;
mod proof;
mod runs;
mod subjects;

use std::cell::Cell;
use std::path::Path;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::Instant;

use clap::Parser;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use tempfile::TempDir;

use crate::Error;
use crate::bench::{self, About, Bench};
use crate::outcome::{Outcome, Skipped};
use crate::sample::{self, Contender, Effort};
use args::Args;
use case::Case;

const ABOUT: About = About {
    name: "layer_unpack",
    title: "Make the directory of an image out of its layers",
    timed: "from before the program is started until it has ended",
};

/// Runs the bench with the arguments of this process. `cache` is a directory for what may stay there, and for the
/// files of the run.
pub fn main(cache: &Path) -> ExitCode {
    let args = Args::parse();
    let done = match &args.child {
        Some(words) => child::main(words),
        None => measured(&args, cache),
    };
    bench::exit(&ABOUT, done)
}

fn measured(args: &Args, cache: &Path) -> Result<(), Error> {
    let bench = Bench::new(&ABOUT, &args.flags)?;
    if !nix::unistd::geteuid().is_root() {
        return Err(Error::Setting("needs root, as files get owners".to_owned()));
    }
    own_mounts()?;
    std::fs::create_dir_all(cache).map_err(Error::io(format!("make {}", cache.display())))?;
    let rootfs = input::rootfs(args.rootfs.as_deref(), cache)?;
    let directory = TempDir::with_prefix_in("layer_unpack-", cache).map_err(Error::io("make a directory"))?;
    bench.run(|case, deadline| measure(args, case, &rootfs, directory.path(), deadline))
}

/// What is mounted on the way, which podman does, nobody else sees.
fn own_mounts() -> Result<(), Error> {
    unshare(CloneFlags::CLONE_NEWNS).map_err(Error::errno("make a mount namespace"))?;
    let flags = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    mount(None::<&str>, "/", None::<&str>, flags, None::<&str>).map_err(Error::errno("make mounts private"))
}

/// Measures a case.
fn measure(
    args: &Args,
    case: Case,
    rootfs: &Path,
    directory: &Path,
    deadline: Option<Instant>,
) -> Result<Outcome, Error> {
    let input = Rc::new(input::make(case, rootfs, directory, args.flags.quick)?);
    let (mut contenders, mut skipped) = (Vec::new(), Vec::new());
    let mut peaks: Vec<(&str, Rc<Cell<u64>>)> = Vec::new();
    for name in args.flags.subjects().filter(|name| case.has(name)) {
        match runs::prepare(name, &input, directory) {
            Ok((runner, peak)) => {
                contenders.push(Contender { name, lacks: Vec::new(), runner: Box::new(runner) });
                peaks.push((name, peak));
            }
            Err(skip) => skipped.push(Skipped::subject(name, skip)),
        }
    }
    let rounds = usize::try_from(case.samples(args.flags.samples)).unwrap_or(usize::MAX);
    let (mut rows, failed) = sample::sample(contenders, None, Effort::of_long_runs(rounds, deadline));
    skipped.extend(failed);
    for row in &mut rows {
        row.peak_rss_kib = peaks.iter().find(|(name, _)| row.subject == *name).map(|(_, peak)| peak.get());
    }
    std::fs::remove_dir_all(&input.layout.directory).map_err(Error::io("remove a layout"))?;
    Ok(Outcome { case: case.name().to_owned(), rows, skipped })
}
