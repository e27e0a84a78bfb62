//! The decisions of a list of rules as a table without order: what both versions are lowered from.

use super::{Access, DeviceKind, DeviceRules, DeviceRulesFault};
use std::collections::{BTreeMap, BTreeSet};

/// What is allowed of one kind of devices. The most exact entry for a device is all there is to it: that of the
/// device, else that of its major number, else that of its minor number, else the rest. No entry says what the next
/// one would say without it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Table {
    pub(super) devices: BTreeMap<(u32, u32), Access>,
    pub(super) majors: BTreeMap<u32, Access>,
    pub(super) minors: BTreeMap<u32, Access>,
    pub(super) rest: Access,
}

/// How many devices may be looked at; rules for `1:*` and `*:3` make an entry `1:3` together.
const MAX_DEVICES: usize = 1 << 14;

impl Table {
    pub(super) fn new(rules: &DeviceRules, kind: DeviceKind) -> Result<Self, DeviceRulesFault> {
        let named = Named::new(rules, kind);
        let rest = rules.allowed(kind, None, None);
        let differs = |entry: &(u32, Access)| entry.1 != rest;
        let majors = named.majors.iter().map(|&major| (major, rules.allowed(kind, Some(major), None)));
        let minors = named.minors.iter().map(|&minor| (minor, rules.allowed(kind, None, Some(minor))));
        let (majors, minors) = (majors.filter(differs).collect(), minors.filter(differs).collect());
        let mut table = Self { devices: BTreeMap::new(), majors, minors, rest };
        for (major, minor) in named.devices(rules)? {
            let allowed = rules.allowed(kind, Some(major), Some(minor));
            // No entry of a device is looked up here but its own.
            if allowed != table.lookup(major, minor) {
                table.devices.insert((major, minor), allowed);
            }
        }
        Ok(table)
    }

    /// What is allowed of a device.
    pub(super) fn lookup(&self, major: u32, minor: u32) -> Access {
        let device = self.devices.get(&(major, minor));
        let less_exact = || self.majors.get(&major).or_else(|| self.minors.get(&minor));
        device.or_else(less_exact).copied().unwrap_or(self.rest)
    }
}

/// The numbers in the rules for one kind.
#[derive(Default)]
struct Named {
    devices: BTreeSet<(u32, u32)>,
    majors: BTreeSet<u32>,
    minors: BTreeSet<u32>,
}

impl Named {
    fn new(rules: &DeviceRules, kind: DeviceKind) -> Self {
        let mut named = Self::default();
        for rule in rules.rules().iter().filter(|rule| rule.kind.covers(kind)) {
            match (rule.major, rule.minor) {
                (Some(major), Some(minor)) => drop(named.devices.insert((major, minor))),
                (Some(major), None) => drop(named.majors.insert(major)),
                (None, Some(minor)) => drop(named.minors.insert(minor)),
                (None, None) => {}
            }
        }
        named
    }

    /// All devices about which rules might agree in no other entry.
    fn devices(mut self, rules: &DeviceRules) -> Result<BTreeSet<(u32, u32)>, DeviceRulesFault> {
        if self.devices.len() + self.majors.len() * self.minors.len() > MAX_DEVICES {
            return Err(DeviceRulesFault::TooMany { count: rules.rules().len() });
        }
        for major in self.majors {
            self.devices.extend(self.minors.iter().map(|&minor| (major, minor)));
        }
        Ok(self.devices)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{any_device, any_rules};
    use super::*;
    use proptest::prelude::*;

    fn table(rules: &str) -> Table {
        Table::new(&rules.parse().unwrap(), DeviceKind::Char).unwrap()
    }

    #[test]
    fn what_changes_nothing_makes_no_entry() {
        let same =
            table("deny a\nallow c 1:3 r\nallow c 1:3 w\nallow c 1:9 m\ndeny c 1:9 m\nallow b 8:* rwm");
        assert_eq!(same, table("allow c 1:3 rw"));
        assert_eq!(table("c 1:3 rwm\nallow a"), table("a"));
        assert_eq!(table("c 1:* rwm\nc 1:3 rw\nc *:3 rw").devices.len(), 0);
    }

    #[test]
    fn what_overlaps_makes_an_entry() {
        let table = table("c 1:* r\nc *:3 w");
        assert_eq!(table.devices.into_iter().collect::<Vec<_>>(), [((1, 3), Access::READ.or(Access::WRITE))]);
    }

    #[test]
    fn too_many_overlaps_are_refused() {
        let star = |i: u32| [format!("c {i}:* r"), format!("c *:{i} w")].join("\n");
        let rules: DeviceRules = (0..200).map(star).collect::<Vec<_>>().join("\n").parse().unwrap();
        let fault = Table::new(&rules, DeviceKind::Char).unwrap_err();
        assert_eq!(fault, DeviceRulesFault::TooMany { count: 400 });
        assert!(Table::new(&rules, DeviceKind::Block).is_ok());
    }

    proptest! {
        #[test]
        fn the_table_decides_as_the_rules(rules in any_rules(), (major, minor) in any_device()) {
            for kind in [DeviceKind::Char, DeviceKind::Block] {
                let table = Table::new(&rules, kind).unwrap();
                prop_assert_eq!(table.lookup(major, minor), rules.allowed(kind, Some(major), Some(minor)));
            }
        }
    }
}
