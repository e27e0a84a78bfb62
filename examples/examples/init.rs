//! An init as process 1: reaps orphans, forwards signals. Needs no privilege.

use std::io::{BufRead, BufReader};
use std::thread::sleep;
use std::time::Duration;

use cofferdam::{Command, Exec, Stdio};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // An orphan becomes a child of process 1. A program that does not expect it leaves it a zombie.
    for init in [false, true] {
        let script = "(sleep 0.05 &); exec sleep 60";
        let child = Command::new("sh").args(["-c", script]).init(init).kill_on_drop(true).spawn()?;
        sleep(Duration::from_millis(120));
        let script = "echo process 1 is $(cat /proc/1/comm), zombies: $(grep -l 'State:.Z' /proc/[0-9]*/status | wc -l)";
        let output = Exec::new(&child, "sh").args(["-c", script]).output()?;
        print!("init {init}: {}", String::from_utf8(output.stdout)?);
    }

    // A signal to the init reaches the program.
    let script = "trap 'echo got TERM; exit 6' TERM; echo ready; while :; do sleep 0.01; done";
    let mut child = Command::new("sh").args(["-c", script]).init(true).stdout(Stdio::piped()).spawn()?;
    let mut lines = BufReader::new(child.stdout.take().ok_or("no pipe")?).lines();
    println!("{}", lines.next().ok_or("no line")??);
    child.signal(libc::SIGTERM)?;
    println!("{}", lines.next().ok_or("no line")??);
    println!("it ended: {}", child.wait()?);

    let status = Command::new("sh").args(["-c", "kill -KILL $$"]).init(true).status()?;
    println!("killed by signal 9: {status}");
    Ok(())
}
