//! What a stack is for the kernel: the parameters of a file system context, as plain values.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use super::validate::invalid;
use super::{Layer, Stack};
use crate::{Error, Result};

/// What `FSCONFIG_SET_STRING` takes.
const LONGEST: usize = 255;

/// In which form the kernel is told the layers. Which ones a kernel has says [`Support`](super::Support).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Method {
    /// All in one string, `lowerdir=A:B:C`: any kernel. The string is a parameter of 255 bytes at most, which is
    /// room for about ten layers; with [`Stack::mount_at`], which can use `mount(2)` instead, it is a page, and
    /// about a hundred and sixty.
    OptionString,
    /// One string each, `lowerdir+=A` (Linux 6.8).
    Append,
    /// One descriptor each, `lowerdir+` (Linux 6.13).
    Descriptors,
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OptionString => "layers in one string",
            Self::Append => "layers one by one",
            Self::Descriptors => "layers by descriptor",
        })
    }
}

/// A parameter for a file system context of type `overlay`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Parameter {
    /// The kernel's word: `lowerdir+`, `userxattr`, ...
    pub key: &'static str,
    /// What it is given.
    pub value: Value,
}

/// The value of a [`Parameter`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Value {
    /// None: `FSCONFIG_SET_FLAG`.
    Flag,
    /// This text: `FSCONFIG_SET_STRING`.
    Text(OsString),
    /// The directory's descriptor, opened if need be: `FSCONFIG_SET_FD`.
    Descriptor(Layer),
    /// As text the paths in procfs (`/proc/thread-self/fd/5`) of the directories' descriptors, opened if need be,
    /// with colons between them. They need no escapes, whatever the directories are called, and are short.
    Descriptors(Vec<Layer>),
}

impl Stack {
    /// The parameters that [`mount`](Self::mount) gives to the kernel, in their order.
    ///
    /// # Errors
    /// Those of [`validate`](Self::validate). [`Error::Invalid`] for a stack that is no union, see
    /// [`sole`](Self::sole).
    pub fn parameters(&self, method: Method) -> Result<Vec<Parameter>> {
        let mut parameters = self.options()?;
        let mut add = |key, value| parameters.push(Parameter { key, value });
        let one = |layer: &Layer| match method {
            Method::Descriptors => Value::Descriptor(layer.clone()),
            Method::Append | Method::OptionString => Value::Descriptors(vec![layer.clone()]),
        };
        match method {
            Method::OptionString => add("lowerdir", Value::Descriptors(self.lowers.clone())),
            Method::Append | Method::Descriptors => {
                self.lowers.iter().for_each(|layer| add("lowerdir+", one(layer)));
            }
        }
        if let Some(upper) = &self.upper {
            add("upperdir", one(&upper.upper));
            add("workdir", one(&upper.work));
        }
        Ok(parameters)
    }

    /// The parameters with the layers' paths in them, for a process that sees the directories by the same paths and
    /// has no descriptors of them. All values are text or none. Names may hold any character; what the kernel
    /// would misread is escaped.
    ///
    /// # Errors
    /// As [`parameters`](Self::parameters); [`Error::Invalid`] for a layer that is a descriptor or a relative path,
    /// for one that is longer than 255 bytes (with its escapes), and with [`Method::OptionString`] for a comma,
    /// which kernels before 6.5 cannot be told. [`Error::TooManyLayers`] if the one string gets too long.
    pub fn parameters_by_path(&self, method: Method) -> Result<Vec<Parameter>> {
        let mut parameters = self.options()?;
        let mut add = |key, text| parameters.push(Parameter { key, value: Value::Text(text) });
        if method == Method::OptionString {
            add("lowerdir", self.joined_paths()?);
        } else {
            for layer in &self.lowers {
                add("lowerdir+", fits(layer, absolute(layer)?.to_owned())?);
            }
        }
        if let Some(upper) = &self.upper {
            for (key, layer) in [("upperdir", &upper.upper), ("workdir", &upper.work)] {
                let path = absolute(layer)?;
                if method == Method::OptionString {
                    no_comma(layer, path)?;
                }
                add(key, fits(layer, escape(path, b"\\"))?);
            }
        }
        Ok(parameters)
    }

