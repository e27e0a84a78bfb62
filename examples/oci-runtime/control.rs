//! `kill`, `delete`, `pause` and `resume`.

use crate::args::{Delete, Kill};
use crate::failure::Failure;
use crate::places::Context;

pub fn kill(context: &Context<'_>, options: &Kill) -> Result<u8, Failure> {
    context.container(&options.id)?.kill(options.signal.0, options.all)?;
    Ok(0)
}

pub fn delete(context: &Context<'_>, options: &Delete) -> Result<u8, Failure> {
    let errors = context.runtime()?.delete(&options.id, options.force)?;
    context.warn("delete", &errors);
    Ok(0)
}

pub fn pause(context: &Context<'_>, id: &str) -> Result<u8, Failure> {
    context.container(id)?.pause()?;
    Ok(0)
}

pub fn resume(context: &Context<'_>, id: &str) -> Result<u8, Failure> {
    context.container(id)?.resume()?;
    Ok(0)
}
