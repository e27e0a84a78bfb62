//! Events as futures, in the reactor of tokio.

use super::{Event, Watch};
use crate::{Error, Result};
use ::tokio::io::Interest;
use ::tokio::io::unix::AsyncFd;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

/// A [`Watch`] whose events are futures.
///
/// ```no_run
/// # async fn example(job: &cofferdam_cgroups::Cgroup) -> cofferdam_cgroups::Result<()> {
/// use cofferdam_cgroups::{AsyncWatch, Watch, WatchOptions};
///
/// let mut watch = AsyncWatch::new(Watch::new(job, &WatchOptions::new().memory().removal())?)?;
/// while let Some(event) = watch.next().await {
///     println!("{:?}", event?);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct AsyncWatch {
    // Before the watch, so that it leaves the reactor first.
    fd: AsyncFd<OwnedFd>,
    watch: Watch,
}

impl AsyncWatch {
    /// Puts a watch into the reactor of the current runtime.
    ///
    /// # Errors
    ///
    /// [`Error::Call`] if the reactor does not take it.
    ///
    /// # Panics
    ///
    /// Outside of a runtime, and in one without I/O; this is how tokio tells.
    pub fn new(watch: Watch) -> Result<Self> {
        let failed = |error: &std::io::Error, call| {
            let errno = crate::Errno::new(error.raw_os_error().unwrap_or_default());
            Error::Call { call, errno }
        };
        let fd =
            watch.as_fd().try_clone_to_owned().map_err(|error| failed(&error, "fcntl(F_DUPFD_CLOEXEC)"))?;
        // The new function is unsafe for the sake of descriptors that change; an owned one does not.
        #[allow(deprecated, reason = "safe code, and the descriptor stays the same")]
        let fd = AsyncFd::with_interest(fd, Interest::READABLE)
            .map_err(|error| failed(&error, "epoll_ctl(EPOLL_CTL_ADD)"))?;
        Ok(Self { fd, watch })
    }

    /// The next event; none after [`Event::Removed`]. Nothing is lost if the future is dropped.
    pub async fn next(&mut self) -> Option<Result<Event>> {
        loop {
            match self.watch.wait(Some(Duration::ZERO)) {
                Ok(None) if self.watch.has_ended() => return None,
                Ok(None) => {}
                event => return event.transpose(),
            }
            let mut ready = match self.fd.readable().await {
                Ok(ready) => ready,
                Err(error) => {
                    let errno = crate::Errno::new(error.raw_os_error().unwrap_or_default());
                    return Some(Err(Error::Call { call: "epoll_wait", errno }));
                }
            };
            // Cleared before looking: whatever happens from here on makes it ready again.
            ready.clear_ready();
        }
    }

    /// The watch itself, out of the reactor.
    pub fn into_inner(self) -> Watch {
        self.watch
    }
}
