//! What is printed.

use std::io::{self, Write as _};

use serde_json::Value;

use crate::args::Args;
use crate::failure::Failure;

/// Prints a result: as JSON, as text, or not at all.
pub fn print(args: &Args, json: &Value, text: &str) -> Result<(), Failure> {
    let line = match (args.json, args.quiet) {
        (true, _) => escaped(&format!("{json:#}\n")),
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

/// JSON leaves some control characters in strings as they are. Outside of strings there are none but ends of lines.
fn escaped(json: &str) -> String {
    let escape = |character: char| match character {
        '\n' => "\n".to_owned(),
        control if control.is_control() => format!("\\u{:04x}", u32::from(control)),
        other => other.to_string(),
    };
    json.chars().map(escape).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_left_that_a_terminal_obeys() {
        let hostile = "a\u{1b}[2J\u{9b}2J\u{7f}\r\n\u{202e}\"b\"\\";
        let json = escaped(&serde_json::json!({"key": hostile}).to_string());
        assert!(!json.contains(char::is_control), "{json:?}");
        assert_eq!(serde_json::from_str::<Value>(&json).unwrap()["key"], hostile);
    }
}
