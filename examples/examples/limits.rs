//! Limits on what a process may use. Needs no privilege to lower them.

use cofferdam::{Command, Resource};

fn main() -> Result<(), cofferdam::Error> {
    let output = Command::new("sh")
        .args([
            "-c",
            "echo open files $(ulimit -n), processor seconds $(ulimit -t), file blocks $(ulimit -f)",
        ])
        .rlimit(Resource::NOFILE, 64, 64)
        .rlimit(Resource::CPU, 1, 2)
        .rlimit(Resource::FSIZE, 1 << 20, 1 << 20)
        .output()?;
    print!("{}", String::from_utf8_lossy(&output.stdout));

    // A file may not grow above the limit: the kernel says so with a signal.
    let status = Command::new("dd")
        .args(["if=/dev/zero", "of=/tmp/file", "bs=64k", "count=100", "status=none"])
        .rlimit(Resource::FSIZE, 1 << 20, 1 << 20)
        .status()?;
    println!("writing 6 MiB ended: {status}");

    // A limit that cannot be is refused before anything happens.
    if let Err(error) = Command::new("true").rlimit(Resource::NOFILE, 2, 1).status() {
        println!("refused: {error}");
    }
    Ok(())
}
