//! What differs between two trees, and which differences are let pass.

use std::collections::BTreeSet;
use std::fmt;

use crate::snapshot::{Entry, Tree};

/// How many differences are shown.
const SHOWN: usize = 20;

/// A tree and what it came from.
#[derive(Clone, Copy)]
pub struct Named<'a> {
    pub name: &'a str,
    pub tree: &'a Tree,
}

/// A property of a file that two trees may see differently, and why.
#[derive(Debug, Clone, Copy)]
pub struct Exception {
    pub path: &'static str,
    pub property: &'static str,
    pub why: &'static str,
}

/// Compares all of two trees.
pub fn same(a: Named<'_>, b: Named<'_>) {
    same_but(a, b, &[]);
}

/// Compares all of two trees but the exceptions, each of which must be one.
pub fn same_but(a: Named<'_>, b: Named<'_>, exceptions: &[Exception]) {
    let differences = differences(a.tree, b.tree);
    let names = format!("{} (left) and {} (right)", a.name, b.name);
    for one in exceptions {
        let used = differences.iter().any(|difference| difference.is(one));
        assert!(used, "{names} do not differ in {} of {:?}: {}", one.property, one.path, one.why);
    }
    let left = differences.iter().filter(|difference| !exceptions.iter().any(|one| difference.is(one)));
    let left: Vec<String> = left.map(Difference::to_string).collect();
    let shown = left[..left.len().min(SHOWN)].join("\n");
    assert!(left.is_empty(), "{} differences of {names}, the first:\n{shown}", left.len());
}

/// One property of one file.
#[derive(Debug, PartialEq, Eq)]
pub struct Difference {
    path: Vec<u8>,
    property: &'static str,
    values: String,
}

impl Difference {
    fn is(&self, exception: &Exception) -> bool {
        self.path == exception.path.as_bytes() && self.property == exception.property
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = if self.path.is_empty() { "(top)".into() } else { String::from_utf8_lossy(&self.path) };
        write!(f, "{path}: {} {}", self.property, self.values)
    }
}

/// All of them, in the order of the paths.
pub fn differences(a: &Tree, b: &Tree) -> Vec<Difference> {
    let paths: BTreeSet<_> = a.keys().chain(b.keys()).collect();
    let of = |path: &Vec<u8>| {
        let only = |side: &str| vec![("presence", format!("only {side}"))];
        let found = match (a.get(path), b.get(path)) {
            (Some(a), Some(b)) => properties(a, b),
            (Some(_), None) => only("left"),
            (None, _) => only("right"),
        };
        let path = path.clone();
        found.into_iter().map(move |(property, values)| Difference { path: path.clone(), property, values })
    };
    paths.into_iter().flat_map(of).collect()
}

fn properties(a: &Entry, b: &Entry) -> Vec<(&'static str, String)> {
    let lossy = |name: &Option<Vec<u8>>| name.as_ref().map(|name| String::from_utf8_lossy(name).into_owned());
    let octal = |mode: u32| format!("{mode:04o}");
    let mut all = Vec::new();
    let mut add = |property, a: String, b: String| {
        if a != b {
            all.push((property, format!("{a} v. {b}")));
        }
    };
    add("kind", format!("{:?}", a.kind), format!("{:?}", b.kind));
    add("mode", octal(a.mode), octal(b.mode));
    add("owner", format!("{:?}", a.owner), format!("{:?}", b.owner));
    add("modified", format!("{:?}", a.modified), format!("{:?}", b.modified));
    add("attributes", format!("{:?}", a.xattrs), format!("{:?}", b.xattrs));
    add("first name", format!("{:?}", lossy(&a.first_name)), format!("{:?}", lossy(&b.first_name)));
    all
}

#[test]
fn each_property_is_compared() {
    use crate::snapshot::Kind;
    let entry = Entry {
        kind: Kind::Directory,
        mode: 0o755,
        owner: (0, 0),
        modified: (1, 2),
        xattrs: [(b"user.a".to_vec(), b"1".to_vec())].into(),
        first_name: None,
    };
    let changes: [fn(&mut Entry); 7] = [
        |entry| entry.kind = Kind::Fifo,
        |entry| entry.mode = 0o4755,
        |entry| entry.owner.1 = 1,
        |entry| entry.modified.1 = 3,
        |entry| drop(entry.xattrs.insert(b"user.a".to_vec(), b"2".to_vec())),
        |entry| entry.xattrs.clear(),
        |entry| entry.first_name = Some(b"x".to_vec()),
    ];
    let tree: Tree = [(Vec::new(), entry.clone()), (b"a".to_vec(), entry)].into();
    assert!(differences(&tree, &tree).is_empty());
    for change in changes {
        let mut other = tree.clone();
        change(other.get_mut(&b"a"[..]).expect("a"));
        assert_eq!(differences(&tree, &other).len(), 1);
    }
    let mut other = tree.clone();
    other.remove(&b"a"[..]);
    assert_eq!(differences(&tree, &other)[0].to_string(), "a: presence only left");
}
