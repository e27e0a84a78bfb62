//! `image copy`.

use cofferdam_image_spec::{
    CopyOptions, Destination, HostImage, ImportOptions, Location, Offer, Platform, Progress, copy, select,
};
use serde_json::json;

use crate::args::{Args, Copy};
use crate::bars::Bars;
use crate::failure::Failure;
use crate::{output, places};

pub fn run(args: &Args, wanted: &Copy) -> Result<u8, Failure> {
    if wanted.from == Location::Host {
        return from_host(args, wanted);
    }
    if !wanted.program.is_empty() {
        return Err(Failure::usage("--program is for copies from host"));
    }
    let source = places::source(args, &wanted.from)?;
    let offer = select(&*source, wanted.from.name())?;
    let bars = Bars::new(args);
    let progress = bars.as_ref().map(|bars| bars as &dyn Progress);
    if let Location::Store { name } = &wanted.to {
        let mut options =
            ImportOptions::new().platform(wanted.platform.clone().unwrap_or_else(Platform::host));
        if let Some(progress) = progress {
            options = options.progress(progress);
        }
        let image = places::new_store(args)?.import(&*source, &offer.descriptor, Some(name), &options)?;
        return report(args, wanted, &image.descriptor().digest.to_string());
    }
    let destination = wanted.to.destination()?;
    let mut options = CopyOptions::new();
    options.platform = wanted.platform.clone().or_else(|| one_only(&wanted.to).then(Platform::host));
    options.progress = progress;
    let selector = format!("@{}", offer.descriptor.digest);
    let copied = copy(&*source, Some(&selector), &*destination, name(wanted, &offer), &options)?;
    destination.finish()?;
    report(args, wanted, &copied.descriptor.digest.to_string())
}

/// Whether a place holds images for one platform only.
fn one_only(location: &Location) -> bool {
    matches!(location, Location::DockerArchive { .. } | Location::Tarball { .. })
}

/// An image keeps its name if no other is said.
fn name<'n>(wanted: &'n Copy, offer: &'n Offer) -> Option<&'n str> {
    wanted.to.name().or(offer.name.as_deref())
}

/// Programs of this host, with what they need, as an image.
fn from_host(args: &Args, wanted: &Copy) -> Result<u8, Failure> {
    if wanted.program.is_empty() {
        return Err(Failure::usage("a copy from host needs --program, at least once"));
    }
    let image = wanted.program.iter().fold(HostImage::new(), |image, program| image.program(program));
    let plan = image.plan()?;
    let destination: Box<dyn Destination> = match &wanted.to {
        Location::Store { .. } => Box::new(places::new_store(args)?),
        other => other.destination()?,
    };
    let descriptor = plan.build(&*destination, wanted.to.name())?;
    destination.finish()?;
    report(args, wanted, &descriptor.digest.to_string())
}

fn report(args: &Args, wanted: &Copy, digest: &str) -> Result<u8, Failure> {
    let json = json!({"from": wanted.from.to_string(), "to": wanted.to.to_string(), "digest": digest});
    output::print(args, &json, digest)?;
    Ok(0)
}
