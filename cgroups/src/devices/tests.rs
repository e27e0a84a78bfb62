//! What the property tests are fed with: few numbers, so that rules overlap.

use super::{Access, DeviceKind, DeviceRule, DeviceRules};
use proptest::prelude::*;

pub(crate) fn any_access() -> impl Strategy<Value = Access> {
    const ALL: [&str; 7] = ["r", "w", "m", "rw", "rm", "wm", "rwm"];
    prop_oneof![Just("rwm"), prop::sample::select(&ALL[..])].prop_map(|text| text.parse().unwrap())
}

fn any_number() -> impl Strategy<Value = Option<u32>> {
    prop_oneof![Just(None), (0..3_u32).prop_map(Some)]
}

pub(crate) fn any_rule() -> impl Strategy<Value = DeviceRule> {
    const KINDS: [DeviceKind; 3] = [DeviceKind::All, DeviceKind::Char, DeviceKind::Block];
    (any::<bool>(), prop::sample::select(&KINDS[..]), any_number(), any_number(), any_access())
        .prop_map(|(allow, kind, major, minor, access)| DeviceRule { allow, kind, major, minor, access })
}

pub(crate) fn any_rules() -> impl Strategy<Value = DeviceRules> {
    prop::collection::vec(any_rule(), 0..9).prop_map(DeviceRules::from)
}

/// One number more than the rules have.
pub(crate) fn any_device() -> impl Strategy<Value = (u32, u32)> {
    (0..4_u32, 0..4_u32)
}
