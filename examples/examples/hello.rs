//! The smallest isolated program. Needs no privilege.

use cofferdam::Command;

fn main() -> Result<(), cofferdam::Error> {
    let status = Command::new("sh")
        .args(["-c", "echo I am process $$, user $(id -u), on $(cat /proc/sys/kernel/hostname)"])
        .hostname("box")
        .status()?;
    println!("it ended: {status}");
    Ok(())
}
