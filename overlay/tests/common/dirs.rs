//! Directories that make a stack.

use super::{Scratch, directory, is_root_of_the_host, names, scratch};
use cofferdam_overlay::{Errno, Method, Mount, Result, Stack, Support};
use std::path::PathBuf;
use std::time::Duration;

pub const METHODS: [Method; 3] = [Method::OptionString, Method::Append, Method::Descriptors];

/// The forms that this kernel knows.
pub fn methods() -> impl Iterator<Item = Method> {
    let best = Support::probe().method();
    METHODS.into_iter().filter(move |method| *method <= best)
}

/// Three lower directories, and an upper and work directory.
pub struct Dirs {
    pub parent: Scratch,
    pub lowers: Vec<PathBuf>,
}

impl Dirs {
    pub fn new() -> Self {
        let parent = scratch();
        let make = |name, files: &[&str]| directory(parent.path(), name, files);
        let lowers = vec![
            make("top", &["all", "top"]),
            make("middle", &["all", "two"]),
            make("bottom", &["all", "two", "one"]),
        ];
        Self { parent, lowers }
    }

    pub fn stack(&self) -> Stack {
        Stack::new().lowers(&self.lowers)
    }

    /// New upper and work directories.
    pub fn upper(&self, name: &str) -> (PathBuf, PathBuf) {
        let parent = directory(self.parent.path(), name, &[]);
        (directory(&parent, "upper", &[]), directory(&parent, "work", &[]))
    }

    pub fn writable(&self, name: &str) -> (Stack, PathBuf) {
        let (upper, work) = self.upper(name);
        let stack = self.stack().upper(&upper, work);
        (if is_root_of_the_host() { stack } else { stack.userxattr() }, upper)
    }
}

pub fn has(names_of: &Mount, expected: &[&str]) {
    assert_eq!(names(names_of).into_iter().collect::<Vec<_>>(), expected);
}

/// Mounts a stack whose upper directory was in use a moment ago. A test that starts a process at the same time gives it
/// a copy of all descriptors until it executes, and so a mount lives a little longer than it is seen.
pub fn mount_again(stack: &Stack, method: Method) -> Result<Mount> {
    let busy = Some(Errno::from_raw(libc::EBUSY));
    for _ in 0..1000 {
        match stack.mount_with(method) {
            Err(error) if error.errno() == busy => std::thread::sleep(Duration::from_millis(10)),
            result => return result,
        }
    }
    stack.mount_with(method)
}
