//! Tables as kernels wrote them, and lookups in them.

use super::*;
use crate::Error;

/// Linux 5.10, Debian with systemd; 6.1 with Docker; 6.18 with overlay's `lowerdir+`, a source that is empty, a namespace.
const REAL: &[u8] = br#"21 26 0:19 / /sys rw,nosuid,nodev,noexec,relatime shared:7 - sysfs sysfs rw
22 26 0:20 / /proc rw,nosuid,nodev,noexec,relatime shared:12 - proc proc rw
26 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw,errors=remount-ro
28 21 0:24 / /sys/fs/cgroup ro,nosuid,nodev,noexec shared:8 - tmpfs tmpfs ro,size=4096k,nr_inodes=1024,mode=755
38 28 0:35 /../.. /sys/fs/cgroup/systemd rw,nosuid shared:9 master:3 propagate_from:2 - cgroup cgroup rw,xattr,name=systemd
98 26 0:44 / /mnt/a\040b\011c\012d\134e rw unbindable - tmpfs  rw
480 26 0:48 / /var/lib/docker/overlay2/x/merged rw,relatime - overlay overlay rw,lowerdir=/l/A:/l/B\134:C,upperdir=/u,workdir=/w
500 26 0:4 net:[4026532272] /run/netns/blue rw shared:5 - nsfs nsfs rw
501 26 0:50 / /merged ro,nosymfollow,idmapped later:1 - overlay none ro,lowerdir+=/a,lowerdir+=/b\054c,datadir+=/d
502 501 0:51 / /merged/x rw - fuse.sshfs user@host:/with\040space rw,user_id=0,odd option
"#;

fn table() -> MountTable {
    MountTable::parse(REAL).unwrap()
}

fn pairs(options: impl Iterator<Item = MountOption>) -> Vec<(String, Option<String>)> {
    let text = |text: std::ffi::OsString| text.into_string().expect("text");
    options.map(|option| (text(option.name), option.value.map(text))).collect()
}

#[test]
fn fields_are_decoded() {
    let table = table();
    let tmpfs = table.get(98).unwrap();
    assert_eq!(tmpfs.mount_point().to_str(), Some("/mnt/a b\tc\nd\\e"));
    assert_eq!((tmpfs.source().as_encoded_bytes(), tmpfs.parent()), (&b""[..], 26));
    assert_eq!(tmpfs.device(), Device { major: 0, minor: 44 });
    assert_eq!(tmpfs.optional_fields().collect::<Vec<_>>(), [OptionalField::Unbindable]);
    let cgroup = table.get(38).unwrap();
    assert_eq!(cgroup.root().to_str(), Some("/../.."));
    let fields = [OptionalField::Shared(9), OptionalField::Master(3), OptionalField::PropagateFrom(2)];
    assert_eq!(cgroup.optional_fields().collect::<Vec<_>>(), fields);
    assert_eq!(cgroup.super_option("name").unwrap(), "systemd");
    assert_eq!(table.get(500).unwrap().root().to_str(), Some("net:[4026532272]"));
    let docker = table.get(480).unwrap();
    assert_eq!(docker.super_option("lowerdir").unwrap(), r"/l/A:/l/B\:C");
    assert_eq!(docker.optional_fields().count(), 0);
    let fuse = table.get(502).unwrap();
    assert_eq!(
        (fuse.fs_type(), fuse.source()),
        (os("fuse.sshfs").into(), os("user@host:/with space").into())
    );
    assert!(fuse.super_options().any(|option| option.is("odd option")));
}

fn os(text: &str) -> &std::ffi::OsStr {
    text.as_ref()
}

#[test]
fn options_keep_their_order_and_repeat() {
    let table = table();
    let overlay = table.get(501).unwrap();
    let some = |text: &str| Some(text.to_owned());
    let expected = [
        ("ro".to_owned(), None),
        ("lowerdir+".to_owned(), some("/a")),
        ("lowerdir+".to_owned(), some("/b,c")),
        ("datadir+".to_owned(), some("/d")),
    ];
    assert_eq!(pairs(overlay.super_options()), expected);
    assert_eq!(pairs(overlay.options()).len(), 3);
    assert!(overlay.has_option("idmapped") && !overlay.has_option("idmap") && overlay.is_read_only());
    assert!(!table.get(502).unwrap().is_read_only());
    let other: Vec<_> = overlay.optional_fields().collect();
    assert_eq!(other, [OptionalField::Other("later:1".into())]);
}

#[test]
fn paths_need_not_be_text() {
    let line = b"1 1 0:1 /\xff /\xfe\\040 rw - t s rw,x=\xfd";
    let entry = MountEntry::parse(line).unwrap();
    assert_eq!(entry.root().as_os_str().as_encoded_bytes(), b"/\xff");
    assert_eq!(entry.mount_point().as_os_str().as_encoded_bytes(), b"/\xfe ");
    assert_eq!(entry.super_option("x").unwrap().as_encoded_bytes(), b"\xfd");
    assert_eq!(entry.as_bytes(), line);
}

#[test]
fn the_table_prints_as_it_was_read() {
    assert_eq!(table().to_bytes(), REAL);
    assert_eq!(table().len(), 10);
    assert!(MountTable::parse(b"").unwrap().is_empty());
}

