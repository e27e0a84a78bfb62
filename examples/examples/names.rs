//! Host name, domain name and kernel parameters of the new namespaces. Needs no privilege.

use cofferdam::Command;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let files = ["hostname", "domainname", "shm_rmid_forced"].map(|name| format!("/proc/sys/kernel/{name}"));
    let outside: Vec<_> = files.iter().map(std::fs::read_to_string).collect::<Result<_, _>>()?;
    let output = Command::new("cat")
        .args(&files)
        .hostname("box")
        .domainname("example")
        .sysctl("kernel.shm_rmid_forced", "1")
        .output()?;
    let inside = String::from_utf8(output.stdout)?;
    for ((file, outside), inside) in files.iter().zip(outside).zip(inside.lines()) {
        println!("{file}: outside {:?}, inside {inside:?}", outside.trim_end());
    }

    let mut forwarding = Command::new("cat");
    forwarding.arg("/proc/sys/net/ipv4/ip_forward").sysctl("net.ipv4.ip_forward", "1");
    print!("forwarding inside: {}", String::from_utf8(forwarding.output()?.stdout)?);

    // What belongs to no namespace would change the host.
    if let Err(error) = Command::new("true").sysctl("kernel.core_pattern", "core").status() {
        println!("refused: {error}");
    }
    Ok(())
}
