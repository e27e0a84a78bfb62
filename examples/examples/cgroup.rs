//! A program under limits of memory, processes and processors, what it used, and why it was killed. Needs root, or a cgroup
//! that is delegated to the user; without either it runs unlimited and says so.

use cofferdam::cgroups::{Bytes, Cpu, Limit, Memory};
use cofferdam::{Command, LimitPolicy, Stdio};

fn main() -> Result<(), cofferdam::Error> {
    let script = "for i in 1 2 3 4 5 6 7 8; do sleep 1 & done; echo done";
    limited(script, |command| command.pids(5))?;
    let script = "head -c 300000000 /dev/zero | tail -n 1 | wc -c";
    limited(script, |command| {
        command.memory(32 << 20).limit_if_available(Memory::Swap(Limit::Value(Bytes(0))))
    })?;
    let script = "i=0; while [ $i -lt 100000 ]; do i=$((i + 1)); done; echo counted";
    limited(script, |command| command.cpus(0.25).limit_if_available(Cpu::Weight(50)))
}

fn limited(script: &str, limit: impl Fn(&mut Command) -> &mut Command) -> Result<(), cofferdam::Error> {
    println!("$ {script}");
    let mut command = Command::new("sh");
    command.args(["-c", script]).stderr(Stdio::null()).limit_policy(LimitPolicy::IfAvailable);
    let mut child = limit(&mut command).spawn()?;
    if let Some(limits) = child.limits() {
        limits.applied().iter().for_each(|one| println!("  limited: {}", one.setting));
        limits.left_out().iter().for_each(|one| println!("  left out: {}: {}", one.setting, one.reason));
    }
    println!("  it ended: {}", child.wait()?);
    let Ok(used) = child.statistics() else { return Ok(()) };
    if let Some(refused) = used.pids.and_then(|pids| pids.refused) {
        println!("  {refused} times it could start no more processes");
    }
    if let Some(throttled) = used.cpu.and_then(|cpu| cpu.throttled) {
        println!("  it had to wait {throttled:?} for its next period");
    }
    println!("  processes killed for want of memory: {}", child.oom_kills()?);
    child.remove_cgroup()
}
