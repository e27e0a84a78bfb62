//! Directories of the host inside, and empty ones in memory. Needs no privilege.

use std::fs;

use cofferdam::Command;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let work = tempfile::tempdir()?;
    fs::write(work.path().join("input"), "from the host\n")?;
    let script = "
        cat /mnt/input
        echo from inside > /mnt/output && echo /mnt is writable
        echo more > /media/output || echo /media is read-only
        df -P /srv | tail -n 1 | while read name blocks rest; do echo /srv has $blocks KiB; done
        touch /etc/file || echo the rest is read-only
        ls -A /tmp | wc -l | while read count; do echo /tmp has $count files; done";
    Command::new("sh")
        .args(["-c", script])
        .bind(work.path(), "/mnt")
        .bind_read_only(work.path(), "/media")
        .tmpfs("/srv", Some(1 << 20))
        .status()?;
    println!("outside there is now {:?}", fs::read_to_string(work.path().join("output"))?);

    // What does not exist is said before anything happens.
    if let Err(error) = Command::new("true").bind("/no/such/directory", "/mnt").status() {
        println!("refused: {error}");
    }
    Ok(())
}
