//! `spec`.

use cofferdam::oci::{default_spec, default_spec_rootless, write_spec};
use rustix::process::{getegid, geteuid};

use crate::args::SpecFile;
use crate::failure::Failure;

/// Writes a configuration, unless there is one.
pub fn write(options: &SpecFile) -> Result<u8, Failure> {
    let spec = match options.rootless {
        true => default_spec_rootless(geteuid().as_raw(), getegid().as_raw()),
        false => default_spec(),
    };
    write_spec(&options.bundle, &spec)?;
    Ok(0)
}
