//! What an import is to do.

use std::fmt;

use crate::{Limits, Platform, Progress};

/// How an image is imported.
#[derive(Clone)]
pub struct ImportOptions<'a> {
    pub(super) platform: Platform,
    pub(super) unpack: bool,
    pub(super) limits: Limits,
    pub(super) threads: Option<usize>,
    pub(super) progress: Option<&'a dyn Progress>,
}

impl<'a> ImportOptions<'a> {
    /// The image for this host, unpacked, with the default limits, by as many threads as there are processors, but no more than 4.
    pub fn new() -> Self {
        Self {
            platform: Platform::host(),
            unpack: true,
            limits: Limits::default(),
            threads: None,
            progress: None,
        }
    }

    /// Another platform.
    #[must_use]
    pub fn platform(self, platform: Platform) -> Self {
        Self { platform, ..self }
    }

    /// Whether layers are unpacked. Otherwise only blobs are taken, and layers are made when they are first needed.
    #[must_use]
    pub fn unpack(self, unpack: bool) -> Self {
        Self { unpack, ..self }
    }

    /// Limits on what the archives of layers may contain, each for one layer.
    #[must_use]
    pub fn limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// How many layers are taken at the same time; at least one.
    #[must_use]
    pub fn threads(self, threads: usize) -> Self {
        Self { threads: Some(threads.max(1)), ..self }
    }

    /// Told how far the layers are, from several threads.
    #[must_use]
    pub fn progress(self, progress: &'a dyn Progress) -> Self {
        Self { progress: Some(progress), ..self }
    }

    /// How many threads are worth it for so many layers. Each has a decompressor's window and notes of its own.
    pub(super) fn workers(&self, layers: usize) -> usize {
        const MOST: usize = 4;
        let processors = || std::thread::available_parallelism().map_or(1, |count| count.get().min(MOST));
        self.threads.unwrap_or_else(processors).min(layers)
    }
}

impl Default for ImportOptions<'_> {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for ImportOptions<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ImportOptions")
            .field("platform", &self.platform)
            .field("unpack", &self.unpack)
            .field("limits", &self.limits)
            .field("threads", &self.threads)
            .field("progress", &self.progress.is_some())
            .finish()
    }
}
