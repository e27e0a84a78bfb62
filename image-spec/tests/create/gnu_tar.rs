//! GNU tar makes of a layer what it was made of.

use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Command, Stdio};

use cofferdam_image_spec::CreateLayer;
use rustix::fs::FileType;

use crate::skip;
use crate::support::{chmod, create, link_to, mkdir, mknod, noise, odd, set_time, set_xattr, write};

/// All that is in a tree: type, mode, owner, time, size, content or target, names of the same file.
pub fn inventory(top: &Path) -> BTreeMap<Vec<u8>, String> {
    let (mut found, mut first, mut todo) = (BTreeMap::new(), BTreeMap::new(), vec![top.to_owned()]);
    while let Some(dir) = todo.pop() {
        let mut names = std::fs::read_dir(dir)
            .expect("read")
            .map(|entry| entry.expect("entry").path())
            .collect::<Vec<_>>();
        names.sort();
        for path in names {
            let meta = path.symlink_metadata().expect("stat");
            let content = match meta.file_type() {
                kind if kind.is_symlink() => path.read_link().expect("link").as_os_str().as_bytes().to_vec(),
                kind if kind.is_file() => std::fs::read(&path).expect("read"),
                _ => Vec::new(),
            };
            let name = path.strip_prefix(top).expect("below").as_os_str().as_bytes().to_vec();
            let same = first.entry(meta.ino()).or_insert_with(|| name.clone()).clone();
            let text = format!(
                "{:o} {}:{} {}.{} {} {} {:?}",
                meta.mode(),
                meta.uid(),
                meta.gid(),
                meta.mtime(),
                meta.mtime_nsec(),
                cofferdam_image_spec::Digest::sha256(&content),
                same.escape_ascii(),
                (!meta.is_dir()).then(|| meta.nlink()),
            );
            if meta.is_dir() {
                todo.push(path);
            }
            found.insert(name, text);
        }
    }
    found
}

pub fn sample(top: &Path) {
    let at = |name: &str| top.join(name);
    let long = format!("long/{}/{}", "x".repeat(200), "y".repeat(250));
    mkdir(at(&long));
    mkdir(at("b"));
    write(at("b/file"), noise(2_500_000, 1));
    write(at(&long).join("f"), "in the depth");
    write(top.join(odd(b"b/\xff\xfe = \n")), "odd");
    std::fs::hard_link(at("b/file"), at("a")).expect("link");
    std::fs::hard_link(at(&long).join("f"), at("z")).expect("link");
    link_to("q".repeat(300), at("link"));
    mknod(&at("fifo"), FileType::Fifo, (0, 0));
    chmod(at("b/file"), 0o4751);
    set_time(&at("z"), -1_234_567, 123_456_789);
    set_time(&at("link"), 1_234_567, 1);
    if rustix::process::geteuid().is_root() {
        mknod(&at("null"), FileType::CharacterDevice, (1, 3));
        let uid = rustix::fs::Uid::from_raw(3_000_000_000);
        rustix::fs::chown(at("fifo"), Some(uid), None).expect("chown");
    }
    set_time(&at("b"), 77, 7);
    set_time(&at("long"), 1 << 34, 0);
}

#[test]
fn gnu_tar_extracts_what_was_there() {
    let (from, to, file) =
        (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    sample(from.path());
    let xattr = set_xattr(&from.path().join("a"), "user.x", b"1\0\n=");
    let (blob, created) = create(&CreateLayer::tree(), from.path()).unwrap();
    let archive = file.path().join("layer.tar.gz");
    write(&archive, blob);
    let tar = |args: &[&str]| {
        let mut command = Command::new("tar");
        command.args(args).arg("-f").arg(&archive).arg("-C").arg(to.path()).stdin(Stdio::null());
        command.output()
    };
    let listed = match tar(&["-tz", "--quoting-style=escape"]) {
        Ok(output) => output,
        Err(error) => skip!("tar is needed: {error}"),
    };
    assert!(listed.status.success(), "{}", String::from_utf8_lossy(&listed.stderr));
    let lines = listed.stdout.iter().filter(|&&byte| byte == b'\n').count();
    assert_eq!(lines as u64, created.entries);
    let done = tar(&["-xzp", "--same-owner", "--numeric-owner", "--xattrs", "--xattrs-include=*"]).unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    assert_eq!(inventory(to.path()), inventory(from.path()));
    if xattr {
        let mut value = [0; 16];
        let count = rustix::fs::lgetxattr(to.path().join("a"), "user.x", &mut value).unwrap();
        assert_eq!(&value[..count], b"1\0\n=");
    }
}
