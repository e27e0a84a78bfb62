//! The parsers of the kernel's tables: no input makes them panic, and what is printed is read back.

use cofferdam_cgroups::{Controller, Controllers, DeviceNumber, Membership, MountEntry, Version};
use proptest::prelude::*;
use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

const MOUNTS: &[u8] = b"31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n\
    32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime shared:4 - cgroup cgroup rw,cpu,cpuacct\n\
    40 31 0:37 /../.. /sys/fs/cgroup/sys\\040temd rw master:1 propagate_from:2 - cgroup cgroup rw,xattr,name=systemd\n\
    41 31 0:38 / /sys/fs/cgroup/\xff\\134 ro - cgroup2 cgroup2 rw,nsdelegate\n";

const OWN: &[u8] = b"9:name=systemd:/user.slice\n3:cpuset:/\n2:cpu,cpuacct:/../x\n0::/a:b \xff (deleted)\n";

/// Any byte that a field can have: the kernel's tables have no zero byte.
fn field() -> impl Strategy<Value = OsString> {
    let byte =
        prop_oneof![4 => 1..=255_u8, 1 => Just(b' '), 1 => Just(b'\\'), 1 => Just(b'\n'), 1 => Just(b'\t')];
    prop::collection::vec(byte, 1..20).prop_map(OsString::from_vec)
}

/// A field of the kernel's own making.
fn word() -> impl Strategy<Value = OsString> {
    "[a-z][a-z0-9_=:.]{0,8}".prop_map(OsString::from)
}

prop_compose! {
    fn entry()(
        numbers in any::<(u64, u64, u32, u32)>(),
        places in (field(), field()),
        tags in prop::collection::vec(word(), 0..4),
        words in (word(), word(), field()),
        options in prop::collection::vec(word(), 1..5),
    ) -> MountEntry {
        MountEntry {
            id: numbers.0,
            parent: numbers.1,
            device: DeviceNumber::new(numbers.2, numbers.3),
            root: places.0.into(),
            mount_point: places.1.into(),
            options: words.0,
            tags,
            fs_type: words.1,
            source: words.2,
            raw_super_options: options.join(OsString::from(",").as_os_str()),
        }
    }
}

prop_compose! {
    fn membership()(
        hierarchy in any::<u32>(),
        controllers in prop::sample::subsequence(&Controller::ALL[..], 0..=14),
        name in prop::option::of("[a-z0-9.:_-]{1,12}"),
        path in prop::collection::vec(prop_oneof![Just(b'/'), 1..=9_u8, 11..=255_u8], 0..20),
    ) -> Membership {
        let path = [b"/", &path[..]].concat();
        Membership {
            hierarchy,
            controllers: controllers.into_iter().collect::<Controllers>(),
            name: name.map(OsString::from),
            path: OsString::from_vec(path),
        }
    }
}

/// A table with a few bytes replaced, left out or put in.
fn mutated(table: &'static [u8]) -> impl Strategy<Value = Vec<u8>> {
    let change = (any::<prop::sample::Index>(), any::<u8>(), 0..3_u8);
    prop::collection::vec(change, 1..8).prop_map(move |changes| {
        let mut bytes = table.to_vec();
        for (at, byte, how) in changes {
            let at = at.index(bytes.len());
            match how {
                0 => bytes[at] = byte,
                1 => drop(bytes.remove(at)),
                _ => bytes.insert(at, byte),
            }
        }
        bytes
    })
}

proptest! {
    #[test]
    fn mounts_round_trip(entry in entry()) {
        prop_assert_eq!(MountEntry::parse(&entry.to_bytes()), Some(entry));
    }

    #[test]
    fn tables_of_mounts_round_trip(entries in prop::collection::vec(entry(), 0..8)) {
        let table = entries.iter().flat_map(|entry| [entry.to_bytes(), b"\n".to_vec()].concat()).collect::<Vec<_>>();
        prop_assert_eq!(MountEntry::parse_table(&table), (entries, vec![]));
    }

    #[test]
    fn no_table_of_mounts_makes_the_parser_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        mutated in mutated(MOUNTS),
    ) {
        for table in [bytes, mutated] {
            let (entries, malformed) = MountEntry::parse_table(&table);
            let lines = table.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).count();
            prop_assert_eq!(entries.len() + malformed.len(), lines);
            for entry in &entries {
                prop_assert_eq!(MountEntry::parse(&entry.to_bytes()), Some(entry.clone()));
                prop_assert!(entry.super_options().count() > 0);
                entry.is_hidden_in(&entries);
            }
        }
    }

    #[test]
    fn mounts_on_each_other_in_any_way_are_looked_at_in_bounded_time(
        edges in prop::collection::vec((0..6_u64, 0..6_u64, "(/[ab]){1,3}"), 0..12),
    ) {
        let lines = edges.iter().map(|(id, parent, point)| format!("{id} {parent} 0:1 / {point} rw - t s o\n"));
        let (table, _) = MountEntry::parse_table(lines.collect::<String>().as_bytes());
        prop_assert!(table.iter().filter(|entry| entry.is_hidden_in(&table)).count() <= table.len());
    }

    #[test]
    fn memberships_round_trip(membership in membership()) {
        prop_assert_eq!(Membership::parse(&membership.to_bytes()), Some(membership));
    }

    #[test]
    fn no_table_of_memberships_makes_the_parser_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        mutated in mutated(OWN),
    ) {
        for table in [bytes, mutated] {
            let (found, malformed) = Membership::parse_all(&table);
            let lines = table.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).count();
            prop_assert_eq!(found.len() + malformed.len(), lines);
            for membership in found {
                prop_assert_eq!(membership.hierarchy == 0, membership.version() == Version::V2);
                if let Some(path) = membership.cgroup() {
                    prop_assert!(!path.as_path().has_root());
                }
                let again = Membership::parse(&membership.to_bytes());
                prop_assert_eq!(again.as_ref().map(|again| again.path.as_bytes()), Some(membership.path.as_bytes()));
            }
        }
    }
}
