//! A cgroup that belongs to one program.

use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use cofferdam_cgroups::{Cgroup, Outcome, Resources};

use super::{LimitPolicy, Limits, Nest, Shape, stale};
use crate::Error;

/// How long processes may take to end that were killed.
const END: Duration = Duration::from_secs(10);

/// A cgroup, what holds in it, and how the program gets there.
///
/// Once the program was waited for, dropping it ends whatever is left in the cgroup and removes it. Before that the cgroup
/// stays if something runs in it.
#[derive(Debug)]
pub(crate) struct Enclosed {
    /// None if none could be had, and none had to be.
    cgroup: Option<Cgroup>,
    /// The v1 files by which the program moves itself.
    tasks: Vec<OwnedFd>,
    outcome: Outcome,
    /// Nothing may go on in it: the program was waited for, or does not run yet.
    ended: bool,
    /// The program ends with the caller.
    dies: bool,
    /// The process that made it. A copy that it forks later owns nothing.
    owner: u32,
}

impl Enclosed {
    /// Makes a cgroup and applies the limits. None where no limits are wanted.
    pub(crate) fn establish(limits: &Limits) -> Result<Option<Self>, Error> {
        if !limits.are_wanted() {
            return Ok(None);
        }
        let plan = limits.plan();
        match make(limits, &plan) {
            Ok(enclosed) => Ok(Some(enclosed)),
            Err(error) => {
                let outcome = Outcome::none(&plan, &without(limits, error)?);
                let owner = std::process::id();
                Ok(Some(Self { cgroup: None, tasks: Vec::new(), outcome, ended: true, dies: false, owner }))
            }
        }
    }

    /// What it would look like, without making it.
    pub(crate) fn foresee(limits: &Limits) -> Result<Shape, Error> {
        if !limits.are_wanted() {
            return Ok(Shape::default());
        }
        match Nest::find(limits) {
            Ok(nest) => Ok(nest.shape(limits)),
            Err(error) => without(limits, error).map(|_| Shape::default()),
        }
    }

    pub(crate) fn shape(&self) -> Shape {
        Shape { unified: self.fd().is_some(), tasks: self.tasks.len() }
    }

    pub(crate) fn cgroup(&self) -> Option<&Cgroup> {
        self.cgroup.as_ref()
    }

    pub(crate) fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.cgroup.as_ref()?.fd()
    }

    pub(crate) fn tasks(&self) -> &[OwnedFd] {
        &self.tasks
    }

    pub(crate) fn outcome(&self) -> &Outcome {
        &self.outcome
    }

    /// The program runs, and has moved itself.
    pub(crate) fn started(&mut self) {
        self.tasks = Vec::new();
        self.ended = self.cgroup.is_none();
    }

    /// The program was waited for: what is left of it has no one to wait for it.
    pub(crate) fn ended(&mut self) {
        self.ended = true;
    }

    /// Ends what is left and removes the cgroup.
    pub(crate) fn remove(&mut self) -> Result<(), Error> {
        let Some(cgroup) = &self.cgroup else { return Ok(()) };
        end(cgroup, END)?;
        self.cgroup = None;
        Ok(())
    }
}

/// What the kernel says to who may not.
const DENIED: [i32; 3] = [libc::EACCES, libc::EPERM, libc::EROFS];

/// Usually nothing is left, and one attempt is enough.
pub(super) fn end(cgroup: &Cgroup, patience: Duration) -> Result<(), Error> {
    if cgroup.remove(Duration::ZERO).is_ok() {
        return Ok(());
    }
    cgroup.kill(patience)?;
    Ok(cgroup.remove(patience)?)
}

impl Drop for Enclosed {
    fn drop(&mut self) {
        let Some(cgroup) = self.cgroup.take().filter(|_| self.owner == std::process::id()) else { return };
        // What runs on without anybody to wait for it keeps its limits, and its cgroup goes when somebody clears away. The
        // same holds for what cannot be removed now: there is nobody to tell.
        let removed = match self.ended {
            true => end(&cgroup, END),
            false => cgroup.remove(Duration::ZERO).map_err(Error::from),
        };
        if removed.is_err() && self.dies && !self.ended {
            stale::keep(cgroup);
        }
    }
}

fn make(limits: &Limits, plan: &Resources) -> Result<Enclosed, Error> {
    stale::release();
    // Once more where the nest was removed, or the new cgroup taken for a stale one before it was locked.
    const ATTEMPTS: u32 = 8;
    let mut attempt = 1;
    loop {
        let nest = Nest::find(limits)?;
        match make_in(&nest, limits, plan) {
            Err(error) if attempt < ATTEMPTS && !nest.parent.exists() => {
                if !nest.forget() {
                    return Err(error);
                }
            }
            Ok(None) if attempt < ATTEMPTS => {}
            Ok(None) => {
                return Err(Error::invalid("cgroup", &nest.parent, "is cleared away by somebody else"));
            }
            Ok(Some(made)) => return Ok(made),
            Err(error) => return Err(error),
        }
        attempt += 1;
    }
}

