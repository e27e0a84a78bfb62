//! Tells what happens to a program with 16 MiB of memory and 8 processes while it runs. Needs root, or a delegated
//! cgroup.
//!
//! ```sh
//! cargo run -p cofferdam-cgroups --example watch -- sh -c 'tail /dev/zero; echo survived'
//! ```

use cofferdam_cgroups::{Bytes, Hierarchies, Limit, Memory, Resources, Setting, Watch, WatchOptions};
use std::process::{Command, Stdio};
use std::time::Duration;

fn main() {
    if let Err(error) = run() {
        eprintln!("{error}");
        std::process::exit(1);
    }
}

fn run() -> Result<(), Box<dyn std::error::Error>> {
    let program: Vec<String> = std::env::args().skip(1).collect();
    let plan = Resources::new()
        .must(Memory::max(Bytes::mib(16)))
        .must(Setting::Pids(Limit::Value(8)))
        .if_available(Memory::Swap(Limit::Value(Bytes(0))));
    let name = format!("watch-{}", std::process::id());
    let (job, _) = Hierarchies::discover()?.base()?.create_with(name, &plan)?;
    let mut watch = Watch::new(&job, &WatchOptions::new().memory().pids().removal())?;

    // It waits until it is in the cgroup.
    let mut waiting = Command::new("sh");
    waiting.args(["-c", r#"read -r go; exec "$@""#, "sh"]).args(program).stdin(Stdio::piped());
    let mut child = waiting.spawn()?;
    let added = job.add(child.id());
    if added.is_err() {
        child.kill()?;
    }
    drop(child.stdin.take());
    while child.try_wait()?.is_none() {
        if let Some(event) = watch.wait(Some(Duration::from_millis(50)))? {
            println!("{event:?}");
        }
    }
    job.kill(Duration::from_secs(5))?;
    job.remove(Duration::from_secs(5))?;
    added?;
    // What is left; an iterator ends with the cgroup.
    for event in watch {
        println!("{:?}", event?);
    }
    Ok(())
}
