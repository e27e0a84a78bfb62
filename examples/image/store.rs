//! What is done with the store: `ls`, `verify`, `gc`, `rm`, `tag`.

use std::io;

use cofferdam_image_spec::{Damage, Source, Store, VerifyOptions};
use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, Table};
use messages::printable;
use serde_json::{Value, json};

use crate::args::Args;
use crate::failure::Failure;
use crate::{output, places};

pub fn list(args: &Args) -> Result<u8, Failure> {
    let usage = places::store(args)?.usage()?;
    let mut table = Table::new();
    table.load_style(NOTHING).set_header(["name", "digest", "own", "shared"]);
    for image in &usage.images {
        let name = printable(image.name.as_deref().unwrap_or("-"));
        let sizes = [output::size(image.unique), output::size(image.shared)];
        table.add_row([&*name, image.digest.short(), &sizes[0], &sizes[1]]);
    }
    for column in table.column_iter_mut().skip(2) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    let images = usage.images.iter().map(|image| {
        json!({"name": image.name, "digest": image.digest, "unique": image.unique, "shared": image.shared})
    });
    let json = json!({
        "images": images.collect::<Vec<_>>(),
        "blobs": usage.blobs, "layers": usage.layers, "containers": usage.containers,
        "temporaries": usage.temporaries,
    });
    let text = if usage.images.is_empty() { String::new() } else { table.trim_fmt() };
    output::print(args, &json, &text)?;
    Ok(0)
}

pub fn verify(args: &Args, name: Option<&str>, deep: bool, repair: bool) -> Result<u8, Failure> {
    let store = places::store(args)?;
    if let Some(name) = name {
        return verify_one(args, &store, name);
    }
    let report = store.verify(VerifyOptions { deep, repair })?;
    let damages: Vec<Value> = report.damages.iter().map(damage).collect();
    let json = json!({
        "blobs": report.blobs, "images": report.images, "layers": report.layers, "outdated": report.outdated,
        "damages": damages,
    });
    let mut text = format!("{} images, {} blobs, {} layers", report.images, report.blobs, report.layers);
    for Damage { what, name, error, removed, .. } in &report.damages {
        let removed = if *removed { ", removed" } else { "" };
        text.push('\n');
        text.push_str(&printable(&format!("{what} {name}: {error}{removed}")));
    }
    output::print(args, &json, &text)?;
    Ok(u8::from(!report.damages.is_empty()))
}

fn damage(damage: &Damage) -> Value {
    let Damage { what, name, error, removed, .. } = damage;
    json!({"what": what, "name": name, "error": error.to_string(), "removed": removed})
}

/// Reads the blobs of one image.
fn verify_one(args: &Args, store: &Store, name: &str) -> Result<u8, Failure> {
    let image = store.image(name)?;
    for layer in image.layers() {
        let mut content = store.open(&layer.descriptor)?;
        let mut digester = cofferdam_image_spec::Digester::new(layer.descriptor.digest.algorithm());
        let mut buffer = vec![0; 128 << 10];
        loop {
            match content.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => digester.update(&buffer[..count]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Failure::of(&layer.descriptor.digest)(error)),
            }
        }
        let found = digester.finish();
        if found != layer.descriptor.digest {
            return Err(Failure::new(format_args!(
                "blob {} has the digest {found}",
                layer.descriptor.digest
            )));
        }
    }
    let digest = image.descriptor().digest.to_string();
    output::print(args, &json!({"digest": digest, "damages": []}), &digest)?;
    Ok(0)
}

pub fn collect(args: &Args) -> Result<u8, Failure> {
    let gone = places::store(args)?.gc()?;
    let json = json!({
        "blobs": gone.blobs, "layers": gone.layers, "bytes": gone.bytes, "temporaries": gone.temporaries,
    });
    let size = output::size(gone.bytes);
    output::print(args, &json, &format!("{} blobs, {} layers, {size}", gone.blobs, gone.layers))?;
    Ok(0)
}

pub fn remove(args: &Args, names: &[String]) -> Result<u8, Failure> {
    let store = places::store(args)?;
    names.iter().try_for_each(|name| store.remove(name))?;
    output::print(args, &json!({"removed": names}), "")?;
    Ok(0)
}

pub fn tag(args: &Args, name: &str, new: &str) -> Result<u8, Failure> {
    places::store(args)?.tag(name, new)?;
    output::print(args, &json!({"name": name, "new": new}), "")?;
    Ok(0)
}
