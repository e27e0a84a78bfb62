//! What the lower directories show for a name.

use super::layer::Layer;
use super::trail::Trail;
use crate::whiteout::{
    Opacity, XattrNamespace, get, has_whiteout_mark, is_whiteout_device, may_be_whiteout, opacity, stat,
};
use crate::{Error, Result};
use rustix::fs::{FileType, Stat};
use std::ffi::OsStr;
use std::os::fd::BorrowedFd;

/// A directory of a lower layer that is merged here.
#[derive(Clone, Copy)]
pub(super) struct LowerDir {
    /// Which layer.
    pub(super) layer: usize,
    /// Whether empty files with an attribute may be whiteouts in it.
    pub(super) holds_whiteouts: bool,
}

/// What is below a name.
pub(super) enum Below {
    Nothing,
    /// Anything but a directory. `at`: in which of the merged directories.
    File {
        at: usize,
        stat: Stat,
    },
    /// Directories that are merged, topmost first.
    Directories {
        merged: Vec<LowerDir>,
        top: Stat,
    },
}

impl Below {
    pub(super) fn stat(&self) -> Option<&Stat> {
        match self {
            Self::Nothing => None,
            Self::File { stat, .. } | Self::Directories { top: stat, .. } => Some(stat),
        }
    }
}

/// Lower layers, topmost first.
pub(super) struct Lowers<'a> {
    pub(super) layers: Vec<Layer<'a>>,
    pub(super) xattrs: XattrNamespace,
}

impl Lowers<'_> {
    /// The directory that one of the merged is.
    pub(super) fn directory(&mut self, lower: LowerDir, path: &Trail) -> Result<BorrowedFd<'_>> {
        self.layers[lower.layer].directory(path)
    }

    /// Looks a name up in the directories that are merged at a path.
    pub(super) fn find(&mut self, merged: &[LowerDir], path: &Trail, name: &OsStr) -> Result<Below> {
        let xattrs = self.xattrs;
        let (mut found, mut top) = (Vec::new(), None);
        for (at, lower) in merged.iter().enumerate() {
            let dir = self.directory(*lower, path)?;
            let Some(stat) = visible(dir, name, lower.holds_whiteouts, xattrs)? else { continue };
            let Entry::Is(stat) = stat else { break };
            if FileType::from_raw_mode(stat.st_mode) != FileType::Directory {
                if top.is_none() {
                    return Ok(Below::File { at, stat });
                }
                break;
            }
            top.get_or_insert(stat);
            let opacity = opacity(dir, name, xattrs)?;
            let holds_whiteouts = opacity == Opacity::HoldsWhiteouts;
            found.push(LowerDir { layer: lower.layer, holds_whiteouts });
            if opacity == Opacity::Opaque || at + 1 == merged.len() {
                break;
            }
            refuse_redirect(dir, name, xattrs)?;
        }
        Ok(top.map_or(Below::Nothing, |top| Below::Directories { merged: found, top }))
    }

    /// Which of the merged directories has the data of a file that was found in one of them. None if overlayfs keeps it under another
    /// name, or nowhere.
    pub(super) fn data(
        &mut self,
        merged: &[LowerDir],
        found: usize,
        path: &Trail,
        name: &OsStr,
    ) -> Result<Option<usize>> {
        let xattrs = self.xattrs;
        for (at, lower) in merged.iter().enumerate().skip(found) {
            let dir = self.directory(*lower, path)?;
            let Some(entry) = visible(dir, name, lower.holds_whiteouts, xattrs)? else { continue };
            let Entry::Is(stat) = entry else { return Ok(None) };
            if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
                return Ok(None);
            }
            if !is_metacopy(dir, name, xattrs)? {
                return Ok(Some(at));
            }
            if is_redirected(dir, name, xattrs)? {
                return Ok(None);
            }
        }
        Ok(None)
    }
}

/// What a name is in one directory.
enum Entry {
    Whiteout,
    Is(Stat),
}

/// None: there is nothing of this name.
fn visible(
    dir: BorrowedFd<'_>,
    name: &OsStr,
    holds_whiteouts: bool,
    xattrs: XattrNamespace,
) -> Result<Option<Entry>> {
    let found = match stat(dir, name) {
        Ok(found) => found,
        Err(error) => {
            // File systems differ in how long names may be.
            let absent = [libc::ENOENT, libc::ENAMETOOLONG].map(crate::Errno::from_raw);
            return if error.errno().is_some_and(|errno| absent.contains(&errno)) {
                Ok(None)
            } else {
                Err(error)
            };
        }
    };
    let whiteout = is_whiteout(dir, name, &found, holds_whiteouts, xattrs)?;
    Ok(Some(if whiteout { Entry::Whiteout } else { Entry::Is(found) }))
}

pub(super) fn is_whiteout(
    dir: BorrowedFd<'_>,
    name: &OsStr,
    found: &Stat,
    holds_whiteouts: bool,
    xattrs: XattrNamespace,
) -> Result<bool> {
    let may_be = holds_whiteouts && may_be_whiteout(found);
    Ok(is_whiteout_device(found) || (may_be && has_whiteout_mark(dir, name, xattrs)?))
}

/// Whether this file has only metadata of its own: the data is below.
pub(super) fn is_metacopy(dir: BorrowedFd<'_>, name: &OsStr, xattrs: XattrNamespace) -> Result<bool> {
    Ok(get(dir, name, xattrs.name("metacopy"))?.is_some())
}

/// Whether what is below has another name.
pub(super) fn is_redirected(dir: BorrowedFd<'_>, name: &OsStr, xattrs: XattrNamespace) -> Result<bool> {
    Ok(get(dir, name, xattrs.name("redirect"))?.is_some())
}

/// A directory that overlayfs renamed shows what is below another name.
pub(super) fn refuse_redirect(dir: BorrowedFd<'_>, name: &OsStr, xattrs: XattrNamespace) -> Result<()> {
    if !is_redirected(dir, name, xattrs)? {
        return Ok(());
    }
    let reason =
        "was renamed with redirect_dir: what it shows of the layers below has another name".to_owned();
    Err(Error::Invalid { what: "directory", value: name.to_string_lossy().into_owned(), reason })
}
