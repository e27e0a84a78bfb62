//! From rules to a default and exceptions, where v1 can say what they say.

use super::List;
use super::list::Key;
use crate::devices::table::Table;
use crate::devices::{Access, DeviceKind, DeviceRules, DeviceRulesFault};
use std::collections::BTreeMap;

/// The state that decides as the rules do.
pub(in crate::devices) fn lower(rules: &DeviceRules) -> Result<List, DeviceRulesFault> {
    rules.check()?;
    let table = |kind| Ok((kind, Table::new(rules, kind)?));
    let tables = [table(DeviceKind::Char)?, table(DeviceKind::Block)?];
    // Either default can do, with exceptions for all devices of one kind; one of them is the natural one.
    let allow = tables.iter().all(|(_, table)| table.rest == Access::ALL);
    with_default(&tables, allow).or_else(|fault| with_default(&tables, !allow).map_err(|_| fault))
}

fn with_default(tables: &[(DeviceKind, Table)], allow: bool) -> Result<List, DeviceRulesFault> {
    let mut exceptions = BTreeMap::new();
    for (kind, table) in tables {
        let lowering = Lowering { kind: *kind, table, allow };
        lowering.stars(&mut exceptions)?;
        lowering.devices(&mut exceptions)?;
    }
    Ok(List { allow, exceptions })
}

/// The lowering of one kind of devices to exceptions from one default.
struct Lowering<'a> {
    kind: DeviceKind,
    table: &'a Table,
    allow: bool,
}