/// None if somebody else has taken it.
fn make_in(nest: &Nest, limits: &Limits, plan: &Resources) -> Result<Option<Enclosed>, Error> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let controllers = nest.reachable(plan.controllers().or(limits.accounting));
    let cgroup = loop {
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = stale::name(std::process::id(), number, limits.die_with_caller);
        match nest.parent.create(&name, controllers) {
            // A process with this number was here before, or is in another pid namespace.
            Err(error) if error.errno().is_some_and(|errno| errno.number() == libc::EEXIST) => {}
            made => break made?,
        }
    };
    let (tasks, outcome) = (Vec::new(), Outcome::default());
    let dies = limits.die_with_caller;
    let owner = std::process::id();
    let mut made = Enclosed { cgroup: Some(cgroup), tasks, outcome, ended: true, dies, owner };
    let Some(cgroup) = &made.cgroup else { return Ok(None) };
    // Once all of it is there and locked, nobody takes it for a stale one any more.
    if !cgroup.lock()? || !cgroup.exists() {
        return Ok(None);
    }
    account(nest, limits)?;
    made.outcome = cgroup.apply_to_new(plan)?;
    made.tasks = cgroup.task_files()?;
    Ok(Some(made))
}

/// Enables what is wanted for its statistics.
fn account(nest: &Nest, limits: &Limits) -> Result<(), Error> {
    if limits.accounting.is_empty() {
        return Ok(());
    }
    let reachable = nest.reachable(limits.accounting);
    if limits.policy == LimitPolicy::Required
        && let Some(controller) = limits.accounting.minus(reachable).iter().next()
    {
        let path = nest.parent.path().clone();
        let served = nest.parent.hierarchies().hierarchy_of(controller);
        let reason =
            served.err().map_or("not where programs get their cgroups".to_owned(), |why| why.to_string());
        return Err(cofferdam_cgroups::Error::NoController { controller, path, reason }.into());
    }
    match nest.parent.enable(reachable) {
        // The limits can be had all the same; what is not counted is none in the statistics.
        Err(error @ cofferdam_cgroups::Error::Enable { .. })
            if limits.policy == LimitPolicy::IfAvailable && !error.is_gone() =>
        {
            Ok(())
        }
        enabled => Ok(enabled?),
    }
}

/// Why there is no cgroup, if the program can do without; else an error that says what would help.
fn without(limits: &Limits, error: Error) -> Result<cofferdam_cgroups::Error, Error> {
    match error {
        Error::Cgroup(reason) if lacks(&reason) => match limits.policy {
            LimitPolicy::IfAvailable => Ok(reason),
            LimitPolicy::Required | LimitPolicy::None if is_permission(&reason) => Err(denied(reason)),
            LimitPolicy::Required | LimitPolicy::None => Err(reason.into()),
        },
        error => Err(error),
    }
}

/// Says what would help.
fn denied(reason: cofferdam_cgroups::Error) -> Error {
    let hint = format!("limits need root, or a cgroup that is delegated to this user: {reason}");
    Error::Denied { hint, source: Box::new(reason.into()) }
}

/// Whether root, or who has a cgroup, would not meet it.
fn is_permission(error: &cofferdam_cgroups::Error) -> bool {
    let refused = |errno: cofferdam_cgroups::Errno| DENIED.contains(&errno.number());
    use cofferdam_cgroups::Error as Cgroups;
    matches!(error, Cgroups::NotDelegated | Cgroups::NoneUsable { .. }) || error.errno().is_some_and(refused)
}

/// Whether an error says that there is no cgroup to be had, rather than that something is wrong.
fn lacks(error: &cofferdam_cgroups::Error) -> bool {
    use cofferdam_cgroups::Error as Cgroups;
    match error {
        Cgroups::NotDelegated
        | Cgroups::NotMounted
        | Cgroups::NoneUsable { .. }
        | Cgroups::NoController { .. }
        | Cgroups::NoPart { .. } => true,
        other => other.errno().is_some_and(|errno| DENIED.contains(&errno.number())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_whose_cgroups_cannot_be_used_has_none() {
        let none = || cofferdam_cgroups::Error::NoneUsable { skipped: Vec::new() };
        let limits = Limits { policy: LimitPolicy::IfAvailable, ..Limits::default() };
        assert_eq!(without(&limits, none().into()).unwrap(), none());
        assert!(matches!(without(&Limits::default(), none().into()), Err(Error::Denied { .. })));
        let wrong = Error::invalid("cgroup", "given", "is wrong");
        assert!(matches!(without(&limits, wrong), Err(Error::Invalid { .. })));
    }
}
