//! A new cgroup, or one that is taken over.

use std::time::Duration;

use cofferdam_cgroups::{
    Cgroup, CgroupPath, Controller, Error as CgroupError, Hierarchies, Outcome, Placed, Require, Resources,
};
use oci_spec::runtime::{LinuxResources, Spec};

use super::place::{PROPERTY, Place};
use super::{CgroupRecord, ContainerCgroup, ownership, record, resources};
use crate::LimitPolicy;
use crate::oci::{Error, Result};

/// How long the kernel may take to let go of a cgroup in which nothing ever ran.
const MOMENT: Duration = Duration::from_secs(1);

impl ContainerCgroup {
    /// Makes the cgroup of a container and applies its limits, before there is any process.
    ///
    /// It is at `linux.cgroupsPath`: an absolute path is below the mount point of each hierarchy, a relative one below the
    /// caller's own cgroup, on v2 beside it where the caller may write there, as runc has it. Without a path the id takes
    /// its place. An empty cgroup that is there already is taken over. It has a directory in each v1 hierarchy and in
    /// the v2 one, and in the latter all controllers that can be had, so that statistics are there too.
    ///
    /// The rules for devices are those of the configuration, on top of a denial of all, and after them what every
    /// container may use: all device nodes may be made, and `null`, `zero`, `full`, `random`, `urandom`, `tty`, `ptmx` and
    /// pseudo-terminals be used.
    ///
    /// The cgroup becomes that of the user who runs the program, as the runtime-spec says ("Cgroup ownership"), if v2 is
    /// alone, the container has a cgroup namespace of its own and mounts its cgroup writable.
    ///
    /// By [`LimitPolicy::IfAvailable`], which is for ordinary users, the container stays in the caller's cgroup in those
    /// hierarchies where the caller may not make one. A limit that the configuration asks for and that cannot be had
    /// without is an error all the same. What may be left out are the rules for devices, if they are the default ones: who
    /// has no privileges can neither attach them on v2, nor make devices; [`outcome`](Self::outcome) says so. By
    /// [`LimitPolicy::None`] it gets no cgroup, whatever the configuration says, and all limits are left out.
    ///
    /// If it fails, what was made is removed again.
    ///
    /// # Errors
    /// [`Error::Config`] for a path that cannot be, a cgroup with processes, a frozen one, and one that another process is
    /// about to use; [`Error::Resource`] for a limit that cannot be applied; [`Error::Container`] if the cgroup cannot be
    /// made; [`Error::LeftBehind`].
    ///
    /// # Privileges
    /// Root, or the owner of the cgroup above; see above.
    pub fn create(spec: &Spec, id: &str, policy: LimitPolicy) -> Result<Self> {
        Self::create_announced(spec, id, policy, |_| Ok(()))
    }

    /// The same; `announce` is told where it will be before anything is made, and nothing is if that fails.
    pub(crate) fn create_announced(
        spec: &Spec,
        id: &str,
        policy: LimitPolicy,
        announce: impl FnOnce(CgroupRecord) -> Result<()>,
    ) -> Result<Self> {
        let none = LinuxResources::default();
        let wanted = spec.linux().as_ref().and_then(|linux| linux.resources().as_ref()).unwrap_or(&none);
        let plan = resources::plan(wanted, policy)?;
        let place = Place::of(spec, id)?;
        let owner = ownership::owner(spec)?;
        let hierarchies = match Hierarchies::discover() {
            Ok(hierarchies) => hierarchies,
            Err(error) if policy == LimitPolicy::Required => return Err(error.into()),
            Err(error) => {
                announce(CgroupRecord::default())?;
                return Self::without(None, wanted, &plan, &error, policy);
            }
        };
        if policy == LimitPolicy::None {
            announce(CgroupRecord::default())?;
            let reason = CgroupError::NoPart { path: CgroupPath::root() };
            return Self::without(Some(hierarchies), wanted, &plan, &reason, policy);
        }
        let partly = policy == LimitPolicy::IfAvailable;
        let path = place.resolve(&hierarchies)?;
        announce(record::planned(&hierarchies, &path))?;
        let mut placed = match hierarchies.place(path, partly) {
            // Whoever has it also removes it.
            Err(CgroupError::Lock { path, errno }) if errno.number() == libc::EAGAIN => {
                let reason = format!("the cgroup {} is being used by another process", path.display());
                return Err(Error::config(PROPERTY, reason));
            }
            placed => placed?,
        };
        let Some(cgroup) = &placed.cgroup else {
            let reason = placed.refused.pop().unwrap_or(CgroupError::NotDelegated);
            return Self::without(Some(hierarchies), wanted, &plan, &reason, policy);
        };
        let owner = owner.filter(|_| hierarchies.mode() == cofferdam_cgroups::Mode::Unified);
        match fill(cgroup, &plan, placed.existed, owner.map(|uid| (uid, partly))) {
            Err(FillError::Applying(error)) => Err(undone(placed, resources::located(wanted, error))),
            Err(FillError::Other(error)) => Err(undone(placed, error)),
            Ok(outcome) => {
                let existed = placed.existed;
                let (hierarchies, cgroup) = (Some(hierarchies), placed.cgroup);
                Ok(Self { hierarchies, cgroup, existed, outcome })
            }
        }
    }

