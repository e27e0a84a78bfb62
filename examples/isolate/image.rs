//! A root made from an image.

use cofferdam::image::{ImportOptions, Store};
use cofferdam::{Error, Root};

use crate::args::Files;
use crate::failure::Failure;

/// The root for `--image`, from the store. What is not there yet is imported first.
pub fn root(options: &Files) -> Result<Option<Root>, Failure> {
    let Some(location) = &options.image else { return Ok(None) };
    Ok(Some(make(options, location)?))
}

fn make(options: &Files, location: &cofferdam::image::Location) -> Result<Root, Error> {
    let path = match &options.store {
        Some(path) => path.clone(),
        None => Store::default_path()?,
    };
    let store = Store::open_or_create(path)?;
    let image = store.obtain(location, &ImportOptions::new())?;
    match &options.container {
        Some(name) => Root::container(store.container(name, &image)?),
        None => Ok(Root::image(&image)?.read_only(options.read_only)),
    }
}
