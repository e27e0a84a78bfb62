//! Terminals for engines.

use std::fs::File;
use std::io::{Read, Write};
use std::process::{Command, ExitStatus};
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::PATIENCE;

/// Runs a command on a terminal of 33 lines of 111 columns: types each text when the one before it has come. What was
/// printed until the end, and the status.
pub fn on_terminal(command: &mut Command, dialog: &[(&str, &str)]) -> (String, ExitStatus) {
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let master = openpt(flags).expect("a terminal");
    grantpt(&master).expect("grantpt");
    unlockpt(&master).expect("unlockpt");
    let size = Winsize { ws_row: 33, ws_col: 111, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(&master, size).expect("a size");
    let peer = ioctl_tiocgptpeer(&master, flags).expect("the other end");
    let stream = || peer.try_clone().expect("dup");
    let mut child = command.stdin(stream()).stdout(stream()).stderr(stream()).spawn().expect("a program");
    let mut master = File::from(master);
    let (mut seen, mut dialog, start) = (String::new(), dialog.iter(), Instant::now());
    let mut next = dialog.next();
    while start.elapsed() < PATIENCE {
        if let Some((text, answer)) = next.filter(|(text, _)| seen.contains(text)) {
            master.write_all(answer.as_bytes()).unwrap_or_else(|error| panic!("after {text:?}: {error}"));
            next = dialog.next();
        }
        let mut fds = [PollFd::new(&master, PollFlags::IN)];
        poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 50_000_000 })).expect("poll");
        if fds[0].revents().contains(PollFlags::IN) {
            let mut buffer = [0; 4096];
            let count = master.read(&mut buffer).expect("read");
            seen.push_str(&String::from_utf8_lossy(&buffer[..count]));
        } else if child.try_wait().expect("wait").is_some() {
            break;
        }
    }
    let late = start.elapsed() >= PATIENCE;
    child.kill().expect("kill");
    let status = child.wait().expect("wait");
    assert!(!late, "{command:?} takes too long: {seen:?}");
    (seen, status)
}
