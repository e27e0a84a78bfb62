//! The plan: everything that will be done to start a program, as a plain value.
//!
//! A [`Plan`] names the program, its arguments, environment and standard streams, the namespaces that the
//! new process is born in, and a list of [`Step`]s that the sealed init carries out before it becomes the
//! program. Nothing in it is a live resource: descriptors are [`Slot`]s, filled when the plan is spawned.

mod capability;
mod credentials;
mod describe;
mod files;
mod hold;
mod limit;
mod mount;
mod namespace;
mod slot;
mod step;
mod uses;
mod validate;

use std::ffi::OsString;

pub use capability::{CAPABILITY_NAMES, Capability, CapabilitySet};
pub use credentials::{Capabilities, Credentials};
pub use files::{Device, Expected, FileKind, Location, Open, TargetKind, Test};
pub use hold::Hold;
pub use limit::Resource;
pub use mount::{Attributes, Mount, MountFlags, MountOption, Propagation, Source, Target};
pub use namespace::{ClockOffset, Namespaces};
pub use slot::Slot;
pub use step::{Argument, Field, RawCall, Step};

pub(crate) use slot::Slots;

/// What to start, and how.
///
/// ```
/// use cofferdam_process::{Namespaces, Plan, Step};
///
/// let mut plan = Plan::new("/bin/true");
/// plan.namespaces = Namespaces::UTS | Namespaces::IPC;
/// plan.steps.push(Step::Hostname("box".into()));
/// assert_eq!(plan.explain().lines().last(), Some("execute /bin/true"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The program: a path if it contains a slash, otherwise a name looked up in [`search`](Self::search).
    pub program: OsString,
    /// The argument vector, `argv[0]` included. Must not be empty.
    pub args: Vec<OsString>,
    /// The environment, by value; nothing is inherited.
    pub env: Vec<(OsString, OsString)>,
    /// Directories (as in `PATH`) in which the init looks for a program without a slash, in the new root.
    pub search: OsString,
    /// The namespaces that the process is born in (`clone3(2)`). Time namespaces are made by
    /// [`Step::TimeOffsets`] or [`Step::Unshare`] instead.
    pub namespaces: Namespaces,
    /// A mount namespace to copy the new one from, instead of the caller's. Needs [`Namespaces::MNT`] in
    /// [`namespaces`](Self::namespaces) and `CAP_SYS_ADMIN` over both. A namespace with a single mount makes
    /// the copy independent of how many mounts the host has.
    pub mounts_from: Option<Slot>,
    /// The directory of the cgroup v2 that the process is born in (`CLONE_INTO_CGROUP`).
    pub cgroup: Option<Slot>,
    /// The init waits with its first step until [`Rendezvous::created`](crate::Rendezvous::created) returned.
    /// Id maps are written there.
    pub rendezvous: bool,
    /// The rendezvous maps the caller's own user to id 0 of the new user namespace. The process then waits for that
    /// before it executes the init, as root, instead of carrying its capabilities over the exec, which takes longer.
    /// Meanwhile it makes the network, ipc, uts and cgroup namespaces by itself.
    /// Needs [`rendezvous`](Self::rendezvous) and [`Namespaces::USER`]. Not for a caller that is neither privileged nor
    /// dumpable: it could not open the files of the process before the exec.
    pub maps_root: bool,
    /// What the init does, in order.
    pub steps: Vec<Step>,
    /// When everything is set up, the init looks for the program as the exec will, with its final credentials: a program
    /// that is not there or may not be executed is an [`Error::Exec`](crate::Error::Exec) before the process is held.
    pub find_program: bool,
    /// The process waits when everything is set up, and becomes the program when it is started. Needs
    /// [`Spawner::hold`](crate::Spawner::hold).
    pub hold: Option<Hold>,
    /// What the init does last, after it was held and right before the exec. The program's descriptors are in their places
    /// by then, so only [`Step::Call`], [`Step::Sync`], [`Step::NoNewPrivileges`], [`Step::Write`] and [`Step::Close`] are
    /// allowed here. A seccomp filter belongs here: once it is there, the init asks the kernel for nothing but the
    /// remaining steps, meetings and the exec.
    pub last: Vec<Step>,
    /// Standard input of the program.
    pub stdin: Stdio,
    /// Standard output of the program.
    pub stdout: Stdio,
    /// Standard error of the program.
    pub stderr: Stdio,
    /// Further descriptors for the program, each under the number it will have there (3 and up).
    /// All others are closed.
    pub pass: Vec<(Slot, u32)>,
    /// The init stays as process 1, reaps orphans and forwards signals; the program is its child. The exit
    /// status is the program's, 128 plus the number for a signal. If the process is held, process 1 waits, and the program
    /// is made when it is started; signals that come before are forwarded then.
    pub stay_as_init: bool,
    pub(crate) slots: Slots,
}

/// Where a standard stream of the program goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stdio {
    /// The caller's own stream; `/dev/null` if the caller has closed it.
    #[default]
    Inherit,
    /// `/dev/null`.
    Null,
    /// A new pipe whose other end is in the [`Child`](crate::Child).
    Pipe,
    /// A descriptor of the plan.
    Descriptor(Slot),
}

impl Plan {
    /// A plan that executes `program` with itself as the only argument, in the caller's namespaces, with an
    /// empty environment and the caller's standard streams.
    pub fn new(program: impl Into<OsString>) -> Self {
        let program = program.into();
        Self {
            args: vec![program.clone()],
            program,
            env: Vec::new(),
            search: OsString::from("/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
            namespaces: Namespaces::empty(),
            mounts_from: None,
            cgroup: None,
            rendezvous: false,
            maps_root: false,
            steps: Vec::new(),
            find_program: false,
            hold: None,
            last: Vec::new(),
            stdin: Stdio::Inherit,
            stdout: Stdio::Inherit,
            stderr: Stdio::Inherit,
            pass: Vec::new(),
            stay_as_init: false,
            slots: Slots::default(),
        }
    }

    /// A slot for a descriptor that the caller hands over when it spawns the plan. Slots are filled in the
    /// order of these calls; `name` appears in explanations and errors.
    pub fn input(&mut self, name: impl Into<String>) -> Slot {
        self.slots.input(name.into())
    }

    /// A slot for a descriptor that a step makes, such as a mount.
    pub fn slot(&mut self, name: impl Into<String>) -> Slot {
        self.slots.made(name.into())
    }

    /// How many descriptors the caller must hand over.
    pub fn inputs(&self) -> usize {
        self.slots.inputs()
    }

    /// The plan as text, a line for each action.
    pub fn explain(&self) -> String {
        describe::explain(self)
    }
}
