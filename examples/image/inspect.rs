//! `image inspect`.

use std::fmt::Write as _;

use cofferdam_image_spec::{Image, Platform, resolve_image, select};
use messages::printable;
use serde_json::{Value, json};

use crate::args::{Args, Inspect};
use crate::failure::Failure;
use crate::{output, places};

pub fn run(args: &Args, wanted: &Inspect) -> Result<u8, Failure> {
    let source = places::source(args, &wanted.from)?;
    let offer = select(&*source, wanted.from.name())?;
    let platform = wanted.platform.clone().unwrap_or_else(Platform::host);
    let image = resolve_image(&*source, &offer.descriptor, &platform)?;
    let config: Value = serde_json::from_slice(image.config.bytes()).map_err(Failure::new)?;
    let layers = image.layers.iter().map(|layer| {
        let blob = &layer.descriptor;
        json!({"digest": blob.digest, "diffId": layer.diff_id, "size": blob.size, "mediaType": blob.media_type})
    });
    let json = json!({
        "name": offer.name,
        "digest": image.manifest.digest(),
        "id": image.config.digest(),
        "platform": image.config.value().platform.to_string(),
        "layers": layers.collect::<Vec<_>>(),
        "config": config,
    });
    output::print(args, &json, &text(offer.name.as_deref(), &image))?;
    Ok(0)
}

fn text(name: Option<&str>, image: &Image) -> String {
    let config = image.config.value();
    let mut text = String::new();
    let mut line = |key: &str, value: &str| {
        if !value.is_empty() {
            // Writing to a string does not fail.
            writeln!(text, "{key:<12}{}", printable(value)).unwrap_or_default();
        }
    };
    line("name", name.unwrap_or_default());
    line("digest", &image.manifest.digest().to_string());
    line("id", &image.config.digest().to_string());
    line("platform", &config.platform.to_string());
    line("created", config.created.as_deref().unwrap_or_default());
    line("entrypoint", &config.config.entrypoint.join(" "));
    line("cmd", &config.config.cmd.join(" "));
    line("user", &config.config.user);
    line("directory", &config.config.working_dir);
    for variable in &config.config.env {
        line("env", variable);
    }
    for layer in &image.layers {
        let size = output::size(layer.descriptor.size);
        line("layer", &format!("{} {size:>10}  {}", layer.descriptor.digest, layer.descriptor.media_type));
    }
    text.trim_end().to_owned()
}
