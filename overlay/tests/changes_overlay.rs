//! Changes that were made through a real overlay.

mod common;
mod union;

use cofferdam_overlay::{Change, Support, XattrNamespace};
use std::fs::{self, File, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use union::Union;

/// In two lower layers.
fn fill(union: &Union) {
    let write = |path: &str, text: &str| {
        let path = union.path(path);
        fs::create_dir_all(path.parent().expect("a directory")).expect("directories");
        fs::write(path, text).expect("a file");
    };
    for path in
        ["1/rm", "1/mode", "1/write", "1/touch", "1/untouched", "1/rename", "1/d/f", "1/d/g", "1/d/e/f"]
    {
        write(path, "below");
    }
    for path in
        ["0/rmdir/f", "1/rmdir/g", "1/again/f", "0/to-dir", "1/to-file/f", "0/d/h", "1/d/h", "0/copied/f"]
    {
        write(path, path);
    }
    symlink("target", union.path("0/link")).expect("a link");
}

fn change(merged: &Path) -> std::io::Result<()> {
    let at = |path: &str| merged.join(path);
    fs::remove_file(at("rm"))?;
    fs::set_permissions(at("mode"), Permissions::from_mode(0o600))?;
    fs::write(at("write"), "above")?;
    fs::write(at("new"), "")?;
    File::options().write(true).open(at("touch"))?.set_modified(std::time::UNIX_EPOCH)?;
    // Copied up for nothing.
    drop(File::options().append(true).open(at("untouched"))?);
    drop(File::options().append(true).open(at("copied/f"))?);
    fs::rename(at("rename"), at("renamed"))?;
    fs::remove_file(at("d/f"))?;
    fs::remove_file(at("d/h"))?;
    fs::create_dir(at("d/new"))?;
    fs::remove_dir_all(at("rmdir"))?;
    fs::remove_dir_all(at("again"))?;
    fs::create_dir(at("again"))?;
    fs::write(at("again/f"), "other")?;
    fs::remove_file(at("to-dir"))?;
    fs::create_dir(at("to-dir"))?;
    fs::remove_dir_all(at("to-file"))?;
    fs::write(at("to-file"), "")?;
    fs::remove_file(at("link"))?;
    symlink("other", at("link"))?;
    fs::write(at("vanished"), "")?;
    fs::remove_file(at("vanished"))
}

fn shown(change: &Change) -> String {
    format!("{} {}: {}", change.kind, change.entry, change.path.display())
}

const EXPECTED: [&str; 17] = [
    "modified directory: again",
    "added file: again/f",
    "metadata only directory: d",
    "deleted file: d/f",
    "deleted file: d/h",
    "added directory: d/new",
    "modified symbolic link: link",
    "metadata only file: mode",
    "added file: new",
    "deleted file: rename",
    "added file: renamed",
    "deleted file: rm",
    "deleted directory: rmdir",
    "modified directory: to-dir",
    "modified file: to-file",
    "metadata only file: touch",
    "modified file: write",
];

/// Makes the changes with these options, and compares.
fn check(more: &'static str) {
    let union = Union::new(2);
    fill(&union);
    let mountable = union.mountable();
    let mounted = common::in_private_mounts(move || mountable.mount(more).map(change));
    match mounted {
        Ok(changed) => changed.expect("changes"),
        // Before 6.15 copies of metadata cannot be had without following redirections.
        Err(nix::Error::EINVAL) if Support::probe().kernel() < (6, 15) => {
            skip_on_this_kernel!("\"{more}\" contradicts itself");
        }
        Err(error) => skip!("an overlay with \"{more}\" cannot be mounted here: {error}"),
    }
    let changes = union.changes();
    let changes: Vec<_> = changes.iter().map(|found| shown(found.as_ref().expect("no error"))).collect();
    assert_eq!(changes, EXPECTED, "{more}");
}

#[test]
fn what_was_done_is_found() {
    require_root_of_a_namespace!();
    // With user attributes it cannot be switched on, nor named.
    check(if union::xattrs() == XattrNamespace::User { "" } else { ",redirect_dir=off" });
}

#[test]
fn copies_of_metadata_only_have_the_content_below() {
    require_root_of_a_namespace!();
    if union::xattrs() == XattrNamespace::User {
        eprintln!("skipped: metacopy needs trusted attributes");
        return;
    }
    check(",redirect_dir=on,metacopy=on");
}

#[test]
fn a_directory_renamed_with_a_redirect_is_an_error() {
    require_root_of_a_namespace!();
    if union::xattrs() == XattrNamespace::User {
        eprintln!("skipped: redirect_dir needs trusted attributes");
        return;
    }
    let union = Union::new(2);
    fill(&union);
    let mountable = union.mountable();
    common::in_private_mounts(move || {
        let merged = mountable.mount(",redirect_dir=on").expect("an overlay");
        fs::rename(merged.join("d"), merged.join("e")).expect("a rename");
    });
    let changes = union.changes();
    let texts: Vec<_> =
        changes.iter().map(|found| found.as_ref().map_or_else(ToString::to_string, shown)).collect();
    assert_eq!(texts[0], "deleted directory: d");
    assert!(texts[1].starts_with("directory \"e\" was renamed with redirect_dir"), "{texts:?}");
    assert_eq!(texts.len(), 2);
}
