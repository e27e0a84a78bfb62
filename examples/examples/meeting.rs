//! Descriptors both ways, while the new process waits: it sends a file of its own, the caller sends a pipe back.
//! Needs no privilege.

use std::fs::File;
use std::io::{Read, Write, pipe};
use std::os::fd::{AsFd, OwnedFd};

use cofferdam::process::{BoxError, Location, Open, Plan, Process, Rendezvous, Spawner, Step};

/// What the caller does at the meeting.
struct Exchange;

impl Rendezvous for Exchange {
    fn sync(
        &mut self,
        point: u32,
        process: Process<'_>,
        received: Vec<OwnedFd>,
    ) -> Result<Vec<OwnedFd>, BoxError> {
        println!("point {point}: process {} has sent {} descriptor", process.pid, received.len());
        for file in received {
            let mut text = String::new();
            File::from(file).read_to_string(&mut text)?;
            println!("it reads: {}", text.split_whitespace().take(3).collect::<Vec<_>>().join(" "));
        }
        let (reader, mut writer) = pipe()?;
        writer.write_all(b"a message from the caller\n")?;
        Ok(vec![reader.into()])
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut plan = Plan::new("/bin/sh");
    plan.args.extend(["-c".into(), "cat <&7; cat <&8".into()]);
    plan.env.push(("PATH".into(), "/usr/bin:/bin".into()));

    // A descriptor that is handed over from the start.
    let (reader, mut writer) = pipe()?;
    writeln!(writer, "handed over at the start")?;
    drop(writer);
    let first = plan.input("a pipe");

    let (theirs, ours) = (plan.slot("their file"), plan.slot("our pipe"));
    let how = Open { flags: 0, mode: 0, resolve: 0 };
    plan.steps = vec![
        Step::Open { location: Location::path("/proc/version"), how, into: theirs },
        Step::Sync { point: 42, send: vec![theirs], receive: vec![ours] },
    ];
    // Under these numbers the program finds them; it has no others but the standard streams.
    plan.pass = vec![(ours, 7), (first, 8)];
    let mut child = Spawner::new(&plan, &[reader.as_fd()]).rendezvous(&mut Exchange).spawn()?;
    println!("it ended: {}", child.wait()?);
    Ok(())
}
