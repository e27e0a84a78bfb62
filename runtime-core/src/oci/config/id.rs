//! The name of a container.

use std::fmt;
use std::str::FromStr;

use crate::oci::Error;

/// The longest name, in bytes.
const MAX: usize = 1024;

/// So much of a text that is no name is kept.
const SHOWN: usize = 100;

/// The name of a container: letters, digits, `_`, `+`, `-` and, but not at the beginning, `.`; at most 1024 bytes.
///
/// Such a name is one component of a path, and never `.` or `..`.
///
/// ```
/// use cofferdam::oci::Id;
///
/// let id: Id = "web-1".parse()?;
/// assert_eq!(id.as_str(), "web-1");
/// assert!("../web".parse::<Id>().is_err());
/// # Ok::<(), cofferdam::oci::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Id(String);

impl Id {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Id {
    type Err = Error;

    /// # Errors
    ///
    /// [`Error::InvalidId`] for what is no name.
    fn from_str(text: &str) -> Result<Self, Error> {
        let wrong = |reason| Err(Error::InvalidId { id: text.chars().take(SHOWN).collect(), reason });
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'+' | b'-');
        match text.bytes().next() {
            None => wrong("is empty"),
            Some(_) if text.len() > MAX => wrong("is longer than 1024 bytes"),
            Some(first) if !allowed(first) => wrong("does not begin with a letter, a digit, `_`, `+` or `-`"),
            Some(_) if !text.bytes().all(|byte| allowed(byte) || byte == b'.') => {
                wrong("has other characters than letters, digits, `_`, `+`, `-` and `.`")
            }
            Some(_) => Ok(Self(text.to_owned())),
        }
    }
}

impl AsRef<str> for Id {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Id {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_component_of_a_path() {
        for id in ["a", "0", "_x", "+x", "-x", "a.b", "a..", "web-1_2+3.4", &"a".repeat(1024)] {
            assert_eq!(id.parse::<Id>().unwrap().to_string(), *id);
        }
    }

    #[test]
    fn what_is_no_name_is_refused_on_one_line() {
        let begin = "does not begin with a letter, a digit, `_`, `+` or `-`";
        let other = "has other characters than letters, digits, `_`, `+`, `-` and `.`";
        for (id, text) in [
            ("", "the container id \"\" is empty".to_owned()),
            (".", format!("the container id \".\" {begin}")),
            ("..", format!("the container id \"..\" {begin}")),
            ("../x", format!("the container id \"../x\" {begin}")),
            ("/x", format!("the container id \"/x\" {begin}")),
            ("ä", format!("the container id \"ä\" {begin}")),
            ("a/b", format!("the container id \"a/b\" {other}")),
            ("a\nb", format!("the container id \"a\\nb\" {other}")),
            ("a b", format!("the container id \"a b\" {other}")),
            ("a\0", format!("the container id \"a\\0\" {other}")),
        ] {
            assert_eq!(id.parse::<Id>().unwrap_err().to_string(), text);
        }
        let text = "a".repeat(1025).parse::<Id>().unwrap_err().to_string();
        let shown = "a".repeat(SHOWN);
        assert_eq!(text, format!("the container id \"{shown}\" is longer than 1024 bytes"));
    }
}
