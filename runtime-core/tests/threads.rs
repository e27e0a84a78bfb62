//! Many threads start programs at once, while others allocate.

mod common;

use std::sync::atomic::{AtomicBool, Ordering};

use common::{Box, can_isolate, shell, text};

#[test]
fn threads_start_programs_while_others_allocate() {
    require!(can_isolate(), "namespaces");
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    std::hint::black_box(vec![0_u8; 100_000]);
                    std::hint::black_box(std::env::vars_os().count());
                }
            });
        }
        let starters: Vec<_> = (0..8)
            .map(|thread| {
                scope.spawn(move || {
                    for round in 0..25 {
                        let mut command = shell("echo $(hostname) $$");
                        assert_eq!(
                            text(command.hostname(format!("box-{thread}-{round}"))),
                            format!("box-{thread}-{round} 1")
                        );
                    }
                })
            })
            .collect();
        starters.into_iter().for_each(|starter| starter.join().expect("no panic"));
        done.store(true, Ordering::Relaxed);
    });
}

#[test]
fn one_fresh_directory_for_many() {
    require!(can_isolate(), "namespaces");
    for _ in 0..5 {
        let root = Box::new();
        std::thread::scope(|scope| {
            for thread in 0..6 {
                let root = &root;
                scope.spawn(move || {
                    let mut command = root.shell("test -e /proc/self && test -c /dev/null && echo ok");
                    if thread % 2 == 0 {
                        assert_eq!(text(&mut command), "ok");
                    } else {
                        // One that fails must not take away what another one stands on.
                        let operations = command.plan().expect("a plan").operations().expect("operations");
                        command.spawn_with_fault(operations - 1).expect_err("the fault");
                    }
                });
            }
        });
        assert_eq!(text(&mut root.shell("echo again")), "again");
    }
}

#[test]
fn one_command_is_started_by_many_threads() {
    require!(can_isolate(), "namespaces");
    // A command is plain data: it can be sent to another thread, and so can a child.
    let mut command = shell("exit 3");
    let child = std::thread::spawn(move || command.spawn().expect("spawn")).join().expect("no panic");
    let status = std::thread::spawn(move || {
        let mut child = child;
        child.wait().expect("wait")
    })
    .join()
    .expect("no panic");
    assert_eq!(status.code(), Some(3));
}
