//! Names of network devices.

use std::collections::BTreeSet;
use std::fmt;

use crate::oci::{Error, Result};

/// `IFNAMSIZ` of `linux/if.h`, without the zero at the end.
const LONGEST: usize = 15;

/// What a device is to be called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// That.
    Exact(String),
    /// The first free one of this form, with a number between these.
    Numbered(String, String),
}

impl Target {
    pub(super) fn parse(property: &str, name: &str) -> Result<Self> {
        let Some((before, after)) = name.split_once("%d") else {
            checked(property, name)?;
            return Ok(Self::Exact(name.to_owned()));
        };
        // The shortest that it can become.
        checked(property, &format!("{before}0{after}"))?;
        Ok(Self::Numbered(before.to_owned(), after.to_owned()))
    }

    /// The name that it becomes among those that are taken; none if there is no free one.
    pub(super) fn resolve(&self, taken: &BTreeSet<String>) -> Option<String> {
        match self {
            Self::Exact(name) => (!taken.contains(name)).then(|| name.clone()),
            Self::Numbered(before, after) => (0..=taken.len())
                .map(|number| format!("{before}{number}{after}"))
                .find(|name| !taken.contains(name))
                .filter(|name| name.len() <= LONGEST),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(name) => f.write_str(name),
            Self::Numbered(before, after) => write!(f, "{before}%d{after}"),
        }
    }
}

/// What the kernel takes for a name, without a template in it.
pub(super) fn checked(property: &str, name: &str) -> Result<()> {
    let odd = |c: char| matches!(c, '/' | ':' | '%' | '\0') || c.is_ascii_whitespace() || c == '\x0b';
    if name.is_empty() || name.len() > LONGEST || matches!(name, "." | "..") || name.contains(odd) {
        return Err(Error::config(property, format!("{name:?} is no name of a network device")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_the_first_that_is_free() {
        let taken: BTreeSet<String> = ["lo", "eth0", "eth1", "eth3"].map(str::to_owned).into();
        let become_of = |name: &str| Target::parse("p", name).unwrap().resolve(&taken);
        assert_eq!(become_of("eth%d").as_deref(), Some("eth2"));
        assert_eq!(become_of("a%db").as_deref(), Some("a0b"));
        assert_eq!(become_of("eth7").as_deref(), Some("eth7"));
        assert_eq!(become_of("eth1"), None);
    }

    #[test]
    fn what_no_device_can_be_called_is_refused() {
        for name in
            ["", ".", "..", "a b", "a:b", "a/b", "sixteen-letters-", "a%s", "%d%d", "fifteen-letters%d"]
        {
            let text = Target::parse("p", name).unwrap_err().to_string();
            assert!(text.ends_with("is no name of a network device"), "{name}: {text}");
        }
        assert!(Target::parse("p", "fifteen-letters").is_ok());
    }
}
