//! The files of an image by name alone, as its layers make them one after the other.
//!
//! Names are resolved as in a root made of the layers below: through symbolic links, never out of it.

use std::collections::{BTreeMap, HashMap};

use crate::layer::create::header::refused;
use crate::{Error, Result};

/// At most so many symbolic links lead to one name, as in the kernel.
const MOST_LINKS: u32 = 40;
/// At most so many names are looked at by deletions: a few pass over all names, one for each name does not.
const MOST_LOOKED: u64 = 1 << 28;
/// At most so many names are in an image.
const MOST_NAMES: usize = 4_000_000;
/// At most so many directories lie in each other: more would be no path to the kernel. Deletions follow them by recursion.
const MOST_DEPTH: usize = 2048;
/// At most so many bytes do all names have together. Links can make one in an archive stand for a much longer one.
const MOST_BYTES: usize = 256 << 20;

/// An entry: which layer, and the how manieth there.
pub(super) type Place = (usize, u64);

/// What an entry is, as far as names are concerned.
#[derive(Debug)]
pub(super) enum Thing {
    Directory,
    Symlink(Vec<u8>),
    Link(Vec<u8>),
    Other,
}

/// The names that each entry has in the end. Several are hard links.
pub(super) type Names = HashMap<Place, Vec<Vec<u8>>>;

#[derive(Debug)]
pub(super) struct Tree {
    nodes: Vec<Node>,
    /// The layer that is being read.
    layer: usize,
    /// How many names deletions have looked at.
    looked: u64,
}

/// Which node has a name, and which layer gave it.
#[derive(Clone, Copy, Debug)]
struct Edge {
    layer: usize,
    node: usize,
}

#[derive(Debug)]
enum Node {
    /// It has no place if no entry says what it is like.
    Directory {
        children: BTreeMap<Box<[u8]>, Edge>,
        place: Option<Place>,
    },
    Symlink {
        target: Vec<u8>,
        place: Place,
    },
    Other {
        place: Place,
    },
}

const ROOT: usize = 0;

impl Tree {
    /// Nothing but a root.
    pub(super) fn new() -> Self {
        Self { nodes: vec![Node::Directory { children: BTreeMap::new(), place: None }], layer: 0, looked: 0 }
    }

    /// What follows is of the next layer.
    pub(super) fn next_layer(&mut self) {
        self.layer += 1;
    }

    /// An entry of the layer, by the path that it names.
    pub(super) fn add(&mut self, path: &[u8], thing: Thing, index: u64) -> Result<()> {
        let place = (self.layer, index);
        let (parent, name) = split(path);
        if name.is_empty() {
            return match (&mut self.nodes[ROOT], thing) {
                (Node::Directory { place: of_root, .. }, Thing::Directory) => {
                    *of_root = Some(place);
                    Ok(())
                }
                _ => Err(refused(path, "is the root and not a directory")),
            };
        }
        if self.nodes.len() >= MOST_NAMES {
            return Err(Error::Limit { what: "names in an image", limit: MOST_NAMES as u64 });
        }
        let node = match thing {
            Thing::Link(target) => match self.linked(path, &target)? {
                Some(node) => node,
                None => return Ok(()),
            },
            Thing::Directory => match self.existing(path, parent, name)? {
                Some(node) => {
                    if let Node::Directory { place: old, .. } = &mut self.nodes[node] {
                        *old = Some(place);
                    }
                    node
                }
                None => self.push(Node::Directory { children: BTreeMap::new(), place: Some(place) }),
            },
            Thing::Symlink(target) => self.push(Node::Symlink { target, place }),
            Thing::Other => self.push(Node::Other { place }),
        };
        let parent = self.made(path, parent)?;
        let edge = Edge { layer: self.layer, node };
        self.children(parent).insert(name.into(), edge);
        Ok(())
    }

    /// Deletes a name of lower layers. Its directory is there, even if nothing else says so.
    pub(super) fn whiteout(&mut self, directory: &[u8], name: &[u8]) -> Result<()> {
        let parent = self.made(directory, directory)?;
        self.purge_one(parent, name)
    }

    /// Deletes all that lower layers have in a directory.
    pub(super) fn opaque(&mut self, directory: &[u8]) -> Result<()> {
        let node = self.made(directory, directory)?;
        self.purge_all(node).map(drop)
    }

    /// The names that are left, and the empty directories of which no entry says what they are like.
    pub(super) fn names(&self) -> Result<(Names, Vec<Vec<u8>>)> {
        let mut names = Names::new();
        let mut bare = Vec::new();
        let mut bytes = 0_usize;
        let mut waiting = vec![(ROOT, Vec::new())];
        while let Some((node, path)) = waiting.pop() {
            let place = match &self.nodes[node] {
                Node::Directory { place: None, children } if children.is_empty() && node != ROOT => {
                    bare.push(path);
                    continue;
                }
                Node::Directory { place, children } => {
                    let below = children.keys().map(|name| path.len() + 1 + name.len());
                    bytes = bytes.saturating_add(below.sum());
                    if bytes > MOST_BYTES {
                        return Err(Error::Limit { what: "bytes of all names", limit: MOST_BYTES as u64 });
                    }
                    let below = children.iter().rev().map(|(name, edge)| (edge.node, join(&path, name)));
                    waiting.extend(below);
                    *place
                }
                Node::Symlink { place, .. } | Node::Other { place } => Some(*place),
            };
            if let Some(place) = place {
                names.entry(place).or_default().push(path);
            }
        }
        Ok((names, bare))
    }

    fn push(&mut self, node: Node) -> usize {
        self.nodes.push(node);
        self.nodes.len() - 1
    }

