//! `image unpack`.

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
    let (entries, bytes, skipped) = layers(args, wanted, &*source, &image)?;
    let json =
        json!({"digest": image.manifest.digest(), "entries": entries, "bytes": bytes, "skipped": skipped});
    let left_out = if skipped == 0 { String::new() } else { format!(", {skipped} things left out") };
    output::print(args, &json, &format!("{entries} entries, {}{left_out}", output::size(bytes)))?;
    Ok(0)
}

/// Makes the tree; how many entries and bytes it has, and how much was left out.
fn layers(
    args: &Args,
    wanted: &Unpack,
    source: &dyn Source,
    image: &Image,
) -> Result<(u64, u64, u64), Failure> {
    let bars = Bars::new(args);
    // The bar is one for all layers, as they are decompressed side by side.
    let mut whole = image.manifest.descriptor();
    whole.size = image.layers.iter().map(|layer| layer.descriptor.size).fold(0, u64::saturating_add);
    if let Some(bars) = &bars {
        bars.started(&whole);
    }
    let told = |count| {
        if let Some(bars) = &bars {
            bars.advanced(&whole.digest, count);
        }
    };
    let done = options(wanted).tree(source, &image.layers, &wanted.directory, &told)?;
    if let Some(bars) = &bars {
        bars.finished(&whole);
    }
    let skipped = done
        .iter()
        .map(|layer| layer.skipped)
        .map(|out| out.devices + out.capabilities + out.access_lists + out.labels + out.xattrs);
    Ok((
        done.iter().map(|layer| layer.entries).sum(),
        done.iter().map(|layer| layer.bytes).sum(),
        skipped.sum(),
    ))
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
