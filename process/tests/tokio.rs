//! The child in an asynchronous program.
#![cfg(feature = "tokio")]
#![allow(clippy::unwrap_used)]

mod common;

use std::os::unix::process::ExitStatusExt;
use std::time::Duration;

use cofferdam_process::Stdio;
use cofferdam_process::tokio::Child;
use common::shell;
use tokio::io::AsyncWriteExt;

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

#[test]
fn streams_and_the_end_are_awaited() {
    block_on(async {
        let mut plan = shell("cat; echo error >&2; exit 3");
        (plan.stdin, plan.stdout, plan.stderr) = (Stdio::Pipe, Stdio::Pipe, Stdio::Pipe);
        let mut child = Child::new(plan.spawn(&[]).unwrap()).unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(b"through").await.unwrap();
        drop(stdin);
        let output = child.wait_with_output().await.unwrap();
        assert_eq!((output.stdout.as_slice(), output.stderr.as_slice()), (&b"through"[..], &b"error\n"[..]));
        assert_eq!(output.status.code(), Some(3));
    });
}

#[test]
fn a_hundred_children_do_not_wait_for_each_other() {
    block_on(async {
        let begin = std::time::Instant::now();
        let children: Vec<_> =
            (0..100).map(|_| Child::new(shell("exec sleep 0.5").spawn(&[]).unwrap()).unwrap()).collect();
        for mut child in children {
            assert!(child.wait().await.unwrap().success());
        }
        // One after the other they would take 50 seconds.
        assert!(begin.elapsed() < Duration::from_secs(30));
    });
}

#[test]
fn waiting_can_be_given_up_and_taken_up_again() {
    block_on(async {
        let mut child = Child::new(shell("exec sleep 30").spawn(&[]).unwrap()).unwrap();
        assert!(child.wait_timeout(Duration::from_millis(20)).await.unwrap().is_none());
        assert!(child.try_wait().unwrap().is_none());
        child.kill(libc::SIGTERM).unwrap();
        assert_eq!(child.wait().await.unwrap().signal(), Some(libc::SIGTERM));
    });
}

#[test]
fn outside_a_runtime_there_is_an_error_and_no_panic() {
    let child = shell("true").spawn(&[]).unwrap();
    assert!(Child::new(child).is_err());
}
