//! Inside a tokio program: the blocking doors on its threads, and the futures.

mod common;

use common::{can_isolate, shell, text};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn blocking_doors_work_on_the_threads_of_a_runtime() {
    require!(can_isolate(), "namespaces");
    let tasks: Vec<_> = (0..20)
        .map(|index| {
            tokio::task::spawn_blocking(move || {
                assert_eq!(text(shell("hostname").hostname(format!("box-{index}"))), format!("box-{index}"));
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("no panic");
    }
}

#[cfg(feature = "tokio")]
mod futures {
    use std::time::Duration;

    use cofferdam::Stdio;
    use cofferdam::tokio::Child;
    use common::open_to_all;

    use super::*;

    #[tokio::test]
    async fn many_are_awaited_by_one_thread() {
        require!(can_isolate(), "namespaces");
        let directory = tempfile::tempdir().expect("a directory");
        open_to_all(directory.path());
        let path = directory.path();
        let run = |index: i32| async move {
            // Ends only when all ten run at the same time.
            let all = "until [ $(ls /tmp/all | wc -l) = 10 ]; do sleep 0.1; done";
            let mut command = shell(&format!(": >/tmp/all/{index}; {all}; echo {index}; exit {index}"));
            command.bind(path, "/tmp/all");
            let child = command.stdout(Stdio::piped()).spawn().expect("spawn");
            let output = Child::new(child).expect("a runtime").wait_with_output().await.expect("output");
            assert_eq!(
                (output.status.code(), output.stdout),
                (Some(index), format!("{index}\n").into_bytes())
            );
        };
        tokio::join!(run(0), run(1), run(2), run(3), run(4), run(5), run(6), run(7), run(8), run(9));
    }

    #[tokio::test]
    async fn timeout_kills() {
        require!(can_isolate(), "namespaces");
        for wait_only in [true, false] {
            let mut command = shell("sleep 100");
            command.timeout(Duration::from_millis(50)).stdout(Stdio::piped());
            let mut child = Child::new(command.spawn().expect("spawn")).expect("a runtime");
            let error = match wait_only {
                true => child.wait().await.expect_err("too long"),
                false => child.wait_with_output().await.map(|output| output.status).expect_err("too long"),
            };
            assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
        }
    }

    #[test]
    fn a_thread_without_a_runtime_is_told() {
        require!(can_isolate(), "namespaces");
        let child = shell("true").spawn().expect("spawn");
        let error = Child::new(child).expect_err("no runtime");
        assert_eq!(error.to_string(), "thread \"\" belongs to no tokio runtime");
    }
}
