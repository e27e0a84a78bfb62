//! Unpacked layers by chain id, and what is known of each.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::Store;
use super::dir::{Dir, io_error};
use super::lock::NameLock;
use super::open::to_json;
use super::scratch::Scratch;
use crate::{Algorithm, Digest, Error, Result};

/// No record is longer.
const MOST: u64 = 64 * 1024;
const RECORD: &str = "layer.json";
/// The directory with the layer's files.
pub(super) const DIFF: &str = "diff";

/// What is known of an unpacked layer: `layer.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct LayerRecord {
    pub(super) version: u32,
    pub(super) chain_id: Digest,
    pub(super) diff_id: Digest,
    /// The blob that it was made from.
    pub(super) blob: Digest,
    /// During which boot it was made.
    pub(super) boot: String,
    /// Whether it is on disk, and so survives another boot.
    pub(super) synced: bool,
    /// How many entries its archive has.
    pub(super) entries: u64,
    /// How many bytes the files in it have.
    pub(super) bytes: u64,
}

impl LayerRecord {
    pub(super) const VERSION: u32 = 1;

    /// Whether the layer is what was made: nothing of it can have been lost.
    fn counts(&self, chain_id: &Digest, boot: &str) -> bool {
        self.version == Self::VERSION && self.chain_id == *chain_id && (self.synced || self.boot == boot)
    }

    pub(super) fn write(&self, dir: &Dir) -> Result<()> {
        use std::io::Write;
        let content = to_json(RECORD, self)?;
        dir.create(RECORD)?.write_all(&content).map_err(dir.io("write", RECORD))
    }
}

impl Store {
    /// The directory of the layers of an algorithm.
    pub(super) fn layers(&self, algorithm: Algorithm) -> Result<Dir> {
        self.root().open("layers")?.open(algorithm.name())
    }

    /// The directory and the record of a layer that is there and counts.
    pub(super) fn layer(&self, chain_id: &Digest) -> Result<Option<(Dir, LayerRecord)>> {
        let Some(dir) = self.layers(chain_id.algorithm())?.try_open(chain_id.hex())? else { return Ok(None) };
        // After a crash it can be anything; then the layer is made again.
        let record =
            dir.read(RECORD, MOST)?.and_then(|content| serde_json::from_slice::<LayerRecord>(&content).ok());
        let Some(record) = record.filter(|record| record.counts(chain_id, self.boot())) else {
            return Ok(None);
        };
        Ok(dir.try_open(DIFF)?.map(|_| (dir, record)))
    }

    /// The lock of a layer that is to be made.
    pub(super) fn lock_layer(&self, chain_id: &Digest) -> Result<NameLock> {
        let name = format!("layer-{}-{}", chain_id.algorithm(), chain_id.hex());
        NameLock::wait(self.root().open("locks")?, name)
    }

    /// Gives a directory of the scratch directory, which is a layer with its record, the name of its chain id. What does
    /// not count and has this name is put into the scratch directory. The layer must be locked.
    pub(super) fn publish_layer(&self, scratch: &Scratch, name: &str, chain_id: &Digest) -> Result<()> {
        let layers = self.layers(chain_id.algorithm())?;
        if scratch.dir().rename_new(name, &layers, chain_id.hex())? {
            return Ok(());
        }
        layers.rename(chain_id.hex(), scratch.dir(), &format!("stale-{}", chain_id.hex()))?;
        scratch.dir().rename(name, &layers, chain_id.hex())
    }

    /// All layers that are there, whether they count or not.
    pub(super) fn all_layers(&self) -> Result<Vec<Digest>> {
        digests(|algorithm| self.layers(algorithm))
    }

    /// Writes everything to the disk, so that the layers that are there now survive a crash of the machine and need not
    /// be made again after it.
    ///
    /// # Errors
    /// If the file system cannot be synced, or a record not be written.
    pub fn sync(&self) -> Result<()> {
        let _shared = self.share()?;
        let mut unsynced = Vec::new();
        for chain_id in self.all_layers()? {
            if let Some((dir, record)) = self.layer(&chain_id)?
                && !record.synced
            {
                unsynced.push((dir, record));
            }
        }
        rustix::fs::syncfs(self.root()).map_err(Error::file("syncfs", self.path()))?;
        if unsynced.is_empty() {
            return Ok(());
        }
        let scratch = self.scratch()?;
        for (dir, record) in unsynced {
            let record = LayerRecord { synced: true, ..record };
            scratch.replace(&dir, RECORD, &to_json(RECORD, &record)?)?;
        }
        scratch.finish()
    }
}

/// The digests that directories of algorithms have as names. What has another name is nothing of the store.
pub(super) fn digests(dir: impl Fn(Algorithm) -> Result<Dir>) -> Result<Vec<Digest>> {
    let mut found = Vec::new();
    for algorithm in [Algorithm::Sha256, Algorithm::Sha512] {
        for name in dir(algorithm)?.names()? {
            found.extend(format!("{algorithm}:{}", name.to_string_lossy()).parse::<Digest>());
        }
    }
    Ok(found)
}

/// The kernel's id of this boot.
pub(super) fn boot_id() -> Result<String> {
    let path = Path::new("/proc/sys/kernel/random/boot_id");
    let id = std::fs::read_to_string(path).map_err(io_error("read", path))?;
    Ok(id.trim_end().to_owned())
}
