//! What is unpacked: layouts made of an archive, and what must come out.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use cofferdam_image_spec::Digest;

use super::archive::{self, Entry, Kind};
use super::case::Case;
use super::layout::{self, Layout};
use crate::Error;

/// What `--quick` unpacks of the archive, and of zeros.
const QUICK: u64 = 30 << 20;
const QUICK_ZEROS: u64 = 128 << 20;
/// The zeros of the large layer.
const ZEROS: u64 = 2 << 30;
/// One in so many files is looked at.
const LOOKED_AT: usize = 200;
/// A larger file is not looked at.
const LARGE: u64 = 1 << 20;

/// An image, and what it must become.
#[derive(Debug)]
pub(super) struct Input {
    pub(super) layout: Layout,
    pub(super) expected: Expected,
}

/// The proof of a tree.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Expected {
    /// How many names there are, without the top.
    pub(super) names: usize,
    /// The bytes of all regular files, of each once.
    pub(super) bytes: u64,
    /// The content of some files.
    pub(super) contents: Vec<(Vec<u8>, Digest)>,
}

/// Makes what a case unpacks, below `directory`.
pub(super) fn make(case: Case, rootfs: &Path, directory: &Path, quick: bool) -> Result<Input, Error> {
    let directory = directory.join(case.name());
    if case == Case::BigLayer {
        return zeros(directory, if quick { QUICK_ZEROS } else { ZEROS });
    }
    let file = File::open(rootfs).map_err(Error::io(format!("open {}", rootfs.display())))?;
    let mut entries = archive::entries(&file)?;
    if quick {
        entries = archive::first(entries, QUICK);
    }
    let layers = archive::layers(&entries, case.layers());
    let layout = layout::write(directory, &layers, |layer, out| copy(&file, &entries, layer, out))?;
    let expected = expect(&file, &entries).map_err(Error::io("read the archive"))?;
    Ok(Input { layout, expected })
}

fn copy(file: &File, entries: &[Entry], layer: &[usize], out: &mut dyn Write) -> io::Result<()> {
    let mut buffer = vec![0; 1 << 16];
    for index in layer {
        let mut bytes = entries[*index].bytes.clone();
        while !bytes.is_empty() {
            let len = usize::try_from(bytes.end - bytes.start).unwrap_or(usize::MAX).min(buffer.len());
            file.read_exact_at(&mut buffer[..len], bytes.start)?;
            out.write_all(&buffer[..len])?;
            bytes.start += u64::try_from(len).unwrap_or(u64::MAX);
        }
    }
    out.write_all(&[0; 1024])
}

fn expect(file: &File, entries: &[Entry]) -> io::Result<Expected> {
    let mut expected = Expected::default();
    let mut paths = std::collections::HashSet::new();
    let mut files = 0;
    for entry in entries.iter().filter(|entry| !entry.path.is_empty()) {
        expected.names += usize::from(paths.insert(&entry.path));
        let Kind::File { size } = entry.kind else { continue };
        expected.bytes += size;
        files += 1;
        if files % LOOKED_AT == 0 && size <= LARGE {
            let mut content = vec![0; usize::try_from(size).unwrap_or_default()];
            file.read_exact_at(&mut content, entry.content)?;
            expected.contents.push((entry.path.clone(), Digest::sha256(&content)));
        }
    }
    Ok(expected)
}

fn zeros(directory: PathBuf, size: u64) -> Result<Input, Error> {
    let layout = layout::write(directory, [size], |size, out| {
        out.write_all(&header("zeros", size))?;
        let block = vec![0; 1 << 20];
        for _ in 0..size >> 20 {
            out.write_all(&block)?;
        }
        out.write_all(&[0; 1024])
    })?;
    Ok(Input { layout, expected: Expected { names: 1, bytes: size, contents: Vec::new() } })
}

/// A header of the format ustar.
fn header(name: &str, size: u64) -> [u8; 512] {
    let mut header = [0; 512];
    let mut put = |at: usize, text: &[u8]| header[at..at + text.len()].copy_from_slice(text);
    put(0, name.as_bytes());
    for (at, text) in [(100, "0000644"), (108, "0000000"), (116, "0000000")] {
        put(at, text.as_bytes());
    }
    put(124, format!("{size:011o}\0").as_bytes());
    put(136, b"00000000000\0");
    put(148, b"        0");
    put(257, b"ustar\x0000");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    header
}

/// The archive that was named, or a minimal Debian that mmdebstrap makes once in `cache`.
pub(super) fn rootfs(named: Option<&Path>, cache: &Path) -> Result<PathBuf, Error> {
    if let Some(path) = named {
        return Ok(path.to_owned());
    }
    let path = cache.join("layer_unpack.tar");
    if path.exists() {
        return Ok(path);
    }
    println!("mmdebstrap makes {}", path.display());
    let new = path.with_extension("new.tar");
    let mut command = Command::new("mmdebstrap");
    command.args(["--quiet", "--variant=minbase", "bookworm"]).arg(&new).stdin(Stdio::null());
    let status = command.status().map_err(|error| {
        Error::Setting(format!(
            "start mmdebstrap: {error}; give the tar archive of a root directory by --rootfs"
        ))
    })?;
    if !status.success() {
        return Err(Error::Setting(format!("mmdebstrap: {status}; give an archive by --rootfs")));
    }
    fs::rename(&new, &path).map_err(Error::io(format!("rename {}", new.display())))?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_archive_of_zeros_is_one_that_is_read_back() {
        let directory = tempfile::tempdir().unwrap();
        let input = make(Case::BigLayer, Path::new("/"), directory.path(), true).unwrap();
        let blob = File::open(&input.layout.blobs[0]).unwrap();
        let mut archive = tempfile::tempfile().unwrap();
        io::copy(&mut flate2::read::GzDecoder::new(blob), &mut archive).unwrap();
        let entries = archive::entries(&archive).unwrap();
        assert_eq!(entries.len(), 1);
        assert_eq!(
            (entries[0].path.as_slice(), &entries[0].kind),
            (&b"zeros"[..], &Kind::File { size: QUICK_ZEROS })
        );
    }
}
