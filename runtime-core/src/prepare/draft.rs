//! A plan in the making.

#[cfg(feature = "oci")]
use std::os::fd::OwnedFd;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

use cofferdam_namespaces::Namespace;
#[cfg(feature = "oci")]
use cofferdam_overlay::IdMapping;
use rustix::fs::{CWD, Mode, OFlags, openat};

use super::paths::Made;
use super::{Input, Maps, Prepared};
use crate::cgroup::Shape;
use crate::environment::DEFAULT_PATH;
use crate::program::Program;
use crate::{Errno, Error, Location, Mount, Plan, Slot, StackRoot, Step};

/// A plan and what it needs, growing step by step.
#[derive(Debug)]
pub(crate) struct Draft<'a> {
    pub(crate) plan: Plan,
    inputs: Vec<Input<'a>>,
    /// The host's files cannot be seen in the new mount namespace: what is shown of them comes from outside.
    pub(crate) outside: bool,
    pub(crate) made: Vec<Made>,
}

impl<'a> Draft<'a> {
    /// What is executed. `host_files`: the caller's `PATH` makes sense there.
    pub(crate) fn new(program: &'a Program, host_files: bool) -> Self {
        let mut plan = Plan::new(&program.program);
        if let Some(arg0) = &program.arg0 {
            plan.args = vec![arg0.clone()];
        }
        plan.args.extend(program.args.iter().cloned());
        plan.env = program.environment.resolve(host_files);
        let path = plan.env.iter().find(|(key, _)| key == "PATH").map(|(_, value)| value.clone());
        plan.search = path.unwrap_or_else(|| DEFAULT_PATH.into());
        let mut draft = Self { plan, inputs: Vec::new(), outside: false, made: Vec::new() };
        if let Some(cgroup) = &program.cgroup {
            draft.plan.cgroup = Some(draft.input("the given cgroup", cgroup.as_fd()));
        }
        draft
    }

    /// A plan without a step.
    #[cfg(feature = "oci")]
    pub(crate) fn bare(program: &str) -> Self {
        Self { plan: Plan::new(program), inputs: Vec::new(), outside: false, made: Vec::new() }
    }

    /// Into a cgroup: on v2 by birth, on v1 first of all.
    pub(crate) fn enter_cgroup(&mut self, shape: Shape) {
        if shape.unified {
            self.inputs.push(Input::Cgroup);
            self.plan.cgroup = Some(self.plan.input("the cgroup"));
        }
        for index in 0..shape.tasks {
            self.inputs.push(Input::Tasks(index));
            let tasks = self.plan.input(format!("tasks of the cgroup in v1 hierarchy {}", index + 1));
            self.step(Step::EnterCgroup { tasks });
        }
    }

    pub(crate) fn step(&mut self, step: Step) {
        self.plan.steps.push(step);
    }

    pub(crate) fn steps(&mut self, steps: impl IntoIterator<Item = Step>) {
        self.plan.steps.extend(steps);
    }

    pub(crate) fn input(&mut self, name: impl Into<String>, fd: BorrowedFd<'a>) -> Slot {
        self.inputs.push(Input::Borrowed(fd));
        self.plan.input(name)
    }

    /// A descriptor that was opened for this plan.
    #[cfg(feature = "oci")]
    pub(crate) fn opened(&mut self, name: impl Into<String>, fd: OwnedFd) -> Slot {
        self.inputs.push(Input::Opened(fd));
        self.plan.input(name)
    }

    pub(crate) fn namespace(&mut self, namespace: Namespace) -> Slot {
        let name = namespace.to_string();
        self.inputs.push(Input::Namespace(namespace));
        self.plan.input(name)
    }

    /// Copies what is mounted at a path of the host, as it can be seen now.
    pub(crate) fn copy(&mut self, path: &Path, recursive: bool) -> Slot {
        let name = path.display().to_string();
        if self.outside {
            self.inputs.push(Input::Copy { path: path.to_owned(), recursive });
            return self.plan.input(name);
        }
        let slot = self.plan.slot(name);
        self.step(Step::Mount(Mount::bind(Location::path(path), recursive).into_slot(slot)));
        slot
    }

    /// The same with ids that appear as others, which the caller has the right to do.
    #[cfg(feature = "oci")]
    pub(crate) fn mapped(&mut self, path: &Path, recursive: bool, ids: IdMapping, all: bool) -> Slot {
        self.inputs.push(Input::Mapped { path: path.to_owned(), recursive, ids, all });
        self.plan.input(path.display().to_string())
    }

    /// A union that the caller mounts.
    pub(crate) fn union(&mut self, root: &'a StackRoot) -> Slot {
        self.inputs.push(Input::Union(root));
        self.plan.input("the union")
    }

    /// Copies the new mount namespace from the template.
    pub(crate) fn use_template(&mut self) {
        self.outside = true;
        self.inputs.push(Input::Template);
        self.plan.mounts_from = Some(self.plan.input("an empty template"));
    }

    /// The caller's procfs. The init opens its own files there first of all, so it is given.
    pub(crate) fn proc(&mut self) -> Result<Slot, Error> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let proc = openat(CWD, "/proc", flags, Mode::empty()).map_err(|errno| Error::Path {
            what: "procfs",
            path: "/proc".into(),
            errno: Errno::new(errno.raw_os_error()),
        })?;
        self.inputs.push(Input::Opened(proc));
        Ok(self.plan.input("/proc"))
    }

    pub(crate) fn finish(self, maps: Option<Maps>) -> Prepared<'a> {
        Prepared { plan: self.plan, inputs: self.inputs, maps, made: self.made }
    }
}
