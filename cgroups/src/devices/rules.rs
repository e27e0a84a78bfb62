//! A list of rules, and what it means.

use super::{Access, DeviceKind, DeviceRule, DeviceRuleFault};
use std::fmt;
use std::str::FromStr;

/// Rules for devices, in the order in which they are applied: the last one that speaks about an access wins. What no
/// rule speaks about is denied, so the empty list denies all. That is how the OCI runtime-spec orders its
/// `linux.resources.devices`.
///
/// What the list decides is defined by [`DeviceRules::decide`]; each access is looked at by itself, so one rule may
/// allow reading and another one writing. On v2 every list can be carried out. On v1 most can; what the kernel's
/// lists there cannot say, such as a device denied again within a driver that is allowed where others are not, is
/// refused, not approximated.
///
/// ```
/// use cofferdam_cgroups::{Access, DeviceKind, DeviceRules};
///
/// let rules: DeviceRules = "deny a\nallow c 1:* r\nallow c 1:3 w\ndeny c 1:5 rwm".parse()?;
/// let rw = Access::READ.or(Access::WRITE);
/// assert!(rules.decide(DeviceKind::Char, 1, 3, rw));
/// assert!(!rules.decide(DeviceKind::Char, 1, 9, rw));
/// assert!(!rules.decide(DeviceKind::Char, 1, 5, Access::READ));
/// # Ok::<(), cofferdam_cgroups::DeviceRuleFault>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct DeviceRules(Vec<DeviceRule>);

/// Why a list of rules cannot be carried out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DeviceRulesFault {
    /// A number that no device can have; the largest is 4095 for the major and 1048575 for the minor one.
    #[error("no device has the numbers of {rule}: at most 4095:1048575")]
    Number {
        /// The rule.
        rule: DeviceRule,
    },
    /// A rule without any access, which says nothing.
    #[error("{rule:?} has no access")]
    NoAccess {
        /// The rule.
        rule: DeviceRule,
    },
    /// What the lists of v1 cannot express: a default and exceptions from it, but none from these.
    #[error(
        "cgroup v1 cannot allow exactly \"{access}\" for {kind} {}:{} within what is set for the devices around it",
        super::rule::number(*major),
        super::rule::number(*minor)
    )]
    NotOnV1 {
        /// The kind of the devices in question.
        kind: DeviceKind,
        /// Their major number.
        major: Option<u32>,
        /// Their minor number.
        minor: Option<u32>,
        /// What is to be allowed.
        access: Access,
    },
    /// Rules on v1 that could be applied in part only, and what was denied before is not known, as the kernel does not
    /// show it. The cgroup is left with fewer devices than it should have.
    #[error("cgroup v1 does not show what was denied before, so what is new is left as far as it came")]
    NotShown,
    /// More rules than can be carried out.
    #[error("{count} rules are too many")]
    TooMany {
        /// How many there are.
        count: usize,
    },
}

impl DeviceRules {
    /// How many rules are looked at. The program for v2 needs two to four instructions for each, and has to stay
    /// below what a jump can reach.
    pub const MAX: usize = 4096;

    /// The empty list, which denies all.
    pub const fn deny_all() -> Self {
        Self(Vec::new())
    }

    /// The list that allows all.
    pub fn allow_all() -> Self {
        Self(vec![DeviceRule::allow(DeviceKind::All)])
    }

    /// This list and one more rule, which wins over those before.
    #[must_use]
    pub fn with(mut self, rule: DeviceRule) -> Self {
        self.0.push(rule);
        self
    }

    /// The rules.
    pub fn rules(&self) -> &[DeviceRule] {
        &self.0
    }

    /// Whether all of an access to a device is allowed; with [`DeviceKind::All`] that to both the character and the
    /// block device of these numbers. No access at all is always allowed.
    pub fn decide(&self, kind: DeviceKind, major: u32, minor: u32, access: Access) -> bool {
        let allowed = |kind| self.allowed(kind, Some(major), Some(minor)).contains(access);
        match kind {
            DeviceKind::All => allowed(DeviceKind::Char) && allowed(DeviceKind::Block),
            kind => allowed(kind),
        }
    }

