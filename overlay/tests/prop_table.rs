//! The parser of mountinfo: no input makes it panic, what is printed is what was read, and what was put in is found.

use cofferdam_overlay::{MountEntry, MountTable};
use proptest::prelude::*;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

const REAL: &[u8] = b"31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n\
    40 31 0:37 /../.. /sys/fs/cgroup/sys\\040temd rw master:1 propagate_from:2 - cgroup cgroup rw,name=systemd\n\
    41 31 0:38 / /\xff\\134 ro unbindable - overlay  rw,lowerdir+=/a,lowerdir+=/b\\054,c=\"x,y\"\n";

/// Any byte that a path can have.
fn field() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![4 => 1..=255_u8, 1 => prop::sample::select(b" \\\n\t#,=\"".to_vec())];
    prop::collection::vec(byte, 1..20)
}

/// As the kernel escapes paths, and in options also what separates them.
fn escape(bytes: &[u8], more: &[u8]) -> Vec<u8> {
    let special = |byte: &u8| b" \t\n\\".contains(byte) || more.contains(byte);
    let escaped = |byte: &u8| if special(byte) { format!("\\{byte:03o}").into_bytes() } else { vec![*byte] };
    bytes.iter().flat_map(escaped).collect()
}

/// The real table with a few bytes replaced, left out or put in.
fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let change = (any::<prop::sample::Index>(), any::<u8>(), 0..3_u8);
    prop::collection::vec(change, 1..8).prop_map(|changes| {
        let mut bytes = REAL.to_vec();
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

/// Looks at everything there is in a table.
fn visit(table: &MountTable) {
    for entry in table {
        let point = entry.mount_point();
        let found = table.containing(&point).map(MountEntry::id);
        assert!(found.is_none_or(|id| table.get(id).is_some()));
        assert!(table.children(entry.id()).count() <= table.len());
        entry.options().chain(entry.super_options()).for_each(|option| assert!(option.name.len() < 300));
        let fields: Vec<_> = entry.optional_fields().map(|field| field.to_string()).collect();
        assert!(fields.iter().all(|field| !field.contains(' ')), "{fields:?}");
        assert_eq!(MountEntry::parse(entry.as_bytes()).as_ref(), Ok(entry));
    }
}

proptest! {
    #[test]
    fn what_was_put_in_is_found(
        numbers in any::<(u32, u32, u32, u32)>(),
        root in field(),
        point in field(),
        source in prop::collection::vec(1..=255_u8, 0..9),
        values in prop::collection::vec(field(), 0..5),
        tags in prop::collection::vec(any::<u32>(), 0..3),
    ) {
        let (id, parent, major, minor) = numbers;
        let mut line = format!("{id} {parent} {major}:{minor} ").into_bytes();
        line.extend([&escape(&root, b"")[..], b" ", &escape(&point, b"")[..], b" rw"].concat());
        tags.iter().for_each(|tag| line.extend(format!(" shared:{tag}").bytes()));
        line.extend([b" - type ", &escape(&source, b"#")[..], b" rw"].concat());
        values.iter().for_each(|value| line.extend([b",lowerdir+=", &escape(value, b",=\"")[..]].concat()));

        let entry = MountEntry::parse(&line).unwrap();
        prop_assert_eq!((entry.id(), entry.parent()), (id, parent));
        prop_assert_eq!((entry.device().major, entry.device().minor), (major, minor));
        prop_assert_eq!(&*entry.root(), Path::new(OsStr::from_bytes(&root)));
        prop_assert_eq!(&*entry.mount_point(), Path::new(OsStr::from_bytes(&point)));
        prop_assert_eq!(&*entry.source(), OsStr::from_bytes(&source));
        let found: Vec<_> = entry.super_options().filter_map(|option| option.value).collect();
        prop_assert_eq!(found.iter().map(|value| value.as_bytes()).collect::<Vec<_>>(), values);
        prop_assert_eq!(entry.optional_fields().count(), tags.len());
        prop_assert_eq!(entry.as_bytes(), &line[..]);
    }

    #[test]
    fn what_is_printed_is_what_was_read(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        mutated in mutated(),
    ) {
        for bytes in [bytes, mutated] {
            if let Ok(table) = MountTable::parse(&bytes) {
                prop_assert_eq!(table.to_bytes(), bytes);
                visit(&table);
            }
        }
    }

    #[test]
    fn mounts_on_each_other_in_any_way_are_looked_at_in_bounded_time(
        edges in prop::collection::vec((0..6_u32, 0..6_u32, "(/[ab]){1,3}"), 0..12),
    ) {
        let lines = edges.iter().map(|(id, parent, point)| format!("{id} {parent} 0:1 / {point} rw - t s o\n"));
        let table = MountTable::parse(lines.collect::<String>().as_bytes()).unwrap();
        prop_assert_eq!(table.len(), edges.len());
        visit(&table);
    }
}
