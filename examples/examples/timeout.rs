//! A time limit, waiting for a while, and signals. Needs no privilege.

use std::time::{Duration, Instant};

use cofferdam::Command;

fn main() -> Result<(), cofferdam::Error> {
    // All processes of the pid namespace end with the first one: nothing stays behind.
    let begin = Instant::now();
    let result =
        Command::new("sh").args(["-c", "sleep 100 & sleep 100"]).timeout(Duration::from_millis(100)).status();
    match result {
        Ok(status) => println!("it ended by itself: {status}"),
        Err(error) => println!("{error} (kind {:?}, after {:.1?})", error.kind(), begin.elapsed()),
    }

    let mut child = Command::new("sleep").arg("100").kill_on_drop(true).spawn()?;
    println!("still running after 50 ms: {}", child.wait_timeout(Duration::from_millis(50))?.is_none());
    // No race: the signal goes to this process, not to another that got its number.
    child.signal(libc::SIGKILL)?;
    println!("it ended: {}", child.wait()?);
    Ok(())
}
