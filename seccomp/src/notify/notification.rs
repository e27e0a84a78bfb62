//! One call that waits to be decided.

use std::fmt;
use std::io;
use std::os::fd::BorrowedFd;

use crate::{Architecture, Error, Listener, Result, sys};

/// Names of files are at most so long, with the byte that ends them.
const LONGEST_STRING: usize = 4096;

/// A call that waits for a [`Response`](crate::Response).
#[derive(Clone, Copy)]
pub struct Notification<'l> {
    listener: &'l Listener,
    received: libc::seccomp_notif,
}

impl<'l> Notification<'l> {
    pub(super) fn new(listener: &'l Listener, received: libc::seccomp_notif) -> Self {
        Self { listener, received }
    }

    /// The kernel's number of this notification.
    pub fn id(&self) -> u64 {
        self.received.id
    }

    /// The thread that makes the call, in the PID namespace of who received it; 0 where that does not see it.
    pub fn pid(&self) -> u32 {
        self.received.pid
    }

    /// The architecture of the call, if there is a table for it.
    pub fn architecture(&self) -> Option<Architecture> {
        let of_x32 = self.number() >= Architecture::X32.base();
        Architecture::all().filter(|way| way.audit_number() == self.received.data.arch).find(|way| {
            !matches!(way, Architecture::X86_64 | Architecture::X32) || (*way == Architecture::X32) == of_x32
        })
    }

    /// The number of the call.
    pub fn number(&self) -> u32 {
        self.received.data.nr.cast_unsigned()
    }

    /// The name of the call, if the tables know it.
    pub fn name(&self) -> Option<&'static str> {
        self.architecture()?.syscall_name(self.number())
    }

    /// The arguments, as the process had them in registers.
    pub fn arguments(&self) -> [u64; 6] {
        self.received.data.args
    }

    /// Whether the call still waits. Whatever was found out by [`Notification::pid`] is about this process only if the
    /// call waits afterwards: else its number may have been given to another.
    ///
    /// # Errors
    ///
    /// [`Error::Call`] if the listener is none.
    pub fn is_valid(&self) -> Result<bool> {
        match sys::is_valid(self.listener.fd(), self.id()) {
            Ok(()) => Ok(true),
            Err(source) if source.raw_os_error() == Some(libc::ENOENT) => Ok(false),
            Err(source) => Err(Error::Call { call: "ioctl(SECCOMP_IOCTL_NOTIF_ID_VALID)", source }),
        }
    }

    /// Reads memory of the process, and makes sure afterwards that it was this process'. How many bytes were read: fewer
    /// where its memory ends.
    ///
    /// # Errors
    ///
    /// [`Error::Gone`] if the call waits no more; [`Error::Call`] with `EFAULT` if there is nothing, `EPERM` without the
    /// privilege.
    ///
    /// # Privileges
    ///
    /// Those to trace the process (`ptrace(2)`, "Ptrace access mode checking").
    pub fn read(&self, address: u64, buffer: &mut [u8]) -> Result<usize> {
        let pid = i32::try_from(self.pid()).ok().filter(|pid| *pid > 0);
        let pid = pid.ok_or(Error::Gone { id: self.id() })?;
        let read = sys::read_memory(pid, address, buffer);
        if !self.is_valid()? {
            return Err(Error::Gone { id: self.id() });
        }
        read.map_err(|source| Error::Call { call: "process_vm_readv", source })
    }

    /// Reads a string that ends with a zero byte, which is not part of the result: the name of a file.
    ///
    /// # Errors
    ///
    /// As [`Notification::read`]; [`Error::Call`] with `ENAMETOOLONG` if no zero byte comes within 4096 bytes.
    pub fn read_string(&self, address: u64) -> Result<Vec<u8>> {
        let mut string = vec![0; LONGEST_STRING];
        let read = self.read(address, &mut string)?;
        string.truncate(read);
        match string.iter().position(|byte| *byte == 0) {
            Some(end) => string.truncate(end),
            None => {
                let source = io::Error::from_raw_os_error(libc::ENAMETOOLONG);
                return Err(Error::Call { call: "process_vm_readv", source });
            }
        }
        Ok(string)
    }

    /// Gives the process a copy of a descriptor, and leaves the call to wait; the number that the copy has there. It
    /// replaces what has the number asked for, if one is.
    ///
    /// # Errors
    ///
    /// [`Error::Gone`] if the call waits no more; [`Error::Call`] with `EMFILE` and others of `dup2(2)`.
    pub fn add_fd(&self, fd: BorrowedFd<'_>, at: Option<u32>, close_on_exec: bool) -> Result<u32> {
        self.listener.add_fd(self.id(), fd, at, close_on_exec, false)
    }
}

impl fmt::Debug for Notification<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Notification")
            .field("id", &self.id())
            .field("pid", &self.pid())
            .field("architecture", &self.architecture())
            .field("number", &self.number())
            .field("name", &self.name())
            .field("arguments", &self.arguments())
            .finish()
    }
}
