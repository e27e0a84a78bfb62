//! What can be known to be wrong before anything is opened.

use std::path::{Component, Path, PathBuf};

use super::{Layer, MAX_LOWERS, RedirectDir, Stack, Uuid};
use crate::{Error, Result};

impl Stack {
    /// Whether the stack makes sense. Looks at no file: directories are compared by their paths as they are written,
    /// again by what they are when the stack is mounted.
    ///
    /// # Errors
    /// [`Error::Invalid`] with the layer or the option; [`Error::TooManyLayers`] for more than 500.
    pub fn validate(&self) -> Result<()> {
        self.validate_layers()?;
        self.validate_options()
    }

    fn validate_layers(&self) -> Result<()> {
        if self.lowers.is_empty() {
            return Err(invalid("stack", "without a lower directory".to_owned(), "has nothing to show"));
        }
        if self.lowers.len() > MAX_LOWERS {
            return Err(Error::TooManyLayers {
                layers: self.lowers.len(),
                fit: MAX_LOWERS,
                place: "one union mount",
            });
        }
        let lowers: Vec<Named<'_>> =
            self.lowers.iter().map(|layer| named("lower directory", layer)).collect();
        let own = self
            .upper
            .iter()
            .flat_map(|upper| [named("upper directory", &upper.upper), named("work directory", &upper.work)]);
        let own: Vec<Named<'_>> = own.collect();
        for layer in lowers.iter().chain(&own) {
            if layer.layer.as_path().is_some_and(|path| path.as_os_str().is_empty()) {
                return Err(invalid(layer.role, String::new(), "is an empty path"));
            }
        }
        self.validate_descriptors()?;
        no_overlap(&lowers)?;
        let [upper, work] = own.as_slice() else { return Ok(()) };
        for (inner, outer) in [(upper, work), (work, upper)] {
            check(inner, outer)?;
        }
        for lower in &lowers {
            check(lower, upper)?;
            check(lower, work)?;
            for directory in [upper, work] {
                if lower.path.is_some() && lower.path == directory.path {
                    return Err(twice(lower.layer));
                }
            }
        }
        Ok(())
    }

    fn validate_descriptors(&self) -> Result<()> {
        let own = self.upper.iter().flat_map(|upper| [&upper.upper, &upper.work]);
        let mut descriptors: Vec<&Layer> =
            self.lowers.iter().chain(own).filter(|layer| layer.descriptor().is_some()).collect();
        descriptors.sort_by_key(|layer| layer.to_string());
        match descriptors.windows(2).find(|pair| pair[0] == pair[1]) {
            Some(pair) => Err(twice(pair[0])),
            None => Ok(()),
        }
    }

    fn validate_options(&self) -> Result<()> {
        let redirect = self.redirect_dir.map(|word| word.to_string()).unwrap_or_default();
        let writable = self.upper.is_some();
        if self.metacopy == Some(true) {
            let fits = match self.redirect_dir {
                None | Some(RedirectDir::On) => true,
                Some(RedirectDir::Follow | RedirectDir::Off) => !writable,
                Some(RedirectDir::NoFollow) => false,
            };
            if !fits {
                return Err(invalid(
                    "redirect_dir",
                    redirect,
                    "contradicts metacopy, which needs redirections",
                ));
            }
        }
        if self.userxattr && self.metacopy == Some(true) {
            return Err(invalid("metacopy", "on".to_owned(), "cannot be had with userxattr"));
        }
        if self.userxattr && self.redirect_dir.is_some_and(|word| word != RedirectDir::NoFollow) {
            return Err(invalid("redirect_dir", redirect, "cannot be had with userxattr"));
        }
        if !writable {
            let useless = [
                (self.volatile, "volatile"),
                (self.index == Some(true), "index=on"),
                (self.uuid == Some(Uuid::On), "uuid=on"),
            ];
            if let Some((_, option)) = useless.into_iter().find(|(set, _)| *set) {
                return Err(invalid("option", option.to_owned(), "needs an upper directory"));
            }
        }
        Ok(())
    }
}

/// A layer, what it is, and its path without needless parts.
struct Named<'a> {
    role: &'static str,
    layer: &'a Layer,
    path: Option<PathBuf>,
}

fn named<'a>(role: &'static str, layer: &'a Layer) -> Named<'a> {
    Named { role, layer, path: layer.as_path().and_then(plain) }
}

/// A path that can be compared as it is written: without `.` and doubled slashes, and `None` with a `..`, which may
/// lead anywhere.
fn plain(path: &Path) -> Option<PathBuf> {
    let parts = path.components().filter(|part| !matches!(part, Component::CurDir));
    let plain: PathBuf = parts.collect();
    (!plain.components().any(|part| part == Component::ParentDir)).then_some(plain)
}