    /// `lowerdir=`, with its escapes.
    fn joined_paths(&self) -> Result<OsString> {
        let mut text = Vec::new();
        for (index, layer) in self.lowers.iter().enumerate() {
            let path = absolute(layer)?;
            no_comma(layer, path)?;
            if index > 0 {
                text.push(b':');
            }
            text.extend_from_slice(fits(layer, escape(path, b"\\:"))?.as_bytes());
            if text.len() > LONGEST {
                return Err(too_long(self.lowers.len(), index));
            }
        }
        Ok(OsString::from_vec(text))
    }

    /// All but the layers.
    fn options(&self) -> Result<Vec<Parameter>> {
        self.validate()?;
        if let Some(layer) = self.sole() {
            return Err(invalid(
                "single lower directory",
                layer.to_string(),
                "is no union: it is cloned read-only",
            ));
        }
        let switch = |on: Option<bool>| on.map(|on| if on { "on" } else { "off" });
        let words = [
            ("index", switch(self.index)),
            ("metacopy", switch(self.metacopy)),
            ("redirect_dir", self.redirect_dir.map(super::RedirectDir::word)),
            ("xino", self.xino.map(super::Xino::word)),
            ("uuid", self.uuid.map(super::Uuid::word)),
        ];
        let flags = [("volatile", self.volatile), ("userxattr", self.userxattr)];
        let mut parameters =
            vec![Parameter { key: "source", value: Value::Text(self.source_name().to_owned()) }];
        parameters.extend(
            words.into_iter().filter_map(|(key, word)| {
                word.map(|word| Parameter { key, value: Value::Text(word.into()) })
            }),
        );
        let flags = flags.into_iter().filter(|(_, set)| *set);
        parameters.extend(flags.map(|(key, _)| Parameter { key, value: Value::Flag }));
        Ok(parameters)
    }

    pub(super) fn source_name(&self) -> &OsStr {
        self.source.as_deref().unwrap_or(OsStr::new("overlay"))
    }
}

/// The error for a single string of layers that gets too long.
pub(super) fn too_long(layers: usize, fit: usize) -> Error {
    Error::TooManyLayers { layers, fit, place: "an option of 255 bytes, before Linux 6.8" }
}

fn absolute(layer: &Layer) -> Result<&OsStr> {
    match layer.as_path() {
        Some(path) if path.is_absolute() => Ok(path.as_os_str()),
        Some(_) => Err(invalid("layer", layer.to_string(), "is not an absolute path")),
        None => Err(invalid("layer", layer.to_string(), "has no path")),
    }
}

fn no_comma(layer: &Layer, path: &OsStr) -> Result<()> {
    if path.as_bytes().contains(&b',') {
        return Err(invalid(
            "layer",
            layer.to_string(),
            "has a comma, which a kernel without lowerdir+ may refuse",
        ));
    }
    Ok(())
}

/// A backslash before each of these characters.
fn escape(path: &OsStr, special: &[u8]) -> OsString {
    let mut text = Vec::with_capacity(path.len());
    for byte in path.as_bytes() {
        if special.contains(byte) {
            text.push(b'\\');
        }
        text.push(*byte);
    }
    OsString::from_vec(text)
}

