//! Runs a program under limits, and shows what it used. Needs root, or a delegated cgroup.
//!
//! ```sh
//! cargo run -p cofferdam-cgroups --example limited -- 64M 16 0.5 sh -c 'head -c 30M /dev/zero | tail -c 1'
//! ```
//!
//! These are memory, processes, and processors; `max` is no limit. The program waits until it is in its cgroup.

use cofferdam_cgroups::{Bytes, Cpu, Hierarchies, Limit, Memory, Resources, Setting};
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn plan(memory: &str, pids: &str, cpus: &str) -> Result<Resources> {
    let memory: Limit<Bytes> = memory.parse()?;
    let plan = Resources::new().must(Memory::Max(memory)).must(Setting::Pids(pids.parse()?));
    // Where swap is not accounted there is nothing to limit.
    let plan = plan.if_available(Memory::Swap(memory.map(|_| Bytes(0))));
    Ok(if cpus == "max" { plan } else { plan.must(Cpu::cpus(cpus.parse()?)) })
}

fn main() -> ExitCode {
    run().unwrap_or_else(|error| {
        eprintln!("{error}");
        ExitCode::FAILURE
    })
}

fn run() -> Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [memory, pids, cpus, program @ ..] = arguments.as_slice() else {
        return Err("usage: limited MEMORY PIDS CPUS PROGRAM [ARGUMENT]...".into());
    };
    let name = format!("limits-{}", std::process::id());
    let (job, outcome) = Hierarchies::discover()?.base()?.create_with(name, &plan(memory, pids, cpus)?)?;
    for left_out in outcome.left_out() {
        eprintln!("without {}: {}", left_out.setting, left_out.reason);
    }
    let mut waiting = Command::new("sh");
    waiting.args(["-c", r#"read -r go; exec "$@""#, "sh"]).args(program);
    let mut child = waiting.stdin(Stdio::piped()).spawn()?;
    // Without it the program does not begin.
    let added = job.add(child.id());
    if added.is_err() {
        child.kill()?;
    }
    drop(child.stdin.take());
    let status = child.wait()?;
    let statistics = job.statistics();
    job.kill(Duration::from_secs(5))?;
    job.remove(Duration::from_secs(5))?;
    let statistics = added.and(statistics)?;
    let (cpu, memory) = (statistics.cpu.unwrap_or_default(), statistics.memory.unwrap_or_default());
    eprintln!("{status}; processor time {:?}, held back {:?}", cpu.usage, cpu.throttled);
    let killed = memory.events.and_then(|events| events.oom_kill);
    eprintln!("memory at most {:?}, killed {killed:?}", memory.peak);
    eprintln!("forks refused {:?}", statistics.pids.and_then(|pids| pids.refused));
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
