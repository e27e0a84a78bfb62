//! The state of a device cgroup, and the way from one to another.

use super::Write;
use crate::devices::rule::number;
use crate::devices::{Access, DeviceKind, DeviceRule, DeviceRuleFault, DeviceRules};
use std::collections::BTreeMap;
use std::str::FromStr;

/// What an exception is about: the kind, which is never *all*, and the numbers.
pub(in crate::devices) type Key = (DeviceKind, Option<u32>, Option<u32>);

/// A default, and the exceptions from it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::devices) struct List {
    /// The default.
    pub(in crate::devices) allow: bool,
    /// What is allowed otherwise, or denied if the default is to allow.
    pub(in crate::devices) exceptions: BTreeMap<Key, Access>,
}

impl List {
    /// The lines that lead from here, as `devices.list` shows it, to another state.
    pub(super) fn way_to(&self, wanted: &Self) -> Vec<Write> {
        if self.allow || wanted.allow {
            // The exceptions from *allow* are not shown, so that there are none to go on from is not known either.
            let reset = Write { allow: wanted.allow, line: "a".to_owned() };
            let exceptions = wanted.exceptions.iter();
            let exceptions = exceptions.map(|(key, access)| Write::new(!wanted.allow, *key, *access));
            return [reset].into_iter().chain(exceptions).collect();
        }
        // First what is new, then what is no more.
        let mut writes = self.missing_from(wanted, true);
        writes.extend(wanted.missing_from(self, false));
        writes
    }

    /// What another list has and this one has not.
    fn missing_from(&self, other: &Self, allow: bool) -> Vec<Write> {
        let missing = other.exceptions.iter().filter_map(|(key, access)| {
            let access = access.minus(self.exceptions.get(key).copied().unwrap_or_default());
            (!access.is_empty()).then(|| Write::new(allow, *key, access))
        });
        missing.collect()
    }

    /// Rules that say the same, as long as no exception from *allow* is among it.
    pub(in crate::devices) fn rules(&self) -> DeviceRules {
        let default = self.allow.then(|| DeviceRule::allow(DeviceKind::All));
        let exceptions = self.exceptions.iter().map(|(&(kind, major, minor), &access)| DeviceRule {
            allow: !self.allow,
            kind,
            major,
            minor,
            access,
        });
        default.into_iter().chain(exceptions).collect()
    }
}

impl Write {
    fn new(allow: bool, (kind, major, minor): Key, access: Access) -> Self {
        Self { allow, line: format!("{kind} {}:{} {access}", number(major), number(minor)) }
    }
}

/// The content of `devices.list`.
impl FromStr for List {
    type Err = DeviceRuleFault;

    fn from_str(text: &str) -> Result<Self, DeviceRuleFault> {
        let mut list = Self::default();
        for line in text.lines() {
            let rule: DeviceRule = line.parse()?;
            let fault = |expected| Err(DeviceRuleFault { text: line.to_owned(), expected });
            match rule.kind {
                _ if !line.starts_with(['a', 'b', 'c']) || line.starts_with("allow") => {
                    return fault("a line without a word in front");
                }
                DeviceKind::All if rule != DeviceRule::allow(DeviceKind::All) => return fault("a *:* rwm"),
                DeviceKind::All => list.allow = true,
                kind => {
                    let access = list.exceptions.entry((kind, rule.major, rule.minor)).or_default();
                    *access = access.or(rule.access);
                }
            }
        }
        if list.allow {
            list.exceptions.clear();
        }
        Ok(list)
    }
}

#[cfg(test)]
mod tests {
    use super::super::lower;
    use super::super::model::Model;
    use super::*;
    use crate::devices::tests::{any_access, any_device, any_rules};
    use proptest::prelude::*;

    fn way(from: &str, to: &str) -> Vec<String> {
        let wanted = lower(&to.parse().unwrap()).unwrap();
        let writes = from.parse::<List>().unwrap().way_to(&wanted);
        writes
            .iter()
            .map(|write| format!("{} {}", if write.allow { "allow" } else { "deny" }, write.line))
            .collect()
    }

    #[test]
    fn the_kernels_list_is_read() {
        let list: List = "c 1:3 rwm\nb *:* m\n".parse().unwrap();
        assert_eq!(list.rules().to_string(), "allow c 1:3 rwm\nallow b *:* m\n");
        assert_eq!("a *:* rwm\n".parse::<List>().unwrap().rules(), DeviceRules::allow_all());
        assert_eq!("".parse::<List>().unwrap().rules(), DeviceRules::deny_all());
        for text in ["allow c 1:3 rwm", "deny c 1:3 rwm", "a 1:3 rwm", "a *:* r", "c 1:3", "\n"] {
            assert!(text.parse::<List>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn only_what_differs_is_written_and_what_is_new_comes_first() {
        let list = "c 1:3 rwm\nc 1:5 rwm\nb *:* m\n";
        assert_eq!(way(list, list), [""; 0]);
        let wanted = "c 1:3 rw\nc 1:5 rwm\nb *:* rm\nc 1:9 r";
        assert_eq!(way(list, wanted), ["allow c 1:9 r", "allow b *:* r", "deny c 1:3 m"]);
        assert_eq!(way("a *:* rwm", "c 1:3 rw"), ["deny a", "allow c 1:3 rw"]);
        assert_eq!(way("c 1:3 rw", "a\ndeny c 1:3 m"), ["allow a", "deny c 1:3 m"]);
        assert_eq!(way("a *:* rwm", "a"), ["allow a"]);
    }

    proptest! {
        #[test]
        fn the_way_leads_there_and_denies_on_it_nothing_that_both_allow(
            from in any_rules(), to in any_rules(), devices in prop::collection::vec((any_device(), any_access()), 1..20)
        ) {
            let (Ok(start), Ok(wanted)) = (lower(&from), lower(&to)) else { return Ok(()) };
            let mut model = Model::default();
            List { allow: true, ..List::default() }.way_to(&start).iter().for_each(|write| model.write(write));
            let shown: List = model.shown().parse().unwrap();
            for write in shown.way_to(&wanted) {
                model.write(&write);
                for &((major, minor), access) in &devices {
                    let decided = |rules: &DeviceRules| rules.decide(DeviceKind::Char, major, minor, access);
                    let same_default = !start.allow && !wanted.allow;
                    if same_default && decided(&from) && decided(&to) {
                        prop_assert!(model.allows(DeviceKind::Char, major, minor, access));
                    }
                }
            }
            for ((major, minor), access) in devices {
                for kind in [DeviceKind::Char, DeviceKind::Block] {
                    let wanted = to.decide(kind, major, minor, access);
                    prop_assert_eq!(model.allows(kind, major, minor, access), wanted);
                }
            }
        }

        #[test]
        fn no_text_makes_it_panic(text in "([abc]? ?[0-9*]{0,3}:?[0-9*]{0,3} ?[rwmx]{0,4}\n?){0,4}") {
            if let Ok(list) = text.parse::<List>() {
                let lines = list.rules().to_string().replace("allow ", "");
                prop_assert_eq!(lines.parse::<List>(), Ok(list));
            }
        }
    }
}