impl Lowering<'_> {
    /// What differs from the default.
    fn differing(&self, allowed: Access) -> Access {
        if self.allow { Access::ALL.minus(allowed) } else { allowed }
    }

    /// What has to be in an exception of its own, given what differs there: on v1 nothing can differ less than what
    /// surrounds it. With *allow* exceptions add up; with *deny* one has to cover all of an access.
    fn exception(&self, differing: Access, around: &[Access]) -> Option<Access> {
        if !around.iter().all(|around| differing.contains(*around)) {
            return None;
        }
        let covered = around.iter().fold(Access::EMPTY, |all, around| all.or(*around));
        Some(match () {
            () if self.allow => differing.minus(covered),
            () if around.contains(&differing) => Access::EMPTY,
            () => differing,
        })
    }

    fn insert(
        &self,
        exceptions: &mut BTreeMap<Key, Access>,
        (major, minor): (Option<u32>, Option<u32>),
        (allowed, around): (Access, &[Access]),
    ) -> Result<(), DeviceRulesFault> {
        let kind = self.kind;
        let exception = self.exception(self.differing(allowed), around);
        let access = exception.ok_or(DeviceRulesFault::NotOnV1 { kind, major, minor, access: allowed })?;
        if !access.is_empty() {
            exceptions.insert((kind, major, minor), access);
        }
        Ok(())
    }

    /// The exceptions for more than one device.
    fn stars(&self, exceptions: &mut BTreeMap<Key, Access>) -> Result<(), DeviceRulesFault> {
        let rest = self.differing(self.table.rest);
        self.insert(exceptions, (None, None), (self.table.rest, &[]))?;
        for (&major, &allowed) in &self.table.majors {
            self.insert(exceptions, (Some(major), None), (allowed, &[rest]))?;
        }
        for (&minor, &allowed) in &self.table.minors {
            self.insert(exceptions, (None, Some(minor)), (allowed, &[rest]))?;
        }
        Ok(())
    }

    /// The exceptions for one device each: those of the table, and where two stars meet.
    fn devices(&self, exceptions: &mut BTreeMap<Key, Access>) -> Result<(), DeviceRulesFault> {
        let table = self.table;
        let stars =
            table.majors.keys().flat_map(|&major| table.minors.keys().map(move |&minor| (major, minor)));
        for (major, minor) in table.devices.keys().copied().chain(stars) {
            let near = [table.majors.get(&major), table.minors.get(&minor), Some(&table.rest)];
            let around: Vec<_> = near.into_iter().flatten().map(|&allowed| self.differing(allowed)).collect();
            self.insert(exceptions, (Some(major), Some(minor)), (table.lookup(major, minor), &around))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::Write;
    use super::super::model::Model;
    use super::*;
    use crate::devices::DeviceRule;
    use crate::devices::tests::{any_access, any_device, any_rules};
    use proptest::prelude::*;

    fn lowered(rules: &str) -> String {
        let list = lower(&rules.parse().unwrap()).unwrap();
        list.rules().to_string().replace('\n', "; ")
    }

    #[test]
    fn the_exceptions_are_few_and_the_default_the_natural_one() {
        assert_eq!(lowered(""), "");
        assert_eq!(lowered("c 1:3 rwm\nallow a"), "allow a *:* rwm; ");
        assert_eq!(lowered("deny a\nc 1:3 r\nc 1:3 w\nc 1:3 m\ndeny c 1:3 m"), "allow c 1:3 rw; ");
        let lines = "allow a *:* rwm; deny c 1:* r; deny c 1:3 w; ";
        assert_eq!(lowered("a\ndeny c 1:3 w\ndeny c 1:* r"), lines);
        assert_eq!(lowered("c 1:* r\nc *:3 w"), "allow c *:3 w; allow c 1:* r; allow c 1:3 rw; ");
        assert_eq!(lowered("a 1:3 r"), "allow c 1:3 r; allow b 1:3 r; ");
        assert_eq!(lowered("a\ndeny c *:* rwm\nc 1:3 rwm"), "allow c 1:3 rwm; allow b *:* rwm; ");
        assert_eq!(
            lowered("b *:* rw\nc *:* rwm\ndeny c 1:3 r"),
            "allow a *:* rwm; deny c 1:3 r; deny b *:* m; "
        );
    }

    #[test]
    fn what_v1_cannot_say_is_refused_with_the_device() {
        let fault = |rules: &str| lower(&rules.parse().unwrap()).unwrap_err().to_string();
        let text =
            "cgroup v1 cannot allow exactly \"r\" for c 1:3 within what is set for the devices around it";
        assert_eq!(fault("c 1:* rwm\ndeny c 1:3 wm"), text);
        let text =
            "cgroup v1 cannot allow exactly \"rwm\" for b 8:0 within what is set for the devices around it";
        assert_eq!(fault("a\ndeny b 8:* rwm\nallow b 8:0 rwm"), text);
        let text =
            "cgroup v1 cannot allow exactly \"rm\" for c 1:3 within what is set for the devices around it";
        assert_eq!(fault("a\ndeny c *:* r\nallow c 1:* r\ndeny c 1:3 w"), text);
        let text =
            "cgroup v1 cannot allow exactly \"\" for c 1:3 within what is set for the devices around it";
        assert_eq!(fault("c 1:* rwm\ndeny c *:3 rwm"), text);
    }

    proptest! {
        #[test]
        fn what_is_lowered_decides_as_the_rules(
            rules in any_rules(), devices in prop::collection::vec((any_device(), any_access()), 1..30)
        ) {
            let Ok(list) = lower(&rules) else { return Ok(()) };
            let mut model = Model::default();
            // Exceptions that the kernel does not show are there before.
            model.write(&Write { allow: false, line: "c 1:* r".to_owned() });
            List { allow: true, ..List::default() }.way_to(&list).iter().for_each(|write| model.write(write));
            for ((major, minor), access) in devices {
                for kind in [DeviceKind::Char, DeviceKind::Block] {
                    let allowed = model.allows(kind, major, minor, access);
                    prop_assert_eq!(allowed, rules.decide(kind, major, minor, access), "{:?}", list);
                }
            }
        }

        #[test]
        fn exceptions_from_one_default_are_never_refused(rules in any_rules(), default in any::<bool>()) {
            let same = |rule: &DeviceRule| DeviceRule { allow: !default, ..*rule };
            let first = DeviceRule { allow: default, ..DeviceRule::allow(DeviceKind::All) };
            let rules: DeviceRules = [first].into_iter().chain(rules.rules().iter().map(same)).collect();
            prop_assert!(lower(&rules).is_ok());
        }
    }
}
