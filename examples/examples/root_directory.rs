//! A directory as the root, writable and read-only. Needs no privilege.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use cofferdam::{Command, Root};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let directory = tempfile::tempdir()?;
    let root = directory.path();
    // The host's programs are shown in it. With an unpacked image nothing of this is needed.
    let mut shown = Vec::new();
    for name in ["bin", "lib", "lib64", "usr"] {
        let host = Path::new("/").join(name);
        match fs::read_link(&host) {
            Ok(target) => symlink(target, root.join(name))?,
            Err(_) if host.is_dir() => shown.push(host),
            Err(_) => {}
        }
    }
    let shell = |script: &str, base: Root| {
        let mut command = Command::new("sh");
        command.args(["-c", script]).root(base);
        for host in &shown {
            command.bind_read_only(host, host);
        }
        command
    };

    let script = "echo the root has $(ls /); echo written > /file";
    println!("writable: {}", shell(script, Root::directory(root)).status()?);
    println!("the file outside: {:?}", fs::read_to_string(root.join("file"))?);

    let script = "echo changed > /file";
    println!("read-only: {}", shell(script, Root::directory(root).read_only(true)).status()?);
    println!("the file outside: {:?}", fs::read_to_string(root.join("file"))?);
    Ok(())
}
