//! The steps into new and existing namespaces.

use cofferdam_namespaces::{Kinds, Namespace, Opened, Step as Order};

use super::draft::Draft;
use crate::cgroup::Shape;
use crate::enclosure::{Enclosure, kinds_of};
use crate::program::Program;
use crate::{ClockOffset, Error, Namespaces, Step};

/// New namespaces at the clone where that is possible, the others as steps.
///
/// What belongs to a user namespace that is joined must be made after joining it.
pub(super) fn enter(
    draft: &mut Draft<'_>,
    program: &Program,
    enclosure: &Enclosure,
    cgroup: Shape,
) -> Result<(), Error> {
    let new = enclosure.new;
    let time = new.contains(Namespaces::TIME).then(|| enclosure.time_offsets.unwrap_or_default());
    // A cgroup namespace shows what lies below the cgroup in which it was made. On v1 the process has to get there first.
    let at_once = if cgroup.tasks > 0 { new.without(Namespaces::CGROUP) } else { new };
    let at_once = at_once.without(Namespaces::TIME);
    if enclosure.joined.is_empty() {
        draft.plan.namespaces = at_once;
        if new.contains(Namespaces::CGROUP) && !at_once.contains(Namespaces::CGROUP) {
            draft.step(Step::Unshare(Namespaces::CGROUP));
        }
        through_proc(draft, program, time)?;
        return Ok(());
    }
    let joined = enclosure.joined.iter().map(Namespace::try_clone).collect::<Result<Vec<_>, _>>()?;
    let early = if kinds_of(&joined).contains(Namespaces::USER) { Namespaces::empty() } else { at_once };
    draft.plan.namespaces = early;
    let forks = join_all(draft, joined)?;
    let late = new.without(early).without(Namespaces::TIME);
    if !late.is_empty() {
        draft.step(Step::Unshare(late));
    }
    through_proc(draft, program, time)?;
    if forks || late.contains(Namespaces::PID) {
        draft.step(Step::Fork);
    }
    Ok(())
}

/// Joins namespaces and makes none.
pub(super) fn join(draft: &mut Draft<'_>, program: &Program, joined: Vec<Namespace>) -> Result<(), Error> {
    through_proc(draft, program, None)?;
    if join_all(draft, joined)? {
        draft.step(Step::Fork);
    }
    Ok(())
}

/// Says whether a fork has to follow.
fn join_all(draft: &mut Draft<'_>, joined: Vec<Namespace>) -> Result<bool, Error> {
    let opened = Opened { joined, new: Kinds::EMPTY };
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
    program: &Program,
    time: Option<(ClockOffset, ClockOffset)>,
) -> Result<(), Error> {
    if time.is_none() && program.oom_score_adjust.is_none() {
        return Ok(());
    }
    let proc = draft.proc()?;
    if let Some((monotonic, boottime)) = time {
        draft.step(Step::TimeOffsets { monotonic, boottime, proc });
    }
    draft.steps(program.oom_score_adjust.map(|value| Step::OomScoreAdjust { value, proc }));
    draft.step(Step::Close(proc));
    Ok(())
}
