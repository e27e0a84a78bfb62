//! Progress on a terminal: a bar for each blob.

use std::collections::HashMap;
use std::io::IsTerminal as _;
use std::sync::{Mutex, PoisonError};

use cofferdam_image_spec::{Descriptor, Digest, Progress};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::args::Args;

/// Blobs that are shorter have no bar.
const LEAST: u64 = 1 << 20;

/// The bars of blobs that are on their way.
#[derive(Debug, Default)]
pub struct Bars {
    all: MultiProgress,
    running: Mutex<HashMap<Digest, ProgressBar>>,
}

impl Bars {
    /// Bars, if anybody sees them.
    pub fn new(args: &Args) -> Option<Self> {
        (!args.quiet && !args.json && std::io::stderr().is_terminal()).then(Self::default)
    }

    fn with<T>(&self, act: impl FnOnce(&mut HashMap<Digest, ProgressBar>) -> T) -> T {
        act(&mut self.running.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Progress for Bars {
    fn started(&self, descriptor: &Descriptor) {
        if descriptor.size < LEAST {
            return;
        }
        let bar = self.all.add(ProgressBar::new(descriptor.size));
        if let Ok(style) =
            ProgressStyle::with_template("{prefix} {bar:30} {binary_bytes}/{binary_total_bytes}")
        {
            bar.set_style(style);
        }
        bar.set_prefix(descriptor.digest.short().to_owned());
        self.with(|running| running.insert(descriptor.digest.clone(), bar));
    }

    fn advanced(&self, digest: &Digest, bytes: u64) {
        self.with(|running| {
            if let Some(bar) = running.get(digest) {
                bar.inc(bytes);
            }
        });
    }

    fn finished(&self, descriptor: &Descriptor) {
        if let Some(bar) = self.with(|running| running.remove(&descriptor.digest)) {
            bar.finish_and_clear();
        }
    }
}