    /// No cgroup at all, unless there is a limit that must be had.
    fn without(
        hierarchies: Option<Hierarchies>,
        wanted: &LinuxResources,
        plan: &Resources,
        reason: &CgroupError,
        policy: LimitPolicy,
    ) -> Result<Self> {
        let must = plan.entries().find(|(_, require)| *require == Require::Must);
        if let Some((setting, _)) = must.filter(|_| policy != LimitPolicy::None) {
            return Err(resources::located_at(wanted, setting, reason.clone()));
        }
        let outcome = Outcome::none(plan, reason);
        Ok(Self { hierarchies, cgroup: None, existed: false, outcome })
    }
}

/// What can fail once it is there.
enum FillError {
    /// A limit.
    Applying(CgroupError),
    /// Something else.
    Other(Error),
}

impl From<CgroupError> for FillError {
    fn from(error: CgroupError) -> Self {
        Self::Other(error.into())
    }
}

/// Checks that it is fit, and makes it what it is to be.
fn fill(
    cgroup: &Cgroup,
    plan: &Resources,
    existed: bool,
    owner: Option<(u32, bool)>,
) -> Result<Outcome, FillError> {
    if existed {
        check_fitness(cgroup).map_err(FillError::Other)?;
    }
    enable_all(cgroup);
    // What was there before has its earlier values back if this fails.
    let applied = if existed { cgroup.apply(plan) } else { cgroup.apply_to_new(plan) };
    let outcome = applied.map_err(FillError::Applying)?;
    if let Some((uid, optional)) = owner {
        match cgroup.delegate_to_user(uid) {
            // An ordinary user cannot give anything away, and a container does not have to own its cgroup.
            Err(error) if optional && error.errno().is_some_and(|errno| errno.number() == libc::EPERM) => {}
            given => given?,
        }
    }
    Ok(outcome)
}

/// A cgroup with somebody else in it, or in which a process would never run.
fn check_fitness(cgroup: &Cgroup) -> Result<()> {
    if cgroup.is_populated()? {
        let pids = cgroup.processes_recursive()?;
        let some: Vec<String> = pids.iter().take(8).map(ToString::to_string).collect();
        let who = if some.is_empty() { String::new() } else { format!(": {}", some.join(", ")) };
        return Err(unfit(cgroup, &format!("is not empty, it has processes{who}")));
    }
    match cgroup.frozen() {
        Ok(state) if state.asked || state.above => Err(unfit(cgroup, "is frozen")),
        // Where nothing can be frozen, nothing is.
        Ok(_) | Err(CgroupError::NoController { .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// All controllers that can be had, by one write if possible.
fn enable_all(cgroup: &Cgroup) {
    // What a limit needs is enabled with it, or said to be missing; the others are for statistics, and may be missing.
    let wanted = [
        Controller::Cpu,
        Controller::CpuSet,
        Controller::Memory,
        Controller::Io,
        Controller::Pids,
        Controller::HugeTlb,
        Controller::Rdma,
        Controller::Misc,
    ];
    let served = |controller: &Controller| cgroup.hierarchies().hierarchy_of(*controller).is_ok();
    let wanted: Vec<Controller> = wanted.into_iter().filter(served).collect();
    if cgroup.fd().is_some() && cgroup.enable_here(wanted.iter().copied()).is_err() {
        for controller in wanted {
            cgroup.enable_here([controller]).unwrap_or(());
        }
    }
}

fn unfit(cgroup: &Cgroup, why: &str) -> Error {
    Error::config(PROPERTY, format!("the cgroup {cgroup} {why}"))
}

/// Takes back what was made, and says what led there.
fn undone(mut placed: Placed, cause: Error) -> Error {
    match placed.undo(MOMENT) {
        Ok(()) => cause,
        Err(failed) => Error::LeftBehind { source: Box::new(cause), cleanup: Box::new(failed.into()) },
    }
}
