//! The terminal, if there is one.

use std::io::stdin;

use nix::sys::signal::{SigSet, Signal};
use rustix::process::getpgrp;
use rustix::termios::{isatty, tcgetpgrp, tcgetwinsize, tcsetpgrp};

use crate::args::Session;

/// Whether programs can push input into the terminal, as if it was typed (`TIOCSTI`). Kernels before 6.2 have no such
/// setting, and let them.
const SETTING: &str = "/proc/sys/dev/tty/legacy_tiocsti";

/// Whether the program stays in the session, where it shares the controlling terminal.
pub fn keep_session(wanted: Session) -> bool {
    match wanted {
        Session::New => false,
        Session::Keep => true,
        Session::Auto => isatty(stdin()) && std::fs::read(SETTING).is_ok_and(|value| value.starts_with(b"0")),
    }
}

/// How many columns a table may have.
pub fn width() -> u16 {
    let size = tcgetwinsize(std::io::stdout()).ok();
    size.map(|size| size.ws_col).filter(|columns| *columns >= 40).unwrap_or(100)
}

/// Takes the terminal back: a shell with job control gives it to process groups that end with it.
pub fn take_back() {
    if tcgetpgrp(stdin()).is_ok_and(|group| group == getpgrp()) || !isatty(stdin()) {
        return;
    }
    // A background process that does this is stopped by SIGTTOU otherwise. If it fails, nobody is waiting for it.
    let mut stop = SigSet::empty();
    stop.add(Signal::SIGTTOU);
    if stop.thread_block().is_ok() {
        tcsetpgrp(stdin(), getpgrp()).unwrap_or_default();
    }
}
