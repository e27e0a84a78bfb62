//! Places by name, as skopeo has them.

use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;
use std::str::FromStr;

use crate::{
    Destination, DockerArchive, DockerArchiveWriter, Error, Layout, OciArchive, OciArchiveWriter, Result,
    Source, Tarball, TarballWriter,
};

/// A place and, where it holds several images, the name of one in it.
///
/// | text | what it is |
/// |---|---|
/// | `oci:DIR[:NAME]` | an image layout |
/// | `oci-archive:FILE[:NAME]` | an image layout in a tar archive |
/// | `docker-archive:FILE[:NAME]` | what `docker save` writes |
/// | `tarball:FILE` | the files of an image in one tar archive |
/// | `store:NAME` | an image of the store |
/// | `host` | the files of this host |
///
/// As with skopeo the path ends at the first colon, and all that follows is the name; so a path that has a colon itself
/// cannot be written in this form, but in a value of this type it can be. In `tarball:FILE` it can.
///
/// ```
/// use cofferdam_image_spec::Location;
///
/// let location: Location = "oci:images:quay.io/me/app:1".parse()?;
/// assert_eq!(location, Location::Layout { path: "images".into(), name: Some("quay.io/me/app:1".into()) });
/// assert_eq!(location.to_string(), "oci:images:quay.io/me/app:1");
/// # Ok::<(), cofferdam_image_spec::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Location {
    /// A directory that is an image layout.
    Layout {
        /// The directory.
        path: PathBuf,
        /// Which image.
        name: Option<String>,
    },
    /// An image layout in a tar archive.
    OciArchive {
        /// The archive.
        path: PathBuf,
        /// Which image.
        name: Option<String>,
    },
    /// An archive of Docker's form.
    DockerArchive {
        /// The archive.
        path: PathBuf,
        /// Which image.
        name: Option<String>,
    },
    /// The files of an image.
    Tarball {
        /// The archive.
        path: PathBuf,
    },
    /// An image of a store.
    Store {
        /// Which image.
        name: String,
    },
    /// The files of this host.
    Host,
}

impl Location {
    /// Reads the text form, whose path may be any bytes.
    ///
    /// # Errors
    /// [`Error::Invalid`] if there is no such kind of place, no path, or a name that is empty or not text.
    pub fn parse(text: impl AsRef<OsStr>) -> Result<Self> {
        let text = text.as_ref();
        let wrong = |reason: &str| Error::invalid("place", text.to_string_lossy(), reason);
        let (kind, rest) = match split(text.as_bytes()) {
            (b"host", None) => return Ok(Self::Host),
            (_, None) => {
                return Err(wrong(
                    "does not begin with oci:, oci-archive:, docker-archive:, tarball: or store:",
                ));
            }
            (kind, Some(rest)) => (kind, rest),
        };
        if rest.is_empty() {
            return Err(wrong("says no path or name"));
        }
        if kind == b"tarball" {
            return Ok(Self::Tarball { path: path(rest) });
        }
        let text = |name: &[u8]| match std::str::from_utf8(name) {
            Ok("") => Err(wrong("has an empty name")),
            Ok(name) => Ok(name.to_owned()),
            Err(_) => Err(wrong("has a name that is not UTF-8")),
        };
        if kind == b"store" {
            return Ok(Self::Store { name: text(rest)? });
        }
        let (file, name) = split(rest);
        if file.is_empty() {
            return Err(wrong("says no path"));
        }
        let (path, name) = (path(file), name.map(text).transpose()?);
        match kind {
            b"oci" => Ok(Self::Layout { path, name }),
            b"oci-archive" => Ok(Self::OciArchive { path, name }),
            b"docker-archive" => Ok(Self::DockerArchive { path, name }),
            _ => Err(wrong("is of a kind that is not known")),
        }
    }

