//! Whether two entries have the same mode, owner, time and extended attributes.

use super::compare::Place;
use crate::Result;
use crate::whiteout::{XattrNamespace, get, names};
use rustix::fs::Stat;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;

pub(super) fn same_metadata(upper: &Place<'_>, lower: &Place<'_>, xattrs: XattrNamespace) -> Result<bool> {
    let of = |stat: &Stat| {
        // The types differ between architectures.
        let time = (i128::from(stat.st_mtime), i128::from(stat.st_mtime_nsec));
        (stat.st_mode, stat.st_uid, stat.st_gid, time)
    };
    Ok(of(upper.stat) == of(lower.stat) && same_attributes(upper, lower, xattrs)?)
}

/// Extended attributes but those that are overlayfs's own.
fn same_attributes(upper: &Place<'_>, lower: &Place<'_>, xattrs: XattrNamespace) -> Result<bool> {
    let listed = |place: &Place<'_>| -> Result<Vec<OsString>> {
        let mut names = names(place.dir, place.name)?;
        names.retain(|name| !is_own(name.as_bytes(), xattrs));
        names.sort();
        Ok(names)
    };
    let names = listed(upper)?;
    if names != listed(lower)? {
        return Ok(false);
    }
    for name in names {
        if get(upper.dir, upper.name, &name)? != get(lower.dir, lower.name, &name)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether overlayfs hides this one. What a user of the mount sets by such a name, it keeps as `overlay.overlay.*` since Linux 6.7.
fn is_own(name: &[u8], xattrs: XattrNamespace) -> bool {
    let rest = name.strip_prefix(xattrs.prefix().as_bytes());
    rest.is_some_and(|rest| !rest.starts_with(b"overlay."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_overlayfs_hides_is_left_out() {
        for (name, trusted, user) in [
            ("trusted.overlay.origin", true, false),
            ("user.overlay.origin", false, true),
            ("trusted.overlay.overlay.opaque", false, false),
            ("user.overlay.overlay.opaque", false, false),
            ("trusted.overlays", false, false),
            ("security.capability", false, false),
        ] {
            assert_eq!(is_own(name.as_bytes(), XattrNamespace::Trusted), trusted, "{name}");
            assert_eq!(is_own(name.as_bytes(), XattrNamespace::User), user, "{name}");
        }
    }
}
