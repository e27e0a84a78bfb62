//! The steps into new and existing namespaces.

use cofferdam_namespaces::{Kinds as KindSet, Namespace, Opened, Step as Order};

use super::draft::Draft;
use crate::cgroup::Shape;
use crate::enclosure::{Enclosure, kinds_of};
use crate::program::Program;
use crate::{ClockOffset, Credentials, Error, Namespaces, Step};

/// Which namespaces a process gets that are not the caller's, and what it writes to its own files before it is in them.
#[derive(Debug, Default)]
pub(crate) struct Kinds {
    pub(crate) new: Namespaces,
    pub(crate) joined: Vec<Namespace>,
    /// Monotonic and boottime, for a new time namespace.
    pub(crate) offsets: (ClockOffset, ClockOffset),
    pub(crate) oom_score_adjust: Option<i32>,
    /// A new user namespace is made after others are joined, which its root has no rights over.
    pub(crate) user: Option<LateUser>,
}

/// A user namespace that is made by a step.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LateUser {
    /// The meeting at which the caller writes its id maps.
    pub(crate) point: u32,
    /// Who the process is from then on.
    pub(crate) ids: (u32, u32),
}

impl Kinds {
    /// Those of a command.
    pub(super) fn of_command(program: &Program, enclosure: &Enclosure) -> Result<Self, Error> {
        let joined = enclosure.joined.iter().map(Namespace::try_clone).collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            new: enclosure.new,
            joined,
            offsets: enclosure.time_offsets.unwrap_or_default(),
            oom_score_adjust: program.oom_score_adjust,
            user: None,
        })
    }

    /// New namespaces at the clone where that is possible, the others as steps.
    ///
    /// What belongs to a user namespace that is joined must be made after joining it.
    pub(crate) fn enter(self, draft: &mut Draft<'_>, cgroup: Shape) -> Result<(), Error> {
        let new = self.new;
        let time = new.contains(Namespaces::TIME).then_some(self.offsets);
        // A cgroup namespace shows what lies below the cgroup in which it was made. On v1 the process has to get there
        // first.
        let at_once = if cgroup.tasks > 0 { new.without(Namespaces::CGROUP) } else { new };
        let at_once = at_once.without(Namespaces::TIME);
        if self.joined.is_empty() {
            draft.plan.namespaces = at_once;
            if new.contains(Namespaces::CGROUP) && !at_once.contains(Namespaces::CGROUP) {
                draft.step(Step::Unshare(Namespaces::CGROUP));
            }
            return through_proc(draft, self.oom_score_adjust, time);
        }
        let into_user = kinds_of(&self.joined).contains(Namespaces::USER);
        let early = if into_user || self.user.is_some() { Namespaces::empty() } else { at_once };
        draft.plan.namespaces = early;
        let forks = join_all(draft, self.joined)?;
        let mut late = new.without(early).without(Namespaces::TIME);
        if let Some(user) = self.user {
            user.enter(draft);
            late = late.without(Namespaces::USER);
        }
        if !late.is_empty() {
            draft.step(Step::Unshare(late));
        }
        through_proc(draft, self.oom_score_adjust, time)?;
        if forks || late.contains(Namespaces::PID) {
            draft.step(Step::Fork);
        }
        Ok(())
    }

    /// Joins namespaces and makes none.
    pub(crate) fn join(self, draft: &mut Draft<'_>) -> Result<(), Error> {
        through_proc(draft, self.oom_score_adjust, None)?;
        if join_all(draft, self.joined)? {
            draft.step(Step::Fork);
        }
        Ok(())
    }
}

impl LateUser {
    fn enter(self, draft: &mut Draft<'_>) {
        draft.step(Step::Unshare(Namespaces::USER));
        draft.step(Step::Sync { point: self.point, send: Vec::new(), receive: Vec::new() });
        let (uid, gid) = self.ids;
        draft.step(Step::Credentials(Credentials {
            uid: Some(uid),
            gid: Some(gid),
            ..Credentials::default()
        }));
    }
}

/// Says whether a fork has to follow.
fn join_all(draft: &mut Draft<'_>, joined: Vec<Namespace>) -> Result<bool, Error> {
    let opened = Opened { joined, new: KindSet::EMPTY };
    let order = opened.steps()?;
    let mut joined: Vec<_> = opened.joined.into_iter().map(Some).collect();
    let mut forks = false;
    for step in order {
        let Order::Join { index, kind, second_fork } = step else { continue };
        if let Some(namespace) = joined.get_mut(index).and_then(Option::take) {
            let from = draft.namespace(namespace);
            draft.step(Step::Join { from, kinds: Namespaces::from_bits(kind.flag()) });
            forks |= second_fork;
        }
    }
    Ok(forks)
}

/// What is written below `/proc/self`, while that belongs to the process.
fn through_proc(
    draft: &mut Draft<'_>,
    oom_score_adjust: Option<i32>,
    time: Option<(ClockOffset, ClockOffset)>,
) -> Result<(), Error> {
    if time.is_none() && oom_score_adjust.is_none() {
        return Ok(());
    }
    let proc = draft.proc()?;
    if let Some((monotonic, boottime)) = time {
        draft.step(Step::TimeOffsets { monotonic, boottime, proc });
    }
    draft.steps(oom_score_adjust.map(|value| Step::OomScoreAdjust { value, proc }));
    draft.step(Step::Close(proc));
    Ok(())
}
