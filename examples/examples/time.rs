//! Clocks that are ahead of the host's, or behind. Needs no privilege.

use cofferdam::{ClockOffset, Command};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let uptime = |command: &mut Command| -> Result<f64, Box<dyn std::error::Error>> {
        let output = command.arg("/proc/uptime").output()?;
        let text = String::from_utf8(output.stdout)?;
        Ok(text.split(' ').next().ok_or("empty")?.parse()?)
    };
    let outside = std::fs::read_to_string("/proc/uptime")?;
    println!("outside up for {} s", outside.split(' ').next().unwrap_or_default());
    let inside = uptime(&mut Command::new("cat"))?;
    println!("inside, no offset: {inside} s");
    let week = ClockOffset { seconds: 7 * 24 * 3600, nanoseconds: 0 };
    let ahead = uptime(Command::new("cat").time_offsets(week, week))?;
    println!("inside, a week ahead: {ahead} s");

    // No clock can be negative: the kernel refuses it.
    let behind = ClockOffset { seconds: -1_000_000_000, nanoseconds: 0 };
    if let Err(error) = Command::new("true").time_offsets(behind, behind).status() {
        println!("refused: {error}");
    }
    Ok(())
}