#[test]
fn errors_name_the_line() {
    for (table, line, fault) in [
        (&b"x"[..], 1, "has no newline at its end"),
        (b"\n", 1, "has no mount id"),
        (b"1 1 0:1 / / rw - t s o\n+1 1 0:1 / / rw - t s o\n", 2, "has no mount id"),
        (b"1 1 0:1 / / rw - t s o\n1 1 0:1 / / rw - t s o", 2, "has no newline at its end"),
        (b"1  0:1 / / rw - t s o\n", 1, "has no id of a parent"),
        (b"1 1 01:1 / / rw - t s o\n", 1, "has no device number"),
        (b"1 1 1 / / rw - t s o\n", 1, "has no device number"),
        (b"1 1 1:1  / rw - t s o\n", 1, "has no root"),
        (b"1 1 1:1 /  rw - t s o\n", 1, "has no mount point"),
        (b"1 1 1:1 / /  - t s o\n", 1, "has no mount options"),
        (b"1 1 1:1 / / rw\n", 1, "has no separator"),
        (b"1 1 1:1 / / rw shared:1 t s o\n", 1, "has no separator"),
        (b"1 1 1:1 / / rw -\n", 1, "has no type of a file system"),
        (b"1 1 1:1 / / rw - t\n", 1, "has no source"),
        (b"1 1 1:1 / / rw - t s\n", 1, "has no options of the file system"),
        (b"1 1 1:1 / /\0 rw - t s o\n", 1, "has a newline or a zero byte"),
        (b"4294967296 1 1:1 / / rw - t s o\n", 1, "has no mount id"),
    ] {
        match MountTable::parse(table) {
            Err(Error::MountInfo { line: found, fault: why, .. }) => assert_eq!((found, why), (line, fault)),
            other => panic!("{}: {other:?}", table.escape_ascii()),
        }
    }
    let error = MountTable::parse(&[b"1 ".as_slice(), &[0xff; 300], b"\n"].concat()).unwrap_err();
    assert!(
        error.to_string().starts_with("line 1 of mountinfo has no id of a parent: \"1 \\\\xff"),
        "{error}"
    );
    assert_eq!(error.errno(), None);
}

fn id_at(table: &str, path: &str) -> Option<u32> {
    MountTable::parse(table.as_bytes()).expect("a table").at(path).map(MountEntry::id)
}

#[test]
fn the_topmost_mount_is_found() {
    // The last line was put beneath number 4: it is newer, and hidden.
    let table = "1 1 0:1 / / rw - t s o\n2 1 0:2 / /a rw - t s o\n3 2 0:3 / /a rw - t s o\n\
                 4 3 0:4 / /a/b rw - t s o\n5 2 0:5 / /a/c rw - t s o\n6 4 0:6 / /a/b/d rw - t s o\n";
    assert_eq!(id_at(table, "/"), Some(1));
    assert_eq!(id_at(table, "/a"), Some(3));
    assert_eq!(id_at(table, "/a/b"), Some(4));
    assert_eq!(id_at(table, "/a/b/d"), Some(6));
    assert_eq!(id_at(table, "/a/c"), None, "it is on a mount that another covers");
    assert_eq!(id_at(table, "/ab"), None);
    let table = MountTable::parse(table.as_bytes()).unwrap();
    assert_eq!(table.containing("/a/c/x").map(MountEntry::id), Some(3));
    assert_eq!(table.containing("/a/b/x").map(MountEntry::id), Some(4));
    assert_eq!(table.containing("/b").map(MountEntry::id), Some(1));
    assert_eq!(table.children(2).map(MountEntry::id).collect::<Vec<_>>(), [3, 5]);
    assert_eq!(table.children(1).map(MountEntry::id).collect::<Vec<_>>(), [2]);
    assert_eq!(table.roots().map(MountEntry::id).collect::<Vec<_>>(), [1]);
}

#[test]
fn a_mount_beside_another_hides_what_is_below() {
    // 3 was mounted on /a/b before 2 on /a.
    let table = "1 9 0:1 / / rw - t s o\n3 1 0:3 / /a/b rw - t s o\n2 1 0:2 / /a rw - t s o\n";
    assert_eq!(id_at(table, "/a/b"), None);
    assert_eq!(id_at(table, "/a"), Some(2));
}

#[test]
fn a_root_that_is_no_mount_has_roots_below() {
    let table = "7 5 0:1 / /proc rw - t s o\n8 5 0:2 / /dev rw - t s o\n9 8 0:3 / /dev/shm rw - t s o\n";
    assert_eq!(id_at(table, "/dev/shm"), Some(9));
    assert_eq!(id_at(table, "/"), None);
    assert_eq!(MountTable::parse(table.as_bytes()).unwrap().roots().count(), 2);
}

#[test]
fn a_table_that_is_no_tree_is_looked_at_in_bounded_time() {
    let table =
        "1 2 0:1 / / rw - t s o\n2 1 0:2 / / rw - t s o\n3 9 0:2 / / rw - t s o\n1 3 0:2 / / rw - t s o\n";
    assert!(MountTable::parse(table.as_bytes()).unwrap().containing("/x").is_some());
}
