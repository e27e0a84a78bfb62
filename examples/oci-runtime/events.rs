//! `events`.

use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use cofferdam::cgroups::{Event, Watch, WatchOptions};
use cofferdam::oci::{Container, Error};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::retry_on_intr;

use crate::args::Events;
use crate::failure::Failure;
use crate::places::Context;

/// Prints what a container uses, once or again and again until it has ended.
pub fn events(context: &Context<'_>, options: &Events) -> Result<u8, Failure> {
    let container = context.container(&options.id)?;
    if options.stats {
        return print_usage(&container);
    }
    let mut watch = watch(&container)?;
    let mut next = Instant::now() + options.interval;
    loop {
        let ended = wait(&container, &watch, next.saturating_duration_since(Instant::now()))?;
        while let Some(event) = watch.wait(Some(Duration::ZERO)).map_err(Error::from)? {
            if matches!(event, Event::OomKill(_)) {
                print(&serde_json::json!({ "type": "oom", "id": container.id() }))?;
            }
        }
        if ended || watch.has_ended() {
            return Ok(0);
        }
        if Instant::now() >= next {
            print_usage(&container)?;
            next = Instant::now() + options.interval;
        }
    }
}

/// Notices when processes are killed for want of memory.
fn watch(container: &Container) -> Result<Watch, Failure> {
    let cgroup = container.cgroup()?;
    let cgroup =
        cgroup.ok_or_else(|| Error::Unsupported { what: "events of a container without a cgroup".into() })?;
    Ok(Watch::new(&cgroup, &WatchOptions::new().memory().removal()).map_err(Error::from)?)
}

/// Until something happens or the time is up; true if the container has ended.
fn wait(container: &Container, watch: &Watch, timeout: Duration) -> Result<bool, Failure> {
    let Some(program) = container.pidfd() else { return Ok(true) };
    let watch = watch.as_fd();
    let mut fds = [PollFd::new(&program, PollFlags::IN), PollFd::new(&watch, PollFlags::IN)];
    let timeout = Timespec::try_from(timeout).map_err(Failure::new)?;
    retry_on_intr(|| poll(&mut fds, Some(&timeout))).map_err(Failure::of("poll"))?;
    Ok(!fds[0].revents().is_empty())
}

fn print_usage(container: &Container) -> Result<u8, Failure> {
    let usage = container.usage()?;
    print(&serde_json::json!({ "type": "stats", "id": container.id(), "data": usage }))
}

fn print(event: &serde_json::Value) -> Result<u8, Failure> {
    crate::print(&format!("{event}\n"))
}
