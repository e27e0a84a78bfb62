//! Which capabilities a program has. Needs no privilege.

use cofferdam::{Capabilities, Capability, CapabilitySet, Command, DEFAULT_CAPABILITIES};

const SCRIPT: &str = "grep -E 'CapEff|CapBnd|NoNewPrivs' /proc/self/status | tr -s '\\t\\n' ' '";

fn show(title: &str, command: &mut Command) -> Result<(), cofferdam::Error> {
    let output = command.args(["-c", SCRIPT]).output()?;
    println!("{title}: {}", String::from_utf8_lossy(&output.stdout));
    Ok(())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let chown: Capability = "chown".parse()?;
    let admin: Capability = "CAP_NET_ADMIN".parse()?;
    println!("usual: {DEFAULT_CAPABILITIES}");
    show("usual", &mut Command::new("sh"))?;
    show("none", Command::new("sh").capabilities(CapabilitySet::empty()))?;
    show("one dropped", Command::new("sh").capabilities(DEFAULT_CAPABILITIES.without(chown)))?;
    show("one more", Command::new("sh").capabilities(DEFAULT_CAPABILITIES.with(admin)))?;

    // All five sets. Ambient ones outlive an exec by a user other than root.
    let one = CapabilitySet::empty().with(admin);
    let sets = Capabilities { bounding: one, permitted: one, effective: one, inheritable: one, ambient: one };
    show("ambient", Command::new("sh").capability_sets(sets))?;

    // What the kernel makes of it: chroot(2) asks for CAP_SYS_CHROOT.
    for (title, set) in [("usual", DEFAULT_CAPABILITIES), ("none", CapabilitySet::empty())] {
        let output = Command::new("sh").args(["-c", "chroot / echo done"]).capabilities(set).output()?;
        let streams = [output.stdout, output.stderr].concat();
        print!("chroot with {title}: {}", String::from_utf8_lossy(&streams));
    }
    Ok(())
}
