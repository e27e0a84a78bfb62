//! What is executed, and as whom: the part that `Command` and `Exec` have in common.

use std::ffi::{OsStr, OsString};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::time::Duration;

use crate::environment::Environment;
use crate::stdio::Stdio;
use crate::{Capabilities, CapabilitySet, Resource};

/// The options of a program.
#[derive(Debug)]
pub(crate) struct Program {
    pub(crate) program: OsString,
    pub(crate) arg0: Option<OsString>,
    pub(crate) args: Vec<OsString>,
    pub(crate) environment: Environment,
    pub(crate) current_dir: Option<PathBuf>,
    /// Standard input, output and error; `None` until the caller or the way of starting decides.
    pub(crate) streams: [Option<Stdio>; 3],
    pub(crate) user: Option<u32>,
    pub(crate) group: Option<u32>,
    pub(crate) groups: Option<Vec<u32>>,
    pub(crate) capabilities: Wanted,
    pub(crate) no_new_privs: bool,
    pub(crate) limits: Vec<(Resource, u64, u64)>,
    pub(crate) umask: u32,
    pub(crate) oom_score_adjust: Option<i32>,
    pub(crate) session: bool,
    pub(crate) parent_death_signal: Option<i32>,
    pub(crate) cgroup: Option<OwnedFd>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) kill_on_drop: bool,
}

/// Which capabilities were asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// Those that containers usually have.
    Default,
    /// The most that the program can have; root has them all.
    Bounded(CapabilitySet),
    /// Exactly these five sets.
    Sets(Capabilities),
}

impl Program {
    pub(crate) fn new(program: &OsStr) -> Self {
        Self {
            program: program.to_owned(),
            arg0: None,
            args: Vec::new(),
            environment: Environment::default(),
            current_dir: None,
            streams: [None, None, None],
            user: None,
            group: None,
            groups: None,
            capabilities: Wanted::Default,
            no_new_privs: true,
            limits: Vec::new(),
            umask: 0o022,
            oom_score_adjust: None,
            session: true,
            parent_death_signal: None,
            cgroup: None,
            timeout: None,
            kill_on_drop: false,
        }
    }
}

