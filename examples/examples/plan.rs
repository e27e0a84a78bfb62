//! A plan made by hand, with `cofferdam::process` alone: no policy but what is written here. Needs no privilege.

use cofferdam::process::{
    Attributes, BoxError, Error, Mount, MountFlags, Namespaces, Plan, Process, Rendezvous, Spawner, Stdio,
    Step,
};
use rustix::process::{getegid, geteuid};

/// Writes the id maps, when the process exists and waits.
struct Maps;

impl Rendezvous for Maps {
    fn created(&mut self, process: Process<'_>) -> Result<(), BoxError> {
        let file = |name: &str| format!("/proc/{}/{name}", process.pid);
        std::fs::write(file("setgroups"), "deny")?;
        std::fs::write(file("uid_map"), format!("0 {} 1", geteuid().as_raw()))?;
        std::fs::write(file("gid_map"), format!("0 {} 1", getegid().as_raw()))?;
        println!("process {} is in its namespaces", process.pid);
        Ok(())
    }
}

fn main() -> Result<(), Error> {
    let mut plan = Plan::new("/bin/sh");
    plan.args.extend(["-c".into(), "echo $$ $(id -u) $(cat /proc/sys/kernel/hostname) $(ls /mnt)".into()]);
    plan.env.push(("PATH".into(), "/usr/bin:/bin".into()));
    plan.namespaces = Namespaces::USER | Namespaces::PID | Namespaces::MNT | Namespaces::UTS;
    plan.rendezvous = true;
    plan.stdout = Stdio::Pipe;
    let memory = plan.slot("the file system in memory");
    let quiet = Attributes::set(MountFlags::NOSUID | MountFlags::NODEV);
    plan.steps = vec![
        Step::Hostname("by-hand".into()),
        Step::Mount(Mount::new("proc").attributes(quiet).target(None, "/proc", None)),
        Step::Mount(
            Mount::new("tmpfs")
                .option("size", "1m")
                .attributes(quiet)
                .target(None, "/mnt", None)
                .into_slot(memory),
        ),
        Step::Directory {
            location: cofferdam::process::Location::at(memory, "made-by-the-init"),
            mode: 0o755,
        },
        Step::NoNewPrivileges,
    ];
    println!("{}", plan.explain());
    let output = Spawner::new(&plan, &[]).rendezvous(&mut Maps).spawn()?.wait_with_output()?;
    print!("{}", String::from_utf8_lossy(&output.stdout));

    // A step that fails is named, and nothing is left behind.
    plan.steps.push(Step::WorkingDirectory("/no/such/directory".into()));
    if let Err(error) = Spawner::new(&plan, &[]).rendezvous(&mut Maps).spawn() {
        println!("{error}");
    }
    Ok(())
}
