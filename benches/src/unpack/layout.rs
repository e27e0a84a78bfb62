//! An OCI layout, written by plain means: every tool here reads it.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use cofferdam_image_spec::{Algorithm, Digester};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use crate::Error;

/// What the image is called in its layout.
pub(super) const TAG: &str = "bench";

/// As tools compress layers unless told otherwise.
const LEVEL: u32 = 6;

/// A layout with one image.
#[derive(Debug)]
pub(super) struct Layout {
    pub(super) directory: PathBuf,
    /// The compressed layers, the lowest first.
    pub(super) blobs: Vec<PathBuf>,
}

/// Writes a layout. Each layer is asked for with what it is written to.
pub(super) fn write<L>(
    directory: PathBuf,
    layers: impl IntoIterator<Item = L>,
    content: impl Fn(L, &mut dyn Write) -> io::Result<()>,
) -> Result<Layout, Error> {
    let blobs = directory.join("blobs/sha256");
    fs::create_dir_all(&blobs).map_err(failed(&blobs))?;
    let (mut descriptors, mut diff_ids, mut paths) = (Vec::new(), Vec::new(), Vec::new());
    for layer in layers {
        let written = compressed(&blobs, |out| content(layer, out)).map_err(failed(&blobs))?;
        paths.push(blobs.join(&written.hex));
        descriptors.push(written.descriptor("application/vnd.oci.image.layer.v1.tar+gzip"));
        diff_ids.push(written.diff_id);
    }
    let config = json!({
        "architecture": "amd64",
        "os": "linux",
        "config": { "Cmd": ["/bin/sh"] },
        "rootfs": { "type": "layers", "diff_ids": diff_ids },
    });
    let config = document(&blobs, "application/vnd.oci.image.config.v1+json", &config)?;
    let kind = "application/vnd.oci.image.manifest.v1+json";
    let manifest = json!({ "schemaVersion": 2, "mediaType": kind, "config": config, "layers": descriptors });
    let mut manifest = document(&blobs, kind, &manifest)?;
    manifest["annotations"] = json!({ "org.opencontainers.image.ref.name": TAG });
    let index = json!({ "schemaVersion": 2, "manifests": [manifest] });
    for (name, value) in [("index.json", index), ("oci-layout", json!({ "imageLayoutVersion": "1.0.0" }))] {
        let path = directory.join(name);
        fs::write(&path, value.to_string()).map_err(failed(&path))?;
    }
    Ok(Layout { directory, blobs: paths })
}

/// A blob that was written.
struct Blob {
    hex: String,
    size: u64,
    /// The digest of what was compressed.
    diff_id: String,
}

impl Blob {
    fn descriptor(&self, media_type: &str) -> Value {
        json!({ "mediaType": media_type, "digest": format!("sha256:{}", self.hex), "size": self.size })
    }
}

fn compressed(blobs: &Path, content: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<Blob> {
    let path = blobs.join("new");
    let file = Hashing::new(BufWriter::new(File::create(&path)?));
    let mut layer = Hashing::new(GzEncoder::new(file, Compression::new(LEVEL)));
    content(&mut layer)?;
    let (compressor, diff_id, _) = layer.finish();
    let (mut file, hex, size) = compressor.finish()?.finish();
    file.flush()?;
    let hex = hex.trim_start_matches("sha256:").to_owned();
    fs::rename(path, blobs.join(&hex))?;
    Ok(Blob { hex, size, diff_id })
}

fn document(blobs: &Path, media_type: &str, value: &Value) -> Result<Value, Error> {
    let text = value.to_string();
    let digest = cofferdam_image_spec::Digest::sha256(text.as_bytes());
    let path = blobs.join(digest.hex());
    fs::write(&path, &text).map_err(failed(&path))?;
    Ok(json!({ "mediaType": media_type, "digest": digest.to_string(), "size": text.len() }))
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> Error {
    Error::io(format!("write {}", path.display()))
}

/// Hashes and counts what is written through it.
struct Hashing<W> {
    inner: W,
    digester: Digester,
    count: u64,
}

impl<W: Write> Hashing<W> {
    fn new(inner: W) -> Self {
        Self { inner, digester: Digester::new(Algorithm::Sha256), count: 0 }
    }

    fn finish(self) -> (W, String, u64) {
        (self.inner, self.digester.finish().to_string(), self.count)
    }
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.inner.write(bytes)?;
        self.digester.update(&bytes[..count]);
        self.count += u64::try_from(count).unwrap_or_default();
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