/// The builder methods of a type with a field `program: Program`.
macro_rules! program_methods {
    () => {
        /// Adds an argument.
        pub fn arg(&mut self, arg: impl AsRef<OsStr>) -> &mut Self {
            self.program.args.push(arg.as_ref().to_owned());
            self
        }

        /// Adds arguments.
        pub fn args<A: AsRef<OsStr>>(&mut self, args: impl IntoIterator<Item = A>) -> &mut Self {
            self.program.args.extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
            self
        }

        /// Sets `argv[0]`, which is the program otherwise.
        pub fn arg0(&mut self, arg: impl AsRef<OsStr>) -> &mut Self {
            self.program.arg0 = Some(arg.as_ref().to_owned());
            self
        }

        /// Sets an environment variable.
        ///
        /// Other than with `std::process::Command`, the environment starts with nothing but `PATH` (the caller's
        /// if the root is the host's) and the caller's `TERM`; see [`inherit_env`](Self::inherit_env).
        pub fn env(&mut self, key: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> &mut Self {
            self.program.environment.set(key.as_ref(), value.as_ref());
            self
        }

        /// Sets environment variables.
        pub fn envs<K: AsRef<OsStr>, V: AsRef<OsStr>>(
            &mut self,
            variables: impl IntoIterator<Item = (K, V)>,
        ) -> &mut Self {
            variables
                .into_iter()
                .for_each(|(key, value)| self.program.environment.set(key.as_ref(), value.as_ref()));
            self
        }

        /// Removes an environment variable.
        pub fn env_remove(&mut self, key: impl AsRef<OsStr>) -> &mut Self {
            self.program.environment.remove(key.as_ref());
            self
        }

        /// Removes all environment variables, those set before too.
        pub fn env_clear(&mut self) -> &mut Self {
            self.program.environment.clear();
            self
        }

        /// Starts from all of the caller's environment variables, as they are when the program is started.
        pub fn inherit_env(&mut self) -> &mut Self {
            self.program.environment.inherit();
            self
        }

        /// Sets the working directory, an absolute path inside the program's root. It is `/` otherwise.
        pub fn current_dir(&mut self, dir: impl AsRef<Path>) -> &mut Self {
            self.program.current_dir = Some(dir.as_ref().to_owned());
            self
        }

        /// Sets standard input.
        pub fn stdin(&mut self, stdio: impl Into<Stdio>) -> &mut Self {
            self.program.streams[0] = Some(stdio.into());
            self
        }

        /// Sets standard output.
        pub fn stdout(&mut self, stdio: impl Into<Stdio>) -> &mut Self {
            self.program.streams[1] = Some(stdio.into());
            self
        }

        /// Sets standard error.
        pub fn stderr(&mut self, stdio: impl Into<Stdio>) -> &mut Self {
            self.program.streams[2] = Some(stdio.into());
            self
        }

        /// Sets the user id inside. It is 0 otherwise, or the first id that is mapped where 0 is not.
        ///
        /// # Privileges
        /// `CAP_SETUID`, which the program always has in a new user namespace.
        pub fn user(&mut self, uid: u32) -> &mut Self {
            self.program.user = Some(uid);
            self
        }

        /// Sets the group id inside. It is 0 otherwise, or the first id that is mapped where 0 is not.
        ///
        /// # Privileges
        /// As [`user`](Self::user), with `CAP_SETGID`.
        pub fn group(&mut self, gid: u32) -> &mut Self {
            self.program.group = Some(gid);
            self
        }

        /// Sets the supplementary groups. There are none otherwise, unless the user namespace denies to change
        /// them: then the caller's stay in force, although they have no number inside.
        ///
        /// # Privileges
        /// `CAP_SETGID`, and a user namespace that allows `setgroups(2)`: not that of an ordinary user who
        /// maps no more than the own group.
        pub fn groups(&mut self, groups: impl IntoIterator<Item = u32>) -> &mut Self {
            self.program.groups = Some(groups.into_iter().collect());
            self
        }

        /// Sets the most that the program and all that it starts can ever have (the bounding set). As user 0 it
        /// has all of them. As another user it has none: see [`capability_sets`](Self::capability_sets).
        ///
        /// Otherwise this is [`DEFAULT_CAPABILITIES`](crate::DEFAULT_CAPABILITIES).
        ///
        /// With `CAP_SYS_ADMIN` the program can change its mounts, those too that are read-only.
        ///
        /// # Privileges
        /// Without a new user namespace `CAP_SETPCAP` and the capabilities themselves.
        pub fn capabilities(&mut self, set: CapabilitySet) -> &mut Self {
            self.program.capabilities = Wanted::Bounded(set);
            self
        }

        /// Sets all five capability sets.
        ///
        /// # Privileges
        /// As [`capabilities`](Self::capabilities).
        pub fn capability_sets(&mut self, sets: Capabilities) -> &mut Self {
            self.program.capabilities = Wanted::Sets(sets);
            self
        }

        /// Whether set-user-id bits and file capabilities are without effect (`PR_SET_NO_NEW_PRIVS`). On by
        /// default.
        pub fn no_new_privs(&mut self, yes: bool) -> &mut Self {
            self.program.no_new_privs = yes;
            self
        }

        /// Limits a resource (`setrlimit(2)`); `u64::MAX` is unlimited.
        ///
        /// # Privileges
        /// `CAP_SYS_RESOURCE` on the host to raise a hard limit; a user namespace does not give it.
        pub fn rlimit(&mut self, resource: Resource, soft: u64, hard: u64) -> &mut Self {
            self.program.limits.push((resource, soft, hard));
            self
        }

        /// Sets the file mode creation mask. It is 022 otherwise, whatever the caller's is.
        pub fn umask(&mut self, mask: u32) -> &mut Self {
            self.program.umask = mask;
            self
        }

        /// Sets how eagerly the OOM killer takes the program, -1000 to 1000.
        ///
        /// # Privileges
        /// `CAP_SYS_RESOURCE` on the host for less than the caller's own value.
        pub fn oom_score_adjust(&mut self, value: i32) -> &mut Self {
            self.program.oom_score_adjust = Some(value);
            self
        }

        /// Whether the program leads a new session without a controlling terminal. On by default: it cannot push
        /// input into the caller's terminal. An interactive shell has no job control then.
        pub fn session(&mut self, new: bool) -> &mut Self {
            self.program.session = new;
            self
        }

        /// The signal that the program gets when the *thread* that started it ends. None by default: threads of
        /// a pool end at any time.
        pub fn parent_death_signal(&mut self, signal: Option<i32>) -> &mut Self {
            self.program.parent_death_signal = signal;
            self
        }

        /// Starts the program in this cgroup: a descriptor of a directory of the cgroup v2 hierarchy
        /// (`CLONE_INTO_CGROUP`).
        ///
        /// # Privileges
        /// The right to write to its `cgroup.procs` and to that of the common ancestor.
        pub fn cgroup(&mut self, directory: impl Into<OwnedFd>) -> &mut Self {
            self.program.cgroup = Some(directory.into());
            self
        }

        /// Kills the program after this time. Whoever waits for it then gets
        /// [`Error::TimedOut`](crate::Error::TimedOut).
        ///
        /// No thread watches the time: it is kept by `status`, `output` and the waiting methods of
        /// [`Child`](crate::Child). All processes of the program's pid namespace end with it.
        pub fn timeout(&mut self, timeout: Duration) -> &mut Self {
            self.program.timeout = Some(timeout);
            self
        }

        /// Whether dropping the [`Child`](crate::Child) kills the program and waits for its end. Off by default.
        pub fn kill_on_drop(&mut self, yes: bool) -> &mut Self {
            self.program.kill_on_drop = yes;
            self
        }
    };
}

/// The three ways to start what a type with a method `start(streams, fault)` describes.
macro_rules! run_methods {
    () => {
        /// Starts the program. Returns when it is executed.
        ///
        /// Standard streams that were not set are the caller's.
        ///
        /// # Errors
        /// [`Error::Invalid`] and [`Error::Path`] before anything happened; otherwise the step that failed, with
        /// its operands. Nothing is left behind then. A program that does not exist has the
        /// [`kind`](Error::kind) `NotFound`, one that may not be executed `PermissionDenied`.
        pub fn spawn(&mut self) -> Result<Child, Error> {
            self.start(crate::start::INHERIT, None)
        }

        /// Runs the program and tells how it ended. Standard streams that were not set are the caller's.
        ///
        /// # Errors
        /// As [`spawn`](Self::spawn), and [`Error::TimedOut`].
        pub fn status(&mut self) -> Result<ExitStatus, Error> {
            self.run_to_the_end(crate::start::INHERIT)
        }

        /// Runs the program and collects what it writes. Of the standard streams that were not set, input is
        /// `/dev/null` and the others are collected.
        ///
        /// # Errors
        /// As [`spawn`](Self::spawn), and [`Error::TimedOut`].
        pub fn output(&mut self) -> Result<Output, Error> {
            self.start(crate::start::COLLECT, None)?.wait_with_output()
        }
    };
}

pub(crate) use {program_methods, run_methods};
