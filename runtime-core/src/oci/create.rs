//! From a configuration to a container whose process waits for the start.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

use cofferdam_process::{Held, Spawner};
use oci_spec::runtime::Spec;

use super::cgroup::ContainerCgroup;
use super::hooks::{self, Kind};
use super::meetings::Creating;
use super::plan::{self, Request};
use super::rdt::ResourceGroup;
use super::state::{Entry, Identity, Lock, Record, Root};
use super::streams::Given;
use super::{
    Container, CreateOptions, Error, Id, Result, Status, descriptors, notify, reap, sockets, validate,
};
use crate::Namespaces;
use crate::start::{self, Place};

/// The socket at which the init waits.
pub(super) const START: &str = "start";

/// How long the processes of a container that could not be made may take to end.
const MOMENT: Duration = Duration::from_secs(10);

/// A container in the making. What is there already is undone if the rest cannot be made.
struct Making {
    entry: Option<(Entry, Lock)>,
    record: Record,
    cgroup: Option<ContainerCgroup>,
    group: Option<ResourceGroup>,
    hooks_ran: bool,
}

/// Creates a container, or leaves nothing behind.
pub(super) fn create(root: Option<&Path>, options: CreateOptions<'_>) -> Result<Container> {
    let id: Id = options.id.parse()?;
    if !options.bundle.is_absolute() {
        return Err(Error::path("bundle, which is no absolute path,", &options.bundle)(
            rustix::io::Errno::INVAL,
        ));
    }
    if root.is_none() && options.notify_socket.is_some() {
        return Err(Error::Unsupported { what: "a notify socket without a state directory".into() });
    }
    let report = validate(options.spec)?;
    reap::take_left();
    let mut record = Record::new(id.as_str(), &options.bundle, options.spec);
    record.notify_socket.clone_from(&options.notify_socket);
    let entry = root.map(|root| Root::make(root)?.claim(id.as_str())).transpose()?;
    let mut making = Making { entry, record, cgroup: None, group: None, hooks_ran: false };
    match making.make(options) {
        Ok((held, console)) => {
            let Making { entry, record, .. } = making;
            let entry = entry.map(|(entry, _)| entry);
            let not_applied = report.not_applied.iter().map(ToString::to_string).collect();
            Ok(Container::created(record, entry, held, console, not_applied))
        }
        Err(error) => Err(making.undo(error)),
    }
}

impl Making {
    fn save(&self) -> Result<()> {
        match &self.entry {
            Some((entry, lock)) => entry.write(&self.record, lock),
            None => Ok(()),
        }
    }

