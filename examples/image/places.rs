//! Places of the command line, opened.

use cofferdam_image_spec::{Location, Source, Store};

use crate::args::Args;
use crate::failure::Failure;

/// The store, which must be there.
pub fn store(args: &Args) -> Result<Store, Failure> {
    Ok(Store::open(path(args)?)?)
}

/// The store, made if there is none.
pub fn new_store(args: &Args) -> Result<Store, Failure> {
    Ok(Store::open_or_create(path(args)?)?)
}

fn path(args: &Args) -> Result<std::path::PathBuf, Failure> {
    match &args.store {
        Some(path) => Ok(path.clone()),
        None => Ok(Store::default_path()?),
    }
}

/// Where images are read from.
pub fn source(args: &Args, location: &Location) -> Result<Box<dyn Source>, Failure> {
    match location {
        Location::Store { .. } => Ok(Box::new(store(args)?)),
        Location::Host => Err(Failure::new("host can be copied only, to a place that is then looked at")),
        other => Ok(other.source()?),
    }
}
