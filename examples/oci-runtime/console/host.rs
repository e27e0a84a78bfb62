//! The terminal of whoever called, if there is one.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::{Errno, fcntl_dupfd_cloexec};
use rustix::stdio::{stderr, stdin, stdout};
use rustix::termios::{
    OptionalActions, Termios, Winsize, isatty, tcgetattr, tcgetwinsize, tcsetattr, tcsetwinsize,
};

/// A terminal in raw mode: every key goes to the program. Dropping it restores what was before.
#[derive(Debug)]
pub struct Host {
    terminal: OwnedFd,
    before: Termios,
    raw: Termios,
}

impl Host {
    /// Finds the terminal among the standard streams, and makes it raw.
    pub fn take() -> Result<Option<Self>, Errno> {
        let Some(terminal) = find()? else { return Ok(None) };
        let before = tcgetattr(&terminal)?;
        let mut raw = before.clone();
        raw.make_raw();
        let host = Self { terminal, before, raw };
        host.make_raw()?;
        Ok(Some(host))
    }

    /// Again: a shell that continued this process may have changed it.
    pub fn make_raw(&self) -> Result<(), Errno> {
        tcsetattr(&self.terminal, OptionalActions::Now, &self.raw)
    }

    /// Gives the terminal of the program the size of this one.
    pub fn copy_size(&self, master: impl AsFd) -> Result<(), Errno> {
        let size: Winsize = tcgetwinsize(&self.terminal)?;
        if size.ws_row == 0 && size.ws_col == 0 { Ok(()) } else { tcsetwinsize(master, size) }
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // Signals are blocked: this works for a background process, too. Where the terminal is gone there is nothing to
        // restore.
        tcsetattr(&self.terminal, OptionalActions::Now, &self.before).unwrap_or_default();
    }
}

/// The size of the terminal here, if there is one that has one: rows and columns.
pub fn size() -> Option<(u16, u16)> {
    let terminal = find().ok()??;
    let size = tcgetwinsize(&terminal).ok().filter(|size| size.ws_row != 0 || size.ws_col != 0)?;
    Some((size.ws_row, size.ws_col))
}

fn find() -> Result<Option<OwnedFd>, Errno> {
    let streams: [BorrowedFd<'_>; 3] = [stdin(), stdout(), stderr()];
    match streams.into_iter().find(|stream| isatty(stream)) {
        Some(stream) => fcntl_dupfd_cloexec(stream, 3).map(Some),
        None => Ok(None),
    }
}