    fn make(&mut self, options: CreateOptions<'_>) -> Result<(Held, Option<OwnedFd>)> {
        let policy = options.cgroup;
        let cgroup = ContainerCgroup::create_announced(options.spec, &options.id, policy, |planned| {
            // Whoever cleans up after this process has to find the cgroup.
            self.record.cgroup = Some(planned);
            self.record.cgroup_planned = true;
            self.save()
        })?;
        self.record.cgroup = Some(cgroup.record());
        self.record.cgroup_planned = false;
        let cgroup = self.cgroup.insert(cgroup);
        self.group = ResourceGroup::create(options.spec, &options.id, options.rdt_root.as_deref())?;
        self.record.rdt = self.group.as_ref().map(|group| group.record().clone());
        let place = match cgroup.cgroup() {
            Some(own) => Place::Others(own, cgroup.task_files()?),
            None => Place::Callers,
        };
        let view = cgroup.view();
        let passed = descriptors::own(3, options.listen_fds.saturating_add(options.preserve_fds))?;
        let notify = self.entry.as_ref().zip(options.notify_socket.as_ref());
        let notify = notify.map(|((entry, _), _)| notify::make_directory(entry)).transpose()?;
        let spec = with_environment(options.spec, options.listen_fds, notify.is_some());
        let listener = self.entry.as_ref().map(|(entry, _)| sockets::listen_at(entry, START)).transpose()?;
        let streams = Given::new(options.stdin, options.stdout, options.stderr);
        let request = Request {
            id: &options.id,
            spec: &spec,
            bundle: &options.bundle,
            streams: streams.planned(),
            passed: passed.iter().chain(&options.descriptors).map(AsFd::as_fd).collect(),
            cgroup: view,
            no_pivot: options.no_pivot,
            no_new_keyring: options.no_new_keyring,
            listener: listener.as_ref().map(AsFd::as_fd),
            notify,
        };
        let mut prepared = plan::build(&request)?;
        streams.fill(&mut prepared);
        // Whoever cleans up after this process has to find the new one.
        prepared.plan.rendezvous |= self.entry.is_some() || self.group.is_some();
        let opened = start::open_all(&prepared, None, &place)?;
        let inputs: Vec<BorrowedFd<'_>> = opened.iter().map(AsFd::as_fd).collect();
        let mut meetings = Creating {
            record: &mut self.record,
            entry: self.entry.as_ref(),
            maps: prepared.maps.as_ref(),
            maps_late: !prepared.plan.namespaces.contains(Namespaces::USER),
            group: self.group.as_ref(),
            console_socket: options.console_socket.as_deref(),
            console: None,
            hooks_ran: false,
        };
        let held = Spawner::new(&prepared.plan, &inputs).rendezvous(&mut meetings).hold();
        let (console, hooks_ran) = (meetings.console.take(), meetings.hooks_ran);
        self.hooks_ran = hooks_ran;
        let held = held.map_err(|error| Error::of_process(error, prepared.plan.namespaces))?;
        self.finish(&held, options.pid_file.as_deref(), options.pidfd_socket.as_deref())?;
        Ok((held, console))
    }

    /// Says that it is there.
    fn finish(&mut self, held: &Held, pid_file: Option<&Path>, pidfd_socket: Option<&Path>) -> Result<()> {
        let process = held.process();
        let known = match self.record.process.take() {
            Some(known) => known,
            None => Identity::of(process.pid, process.pidfd)?,
        };
        self.record.process = Some(known.of_init());
        self.record.remaining = Some(held.remaining().to_text());
        self.record.complete = true;
        if let Some(path) = pidfd_socket {
            sockets::send_to("pidfd socket", path, b"pid-fd", process.pidfd)?;
        }
        if let Some(path) = pid_file {
            descriptors::write_pid(path, process.pid)?;
        }
        self.save()
    }

    /// Takes back what was made. The process is gone already.
    fn undo(mut self, error: Error) -> Error {
        let mut failed = None;
        if let Some(cgroup) = &mut self.cgroup {
            failed = cgroup.remove(MOMENT).err();
        }
        if let Some(group) = &mut self.group {
            failed = failed.or(group.remove().err());
        }
        if self.hooks_ran {
            // What they say is not what went wrong.
            let state = self.record.state(Status::Stopped, None);
            drop(hooks::run_all(Kind::Poststop, self.record.surroundings(None), &state));
        }
        if let (Some((entry, lock)), None) = (&self.entry, &failed) {
            failed = entry.remove(lock).err();
        }
        match failed {
            None => error,
            Some(cleanup) => Error::LeftBehind { cleanup: Box::new(cleanup), source: Box::new(error) },
        }
    }
}

/// The configuration with the variables that say what was passed.
fn with_environment(spec: &Spec, listen_fds: u32, notify: bool) -> Spec {
    let mut spec = spec.clone();
    let Some(mut process) = spec.process().clone() else { return spec };
    let mut variables = process.env().clone().unwrap_or_default();
    let mut set = |name: &str, value: &str| {
        variables.retain(|variable| variable.split('=').next() != Some(name));
        variables.push(format!("{name}={value}"));
    };
    if listen_fds > 0 {
        set("LISTEN_FDS", &listen_fds.to_string());
        // The program is process 1 of its pid namespace; nobody can know another number before it is there.
        set("LISTEN_PID", "1");
    }
    if notify {
        set("NOTIFY_SOCKET", notify::INSIDE);
    }
    process.set_env(Some(variables));
    spec.set_process(Some(process));
    spec
}
