//! Every other parser: no input makes it panic, and what is printed is read back.

use cofferdam_namespaces::{Kind, Kinds, Offset, SubIdEntry, SubIdRange, SubIds, TimeOffsets, User};
use proptest::prelude::*;

fn kinds() -> impl Strategy<Value = Kinds> {
    prop::sample::subsequence(&Kind::ALL[..], 0..=8).prop_map(|kinds| kinds.into_iter().collect())
}

fn offset() -> impl Strategy<Value = Offset> {
    (any::<i64>(), 0u32..1_000_000_000).prop_map(|(seconds, nanoseconds)| Offset { seconds, nanoseconds })
}

fn entry() -> impl Strategy<Value = SubIdEntry> {
    ("[a-z0-9_@.\\-]{1,12}", any::<u32>(), any::<u32>()).prop_map(|(owner, first, count)| SubIdEntry {
        owner: owner.into(),
        range: SubIdRange { first, count },
    })
}

proptest! {
    #[test]
    fn kinds_round_trip(kinds in kinds()) {
        prop_assert_eq!(kinds.to_string().parse::<Kinds>(), Ok(kinds));
        prop_assert_eq!(kinds.iter().count(), kinds.len());
    }

    #[test]
    fn kind_parsers_never_panic(text in ".{0,30}") {
        if let Ok(kind) = text.parse::<Kind>() {
            prop_assert_eq!(kind.to_string(), text.clone());
        }
        if let Ok(kinds) = text.parse::<Kinds>() {
            prop_assert_eq!(kinds.to_string().parse::<Kinds>(), Ok(kinds));
        }
    }

    #[test]
    fn offsets_round_trip(monotonic in offset(), boottime in offset()) {
        let offsets = TimeOffsets { monotonic, boottime };
        prop_assert_eq!(TimeOffsets::parse(offsets.to_string().as_bytes()), Ok(offsets));
    }

    #[test]
    fn offset_parser_never_panics(
        bytes in prop::collection::vec(any::<u8>(), 0..100),
        text in "((monotonic|boottime|1|7) {1,3}-?[0-9]{1,20} [0-9]{1,11}\n?){0,3}",
    ) {
        for input in [&bytes[..], text.as_bytes()] {
            if let Ok(offsets) = TimeOffsets::parse(input) {
                prop_assert_eq!(TimeOffsets::parse(offsets.to_string().as_bytes()), Ok(offsets));
            }
        }
    }

    #[test]
    fn sub_ids_round_trip(entries in prop::collection::vec(entry(), 0..10)) {
        let ids = SubIds { entries, malformed: Vec::new() };
        prop_assert_eq!(SubIds::parse(&ids.to_bytes()), ids);
    }

    #[test]
    fn sub_id_parser_never_panics(
        bytes in prop::collection::vec(any::<u8>(), 0..100),
        text in "([#a-z]{0,3}(:[0-9]{0,11}){0,3}\n?){0,4}",
    ) {
        for input in [&bytes[..], text.as_bytes()] {
            let ids = SubIds::parse(input);
            let lines = input.split(|byte| *byte == b'\n').count();
            prop_assert!(ids.entries.len() + ids.malformed.len() <= lines);
            prop_assert_eq!(SubIds::parse(&ids.to_bytes()).entries, ids.entries);
        }
    }

    #[test]
    fn passwd_parser_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..100), uid in any::<u32>()) {
        prop_assert_eq!(User::parse(&bytes, uid).uid, uid);
    }

    #[test]
    fn users_are_found(name in "[a-z_][a-z0-9_-]{0,10}", uid in any::<u32>(), other in any::<u32>()) {
        let passwd = format!("first:x:{other}:0::/:\n{name}:x:{uid}:{uid}:,,,:/home/{name}:/bin/sh\n");
        let expected = if uid == other { "first" } else { &name };
        prop_assert_eq!(User::parse(passwd.as_bytes(), uid).name, Some(expected.into()));
    }
}
