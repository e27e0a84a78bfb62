//! Noticing that a cgroup was removed.
//!
//! Its own files wake nobody up then: only the directory above tells of it, and only by inotify.

use super::source::{Kind, Source};
use crate::dir::Dir;
use crate::{Error, Result};
use rustix::fs::inotify::{CreateFlags, WatchFlags, add_watch, init};
use std::os::fd::{AsFd, AsRawFd};
use std::path::PathBuf;

/// Watches the directories above some.
pub(super) fn above<'c>(dirs: impl Iterator<Item = &'c Dir>) -> Result<Source> {
    let fd = init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)
        .map_err(|errno| Error::Call { call: "inotify_init1", errno: errno.into() })?;
    for dir in dirs {
        let above = format!("/proc/self/fd/{}/..", dir.as_fd().as_raw_fd());
        add_watch(&fd, above, WatchFlags::DELETE | WatchFlags::ONLYDIR)
            .map_err(|errno| Error::Watch { path: dir.path().join(".."), errno: errno.into() })?;
    }
    Ok(Source { fd, path: PathBuf::new(), part: None, kind: Kind::Removal })
}
