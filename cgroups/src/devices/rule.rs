//! One rule for devices.

use super::Access;
use std::fmt;
use std::str::FromStr;

/// Which kind of device nodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DeviceKind {
    /// Both: `a`.
    #[default]
    All,
    /// Character devices: `c`.
    Char,
    /// Block devices: `b`.
    Block,
}

impl DeviceKind {
    /// Whether each node of another kind is of this one.
    pub(crate) fn covers(self, other: Self) -> bool {
        self == Self::All || self == other
    }
}

/// The kernel's letter.
impl fmt::Display for DeviceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::All => "a",
            Self::Char => "c",
            Self::Block => "b",
        })
    }
}

/// Allows or denies some access to some devices.
///
/// As a text it is a word and a line of the kernel's v1 lists; the latter alone allows:
///
/// ```
/// use cofferdam_cgroups::{Access, DeviceKind, DeviceRule};
///
/// let rule: DeviceRule = "deny b 8:* w".parse()?;
/// assert_eq!((rule.allow, rule.kind, rule.major, rule.minor), (false, DeviceKind::Block, Some(8), None));
/// assert_eq!(rule.access, Access::WRITE);
/// assert_eq!("c 1:3 mr".parse::<DeviceRule>()?.to_string(), "allow c 1:3 rm");
/// assert_eq!("a".parse::<DeviceRule>()?.to_string(), "allow a *:* rwm");
/// # Ok::<(), cofferdam_cgroups::DeviceRuleFault>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DeviceRule {
    /// Whether it allows.
    pub allow: bool,
    /// Which kind of nodes.
    pub kind: DeviceKind,
    /// The driver's number; none for all.
    pub major: Option<u32>,
    /// The driver's own count; none for all.
    pub minor: Option<u32>,
    /// What is allowed or denied; the rule says nothing about the rest.
    pub access: Access,
}

impl DeviceRule {
    /// One more than the largest major number that the kernel has.
    pub(crate) const MAJORS: u32 = 1 << 12;
    /// One more than the largest minor number that the kernel has.
    pub(crate) const MINORS: u32 = 1 << 20;

    /// Allows all access to one kind of devices; narrow it with [`DeviceRule::device`] and [`DeviceRule::access`].
    pub const fn allow(kind: DeviceKind) -> Self {
        Self { allow: true, kind, major: None, minor: None, access: Access::ALL }
    }

    /// Denies all access to one kind of devices.
    pub const fn deny(kind: DeviceKind) -> Self {
        Self { allow: false, ..Self::allow(kind) }
    }

    /// The same for one device.
    #[must_use]
    pub const fn device(self, major: u32, minor: u32) -> Self {
        Self { major: Some(major), minor: Some(minor), ..self }
    }

    /// The same for all devices of one driver.
    #[must_use]
    pub const fn major(self, major: u32) -> Self {
        Self { major: Some(major), ..self }
    }

    /// The same for some access only.
    #[must_use]
    pub const fn access(self, access: Access) -> Self {
        Self { access, ..self }
    }

    /// Whether it speaks about all devices with such numbers, where none stands for one that no rule names.
    pub(crate) fn covers(&self, kind: DeviceKind, major: Option<u32>, minor: Option<u32>) -> bool {
        self.kind.covers(kind)
            && (self.major.is_none() || self.major == major)
            && (self.minor.is_none() || self.minor == minor)
    }
}

/// A number or, for all of them, a star.
pub(crate) fn number(number: Option<u32>) -> String {
    number.map_or_else(|| "*".to_owned(), |number| number.to_string())
}

impl fmt::Display for DeviceRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = if self.allow { "allow" } else { "deny" };
        write!(f, "{word} {} {}:{} {}", self.kind, number(self.major), number(self.minor), self.access)
    }
}

/// A text is no rule for devices.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no device rule: {expected} expected")]
pub struct DeviceRuleFault {
    /// The text.
    pub text: String,
    /// What was expected.
    pub expected: &'static str,
}

