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
    pub(super) fn names(&self) -> (Names, Vec<Vec<u8>>) {
        let mut names = Names::new();
        let mut bare = Vec::new();
        let mut waiting = vec![(ROOT, Vec::new())];
        while let Some((node, path)) = waiting.pop() {
            let place = match &self.nodes[node] {
                Node::Directory { place: None, children } if children.is_empty() && node != ROOT => {
                    bare.push(path);
                    continue;
                }
                Node::Directory { place, children } => {
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
        (names, bare)
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
mod tests {
    use super::*;

    /// Layers of names: `d/` is a directory, `f` a file, `s>t` a symbolic link, `l=t` a hard link, `-f` a whiteout,
    /// `d/*` opaque.
    fn merged(layers: &[&[&str]]) -> Result<Vec<(String, Place)>> {
        let mut tree = Tree::new();
        for (number, layer) in layers.iter().enumerate() {
            if number > 0 {
                tree.next_layer();
            }
            for (index, text) in (0..).zip(*layer) {
                if let Some(path) = text.strip_prefix('-') {
                    let (directory, name) = split(path.as_bytes());
                    tree.whiteout(directory, name)?;
                } else if let Some(path) = text.strip_suffix("/*") {
                    tree.opaque(path.as_bytes())?;
                } else if let Some((path, target)) = text.split_once('>') {
                    tree.add(path.as_bytes(), Thing::Symlink(target.into()), index)?;
                } else if let Some((path, target)) = text.split_once('=') {
                    tree.add(path.as_bytes(), Thing::Link(target.into()), index)?;
                } else if let Some(path) = text.strip_suffix('/') {
                    tree.add(path.as_bytes(), Thing::Directory, index)?;
                } else {
                    tree.add(text.as_bytes(), Thing::Other, index)?;
                }
            }
        }
        let mut names: Vec<_> = (tree.names().0.into_iter())
            .flat_map(|(place, names)| names.into_iter().map(move |name| (name, place)))
            .map(|(name, place)| (String::from_utf8(name).expect("text"), place))
            .collect();
        names.sort();
        Ok(names)
    }

    fn names(layers: &[&[&str]]) -> Vec<String> {
        merged(layers).unwrap().into_iter().map(|(name, _)| name).collect()
    }

    #[test]
    fn upper_layers_win() {
        let merged = merged(&[&["d/", "d/a", "d/b"], &["d/a"], &["d/", "c"]]).unwrap();
        let expected = [("c", (2, 1)), ("d", (2, 0)), ("d/a", (1, 0)), ("d/b", (0, 2))];
        assert_eq!(merged, expected.map(|(name, place)| (name.to_owned(), place)));
    }

    #[test]
    fn whiteouts_hide_what_lower_layers_have_in_any_order() {
        assert_eq!(names(&[&["d/", "d/a", "d/b", "e"], &["-d/a", "-e", "-none", "-no/ne"]]), ["d", "d/b"]);
        assert_eq!(names(&[&["d/", "d/a"], &["-d", "d/", "d/b"]]), ["d", "d/b"]);
        assert_eq!(names(&[&["d/", "d/a"], &["d/", "d/b", "-d"]]), ["d", "d/b"]);
        assert_eq!(names(&[&["a"], &["a", "-a"]]), ["a"]);
        assert_eq!(names(&[&["a"], &["-a"], &["a"]]), ["a"]);
        // A directory of which nothing is said in the layer that hides the lower one has no place.
        assert_eq!(names(&[&["d/", "d/a"], &["d/b", "-d"]]), ["d/b"]);
    }

    #[test]
    fn opaque_directories_show_only_their_own() {
        assert_eq!(
            names(&[&["d/", "d/a", "d/e/", "d/e/x"], &["d/", "d/b", "d/e/y", "d/*"]]),
            ["d", "d/b", "d/e/y"]
        );
        assert_eq!(names(&[&["d/", "d/a"], &["d/*", "d/b"]]), ["d", "d/b"]);
        assert_eq!(names(&[&["a", "b/", "b/c"], &["/*", "x"]]), ["x"]);
    }

    #[test]
    fn other_kinds_replace_each_other_with_all_below() {
        assert_eq!(names(&[&["d/", "d/a"], &["d"]]), ["d"]);
        assert_eq!(names(&[&["d/", "d/a"], &["d"], &["d/"]]), ["d"]);
        assert_eq!(names(&[&["d"], &["d/a"]]), ["d/a"]);
        assert_eq!(names(&[&["d/", "d/a"], &["d>e"], &["e/", "d/b"]]), ["d", "e", "e/b"]);
    }

    #[test]
    fn links_to_directories_are_followed_but_for_the_last_name() {
        let lower: &[&str] = &["usr/", "usr/lib/", "lib>usr/lib", "abs>/usr/./lib", "up>../../usr"];
        let add = |more: &[&str]| {
            let all = names(&[lower, more]);
            let known = names(&[lower]);
            all.into_iter().filter(|name| !known.contains(name)).collect::<Vec<_>>()
        };
        assert_eq!(add(&["lib/x"]), ["usr/lib/x"]);
        assert_eq!(add(&["abs/x", "up/y"]), ["usr/lib/x", "usr/y"]);
        assert_eq!(names(&[lower, &["lib/x"], &["-lib/x"]]), names(&[lower]));
        let replaced = names(&[lower, &["lib/", "lib/x"]]);
        assert!(replaced.contains(&"lib/x".to_owned()) && !replaced.contains(&"usr/lib/x".to_owned()));
        assert_eq!(names(&[&["s>missing/dir", "s/x"]]), ["missing/dir/x", "s"]);
        assert!(merged(&[&["a>b", "b>a", "a/x"]]).is_err());
    }

    #[test]
    fn hard_links_keep_what_they_share() {
        let share = merged(&[&["a", "b=a", "d/", "d/c=b"], &["-a"]]).unwrap();
        let place = |name: &str| share.iter().find(|(other, _)| other == name).map(|(_, place)| *place);
        assert_eq!((place("a"), place("b"), place("d/c")), (None, Some((0, 0)), Some((0, 0))));
        let across = merged(&[&["a"], &["b=a"], &["a"]]).unwrap();
        assert_eq!(across, [("a".to_owned(), (2, 0)), ("b".to_owned(), (0, 0))]);
        for bad in [&["b=a"][..], &["d/", "b=d"], &["b=../../etc/passwd"], &["b=b"], &["a", "b="]] {
            assert!(merged(&[bad]).is_err(), "{bad:?}");
        }
    }
}
