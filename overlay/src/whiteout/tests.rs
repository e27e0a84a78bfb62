//! Marks on directories of a temporary directory, with attributes that every user may write.

use super::*;
use std::fs::File;
use std::os::unix::fs::symlink;
use tempfile::TempDir;

fn scratch() -> (TempDir, File) {
    let directory = tempfile::tempdir().expect("temporary directory");
    let file = File::open(directory.path()).expect("open it");
    (directory, file)
}

/// None, with the reason printed, where files have no such attributes: those of tmpfs have them since Linux 6.6.
fn with_attributes() -> Option<(TempDir, File)> {
    let (directory, file) = scratch();
    match xattr::set(file.as_fd(), OsStr::new("."), "user.test", b"1") {
        Ok(()) => Some((directory, file)),
        Err(error) => {
            assert_eq!(error.errno().and_then(|errno| errno.name()), Some("EOPNOTSUPP"), "{error}");
            eprintln!("skipped: no extended attributes here: {error}");
            None
        }
    }
}

const USER: XattrNamespace = XattrNamespace::User;

#[test]
fn a_device_is_a_whiteout() {
    let (directory, fd) = scratch();
    make_whiteout(&fd, "gone").unwrap();
    assert_eq!(whiteout_form(&fd, "gone", USER).unwrap(), Some(WhiteoutForm::Device));
    assert_eq!(make_whiteout(&fd, "gone").unwrap_err().to_string(), "mknodat gone: EEXIST (File exists)");
    std::fs::write(directory.path().join("file"), "").unwrap();
    symlink("gone", directory.path().join("link")).unwrap();
    for other in ["file", "link"] {
        assert_eq!(whiteout_form(&fd, other, USER).unwrap(), None, "{other}");
    }
    let missing = whiteout_form(&fd, "missing", USER).unwrap_err();
    assert_eq!(missing.errno().unwrap().name(), Some("ENOENT"));
}

#[test]
fn a_file_is_a_whiteout_where_the_directory_says_so() {
    let Some((directory, fd)) = with_attributes() else { return };
    let path = directory.path();
    make_xattr_whiteout(&fd, "gone", USER).unwrap();
    make_xattr_whiteout(&fd, "more", USER).unwrap();
    assert_eq!(opacity(&fd, ".", USER).unwrap(), Opacity::HoldsWhiteouts);
    assert_eq!(whiteout_form(&fd, "gone", USER).unwrap(), Some(WhiteoutForm::Xattr));
    std::fs::write(path.join("empty"), "").unwrap();
    assert_eq!(whiteout_form(&fd, "empty", USER).unwrap(), None);

    std::fs::create_dir(path.join("plain")).unwrap();
    std::fs::rename(path.join("gone"), path.join("plain/gone")).unwrap();
    let plain = File::open(path.join("plain")).unwrap();
    assert_eq!(whiteout_form(&plain, "gone", USER).unwrap(), None, "the directory has no mark");

    make_opaque(&fd, "plain", USER).unwrap();
    let refused = make_xattr_whiteout(&plain, "x", USER).unwrap_err();
    assert!(refused.to_string().starts_with("whiteout \"x\" is for a directory that is opaque"), "{refused}");
    assert!(!path.join("plain/x").exists());
}

#[test]
fn directories_are_made_opaque() {
    let Some((directory, fd)) = with_attributes() else { return };
    std::fs::create_dir(directory.path().join("d")).unwrap();
    assert_eq!(opacity(&fd, "d", USER).unwrap(), Opacity::Transparent);
    make_opaque(&fd, "d", USER).unwrap();
    make_opaque(&fd, "d", USER).unwrap();
    assert_eq!(opacity(&fd, "d", USER).unwrap(), Opacity::Opaque);
    assert_eq!(opacity(&fd, ".", USER).unwrap(), Opacity::Transparent);
    let path = rustix::fs::openat(&fd, "d", OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).unwrap();
    assert_eq!(opacity(&path, ".", USER).unwrap(), Opacity::Opaque, "by a descriptor of O_PATH");
}

#[test]
fn links_are_not_followed() {
    let Some((directory, fd)) = with_attributes() else { return };
    std::fs::create_dir(directory.path().join("d")).unwrap();
    make_opaque(&fd, "d", USER).unwrap();
    symlink("d", directory.path().join("link")).unwrap();
    assert_eq!(opacity(&fd, "link", USER).unwrap(), Opacity::Transparent);
    std::fs::write(directory.path().join("file"), "").unwrap();
    for other in ["link", "file"] {
        assert_eq!(
            make_opaque(&fd, other, USER).unwrap_err().errno().unwrap().name(),
            Some("ENOTDIR"),
            "{other}"
        );
    }
}

#[test]
fn only_names_of_entries_are_taken() {
    let (_directory, fd) = scratch();
    for name in ["", ".", "..", "a/b", "/", "a\0b"] {
        assert!(matches!(make_whiteout(&fd, name), Err(Error::Invalid { .. })), "{name:?}");
        assert!(matches!(make_xattr_whiteout(&fd, name, USER), Err(Error::Invalid { .. })), "{name:?}");
        assert!(matches!(whiteout_form(&fd, name, USER), Err(Error::Invalid { .. })), "{name:?}");
        if name != "." {
            assert!(matches!(make_opaque(&fd, name, USER), Err(Error::Invalid { .. })), "{name:?}");
            assert!(matches!(opacity(&fd, name, USER), Err(Error::Invalid { .. })), "{name:?}");
        }
    }
}

#[test]
fn trusted_marks_are_roots() {
    let (directory, fd) = scratch();
    std::fs::create_dir(directory.path().join("d")).unwrap();
    match make_opaque(&fd, "d", XattrNamespace::Trusted) {
        Ok(()) => assert_eq!(opacity(&fd, "d", XattrNamespace::Trusted).unwrap(), Opacity::Opaque),
        Err(error) => {
            assert!(!rustix::process::geteuid().is_root(), "{error}");
            assert_eq!(error.errno().unwrap().name(), Some("EPERM"));
        }
    }
    assert_eq!(opacity(&fd, "d", USER).unwrap(), Opacity::Transparent);
}
