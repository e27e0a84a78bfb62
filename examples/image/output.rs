//! What is printed.

use std::io::{self, Write as _};

use serde_json::Value;

use crate::args::Args;
use crate::failure::Failure;

/// Prints a result: as JSON, as text, or not at all.
pub fn print(args: &Args, json: &Value, text: &str) -> Result<(), Failure> {
    let line = match (args.json, args.quiet) {
        (true, _) => format!("{json:#}\n"),
        (false, false) if !text.is_empty() => format!("{text}\n"),
        _ => return Ok(()),
    };
    match io::stdout().write_all(line.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::of("print")(error)),
        _ => Ok(()),
    }
}

/// A size for people.
pub fn size(bytes: u64) -> String {
    indicatif::BinaryBytes(bytes).to_string()
}
