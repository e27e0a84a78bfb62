//! Options about the root and what is mounted in it.

use std::path::Path;

use super::Command;
use crate::Root;
use crate::enclosure::{Extra, ExtraKind};

impl Command {
    /// Sets what the program sees as `/`. It is the host's files, read-only, otherwise.
    pub fn root(&mut self, root: Root) -> &mut Self {
        self.enclosure.root = root;
        self
    }

    /// Shows a file or directory of the host, with what is mounted below it, at a path inside.
    ///
    /// Symbolic links in `target` are resolved inside the root and never lead out of it. What the host has mounted
    /// read-only stays so. Set-user-id bits have no effect there, nor have device nodes, unless the source itself is
    /// one. Mounts are made in the order of these calls.
    pub fn bind(&mut self, source: impl AsRef<Path>, target: impl AsRef<Path>) -> &mut Self {
        self.extra(target.as_ref(), ExtraKind::Bind { source: source.as_ref().to_owned(), read_only: false })
    }

    /// As [`bind`](Self::bind), read-only.
    pub fn bind_read_only(&mut self, source: impl AsRef<Path>, target: impl AsRef<Path>) -> &mut Self {
        self.extra(target.as_ref(), ExtraKind::Bind { source: source.as_ref().to_owned(), read_only: true })
    }

    /// Mounts an empty file system in memory, of at most `size` bytes (half of the memory without).
    pub fn tmpfs(&mut self, target: impl AsRef<Path>, size: Option<u64>) -> &mut Self {
        self.extra(target.as_ref(), ExtraKind::Tmpfs { size })
    }

    /// Whether `/proc` shows the processes of the new pid namespace. On by default where there is one.
    ///
    /// See also [`protect_proc`](Self::protect_proc).
    pub fn proc(&mut self, private: bool) -> &mut Self {
        self.enclosure.usual.proc = Some(private);
        self
    }

    /// Whether those parts of `/proc` are read-only through which the host's root changes the kernel for everybody
    /// (`/proc/sys` and others), and those are covered that give away secrets (`/proc/kcore` and others).
    ///
    /// On by default where some id inside is the host's root: the kernel asks such files for their owner, not for
    /// capabilities. For all others they cannot be written anyhow.
    pub fn protect_proc(&mut self, yes: bool) -> &mut Self {
        self.enclosure.protect_proc = Some(yes);
        self
    }

    /// Whether `/sys` shows the devices of the new network namespace, read-only. On by default where there is one and
    /// the root has such a directory.
    pub fn sys(&mut self, private: bool) -> &mut Self {
        self.enclosure.usual.sys = Some(private);
        self
    }

    /// Whether `/dev` holds only `null zero full random urandom tty`, its own pseudo terminals, shared memory and
    /// message queues. On by default.
    pub fn dev(&mut self, private: bool) -> &mut Self {
        self.enclosure.usual.dev = Some(private);
        self
    }

    /// Whether `/tmp` starts empty and in memory. On by default.
    pub fn tmp(&mut self, private: bool) -> &mut Self {
        self.enclosure.usual.tmp = Some(private);
        self
    }

    /// Whether `/run`, where the host's services have their sockets, starts empty and in memory. On by default if the
    /// root is the host's.
    pub fn run(&mut self, private: bool) -> &mut Self {
        self.enclosure.usual.run = Some(private);
        self
    }

    fn extra(&mut self, target: &Path, kind: ExtraKind) -> &mut Self {
        self.enclosure.extras.push(Extra { target: target.to_owned(), kind });
        self
    }
}
