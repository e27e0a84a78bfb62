//! A network namespace that outlives its processes, kept by a bind mount as `ip netns` does. Needs root.

use cofferdam::namespaces::{MountPoint, unbind};
use cofferdam::{Command, Kind, Namespace, Namespaces};

const COUNT: &str = "cat /proc/sys/net/ipv4/ip_default_ttl; readlink /proc/self/ns/net";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    if !rustix::process::geteuid().is_root() {
        println!("needs root: a mount is made in the host's mount namespace");
        return Ok(());
    }
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("network");

    // Whoever changes the namespace first ends at once.
    let mut first = Command::new("sleep")
        .arg("10")
        .share(Namespaces::USER)
        .sysctl("net.ipv4.ip_default_ttl", "42")
        .kill_on_drop(true)
        .spawn()?;
    let network = Namespace::of_pidfd(&first, Kind::Net)?;
    network.bind_to(&path, MountPoint::Create)?;
    println!("{network} is kept at {}", path.display());
    drop(network);
    first.kill()?;
    println!("its only process ended: {}", first.wait()?);

    // A later program finds it as it was.
    let kept = Namespace::open_kind(&path, Kind::Net)?;
    let output = Command::new("sh").args(["-c", COUNT]).share(Namespaces::USER).join(kept).output()?;
    println!("inside it: {}", String::from_utf8(output.stdout)?.replace('\n', " "));
    unbind(&path)?;
    println!("gone: {}", !path.exists());
    Ok(())
}
