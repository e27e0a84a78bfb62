//! The end of a container: nothing of it is left.

use std::os::fd::AsFd;
use std::path::Path;
use std::time::{Duration, Instant};

use cofferdam_process::{Child, Process};
use oci_spec::runtime::Spec;

use super::cgroup::{CgroupRecord, ContainerCgroup};
use super::container::Life;
use super::hooks::{self, Kind};
use super::rdt::{RdtRecord, ResourceGroup};
use super::state::{Entry, Lock, Root};
use super::{Container, Error, Result, Status, reap};
use crate::LimitPolicy;

/// How long processes may take to end once they are killed.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// How long a process takes to end once it is killed, unless something is in the way.
const AT_ONCE: Duration = Duration::from_millis(100);

/// How long the first process of a container may take to notice that its creator was killed.
const MOMENT: Duration = Duration::from_secs(2);

impl Container {
    /// Deletes the container: its cgroup with what is left in it, its state, and with `force` its process. Hooks of the kind
    /// `poststop` run; what they say does not matter to the container and is returned.
    ///
    /// # Errors
    /// [`Error::Status`] unless it is stopped or `force` is set; if something cannot be removed. It can be tried again then.
    pub fn delete(mut self, force: bool) -> Result<Vec<Error>> {
        reap::take_left();
        let lock = match (&self.entry, force) {
            (Some(entry), true) => Some(lock_by_force(entry, || self.end())?),
            (Some(entry), false) => Some(entry.lock()?),
            (None, _) => None,
        };
        // It may have got further before the lock was there.
        self.refresh()?;
        let status = if self.record.complete { self.status()? } else { Status::Stopped };
        if status != Status::Stopped && !force {
            return Err(self.refuse("delete", status));
        }
        self.end()?;
        let removed = remove_cgroup(self.record.cgroup.as_ref(), self.record.cgroup_planned);
        // What was frozen has ended only now.
        self.reap();
        let left = removed?;
        remove_group(self.record.rdt.as_ref())?;
        let state = self.record.state(Status::Stopped, None);
        let mut warnings = hooks::run_all(Kind::Poststop, self.record.surroundings(None), &state);
        if let (Some(entry), Some(lock)) = (&self.entry, &lock) {
            entry.remove(lock)?;
        }
        warnings.extend(left);
        Ok(warnings)
    }

    /// Kills its process.
    fn end(&self) -> Result<()> {
        let Some((pid, pidfd)) = self.living()? else { return Ok(()) };
        end(Process { pid, pidfd })
    }

    /// Leaves no zombie of its process.
    fn reap(&mut self) {
        match std::mem::replace(&mut self.life, Life::Ended) {
            Life::Process(child) => reap::take(child, AT_ONCE),
            Life::Held(held) => drop(held),
            Life::Ended => {}
        }
    }
}

/// Kills a process and waits for its end.
fn end(process: Process<'_>) -> Result<()> {
    let copy = process.pidfd.try_clone_to_owned();
    let copy = copy.map_err(|error| Error::io("pidfd", "/proc/self/fd")(&error))?;
    Child::from_pidfd(process.pid, copy).kill(libc::SIGKILL)?;
    // One that is frozen ends with its cgroup.
    reap::wait_for_end(process.pidfd, AT_ONCE)
}

/// The lock, from whoever has it: who creates or starts a container gives up when its process has ended.
fn lock_by_force(entry: &Entry, end: impl Fn() -> Result<()>) -> Result<Lock> {
    if let Some(lock) = entry.try_lock()? {
        return Ok(lock);
    }
    end()?;
    let locked = || Error::State {
        path: entry.path("."),
        reason: "is locked by another process that does not come to an end".into(),
    };
    entry.lock_within(PATIENCE)?.ok_or_else(locked)
}

/// Removes the cgroup with what is left in it; gives what was left alone.
fn remove_cgroup(known: Option<&CgroupRecord>, planned: bool) -> Result<Option<Error>> {
    let Some(known) = known.filter(|known| !known.paths.is_empty()) else { return Ok(None) };
    let mut cgroup = ContainerCgroup::open(known)?;
    if !planned {
        cgroup.remove(PATIENCE)?;
        return Ok(None);
    }
    // Whoever made it was killed before the first process was known. That ends by itself; others in it are not ours.
    let end = Instant::now() + MOMENT;
    loop {
        let Some(own) = cgroup.cgroup().filter(|own| own.exists()) else { return Ok(None) };
        if own.lock()? && !own.is_populated()? {
            cgroup.remove(PATIENCE)?;
            return Ok(None);
        }
        if Instant::now() >= end {
            let path = known.paths.values().next().cloned().unwrap_or_default();
            return Ok(Some(Error::path("cgroup, which others use,", path)(rustix::io::Errno::BUSY)));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn remove_group(known: Option<&RdtRecord>) -> Result<()> {
    match known.map(ResourceGroup::open).transpose()?.flatten() {
        Some(mut group) => group.remove(),
        None => Ok(()),
    }
}

/// Deletes by the name, also what cannot be read any more.
pub(super) fn delete(root: &Path, id: &str, force: bool) -> Result<Vec<Error>> {
    let not_found = || Error::NotFound { id: id.to_owned() };
    let entry = match Root::open(root)? {
        Some(root) => root.entry(id)?,
        None => id.parse::<super::Id>().map(|_| None)?,
    };
    let deleted = match entry {
        None => Err(not_found()),
        Some(entry) => match Container::found(entry) {
            Ok(container) => container.delete(force),
            Err(error @ Error::NotFound { .. }) => Err(error),
            Err(_) if force => remove_pieces(root, id),
            Err(error) => Err(error),
        },
    };
    match deleted {
        // Somebody else was faster, or it never was there.
        Err(Error::NotFound { .. }) if force => Ok(Vec::new()),
        deleted => deleted,
    }
}

/// Removes a container whose record cannot be read.
fn remove_pieces(root: &Path, id: &str) -> Result<Vec<Error>> {
    let not_found = || Error::NotFound { id: id.to_owned() };
    let entry = Root::open(root)?.ok_or_else(not_found)?.entry(id)?.ok_or_else(not_found)?;
    let lock = lock_by_force(&entry, || Ok(()))?;
    let warnings = match entry.pieces() {
        Some(pieces) => {
            if let Some((pid, pidfd)) = pieces.open()? {
                end(Process { pid, pidfd: pidfd.as_fd() })?;
            }
            remove_cgroup(pieces.cgroup.as_ref(), pieces.cgroup_planned)?;
            remove_group(pieces.rdt.as_ref())?;
            Vec::new()
        }
        None => {
            let place = ContainerCgroup::planned(&Spec::default(), id, LimitPolicy::Required)?;
            let left = remove_cgroup(Some(&place), true)?;
            let reason = "cannot be read: processes may be left of a container without a cgroup of its name";
            left.into_iter().chain([Error::State { path: entry.path("."), reason: reason.into() }]).collect()
        }
    };
    entry.remove(&lock)?;
    Ok(warnings)
}
