//! The layers of an image as one archive, without unpacking them.
//!
//! The layers are read twice. First only the names: they are put together as in a root, through the symbolic links of
//! the layers below, and what is deleted or replaced goes. Then what is left is written as it comes. An entry is written
//! under the path that it has in the end, so that no path leads through a symbolic link.

mod tree;

use std::io::{Read, Write};
use std::num::NonZeroUsize;

use self::tree::{Names, Thing, Tree};
use crate::layer::create::archive::Archive;
use crate::layer::create::header::{Entry, Kind};
use crate::layer::create::pipeline::pack;
use crate::layer::unpack::{Said, visit};
use crate::layer::{LayerCompression, Limits};
use crate::{Error, Layer, Result};

/// How much is copied at once.
const CHUNK: usize = 64 << 10;

/// Opens the blob of a layer.
pub(crate) type Open<'o> = dyn Fn(&Layer) -> Result<Box<dyn Read + Send + 'o>> + 'o;

/// Writes what the layers make together, the lowest layer's entries first.
pub(crate) fn squash(
    layers: &[Layer],
    limits: &Limits,
    open: &Open<'_>,
    compression: LayerCompression,
    sink: impl Write + Send,
) -> Result<()> {
    let threads = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    pack(sink, compression, threads, |out| plain(layers, limits, open, out)).map(drop)
}

fn plain(layers: &[Layer], limits: &Limits, open: &Open<'_>, out: &mut dyn Write) -> Result<()> {
    let (mut names, bare) = names(layers, limits, open)?;
    let mut archive = Archive::new(out);
    for (number, layer) in layers.iter().enumerate() {
        visit(layer, open(layer)?, limits, &mut |index, said, content| match said {
            Said::Thing(entry) => match names.remove(&(number, index)) {
                Some(names) => write(&mut archive, entry, names, content),
                None => Ok(()),
            },
            Said::Whiteout { .. } | Said::Opaque { .. } => Ok(()),
        })?;
    }
    for path in bare {
        archive.head(&Entry::new(path, Kind::Directory, 0o755))?;
    }
    archive.end().map(drop)
}

/// The names that each entry has in the end, and directories that have none.
fn names(layers: &[Layer], limits: &Limits, open: &Open<'_>) -> Result<(Names, Vec<Vec<u8>>)> {
    let mut tree = Tree::new();
    for (number, layer) in layers.iter().enumerate() {
        if number > 0 {
            tree.next_layer();
        }
        visit(layer, open(layer)?, limits, &mut |index, said, _| match said {
            Said::Whiteout { directory, name } => tree.whiteout(&directory, &name),
            Said::Opaque { directory } => tree.opaque(&directory),
            Said::Thing(entry) => tree.add(&entry.path, thing(entry.kind), index),
        })?;
    }
    tree.names()
}

fn thing(kind: Kind) -> Thing {
    match kind {
        Kind::Directory => Thing::Directory,
        Kind::Symlink { target } => Thing::Symlink(target),
        Kind::Link { target } => Thing::Link(target),
        Kind::File { .. } | Kind::Character { .. } | Kind::Block { .. } | Kind::Fifo => Thing::Other,
    }
}

/// Writes an entry under its first name, and hard links to it under the others.
fn write(
    archive: &mut Archive<'_>,
    mut entry: Entry,
    names: Vec<Vec<u8>>,
    content: &mut dyn Read,
) -> Result<()> {
    let mut names = names.into_iter();
    let Some(first) = names.next() else { return Ok(()) };
    entry.path = if first.is_empty() { b".".to_vec() } else { first.clone() };
    archive.head(&entry)?;
    if let Kind::File { size } = entry.kind {
        copy(archive, size, content)?;
    }
    for name in names {
        let link = Entry {
            path: name,
            kind: Kind::Link { target: first.clone() },
            xattrs: Vec::new(),
            ..entry.clone()
        };
        archive.head(&link)?;
    }
    Ok(())
}

fn copy(archive: &mut Archive<'_>, size: u64, content: &mut dyn Read) -> Result<()> {
    let failed = |source| Error::Stream { what: "layer", source };
    let mut buffer = vec![0; CHUNK.min(usize::try_from(size).unwrap_or(CHUNK))];
    let mut left = size;
    while left > 0 {
        let most = usize::try_from(left).map_or(buffer.len(), |left| left.min(buffer.len()));
        match content.read(&mut buffer[..most]).map_err(failed)? {
            0 => return Err(failed(std::io::ErrorKind::UnexpectedEof.into())),
            count => {
                archive.content(&buffer[..count])?;
                left -= count as u64;
            }
        }
    }
    archive.pad(size)
}
