//! The subjects: programs that are given a layout and a place.
//!
//! A subject is added as its name in [`NAMES`], and an arm in the three functions.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::layout::{Layout, TAG};
use crate::Error;

/// All names, in the order of the outputs. The first is what the others are compared with.
pub(crate) const NAMES: [&str; 5] = ["tar", "cofferdam", "cofferdam-store", "umoci", "podman"];

/// What has to be on PATH for a subject.
pub(super) fn program(subject: &str) -> Option<&str> {
    (!subject.starts_with("cofferdam")).then_some(subject)
}

/// What is run, one after the other. `place` is an empty directory, `scratch` one with a short path.
pub(super) fn commands(
    subject: &str,
    layout: &Layout,
    place: &Path,
    scratch: &Path,
) -> Result<Vec<Command>, Error> {
    let image = format!("{}:{TAG}", layout.directory.display());
    let mut command = match program(subject) {
        Some(program) => Command::new(program),
        None => Command::new(std::env::current_exe().map_err(Error::io("find the bench's own program"))?),
    };
    match subject {
        "tar" => return Ok(layout.blobs.iter().map(|blob| tar(blob, place)).collect()),
        "umoci" => command.args(["raw", "unpack", "--image", &image]).arg(tree(place)),
        "podman" => command
            .arg("--root")
            .arg(place.join("storage"))
            .arg("--runroot")
            .arg(scratch)
            .args(["--storage-driver", "overlay", "pull", "--quiet"])
            .arg(format!("oci:{}:{TAG}", name(&layout.directory)))
            // It makes the image's name of the path, and takes no path that would be no name.
            .current_dir(layout.directory.parent().unwrap_or(&layout.directory))
            .env("TMPDIR", place),
        _ => command.arg("--child").arg(subject).arg(&layout.directory).arg(tree(place)),
    };
    Ok(vec![command])
}

fn tar(blob: &Path, place: &Path) -> Command {
    let mut command = Command::new("tar");
    command
        .args(["--numeric-owner", "--xattrs", "--xattrs-include=*", "-xzf"])
        .arg(blob)
        .arg("-C")
        .arg(place);
    command
}

fn name(path: &Path) -> std::path::Display<'_> {
    path.file_name().map_or(path, Path::new).display()
}

/// Where the directory of the image, or the store, is made.
fn tree(place: &Path) -> PathBuf {
    place.join("tree")
}

/// The directories with the files of the image.
pub(super) fn trees(subject: &str, place: &Path) -> Result<Vec<PathBuf>, Error> {
    match subject {
        "tar" => Ok(vec![place.to_owned()]),
        "podman" => below(&place.join("storage/overlay"), "diff"),
        "cofferdam-store" => below(&tree(place).join("layers/sha256"), "diff"),
        _ => Ok(vec![tree(place)]),
    }
}

/// The directories of this name in the directories in `parent`.
fn below(parent: &Path, name: &str) -> Result<Vec<PathBuf>, Error> {
    let entries = fs::read_dir(parent).map_err(Error::io(format!("read {}", parent.display())))?;
    let paths = entries.filter_map(Result::ok).map(|entry| entry.path().join(name));
    Ok(paths.filter(|path| path.is_dir()).collect())
}
