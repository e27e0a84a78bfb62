//! What a process of a container sees of another one that joins it.

use std::fs;
use std::os::unix::fs::MetadataExt;

use cofferdam::oci::ExecOptions;
use serde_json::json;

use crate::common::bundle::{Bundle, busybox};
use crate::common::can_isolate;
use crate::fixture::{children, for_everybody, full, until};
use crate::require;

/// Tries to look at every other process: where it is, what it executes, its memory, what it has open. A file of its memory can
/// be opened by who may trace it.
const SPY: &str = "cd /proc; while :; do for p in [0-9]*; do [ $p = 1 ] && continue; seen=; \
    for f in root cwd exe; do /bin/busybox readlink $p/$f >/dev/null && seen=\"$seen $f\"; done; \
    for f in environ maps mem; do ( : <$p/$f ) && seen=\"$seen $f\"; done; \
    fd=; for f in $p/fd/*; do /bin/busybox readlink $f >/dev/null && fd=fd; done; \
    echo $p:$seen $fd >> /log; done; done 2>/dev/null";

/// All of that.
const ALL: &str = ": root cwd exe environ maps mem fd";

#[test]
fn cve_2016_9962_a_process_that_enters_can_neither_be_traced_nor_looked_at() {
    require!(busybox().is_some(), "a static busybox");
    require!(can_isolate(), "namespaces");
    for_everybody(
        "entering::cve_2016_9962_a_process_that_enters_can_neither_be_traced_nor_looked_at",
        || {
            let mut bundle = Bundle::new(SPY);
            bundle.config["root"]["readonly"] = json!(false);
            // The same ids and capabilities as who enters, so that nothing but the init's own protection is in the way.
            let none = json!({ "bounding": [], "effective": [], "permitted": [] });
            bundle.config["process"]["capabilities"] = none;
            let mut container = bundle.create("box").unwrap_or_else(|error| panic!("{error}"));
            container.start().unwrap_or_else(|error| panic!("{error}"));
            let log = bundle.path().join("rootfs/log");
            let lines = || -> Vec<String> {
                let text = fs::read_to_string(&log).unwrap_or_default();
                text.lines().map(str::to_owned).collect()
            };
            let socket = bundle.path().join("full");
            let (listener, first) = full(&socket);
            std::thread::scope(|scope| {
                let entering = scope.spawn(|| {
                    let container = bundle.runtime.load("box").unwrap();
                    let mut process = container.process_template();
                    process.set_args(Some(["sleep", "60"].map(str::to_owned).to_vec()));
                    let mut options = ExecOptions::new(&process);
                    // Until somebody hears of the process it is the init, in all namespaces of the container.
                    options.pidfd_socket = Some(socket.clone());
                    container.exec(options).unwrap_or_else(|error| panic!("{error}"))
                });
                until("the spy has seen the init often", || lines().len() >= 30);
                let seen = lines();
                assert!(seen.iter().all(|line| line.ends_with(':')), "{seen:?}");
                let inits: Vec<u32> =
                    children().into_iter().filter(|pid| Some(*pid) != container.pid()).collect();
                let [init] = inits[..] else { panic!("{inits:?}") };
                // The files of a process that is not dumpable belong to root.
                assert_eq!(fs::metadata(format!("/proc/{init}/fd")).unwrap().uid(), 0);
                let accepted = rustix::net::accept(&listener).unwrap();
                let process = entering.join().unwrap();
                drop((accepted, first));
                // The control: once it is the program, the spy sees all of it.
                until("the spy sees the program", || lines().last().is_some_and(|line| line.ends_with(ALL)));
                process.kill(9).unwrap();
                drop(process);
            });
            assert!(container.delete(true).unwrap().is_empty());
        },
    );
}
