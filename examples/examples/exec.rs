//! A second program in the namespaces of a running one. Needs no privilege over one's own.

use std::io::{BufRead, BufReader};

use cofferdam::{Command, Exec, Stdio};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let script = "echo secret > /tmp/file; echo ready; sleep 60; true";
    let mut child = Command::new("sh")
        .args(["-c", script])
        .hostname("first")
        .kill_on_drop(true)
        .stdout(Stdio::piped())
        .spawn()?;
    let mut line = String::new();
    BufReader::new(child.stdout.take().ok_or("no pipe")?).read_line(&mut line)?;

    let script = "echo process $$ beside process 1, $(cat /proc/1/comm), on $(cat /proc/sys/kernel/hostname) reads $(cat /tmp/file)";
    let output = Exec::new(&child, "sh").args(["-c", script]).output()?;
    print!("{}", String::from_utf8(output.stdout)?);

    // The steps: the namespaces are joined, none is made.
    for line in Exec::new(&child, "sh").plan()?.explain().lines().filter(|line| line.contains("join")) {
        println!("{line}");
    }
    child.kill()?;
    println!("the first ended: {}", child.wait()?);
    if let Err(error) = Exec::new(&child, "true").status() {
        println!("{error}");
    }
    Ok(())
}