/// Of lower directories in the order of their paths, one within another comes right after one that holds it.
fn no_overlap(lowers: &[Named<'_>]) -> Result<()> {
    let mut sorted: Vec<&Named<'_>> = lowers.iter().filter(|lower| lower.path.is_some()).collect();
    sorted.sort_by(|a, b| a.path.cmp(&b.path));
    for pair in sorted.windows(2) {
        let [outer, inner] = [pair[0], pair[1]];
        if outer.path == inner.path {
            return Err(twice(inner.layer));
        }
        check(inner, outer)?;
    }
    Ok(())
}

fn check(inner: &Named<'_>, outer: &Named<'_>) -> Result<()> {
    match (&inner.path, &outer.path) {
        (Some(a), Some(b)) if a == b => Err(twice(inner.layer)),
        (Some(a), Some(b)) if a.starts_with(b) && a.is_absolute() == b.is_absolute() => Err(invalid(
            inner.role,
            inner.layer.to_string(),
            &format!("lies within the {} {}", outer.role, outer.layer),
        )),
        _ => Ok(()),
    }
}

pub(super) fn twice(layer: &Layer) -> Error {
    invalid("layer", layer.to_string(), "is used twice")
}

pub(super) fn invalid(what: &'static str, value: String, reason: &str) -> Error {
    Error::Invalid { what, value, reason: reason.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::os::fd::OwnedFd;
    use std::sync::Arc;

    fn reason(stack: Stack) -> String {
        stack.validate().map_or_else(|error| error.to_string(), |()| String::new())
    }

    fn two() -> Stack {
        Stack::new().lower("/a").lower("/b")
    }

    #[test]
    fn layers() {
        assert_eq!(reason(two()), "");
        assert_eq!(reason(Stack::new().lower("/a")), "");
        assert_eq!(reason(two().upper("/u", "/w")), "");
        assert_eq!(reason(Stack::new().lower("/").upper("/tmp/u", "/tmp/w")), "");
        assert!(reason(Stack::new()).contains("nothing to show"));
        assert!(reason(Stack::new().upper("/u", "/w")).contains("nothing to show"));
        assert!(reason(two().lower("")).contains("is an empty path"));
        assert_eq!(reason(two().lower("/./a//")), "layer \"/./a//\" is used twice");
        assert_eq!(
            reason(two().lower("/b/c")),
            "lower directory \"/b/c\" lies within the lower directory /b"
        );
        assert_eq!(reason(two().lower("/bc").lower("/ab")), "");
        assert_eq!(
            reason(two().upper("/u", "/u/w")),
            "work directory \"/u/w\" lies within the upper directory /u"
        );
        assert_eq!(
            reason(two().upper("/w/u", "/w")),
            "upper directory \"/w/u\" lies within the work directory /w"
        );
        assert_eq!(reason(two().upper("/u", "/u")), "layer \"/u\" is used twice");
        assert_eq!(reason(two().upper("/a", "/w")), "layer \"/a\" is used twice");
        assert_eq!(
            reason(two().lower("/u/x").upper("/u", "/w")),
            "lower directory \"/u/x\" lies within the upper directory /u"
        );
        assert_eq!(reason(two().lower("/c/../a")), "", "only known when it is looked at");
    }

    #[test]
    fn at_most_500() {
        let layers = |n: usize| Stack::new().lowers((0..n).map(|i| format!("/layers/{i}")));
        assert_eq!(reason(layers(500)), "");
        assert_eq!(reason(layers(501)), "501 layers are too many: 500 fit one union mount");
    }

    #[test]
    fn descriptors() {
        let open = || OwnedFd::from(File::open("/").unwrap());
        let shared = Arc::new(open());
        assert_eq!(reason(two().lower(open()).lower(open())), "");
        assert!(reason(two().lower(Arc::clone(&shared)).lower(shared)).contains("is used twice"));
    }

    #[test]
    fn options() {
        use RedirectDir::{Follow, NoFollow, Off, On};
        for (redirect, with_upper, without) in
            [(On, true, true), (Follow, false, true), (Off, false, true), (NoFollow, false, false)]
        {
            let stack = two().metacopy(true).redirect_dir(redirect);
            assert_eq!(stack.validate().is_ok(), without, "{redirect}");
            assert_eq!(stack.upper("/u", "/w").validate().is_ok(), with_upper, "{redirect}");
            assert_eq!(two().userxattr().redirect_dir(redirect).validate().is_ok(), redirect == NoFollow);
        }
        assert!(reason(two().userxattr().metacopy(true)).contains("cannot be had with userxattr"));
        assert_eq!(reason(two().userxattr().metacopy(false)), "");
        for stack in [two().volatile(), two().index(true), two().uuid(Uuid::On)] {
            assert!(reason(stack.clone()).ends_with("needs an upper directory"));
            assert_eq!(reason(stack.upper("/u", "/w")), "");
        }
    }
}