    /// The name of the image there.
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Layout { name, .. } | Self::OciArchive { name, .. } | Self::DockerArchive { name, .. } => {
                name.as_deref()
            }
            Self::Store { name } => Some(name),
            Self::Tarball { .. } | Self::Host => None,
        }
    }

    /// Opens the place to read images from it.
    ///
    /// # Errors
    /// [`Error::Unsupported`] for `store:` and `host`, which need to know more; as the constructors of the types.
    pub fn source(&self) -> Result<Box<dyn Source>> {
        Ok(match self {
            Self::Layout { path, .. } => Box::new(Layout::open(path)?),
            Self::OciArchive { path, .. } => Box::new(OciArchive::open(path)?),
            Self::DockerArchive { path, .. } => Box::new(DockerArchive::open(path)?),
            Self::Tarball { path } => Box::new(Tarball::open(path)?),
            Self::Store { .. } | Self::Host => return Err(self.unsupported()),
        })
    }

    /// Opens the place to write images to it. It is complete after [`Destination::finish`].
    ///
    /// # Errors
    /// [`Error::Unsupported`] for `store:` and `host`; as the constructors of the types.
    pub fn destination(&self) -> Result<Box<dyn Destination>> {
        Ok(match self {
            Self::Layout { path, .. } => Box::new(Layout::create(path)?),
            Self::OciArchive { path, .. } => Box::new(OciArchiveWriter::create(path)?),
            Self::DockerArchive { path, .. } => Box::new(DockerArchiveWriter::create(path)?),
            Self::Tarball { path } => Box::new(TarballWriter::create(path)?),
            Self::Store { .. } | Self::Host => return Err(self.unsupported()),
        })
    }

    fn unsupported(&self) -> Error {
        Error::Unsupported { what: "opening the place", value: self.to_string() }
    }
}

/// What comes before the first colon, and after it.
fn split(text: &[u8]) -> (&[u8], Option<&[u8]>) {
    match text.iter().position(|byte| *byte == b':') {
        Some(at) => (&text[..at], Some(&text[at + 1..])),
        None => (text, None),
    }
}

fn path(bytes: &[u8]) -> PathBuf {
    OsStr::from_bytes(bytes).into()
}

impl FromStr for Location {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::parse(text)
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, path, name) = match self {
            Self::Layout { path, name } => ("oci", path, name),
            Self::OciArchive { path, name } => ("oci-archive", path, name),
            Self::DockerArchive { path, name } => ("docker-archive", path, name),
            Self::Tarball { path } => ("tarball", path, &None),
            Self::Store { name } => return write!(f, "store:{name}"),
            Self::Host => return f.write_str("host"),
        };
        write!(f, "{kind}:{}", path.display())?;
        name.as_ref().map_or(Ok(()), |name| write!(f, ":{name}"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_path_ends_at_the_first_colon() {
        let name = |text: &str| Some(text.to_owned());
        for (text, expected) in [
            ("oci:d", Location::Layout { path: "d".into(), name: None }),
            ("oci:/a/b:x:y", Location::Layout { path: "/a/b".into(), name: name("x:y") }),
            ("oci-archive:a.tar:@x", Location::OciArchive { path: "a.tar".into(), name: name("@x") }),
            ("docker-archive:a.tar", Location::DockerArchive { path: "a.tar".into(), name: None }),
            ("tarball:a:b.tar", Location::Tarball { path: "a:b.tar".into() }),
            ("store:a/b:c", Location::Store { name: "a/b:c".into() }),
            ("host", Location::Host),
        ] {
            assert_eq!(Location::parse(text).unwrap(), expected);
            assert_eq!(expected.to_string(), text);
        }
    }

    #[test]
    fn what_is_no_place_is_refused() {
        for bad in [
            "",
            ":",
            "oci",
            "oci:",
            "oci::x",
            "oci:d:",
            "store:",
            "tarball:",
            "docker://alpine",
            "host:",
            "dir:x",
        ] {
            assert!(Location::parse(bad).is_err(), "{bad}");
        }
        assert!(Location::parse(OsStr::from_bytes(b"oci:d:\xff")).is_err());
        assert!(Location::parse(OsStr::from_bytes(b"oci:\xff")).is_ok());
    }

    proptest! {
        #[test]
        fn what_is_read_is_written_the_same(text in "(oci|oci-archive|docker-archive|tarball|store|host|x)?:?[a-z:/@.]{0,12}") {
            if let Ok(location) = Location::parse(&text) {
                prop_assert_eq!(location.to_string(), text);
            }
        }
    }
}
