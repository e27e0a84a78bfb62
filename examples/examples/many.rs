//! A hundred containers at once from a tokio program (feature `tokio`). Needs root, or user namespaces, and a static busybox.

use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use cofferdam::oci::{Container, CreateOptions, Runtime, Spec, default_spec, default_spec_rootless};
use cofferdam::process::{self, tokio::Child};
use cofferdam::{LimitPolicy, Stdio};
use rustix::process::{getegid, geteuid};
use tokio::sync::Barrier;
use tokio::task::{JoinSet, spawn_blocking};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

const COUNT: usize = 100;

/// A bundle without a file for its configuration: a root with a shell, and a value.
fn bundle() -> Result<(PathBuf, Spec)> {
    let directory = std::env::temp_dir().join(format!("cofferdam-many-{}", std::process::id()));
    std::fs::create_dir_all(directory.join("rootfs/bin"))?;
    std::fs::copy("/bin/busybox", directory.join("rootfs/bin/busybox"))?;
    symlink("busybox", directory.join("rootfs/bin/sh"))?;
    let mut spec = match geteuid().is_root() {
        true => default_spec(),
        false => default_spec_rootless(geteuid().as_raw(), getegid().as_raw()),
    };
    let process = spec.process_mut().as_mut().ok_or("a default without a process")?;
    process.set_terminal(Some(false));
    process.set_args(Some(vec!["sh".into(), "-c".into(), "read code; exit $code".into()]));
    Ok((directory, spec))
}

fn start(name: &str, bundle: &(PathBuf, Spec)) -> Result<Container> {
    let mut options = CreateOptions::new(name, &bundle.1, &bundle.0);
    options.cgroup = LimitPolicy::IfAvailable;
    options.stdin = Stdio::piped();
    let mut container = Runtime::without_state().create(options)?;
    container.start()?;
    Ok(container)
}

/// The life of one. What takes milliseconds in the kernel is for threads that may block; the end is awaited without one.
async fn live(index: usize, bundle: Arc<(PathBuf, Spec)>, all: Arc<Barrier>) -> Result<bool> {
    let name = format!("many-{}-{index}", std::process::id());
    let mut container = spawn_blocking(move || start(&name, &bundle)).await??;
    let (pid, pidfd) = container.pid().zip(container.pidfd()).ok_or("no process")?;
    let mut process = Child::new(process::Child::from_pidfd(pid, pidfd.try_clone_to_owned()?))?;
    if all.wait().await.is_leader() {
        println!("{COUNT} run at once");
    }
    writeln!(container.stdin.take().ok_or("no pipe")?, "{index}")?;
    let code = process.wait().await?.code();
    spawn_blocking(move || container.delete(false)).await??;
    Ok(code == Some(i32::try_from(index)?))
}

async fn work(bundle: (PathBuf, Spec)) -> Result<()> {
    let (begin, mut lives, mut right) = (Instant::now(), JoinSet::new(), 0);
    let (bundle, all) = (Arc::new(bundle), Arc::new(Barrier::new(COUNT)));
    for index in 0..COUNT {
        lives.spawn(live(index, bundle.clone(), all.clone()));
    }
    while let Some(end) = lives.join_next().await {
        right += usize::from(end??);
    }
    println!("{right} of {COUNT} ended as they were told, after {} ms", begin.elapsed().as_millis());
    Ok(())
}

#[tokio::main]
async fn main() -> Result<()> {
    let bundle = bundle()?;
    let directory = bundle.0.clone();
    let result = work(bundle).await;
    std::fs::remove_dir_all(directory)?;
    result
}
