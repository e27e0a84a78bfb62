//! `image unpack`.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use cofferdam_image_spec::{
    Devices, Form, Ids, Image, Limits, Platform, Progress, Source, Unpack as Layers, resolve_image, select,
};
use serde_json::json;

use crate::args::{Args, Nodes, Owners, Unpack};
use crate::bars::Bars;
use crate::failure::Failure;
use crate::{output, places};

pub fn run(args: &Args, wanted: &Unpack) -> Result<u8, Failure> {
    let source = places::source(args, &wanted.from)?;
    let offer = select(&*source, wanted.from.name())?;
    let platform = wanted.platform.clone().unwrap_or_else(Platform::host);
    let image = resolve_image(&*source, &offer.descriptor, &platform)?;
    let made = prepare(&wanted.directory)?;
    let unpacked = layers(args, wanted, &*source, &image);
    let (entries, bytes, skipped) = unpacked.map_err(|failure| {
        // Why it went wrong comes first, whatever becomes of the rest.
        match clean(&wanted.directory, made) {
            Ok(()) => failure,
            Err(error) => Failure::new(format_args!("{}; {error} when it was removed", failure.message)),
        }
    })?;
    let json =
        json!({"digest": image.manifest.digest(), "entries": entries, "bytes": bytes, "skipped": skipped});
    let left_out = if skipped == 0 { String::new() } else { format!(", {skipped} things left out") };
    output::print(args, &json, &format!("{entries} entries, {}{left_out}", output::size(bytes)))?;
    Ok(0)
}

/// Makes the directory, unless it is there and empty; whether it was made.
fn prepare(directory: &Path) -> Result<bool, Failure> {
    match fs::create_dir(directory) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let mut entries = fs::read_dir(directory).map_err(Failure::of(directory.display()))?;
            match entries.next() {
                None => Ok(false),
                Some(_) => Err(Failure::new(format_args!("{} is not empty", directory.display()))),
            }
        }
        Err(error) => Err(Failure::of(directory.display())(error)),
    }
}

fn layers(
    args: &Args,
    wanted: &Unpack,
    source: &dyn Source,
    image: &Image,
) -> Result<(u64, u64, u64), Failure> {
    let root = File::open(&wanted.directory).map_err(Failure::of(wanted.directory.display()))?;
    let unpack = options(wanted);
    let bars = Bars::new(args);
    let (mut entries, mut bytes, mut skipped) = (0, 0, 0);
    for layer in &image.layers {
        let descriptor = &layer.descriptor;
        if let Some(bars) = &bars {
            bars.started(descriptor);
        }
        let told = |count| {
            if let Some(bars) = &bars {
                bars.advanced(&descriptor.digest, count);
            }
        };
        let blob = source.open(descriptor)?;
        let done = unpack.layer(blob, descriptor, Some(&layer.diff_id), root.as_fd(), &told)?;
        if let Some(bars) = &bars {
            bars.finished(descriptor);
        }
        entries += done.entries;
        bytes += done.bytes;
        let out = done.skipped;
        skipped += out.devices + out.capabilities + out.access_lists + out.labels + out.xattrs;
    }
    Ok((entries, bytes, skipped))
}

fn options(wanted: &Unpack) -> Layers {
    let usual = Limits::default();
    let limits = Limits {
        bytes: wanted.max_bytes.unwrap_or(usual.bytes),
        entries: wanted.max_entries.unwrap_or(usual.entries),
        ..usual
    };
    let devices = match wanted.devices {
        Nodes::Skip => Devices::Skip,
        Nodes::Make => Devices::Make,
        Nodes::EmptyFile => Devices::EmptyFile,
        Nodes::Refuse => Devices::Refuse,
    };
    let ids = match wanted.owners {
        Some(Owners::Keep) => Ids::Keep,
        Some(Owners::Squash) => Ids::Squash,
        None => Ids::for_caller(),
    };
    Layers::new(Form::Plain).ids(ids).devices(devices).limits(limits)
}

/// Removes what was unpacked, and the directory if it was made.
fn clean(directory: &Path, made: bool) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            open_up(&entry.path())?;
            fs::remove_dir_all(entry.path())?;
        } else {
            fs::remove_file(entry.path())?;
        }
    }
    if made { fs::remove_dir(directory) } else { Ok(()) }
}

/// An ordinary user can only remove what is in directories with the mode for it.
fn open_up(directory: &Path) -> io::Result<()> {
    fs::set_permissions(directory, Permissions::from_mode(0o700))?;
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            open_up(&entry.path())?;
        }
    }
    Ok(())
}
