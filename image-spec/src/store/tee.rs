//! A blob on its way to the unpacker: counted, told of, and written to a file.

use std::fs::File;
use std::io::{self, Read, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::{Descriptor, Error, Progress, Result};

/// Reads a blob, never more than one byte above its size. What is read is in the file before it is handed on.
pub(super) struct Tee<'a, R> {
    pub(super) from: R,
    pub(super) to: Option<&'a mut File>,
    pub(super) descriptor: &'a Descriptor,
    pub(super) progress: Option<&'a dyn Progress>,
    /// When this is set another layer has failed, and this one is not wanted any more.
    pub(super) stop: &'a AtomicBool,
    pub(super) count: u64,
    /// Why the file could not be written: for the reader that is only a stream which ends badly.
    pub(super) failure: Option<io::Error>,
}

impl<R: Read> Tee<'_, R> {
    /// The result of who read from this; if the file could not be written, that is the error.
    pub(super) fn outcome<T>(
        &mut self,
        result: Result<T>,
        fail: impl FnOnce(io::Error) -> Error,
    ) -> Result<T> {
        if let Some(failure) = self.failure.take() {
            return Err(fail(failure));
        }
        let value = result?;
        if self.count != self.descriptor.size {
            let digest = self.descriptor.digest.clone();
            return Err(Error::SizeMismatch { digest, expected: self.descriptor.size, found: self.count });
        }
        Ok(value)
    }
}

impl<R: Read> Read for Tee<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.stop.load(Ordering::Relaxed) {
            return Err(io::Error::other("another layer has failed"));
        }
        let left = self.descriptor.size.saturating_add(1).saturating_sub(self.count);
        let most = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let got = self.from.read(&mut buffer[..most])?;
        self.count += got as u64;
        if let Some(file) = &mut self.to
            && let Err(error) = file.write_all(&buffer[..got])
        {
            let told = io::Error::from(error.kind());
            self.failure = Some(error);
            return Err(told);
        }
        if let Some(progress) = self.progress {
            progress.advanced(&self.descriptor.digest, got as u64);
        }
        Ok(got)
    }
}
