//! Where in a JSON document something is.

use std::fmt::{self, Display, Write};

/// So much of a key or a value of the document is shown in an error.
const SHOWN: usize = 100;

/// A place in a document, as `linux.namespaces[1].type`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    steps: Vec<Step>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Key(String),
    Index(usize),
}

impl Place {
    /// The document itself, or a part of it that is a document of its own, as `linux.resources`.
    pub(super) fn root(name: &str) -> Self {
        let steps = name.split('.').filter(|step| !step.is_empty());
        Self { steps: steps.map(|step| Step::Key(step.to_owned())).collect() }
    }

    pub(super) fn key(&mut self, key: &str) {
        self.steps.push(Step::Key(key.to_owned()));
    }

    pub(super) fn index(&mut self, index: usize) {
        self.steps.push(Step::Index(index));
    }

    pub(super) fn up(&mut self) {
        self.steps.pop();
    }

    /// The place of a key below this one.
    pub(super) fn below(&self, key: &str) -> String {
        let mut place = self.clone();
        place.key(key);
        place.to_string()
    }
}

impl Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, step) in self.steps.iter().enumerate() {
            match step {
                Step::Index(index) => write!(formatter, "[{index}]")?,
                Step::Key(key) if is_plain(key) => {
                    if position > 0 {
                        formatter.write_char('.')?;
                    }
                    formatter.write_str(key)?;
                }
                Step::Key(key) => write!(formatter, "[{}]", quoted(key))?,
            }
        }
        Ok(())
    }
}

/// Whether a key can stand between dots.
fn is_plain(key: &str) -> bool {
    (1..=SHOWN).contains(&key.len())
        && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}

/// A place below the map at `path`: `linux.sysctl["net.ipv4.ip_forward"]`.
pub(super) fn entry(path: &str, key: &str) -> String {
    if is_plain(key) { format!("{path}.{key}") } else { format!("{path}[{}]", quoted(key)) }
}

/// A text of the document as an error shows it: on one line, in quotes, not too long.
pub(super) fn quoted(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        None => format!("{text:?}"),
        Some((end, _)) => format!("{:?}... ({} bytes)", &text[..end], text.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_reads_like_an_expression() {
        let mut place = Place::root("linux");
        place.key("namespaces");
        place.index(1);
        place.key("type");
        assert_eq!(place.to_string(), "linux.namespaces[1].type");
        place.up();
        place.up();
        assert_eq!(place.to_string(), "linux.namespaces");
        assert_eq!(place.below("net.core\n"), "linux.namespaces[\"net.core\\n\"]");
        assert_eq!(Place::root("").to_string(), "");
        assert_eq!(entry("linux.sysctl", "net.x"), "linux.sysctl[\"net.x\"]");
        assert_eq!(entry("linux.netDevices", "eth0"), "linux.netDevices.eth0");
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        assert_eq!(quoted("a\u{1b}[0m\n"), "\"a\\u{1b}[0m\\n\"");
        let long = "ü".repeat(200);
        assert_eq!(quoted(&long), format!("\"{}\"... (400 bytes)", "ü".repeat(100)));
    }
}
