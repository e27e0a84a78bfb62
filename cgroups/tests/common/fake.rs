//! Hosts made of plain files.

use cofferdam_cgroups::Hierarchies;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A directory that looks like the root of a host with cgroups.
///
/// ```text
/// let tree = FakeTree::new()
///     .v2("/sys/fs/cgroup", "cpu memory")
///     .own("0::/job")
///     .cgroup2("/sys/fs/cgroup/job", "memory")
///     .file("/sys/fs/cgroup/job/memory.max", "max\n");
/// let hierarchies = tree.hierarchies();
/// ```
#[derive(Debug)]
pub struct FakeTree {
    root: TempDir,
    mounts: Vec<u8>,
    own: Vec<u8>,
    next: u32,
}

impl FakeTree {
    /// A host without any cgroup.
    pub fn new() -> Self {
        let root = tempfile::tempdir().expect("temporary directory");
        std::fs::create_dir_all(root.path().join("proc/self")).expect("proc/self");
        let tree =
            Self { root, mounts: b"1 0 0:1 / / rw - ext4 /dev/sda rw\n".to_vec(), own: Vec::new(), next: 2 };
        tree.write_tables();
        tree
    }

    /// A v2 hierarchy with these controllers. Its root looks like a real one.
    pub fn v2(self, point: &str, controllers: &str) -> Self {
        self.mount(point.as_bytes(), "/", "cgroup2", "rw,nsdelegate")
            .file(&format!("{point}/cgroup.controllers"), &format!("{controllers}\n"))
            .file(&format!("{point}/cgroup.subtree_control"), "\n")
            .file(&format!("{point}/cgroup.procs"), "1\n")
    }

    /// A v1 hierarchy with these controllers, separated by commas, or `name=NAME`.
    pub fn v1(self, point: &str, controllers: &str) -> Self {
        self.mount(point.as_bytes(), "/", "cgroup", &format!("rw,{controllers}"))
            .file(&format!("{point}/cgroup.sane_behavior"), "0\n")
            .file(&format!("{point}/cgroup.procs"), "1\n")
            .file(&format!("{point}/tasks"), "1\n")
    }

    /// A line of the mount table, and its mount point. The bytes are escaped as the kernel does it.
    pub fn mount(mut self, point: &[u8], shown: &str, fs_type: &str, options: &str) -> Self {
        let id = self.next;
        self.next += 1;
        self.make_dir(OsStr::from_bytes(point));
        self.mounts.extend_from_slice(format!("{id} 1 0:{id} {shown} ").as_bytes());
        for byte in point {
            match byte {
                b' ' | b'\t' | b'\n' | b'\\' => {
                    self.mounts.extend_from_slice(format!("\\{byte:03o}").as_bytes())
                }
                byte => self.mounts.push(*byte),
            }
        }
        self.mounts
            .extend_from_slice(format!(" rw,relatime shared:{id} - {fs_type} none {options}\n").as_bytes());
        self.write_tables();
        self
    }

    /// A whole line of the mount table.
    pub fn mount_line(mut self, line: &str) -> Self {
        self.mounts.extend_from_slice(line.as_bytes());
        self.mounts.push(b'\n');
        self.write_tables();
        self
    }

    /// A line of `/proc/self/cgroup`.
    pub fn own(mut self, line: impl AsRef<[u8]>) -> Self {
        self.own.extend_from_slice(line.as_ref());
        self.own.push(b'\n');
        self.write_tables();
        self
    }

    /// The content of `/proc/cgroups`, without its first line.
    pub fn kernel(self, lines: &str) -> Self {
        let table = format!("#subsys_name\thierarchy\tnum_cgroups\tenabled\n{lines}\n");
        self.file("/proc/cgroups", &table)
    }

    /// The core files of a v2 cgroup.
    pub fn cgroup2(self, path: &str, controllers: &str) -> Self {
        let file = |name: &str| format!("{path}/{name}");
        self.file(&file("cgroup.controllers"), &format!("{controllers}\n"))
            .file(&file("cgroup.subtree_control"), "\n")
            .file(&file("cgroup.type"), "domain\n")
            .file(&file("cgroup.events"), "populated 0\nfrozen 0\n")
            .file(&file("cgroup.procs"), "")
            .file(&file("cgroup.threads"), "")
            .file(&file("cgroup.freeze"), "0\n")
            .file(&file("cgroup.kill"), "")
    }

    /// A file with its directories.
    pub fn file(self, path: &str, content: &str) -> Self {
        let path = self.path(path);
        self.make_dir(path.parent().expect("a file has a directory").as_os_str());
        std::fs::write(&path, content).expect("file of a made-up host");
        self
    }

    /// What is in a file now.
    pub fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.path(path)).expect("file of a made-up host")
    }

    /// Where something is on the real host.
    pub fn path(&self, path: impl AsRef<Path>) -> PathBuf {
        let path = path.as_ref();
        if path.starts_with(self.root.path()) {
            return path.to_owned();
        }
        self.root.path().join(path.strip_prefix("/").unwrap_or(path))
    }

    pub fn root(&self) -> &Path {
        self.root.path()
    }

    pub fn discover(&self) -> cofferdam_cgroups::Result<Hierarchies> {
        Hierarchies::discover_under(self.root())
    }

    pub fn hierarchies(&self) -> Hierarchies {
        self.discover().expect("hierarchies of a made-up host")
    }

    fn make_dir(&self, path: &OsStr) {
        std::fs::create_dir_all(self.path(path)).expect("directory of a made-up host");
    }

    fn write_tables(&self) {
        std::fs::write(self.path("proc/self/mountinfo"), &self.mounts).expect("mountinfo");
        std::fs::write(self.path("proc/self/cgroup"), &self.own).expect("cgroup");
    }
}
