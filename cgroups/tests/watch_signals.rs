//! A watch waits on when signals come: alone here, as the test starts its own binary.

mod common;

use std::process::{Command, Stdio};
use std::time::Duration;

use cofferdam_cgroups::{Watch, WatchOptions};

#[test]
fn signals_do_not_end_the_waiting() {
    const INSIDE: &str = "COFFERDAM_TEST_WAITS";
    let cgroup = test_cgroup!();
    if std::env::var_os(INSIDE).is_some() {
        let mut watch = Watch::new(&cgroup, &WatchOptions::new().removal()).unwrap();
        println!("waiting");
        assert_eq!(watch.wait(Some(Duration::from_millis(500))), Ok(None));
        return;
    }
    // The same test once more, in a process that is stopped while it waits: that interrupts epoll_wait.
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "signals_do_not_end_the_waiting", "--nocapture"]).env(INSIDE, "1");
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut output = std::io::BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    while !line.contains("waiting") {
        line.clear();
        assert!(std::io::BufRead::read_line(&mut output, &mut line).unwrap() > 0, "the child said nothing");
    }
    let pid = rustix::process::Pid::from_child(&child);
    for signal in [rustix::process::Signal::STOP, rustix::process::Signal::CONT] {
        std::thread::sleep(Duration::from_millis(50));
        rustix::process::kill_process(pid, signal).unwrap();
    }
    std::io::Read::read_to_string(&mut output, &mut line).unwrap();
    assert!(child.wait().unwrap().success(), "{line}");
}
