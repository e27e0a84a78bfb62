//! Laws of the order of joining.

use cofferdam_namespaces::{Identity, Joined, Kind, Kinds, Step, join_order};
use proptest::prelude::*;

const CALLER: u64 = 1;

fn identity(ino: u64) -> Identity {
    Identity { dev: 4, ino }
}

/// One namespace for each of some kinds, with owners among the user namespaces 1 to 4.
fn joined() -> impl Strategy<Value = Vec<Joined>> {
    let kinds = prop::sample::subsequence(&Kind::ALL[..], 0..=8).prop_shuffle();
    let owners = prop::collection::vec(prop::collection::vec(1u64..5, 0..3), 8);
    (kinds, owners, 1u64..5).prop_map(|(kinds, owners, user)| {
        let namespace = |(kind, owners): (Kind, Vec<u64>)| Joined {
            kind,
            identity: identity(if kind == Kind::User { user } else { 100 + u64::from(kind.flag()) }),
            // The user namespace is not its own owner.
            owners: owners
                .into_iter()
                .filter(|ino| kind != Kind::User || *ino != user)
                .map(identity)
                .collect(),
        };
        kinds.into_iter().zip(owners).map(namespace).collect()
    })
}

proptest! {
    #[test]
    fn everything_once_and_in_order(
        joined in joined(),
        new in prop::sample::subsequence(&Kind::ALL[..], 0..=8),
    ) {
        let new: Kinds = new.into_iter().collect();
        let steps = join_order(&joined, new, identity(CALLER));
        let order: Vec<usize> = steps
            .iter()
            .filter_map(|step| match step {
                Step::Join { index, .. } => Some(*index),
                Step::Create(_) => None,
            })
            .collect();

        let mut sorted = order.clone();
        sorted.sort_unstable();
        let left_out = |namespace: &Joined| {
            namespace.kind == Kind::User && namespace.identity == identity(CALLER)
        };
        let wanted: Vec<usize> = (0..joined.len()).filter(|index| !left_out(&joined[*index])).collect();
        prop_assert_eq!(sorted, wanted, "each one once");

        if let Some(at) = order.iter().position(|index| joined[*index].kind == Kind::User) {
            let user = joined[order[at]].identity;
            let owned = |index: &usize| joined[*index].owners.contains(&user);
            prop_assert!(!order[..at].iter().any(owned), "owned ones after the user namespace");
            prop_assert!(order[at + 1..].iter().all(owned), "foreign ones before it");
        }

        for step in &steps {
            if let Step::Join { index, kind, second_fork } = step {
                prop_assert_eq!(*kind, joined[*index].kind);
                prop_assert_eq!(*second_fork, *kind == Kind::Pid);
            }
        }
        let creates: Vec<_> = steps.iter().filter(|step| matches!(step, Step::Create(_))).collect();
        prop_assert_eq!(creates.len(), usize::from(!new.is_empty()));
        if !new.is_empty() {
            prop_assert_eq!(steps.last(), Some(&Step::Create(new)), "the new ones last");
        }
    }
}