/// `allow` or `deny` or neither of them, then a line as the kernel has it.
impl FromStr for DeviceRule {
    type Err = DeviceRuleFault;

    fn from_str(text: &str) -> Result<Self, DeviceRuleFault> {
        parse(text).map_err(|expected| DeviceRuleFault { text: text.to_owned(), expected })
    }
}

fn parse(text: &str) -> Result<DeviceRule, &'static str> {
    let mut words = text.split_ascii_whitespace().peekable();
    let allow = words.next_if(|word| matches!(*word, "allow" | "deny")) != Some("deny");
    let kind = match words.next() {
        Some("a") => DeviceKind::All,
        Some("c") => DeviceKind::Char,
        Some("b") => DeviceKind::Block,
        _ => return Err("one of the kinds a, c and b"),
    };
    if kind == DeviceKind::All && words.peek().is_none() {
        return Ok(DeviceRule { allow, ..DeviceRule::allow(kind) });
    }
    let numbers = words.next().and_then(|word| word.split_once(':')).ok_or("numbers such as 1:3 or 1:*")?;
    let major = parse_number(numbers.0).ok_or("a major number or *")?;
    let minor = parse_number(numbers.1).ok_or("a minor number or *")?;
    let access = words.next().and_then(|word| word.parse().ok()).ok_or("a composition of r, w and m")?;
    if words.next().is_some() {
        return Err("nothing more after the access");
    }
    Ok(DeviceRule { allow, kind, major, minor, access })
}

fn parse_number(text: &str) -> Option<Option<u32>> {
    match text {
        "*" => Some(None),
        // `parse` would take a sign.
        _ if text.bytes().all(|byte| byte.is_ascii_digit()) => text.parse().ok().map(Some),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::any_rule;
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_no_rule_is_refused_with_what_was_expected() {
        for (text, expected) in [
            ("", "one of the kinds a, c and b"),
            ("allow", "one of the kinds a, c and b"),
            ("permit c 1:3 rwm", "one of the kinds a, c and b"),
            ("c", "numbers such as 1:3 or 1:*"),
            ("c 13 rwm", "numbers such as 1:3 or 1:*"),
            ("c +1:3 rwm", "a major number or *"),
            ("c :3 rwm", "a major number or *"),
            ("c 1:4294967296 rwm", "a minor number or *"),
            ("c 1:3", "a composition of r, w and m"),
            ("c 1:3 rx", "a composition of r, w and m"),
            ("c 1:3 rw m", "nothing more after the access"),
        ] {
            let fault = text.parse::<DeviceRule>().unwrap_err();
            assert_eq!(fault.to_string(), format!("{text:?} is no device rule: {expected} expected"));
        }
    }

    #[test]
    fn rules_are_put_together_from_small_parts() {
        let rule = DeviceRule::allow(DeviceKind::Char).device(1, 3).access(Access::READ);
        assert_eq!(rule.to_string(), "allow c 1:3 r");
        assert_eq!(DeviceRule::deny(DeviceKind::Block).major(8).to_string(), "deny b 8:* rwm");
        assert_eq!(DeviceRule::deny(DeviceKind::All).to_string(), "deny a *:* rwm");
    }

    proptest! {
        #[test]
        fn what_is_printed_is_read_again(rule in any_rule()) {
            prop_assert_eq!(rule.to_string().parse(), Ok(rule));
        }

        #[test]
        fn no_text_makes_it_panic(text in ".{0,40}", shaped in "(allow |deny )?[abc]? ?[0-9*]{0,12}:?[0-9*]{0,12} ?[rwmx]{0,4}") {
            for text in [text, shaped] {
                if let Ok(rule) = text.parse::<DeviceRule>() {
                    prop_assert_eq!(rule.to_string().parse(), Ok(rule));
                }
            }
        }
    }
}