    /// What is allowed of the devices with these numbers, where none stands for one that no rule names.
    pub(crate) fn allowed(&self, kind: DeviceKind, major: Option<u32>, minor: Option<u32>) -> Access {
        let covering = self.0.iter().filter(|rule| rule.covers(kind, major, minor));
        covering.fold(Access::EMPTY, |allowed, rule| {
            if rule.allow { allowed.or(rule.access) } else { allowed.minus(rule.access) }
        })
    }

    /// Refuses what can be known to be wrong from the rules alone.
    pub(crate) fn check(&self) -> Result<(), DeviceRulesFault> {
        if self.0.len() > Self::MAX {
            return Err(DeviceRulesFault::TooMany { count: self.0.len() });
        }
        for &rule in &self.0 {
            // The kernel would take the largest number of all for a star.
            if rule.major.is_some_and(|major| major >= DeviceRule::MAJORS)
                || rule.minor.is_some_and(|minor| minor >= DeviceRule::MINORS)
            {
                return Err(DeviceRulesFault::Number { rule });
            }
            if rule.access.is_empty() {
                return Err(DeviceRulesFault::NoAccess { rule });
            }
        }
        Ok(())
    }
}

impl From<Vec<DeviceRule>> for DeviceRules {
    fn from(rules: Vec<DeviceRule>) -> Self {
        Self(rules)
    }
}

impl FromIterator<DeviceRule> for DeviceRules {
    fn from_iter<I: IntoIterator<Item = DeviceRule>>(rules: I) -> Self {
        Self(rules.into_iter().collect())
    }
}

/// One rule a line.
impl fmt::Display for DeviceRules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|rule| writeln!(f, "{rule}"))
    }
}

/// One rule a line; empty lines are left out. The kernel's `devices.list` of v1 has this form.
impl FromStr for DeviceRules {
    type Err = DeviceRuleFault;

    fn from_str(text: &str) -> Result<Self, DeviceRuleFault> {
        text.lines().filter(|line| !line.trim().is_empty()).map(str::parse).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::any_rules;
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_last_rule_that_speaks_about_an_access_wins() {
        let rules: DeviceRules = "allow c 1:* rw\ndeny c 1:3 w\nallow b 8:0 r".parse().unwrap();
        let decide =
            |kind, major, minor, access: &str| rules.decide(kind, major, minor, access.parse().unwrap());
        assert!(decide(DeviceKind::Char, 1, 5, "rw"));
        assert!(decide(DeviceKind::Char, 1, 3, "r"));
        assert!(!decide(DeviceKind::Char, 1, 3, "rw"));
        assert!(!decide(DeviceKind::Char, 1, 5, "m"));
        assert!(decide(DeviceKind::Block, 8, 0, "r"));
        assert!(!decide(DeviceKind::All, 8, 0, "r"));
        assert!(rules.decide(DeviceKind::Block, 9, 9, Access::EMPTY));
    }

    #[test]
    fn the_empty_list_denies_all() {
        assert!(!DeviceRules::deny_all().decide(DeviceKind::Char, 1, 3, Access::READ));
        assert!(DeviceRules::allow_all().decide(DeviceKind::All, 1, 3, Access::ALL));
        assert_eq!("".parse(), Ok(DeviceRules::deny_all()));
        assert_eq!("a *:* rwm\n".parse(), Ok(DeviceRules::allow_all()));
    }

    #[test]
    fn what_no_device_can_match_is_refused() {
        let check = |text: &str| text.parse::<DeviceRules>().unwrap().check();
        let text = |text| check(text).unwrap_err().to_string();
        let number = "no device has the numbers of deny c 4294967295:3 rwm: at most 4095:1048575";
        assert_eq!(text("deny c 4294967295:3 rwm"), number);
        assert!(matches!(check("c 4095:1048576 r"), Err(DeviceRulesFault::Number { .. })));
        assert_eq!(check("c 4095:1048575 r"), Ok(()));
        let silent = DeviceRules::from(vec![DeviceRule::allow(DeviceKind::All).access(Access::EMPTY)]);
        assert!(matches!(silent.check(), Err(DeviceRulesFault::NoAccess { .. })));
        let many = DeviceRules::from(vec![DeviceRule::allow(DeviceKind::All); 4097]);
        assert_eq!(many.check().unwrap_err().to_string(), "4097 rules are too many");
    }

    proptest! {
        #[test]
        fn what_is_printed_is_read_again(rules in any_rules()) {
            prop_assert_eq!(rules.to_string().parse(), Ok(rules));
        }
    }
}