    /// The names in a directory; those of something else are made, and lost.
    fn children(&mut self, node: usize) -> &mut BTreeMap<Box<[u8]>, Edge> {
        if !matches!(self.nodes[node], Node::Directory { .. }) {
            self.nodes[node] = Node::Directory { children: BTreeMap::new(), place: None };
        }
        match &mut self.nodes[node] {
            Node::Directory { children, .. } => children,
            _ => unreachable!("it was made a directory"),
        }
    }

    fn child(&self, node: usize, name: &[u8]) -> Option<Edge> {
        match &self.nodes[node] {
            Node::Directory { children, .. } => children.get(name).copied(),
            _ => None,
        }
    }

    /// The directory that has a name already.
    fn existing(&mut self, path: &[u8], parent: &[u8], name: &[u8]) -> Result<Option<usize>> {
        let edge = self.found(path, parent)?.and_then(|parent| self.child(parent, name));
        Ok(edge.map(|edge| edge.node).filter(|node| matches!(self.nodes[*node], Node::Directory { .. })))
    }

    /// What a hard link is another name of; `None` if that is itself, which changes nothing.
    fn linked(&mut self, path: &[u8], target: &[u8]) -> Result<Option<usize>> {
        let (own_parent, own_name) = split(path);
        let (parent, name) = split(target);
        let own_parent = self.found(path, own_parent)?;
        let parent = self.found(path, parent)?;
        let edge = parent.and_then(|parent| self.child(parent, name));
        match edge.map(|edge| (edge.node, &self.nodes[edge.node])) {
            Some(_) if (own_parent, own_name) == (parent, name) => Ok(None),
            Some((_, Node::Directory { .. })) => Err(refused(path, "is a hard link to a directory")),
            Some((node, _)) => Ok(Some(node)),
            None => {
                Err(refused(path, format!("is a hard link to {}, which is not there", target.escape_ascii())))
            }
        }
    }

    /// The directory of a path, if it is there.
    fn found(&mut self, entry: &[u8], path: &[u8]) -> Result<Option<usize>> {
        self.walk(entry, path, false)
    }

    /// The directory of a path, made where it is missing.
    fn made(&mut self, entry: &[u8], path: &[u8]) -> Result<usize> {
        Ok(self.walk(entry, path, true)?.unwrap_or(ROOT))
    }

    fn walk(&mut self, entry: &[u8], path: &[u8], make: bool) -> Result<Option<usize>> {
        let mut trail = vec![ROOT];
        let mut rest: Vec<Box<[u8]>> = components(path).rev().map(Box::from).collect();
        let mut links = 0;
        while let Some(name) = rest.pop() {
            if trail.len() > MOST_DEPTH {
                return Err(refused(entry, "lies too deep"));
            }
            let here = trail.last().copied().unwrap_or(ROOT);
            if &*name == b".." {
                trail.truncate((trail.len() - 1).max(1));
                continue;
            }
            let next = self.child(here, &name).map(|edge| edge.node);
            match next.map(|node| (node, &self.nodes[node])) {
                Some((node, Node::Directory { .. })) => trail.push(node),
                Some((_, Node::Symlink { target, .. })) => {
                    links += 1;
                    if links > MOST_LINKS {
                        return Err(refused(entry, "too many symbolic links lead to it"));
                    }
                    if target.first() == Some(&b'/') {
                        trail.truncate(1);
                    }
                    rest.extend(components(target).rev().map(Box::from));
                }
                Some((_, Node::Other { .. })) | None if make => {
                    let node = self.push(Node::Directory { children: BTreeMap::new(), place: None });
                    let edge = Edge { layer: self.layer, node };
                    self.children(here).insert(name, edge);
                    trail.push(node);
                }
                _ => return Ok(None),
            }
        }
        Ok(Some(trail.last().copied().unwrap_or(ROOT)))
    }

    /// Takes a name away unless this layer gave it.
    fn purge_one(&mut self, parent: usize, name: &[u8]) -> Result<()> {
        let Some(edge) = self.child(parent, name) else { return Ok(()) };
        self.looked += 1;
        if self.looked > MOST_LOOKED {
            return Err(Error::Limit { what: "work of deletions in an image", limit: MOST_LOOKED });
        }
        let own = self.purge_all(edge.node)?;
        if edge.layer == self.layer {
            return Ok(());
        }
        if !own {
            self.children(parent).remove(name);
            return Ok(());
        }
        // Something of this layer is in it, but what it is like was said below.
        let layer = self.layer;
        if let Node::Directory { place, .. } = &mut self.nodes[edge.node] {
            *place = None;
        }
        self.children(parent).insert(name.into(), Edge { layer, node: edge.node });
        Ok(())
    }

    /// Takes all of lower layers away that is in a directory; whether something of this layer is left in it.
    fn purge_all(&mut self, node: usize) -> Result<bool> {
        let Node::Directory { children, .. } = &self.nodes[node] else { return Ok(false) };
        let names: Vec<_> = children.keys().cloned().collect();
        for name in names {
            self.purge_one(node, &name)?;
        }
        Ok(matches!(&self.nodes[node], Node::Directory { children, .. } if !children.is_empty()))
    }
}

/// The components but for empty ones and `.`.
fn components(path: &[u8]) -> impl DoubleEndedIterator<Item = &[u8]> {
    path.split(|byte| *byte == b'/').filter(|part| !part.is_empty() && *part != b".")
}

/// The path of the directory, and the name in it.
fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|byte| *byte == b'/') {
        None => (&[], path),
        Some(at) => (&path[..at], &path[at + 1..]),
    }
}

fn join(path: &[u8], name: &[u8]) -> Vec<u8> {
    if path.is_empty() { name.to_vec() } else { [path, b"/", name].concat() }
}

#[cfg(test)]
mod tests;