fn fits(layer: &Layer, text: OsString) -> Result<OsString> {
    if text.len() > LONGEST {
        return Err(invalid("layer", layer.to_string(), "is longer than the 255 bytes of a parameter"));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{RedirectDir, Uuid, Xino};

    fn text(key: &'static str, text: &str) -> Parameter {
        Parameter { key, value: Value::Text(text.into()) }
    }

    #[test]
    fn all_options() {
        let stack = Stack::new()
            .lower("/a")
            .upper("/u", "/w")
            .index(false)
            .metacopy(true)
            .redirect_dir(RedirectDir::On)
            .xino(Xino::Auto)
            .uuid(Uuid::Null)
            .volatile()
            .source("box");
        let expected = [
            text("source", "box"),
            text("index", "off"),
            text("metacopy", "on"),
            text("redirect_dir", "on"),
            text("xino", "auto"),
            text("uuid", "null"),
            Parameter { key: "volatile", value: Value::Flag },
            text("lowerdir+", "/a"),
            text("upperdir", "/u"),
            text("workdir", "/w"),
        ];
        assert_eq!(stack.parameters_by_path(Method::Append).unwrap(), expected);
        assert_eq!(stack.parameters_by_path(Method::Descriptors).unwrap(), expected);
    }

    #[test]
    fn layers_in_each_form() {
        let stack = Stack::new().lower("/a").lower("b").upper("/u", "/w");
        let layers = |method| stack.parameters(method).unwrap().split_off(1);
        let one = |key, path: &str| Parameter { key, value: Value::Descriptor(path.into()) };
        let path = |key, path: &str| Parameter { key, value: Value::Descriptors(vec![path.into()]) };
        let expected =
            [one("lowerdir+", "/a"), one("lowerdir+", "b"), one("upperdir", "/u"), one("workdir", "/w")];
        assert_eq!(layers(Method::Descriptors), expected);
        let expected =
            [path("lowerdir+", "/a"), path("lowerdir+", "b"), path("upperdir", "/u"), path("workdir", "/w")];
        assert_eq!(layers(Method::Append), expected);
        let lowers = Value::Descriptors(vec!["/a".into(), "b".into()]);
        let expected =
            [Parameter { key: "lowerdir", value: lowers }, path("upperdir", "/u"), path("workdir", "/w")];
        assert_eq!(layers(Method::OptionString), expected);
    }

    #[test]
    fn escapes() {
        let stack = Stack::new().lower(r"/a:b\c d").lower("/b").upper(r"/u:\", "/w,");
        let by_path = stack.parameters_by_path(Method::Append).unwrap().split_off(1);
        assert_eq!(
            by_path,
            [
                text("lowerdir+", r"/a:b\c d"),
                text("lowerdir+", "/b"),
                text("upperdir", r"/u:\\"),
                text("workdir", "/w,")
            ]
        );
        let error = stack.parameters_by_path(Method::OptionString).unwrap_err();
        assert!(error.to_string().starts_with("layer \"/w,\" has a comma"), "{error}");
        let stack = Stack::new().lower(r"/a:b\c d").lower("/b");
        let by_path = stack.parameters_by_path(Method::OptionString).unwrap().split_off(1);
        assert_eq!(by_path, [text("lowerdir", r"/a\:b\\c d:/b")]);
    }

    #[test]
    fn what_has_no_path_or_a_long_one() {
        let reason = |stack: Stack, method| stack.parameters_by_path(method).unwrap_err().to_string();
        let long = |n: usize| format!("/{}", "x".repeat(n - 1));
        let two = |path: String| Stack::new().lower("/a").lower(path);
        assert!(two(long(255)).parameters_by_path(Method::Append).is_ok());
        assert!(reason(two(long(256)), Method::Append).contains("longer than the 255 bytes"));
        assert!(reason(two("b".to_owned()), Method::Append).contains("is not an absolute path"));
        let open = std::os::fd::OwnedFd::from(std::fs::File::open("/").unwrap());
        assert!(reason(Stack::new().lower("/a").lower(open), Method::Append).contains("has no path"));
        assert_eq!(
            reason(two(long(253)), Method::OptionString),
            "2 layers are too many: 1 fit an option of 255 bytes, before Linux 6.8"
        );
        assert!(reason(Stack::new().lower("/a"), Method::Append).contains("is no union"));
    }
}
