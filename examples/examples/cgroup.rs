//! A program that is born in a cgroup, here one with a limit of processes. Needs root and a cgroup v2 hierarchy.

use std::fs::{self, File};
use std::path::Path;

use cofferdam::Command;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mounts = fs::read_to_string("/proc/self/mountinfo")?;
    let hierarchy =
        mounts.lines().find(|line| line.contains(" - cgroup2 ")).and_then(|line| line.split(' ').nth(4));
    let Some(hierarchy) = hierarchy.filter(|_| rustix::process::geteuid().is_root()) else {
        println!("needs root and a mounted cgroup v2 hierarchy");
        return Ok(());
    };
    let path = Path::new(hierarchy).join(format!("example-{}", std::process::id()));
    fs::create_dir(&path)?;
    let result = run(&path);
    fs::remove_dir(&path)?;
    result
}

fn run(path: &Path) -> Result<(), Box<dyn std::error::Error>> {
    match fs::write(path.join("pids.max"), "10") {
        Ok(()) => println!("at most 10 processes"),
        Err(error) => println!("no limit, the pids controller is not there: {error}"),
    }
    let script = "echo seen from inside: $(grep ^0: /proc/self/cgroup); for i in 1 2 3 4 5 6 7 8 9 10 11 12; do sleep 1 & done; echo done";
    let output = Command::new("sh").args(["-c", script]).cgroup(File::open(path)?).output()?;
    print!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    println!("it ended: {}", output.status);
    Ok(())
}
