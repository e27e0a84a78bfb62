//! Laws of id maps.

use cofferdam_namespaces::{Error, IdMap, IdRange, InsideId, MapFault, OutsideId};
use proptest::prelude::*;

/// Gaps and counts laid one after the other on each side, so that nothing overlaps.
fn map() -> impl Strategy<Value = IdMap> {
    let piece = (0u32..1000, 0u32..1000, 1u32..1000);
    (prop::collection::vec(piece, 1..20), any::<prop::sample::Index>()).prop_map(|(pieces, turn)| {
        let (mut inside, mut outside) = (0, 0);
        let mut ranges = Vec::new();
        for (gap_inside, gap_outside, count) in pieces {
            inside += gap_inside;
            outside += gap_outside;
            ranges
                .push(IdRange::new(InsideId::new(inside), OutsideId::new(outside), count).expect("in range"));
            inside += count;
            outside += count;
        }
        let by = turn.index(ranges.len());
        ranges.rotate_left(by);
        IdMap::new(ranges).expect("no overlap")
    })
}

fn numbers() -> impl Strategy<Value = Vec<(u32, u32, u32)>> {
    let small = 0u32..12;
    let edge = prop_oneof![small, (u32::MAX - 12)..=u32::MAX];
    prop::collection::vec((edge.clone(), edge.clone(), edge), 0..5)
}

/// The kernel's rules, id by id.
fn is_valid(lines: &[(u32, u32, u32)]) -> bool {
    let end = |first: u32, count: u32| u64::from(first) + u64::from(count);
    let fits = |&(inside, outside, count): &(u32, u32, u32)| {
        count > 0 && end(inside, count) <= u64::from(u32::MAX) && end(outside, count) <= u64::from(u32::MAX)
    };
    let meet = |a: u32, b: u32, na: u32, nb: u32| u64::from(a) < end(b, nb) && u64::from(b) < end(a, na);
    let apart = |i: usize, j: usize| {
        let ((a, x, n), (b, y, m)) = (lines[i], lines[j]);
        !meet(a, b, n, m) && !meet(x, y, n, m)
    };
    !lines.is_empty() && lines.iter().all(fits) && (0..lines.len()).all(|i| (0..i).all(|j| apart(i, j)))
}

proptest! {
    #[test]
    fn print_then_parse_is_the_same(map in map()) {
        prop_assert_eq!(IdMap::parse(map.to_string().as_bytes()), Ok(map.clone()));
        prop_assert_eq!(IdMap::parse(format!("{map}\n").as_bytes()), Ok(map.clone()));
        prop_assert_eq!(IdMap::from_args(&map.to_args()), Ok(map));
    }

    #[test]
    fn parse_then_print_is_the_same(lines in numbers()) {
        let text: Vec<_> = lines.iter().map(|(a, b, c)| format!("{a} {b} {c}")).collect();
        let text = text.join("\n");
        let parsed = IdMap::parse(text.as_bytes());
        prop_assert_eq!(parsed.is_ok(), is_valid(&lines), "{:?}", parsed);
        if let Ok(map) = parsed {
            prop_assert_eq!(map.to_string(), text);
        }
    }

    #[test]
    fn parsers_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), text in "[0-9 \n\t-]{0,60}") {
        for input in [&bytes[..], text.as_bytes()] {
            if let Ok(map) = IdMap::parse(input) {
                prop_assert_eq!(IdMap::parse(map.to_string().as_bytes()), Ok(map));
            }
        }
        let args: Vec<_> = text.split(' ').collect();
        prop_assert!(IdMap::from_args(&args).is_ok() || args.len() < 1000);
    }

    #[test]
    fn both_ways_are_inverse(map in map(), id in 0u32..20_000) {
        if let Some(outside) = map.to_outside(InsideId::new(id)) {
            prop_assert_eq!(map.to_inside(outside), Some(InsideId::new(id)));
        }
        if let Some(inside) = map.to_inside(OutsideId::new(id)) {
            prop_assert_eq!(map.to_outside(inside), Some(OutsideId::new(id)));
        }
    }

    #[test]
    fn composing_is_mapping_twice(
        map in map(),
        parent in map(),
        ids in prop::collection::vec(0u32..20_000, 50),
    ) {
        let twice = |id| {
            let middle = map.to_outside(InsideId::new(id))?;
            parent.to_outside(InsideId::new(middle.get()))
        };
        match map.compose(&parent) {
            Ok(composed) => {
                for id in ids {
                    prop_assert_eq!(composed.to_outside(InsideId::new(id)), twice(id));
                }
            }
            Err(Error::IdMap(MapFault::NotCovered(range))) => {
                let first = range.inside().get();
                prop_assert!((first..first + range.count()).any(|id| twice(id).is_none()));
            }
            Err(error) => prop_assert!(false, "{}", error),
        }
    }

    #[test]
    fn identity_is_neutral_and_composing_associative(a in map(), b in map(), c in map()) {
        prop_assert_eq!(a.compose(&IdMap::identity()), Ok(a.clone()));
        if let (Ok(ab), Ok(bc)) = (a.compose(&b), b.compose(&c)) {
            let (left, right) = (ab.compose(&c), a.compose(&bc));
            prop_assert_eq!(left.is_ok(), right.is_ok());
            if let (Ok(left), Ok(right)) = (left, right) {
                for range in a.ranges() {
                    let (first, last) = (range.inside().get(), range.inside().get() + (range.count() - 1));
                    for id in [first, last] {
                        let id = InsideId::new(id);
                        prop_assert_eq!(left.to_outside(id), right.to_outside(id));
                    }
                }
            }
        }
    }

    #[test]
    fn a_single_id_maps_only_itself(inside in any::<u32>(), outside in any::<u32>(), other in any::<u32>()) {
        match IdMap::single(InsideId::new(inside), OutsideId::new(outside)) {
            Ok(map) => {
                prop_assert_eq!(map.to_outside(InsideId::new(inside)), Some(OutsideId::new(outside)));
                prop_assert_eq!(map.to_outside(InsideId::new(other)).is_some(), other == inside);
            }
            Err(_) => prop_assert!(inside == u32::MAX || outside == u32::MAX),
        }
    }
}
