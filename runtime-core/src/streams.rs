//! Reading what a program writes, both streams at once, until a deadline.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::os::fd::OwnedFd;
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::retry_on_intr;

use crate::{Errno, Error};

/// Reads the streams to their ends; `None` if the deadline comes first.
pub(crate) fn collect(
    files: [Option<OwnedFd>; 2],
    deadline: Option<Instant>,
) -> Result<Option<[Vec<u8>; 2]>, Error> {
    let mut files = files.map(|file| file.map(File::from));
    let mut contents = [Vec::new(), Vec::new()];
    let mut chunk = vec![0; 64 * 1024];
    while files.iter().any(Option::is_some) {
        let Some(ready) = wait_readable(&files, deadline)? else { return Ok(None) };
        for ((file, content), ready) in files.iter_mut().zip(&mut contents).zip(ready) {
            if ready && !read_some(file, content, &mut chunk)? {
                *file = None;
            }
        }
    }
    Ok(Some(contents))
}

/// Reads what is there; `false` at the end.
fn read_some(file: &mut Option<File>, content: &mut Vec<u8>, chunk: &mut [u8]) -> Result<bool, Error> {
    let Some(file) = file else { return Ok(false) };
    match file.read(chunk) {
        Ok(count) => {
            content.extend_from_slice(chunk.get(..count).unwrap_or_default());
            Ok(count > 0)
        }
        Err(error) if error.kind() == ErrorKind::Interrupted => Ok(true),
        Err(error) => {
            let errno = Errno::new(error.raw_os_error().unwrap_or(rustix::io::Errno::IO.raw_os_error()));
            Err(Error::Call { call: "read", errno })
        }
    }
}

/// Which streams can be read without waiting; `None` if the deadline comes first.
fn wait_readable(files: &[Option<File>; 2], deadline: Option<Instant>) -> Result<Option<[bool; 2]>, Error> {
    let mut fds: Vec<_> = files.iter().flatten().map(|file| PollFd::new(file, PollFlags::IN)).collect();
    let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
    let limit = left.and_then(|left| Timespec::try_from(left).ok());
    let count = retry_on_intr(|| poll(&mut fds, limit.as_ref())).map_err(Error::call("poll"))?;
    if count == 0 {
        return Ok(None);
    }
    let mut ready = fds.iter().map(|fd| !fd.revents().is_empty());
    Ok(Some([0, 1].map(|index: usize| files[index].is_some() && ready.next() == Some(true))))
}
