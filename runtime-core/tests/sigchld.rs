//! A program that ignores `SIGCHLD`.

#![allow(unsafe_code, reason = "there is no safe way to ignore a signal")]

mod common;

use std::process::Command as Std;
use std::time::Duration;

use common::{can_isolate, shell};

/// Runs in a process of its own.
#[test]
#[ignore = "started by the other test"]
fn with_the_signal_ignored() {
    // SAFETY: no handler is installed, so none can run at a wrong time.
    let before = unsafe { libc::signal(libc::SIGCHLD, libc::SIG_IGN) };
    assert_ne!(before, libc::SIG_ERR);
    let status = common::own("status");
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).expect("a mask").trim();
    let mask = u64::from_str_radix(ignored, 16).expect("a number");
    assert_eq!(mask >> 16 & 1, 1, "SIGCHLD is ignored: {ignored}");
    let told = |status: Result<cofferdam::ExitStatus, cofferdam::Error>| match status {
        Ok(status) => status.code() == Some(7),
        // Before Linux 6.15 the kernel does not tell.
        Err(cofferdam::Error::Process(error)) => error.to_string().contains("exit status"),
        Err(_) => false,
    };
    for _ in 0..20 {
        assert!(told(shell("exit 7").status()));
        assert!(told(shell("exit 7").init(true).timeout(Duration::from_secs(10)).status()));
    }
    let error = cofferdam::Command::new("/no/such/program").spawn().expect_err("missing");
    assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
}

#[test]
fn the_status_is_known_or_the_error_says_why_not() {
    require!(can_isolate(), "namespaces");
    let own = std::env::current_exe().expect("a path");
    let output =
        Std::new(own).args(["--exact", "with_the_signal_ignored", "--ignored"]).output().expect("run");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}
