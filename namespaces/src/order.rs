//! The order in which namespaces are joined and made, `setns(2)`.

use crate::{Identity, Kind, Kinds};

/// What the order depends on, for one namespace that is to be joined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Joined {
    /// Its kind.
    pub kind: Kind,
    /// Which it is.
    pub identity: Identity,
    /// The user namespace that owns it, the parent of that, and so on as far as the caller can see. Empty
    /// where the owner is out of reach.
    pub owners: Vec<Identity>,
}

/// One step towards the wanted namespaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// `setns` to the namespace with this index in the list that was given.
    Join {
        /// The index.
        index: usize,
        /// Its kind.
        kind: Kind,
        /// Whether the joining affects children only, so that another fork must follow: true for `Pid`.
        second_fork: bool,
    },
    /// `unshare` or `clone3` of these kinds, after everything is joined, so that a joined user namespace
    /// owns them.
    Create(Kinds),
}

/// The order that works with the least privilege:
///
/// 1. namespaces that the joined user namespace does not own, while the caller's own capabilities count;
/// 2. the joined user namespace, unless it is `caller_user`, the one that the caller is in (the kernel
///    refuses that);
/// 3. namespaces that it, or a user namespace below it, owns;
/// 4. the new ones.
///
/// Within 1 and 3 the order is that of `joined`, but `mnt` comes last, because from then on paths mean other
/// files.
pub fn join_order(joined: &[Joined], new: Kinds, caller_user: Identity) -> Vec<Step> {
    let user = joined.iter().find(|namespace| namespace.kind == Kind::User).map(|user| user.identity);
    let mut ranked: Vec<_> = joined
        .iter()
        .enumerate()
        .filter(|(_, namespace)| namespace.kind != Kind::User || namespace.identity != caller_user)
        .collect();
    // A stable sort. The key: before the user namespace, itself, after it; then whether this is mnt.
    ranked.sort_by_key(|(_, namespace)| {
        let owned = user.is_some_and(|user| namespace.owners.contains(&user));
        let group = if namespace.kind == Kind::User { 1 } else { 2 * u8::from(owned) };
        (group, namespace.kind == Kind::Mnt)
    });
    let mut steps: Vec<_> = ranked
        .into_iter()
        .map(|(index, namespace)| Step::Join {
            index,
            kind: namespace.kind,
            second_fork: namespace.kind == Kind::Pid,
        })
        .collect();
    if !new.is_empty() {
        steps.push(Step::Create(new));
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(ino: u64) -> Identity {
        Identity { dev: 4, ino }
    }

    fn joined(kind: Kind, ino: u64, owners: &[u64]) -> Joined {
        Joined { kind, identity: identity(ino), owners: owners.iter().map(|ino| identity(*ino)).collect() }
    }

    fn kinds(steps: &[Step]) -> Vec<String> {
        let name = |step: &Step| match step {
            Step::Join { kind, .. } => kind.to_string(),
            Step::Create(kinds) => format!("+{kinds}"),
        };
        steps.iter().map(name).collect()
    }

    const HOST: u64 = 1;
    const USER: u64 = 2;

    #[test]
    fn foreign_then_user_then_owned_then_new() {
        let list = [
            joined(Kind::Mnt, 20, &[USER, HOST]),
            joined(Kind::User, USER, &[HOST]),
            joined(Kind::Net, 21, &[HOST]),
            joined(Kind::Ipc, 22, &[USER, HOST]),
            joined(Kind::Uts, 23, &[]),
            joined(Kind::Pid, 24, &[3, USER, HOST]),
        ];
        let steps = join_order(&list, Kind::Cgroup.into(), identity(HOST));
        assert_eq!(kinds(&steps), ["net", "uts", "user", "ipc", "pid", "mnt", "+cgroup"]);
        assert_eq!(steps[4], Step::Join { index: 5, kind: Kind::Pid, second_fork: true });
        assert_eq!(steps[0], Step::Join { index: 2, kind: Kind::Net, second_fork: false });
    }

    #[test]
    fn own_user_namespace_is_not_joined() {
        let list = [joined(Kind::User, USER, &[]), joined(Kind::Net, 21, &[USER])];
        assert_eq!(kinds(&join_order(&list, Kinds::EMPTY, identity(USER))), ["net"]);
    }

    #[test]
    fn without_a_user_namespace_the_order_stays() {
        let list =
            [joined(Kind::Mnt, 20, &[HOST]), joined(Kind::Uts, 21, &[HOST]), joined(Kind::Net, 22, &[HOST])];
        let steps = join_order(&list, Kind::User | Kind::Pid, identity(HOST));
        assert_eq!(kinds(&steps), ["uts", "net", "mnt", "+pid,user"]);
        assert_eq!(join_order(&[], Kinds::EMPTY, identity(HOST)), []);
    }
}
