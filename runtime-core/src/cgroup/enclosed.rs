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
    ended: bool,
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
            Err(Error::Cgroup(reason)) if limits.policy == LimitPolicy::IfAvailable && lacks(&reason) => {
                let outcome = Outcome::none(&plan, &reason);
                Ok(Some(Self { cgroup: None, tasks: Vec::new(), outcome, ended: true }))
            }
            Err(Error::Cgroup(reason)) if lacks(&reason) => Err(denied(reason)),
            Err(error) => Err(error),
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

    /// The program moved itself, or will never do so.
    pub(crate) fn started(&mut self) {
        self.tasks = Vec::new();
    }

    /// The program was waited for: what is left of it has no one to wait for it.
    pub(crate) fn ended(&mut self) {
        self.ended = true;
    }

    /// Ends what is left and removes the cgroup.
    pub(crate) fn remove(&mut self) -> Result<(), Error> {
        let Some(cgroup) = &self.cgroup else { return Ok(()) };
        end(cgroup)?;
        self.cgroup = None;
        Ok(())
    }
}

/// Usually nothing is left, and one attempt is enough.
pub(super) fn end(cgroup: &Cgroup) -> Result<(), Error> {
    if cgroup.remove(Duration::ZERO).is_ok() {
        return Ok(());
    }
    cgroup.kill(END)?;
    Ok(cgroup.remove(END)?)
}

impl Drop for Enclosed {
    fn drop(&mut self) {
        let Some(cgroup) = &self.cgroup else { return };
        // What runs on without anybody to wait for it keeps its limits, and its cgroup goes when somebody clears away. The
        // same holds for what cannot be removed now: there is nobody to tell.
        let removed = match self.ended {
            true => end(cgroup),
            false => cgroup.remove(Duration::ZERO).map_err(Error::from),
        };
        removed.unwrap_or(());
    }
}

fn make(limits: &Limits, plan: &Resources) -> Result<Enclosed, Error> {
    // Once more where the nest was removed, or the new cgroup taken for a stale one before it was locked.
    const ATTEMPTS: u32 = 8;
    let mut attempt = 1;
    loop {
        let nest = Nest::find(limits)?;
        match make_in(&nest, limits, plan) {
            Err(Error::Cgroup(error)) if error.is_gone() && attempt < ATTEMPTS => {
                if !nest.forget() {
                    return Err(error.into());
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
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = stale::name(std::process::id(), number, limits.die_with_caller);
    let controllers = nest.reachable(plan.controllers().or(limits.accounting));
    let cgroup = match nest.parent.create(&name, controllers) {
        // A process with this number was here before, in another pid namespace perhaps.
        Err(error) if error.errno().is_some_and(|errno| errno.number() == libc::EEXIST) => return Ok(None),
        made => made?,
    };
    let mut made =
        Enclosed { cgroup: Some(cgroup), tasks: Vec::new(), outcome: Outcome::default(), ended: true };
    let Some(cgroup) = &made.cgroup else { return Ok(None) };
    if !cgroup.lock()? {
        return Ok(None);
    }
    if !limits.accounting.is_empty() {
        nest.parent.enable(nest.reachable(limits.accounting))?;
    }
    made.outcome = cgroup.apply_to_new(plan)?;
    made.tasks = cgroup.task_files()?;
    made.ended = false;
    Ok(Some(made))
}

/// Says what would help.
fn denied(reason: cofferdam_cgroups::Error) -> Error {
    let hint = format!("limits need root, or a cgroup that is delegated to this user: {reason}");
    Error::Denied { hint, source: Box::new(reason.into()) }
}

/// Whether an error says that there is no cgroup to be had, rather than that something is wrong.
fn lacks(error: &cofferdam_cgroups::Error) -> bool {
    use cofferdam_cgroups::Error as Cgroups;
    const CODES: [i32; 3] = [libc::EACCES, libc::EPERM, libc::EROFS];
    match error {
        Cgroups::NotDelegated
        | Cgroups::NotMounted
        | Cgroups::NoController { .. }
        | Cgroups::NoPart { .. } => true,
        other => other.errno().is_some_and(|errno| CODES.contains(&errno.number())),
    }
}
