//! The optional fields of a line: how mounts and unmounts are passed on; see `mount_namespaces(7)`.

use std::ffi::OsString;
use std::fmt;
use std::os::unix::ffi::OsStringExt;

/// An optional field.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OptionalField {
    /// `shared:N`: it is in this peer group.
    Shared(u32),
    /// `master:N`: it receives from this peer group.
    Master(u32),
    /// `propagate_from:N`: the nearest peer group that it receives from and that the reader can see.
    PropagateFrom(u32),
    /// `unbindable`: it cannot be bind mounted.
    Unbindable,
    /// One that this crate does not know, as it is written.
    Other(OsString),
}

impl OptionalField {
    pub(super) fn parse(raw: &[u8]) -> Self {
        let known = |raw: &[u8]| {
            let text = std::str::from_utf8(raw).ok()?;
            match text.split_once(':') {
                Some(("shared", id)) => canonical(id).map(Self::Shared),
                Some(("master", id)) => canonical(id).map(Self::Master),
                Some(("propagate_from", id)) => canonical(id).map(Self::PropagateFrom),
                None if text == "unbindable" => Some(Self::Unbindable),
                _ => None,
            }
        };
        known(raw).unwrap_or_else(|| Self::Other(OsString::from_vec(raw.to_owned())))
    }
}

/// A number as the kernel writes it: no sign, no zeros in front.
pub(super) fn canonical(text: &str) -> Option<u32> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let plain = digits && (text == "0" || !text.starts_with('0'));
    text.parse().ok().filter(|_| plain)
}

impl fmt::Display for OptionalField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shared(id) => write!(f, "shared:{id}"),
            Self::Master(id) => write!(f, "master:{id}"),
            Self::PropagateFrom(id) => write!(f, "propagate_from:{id}"),
            Self::Unbindable => f.write_str("unbindable"),
            Self::Other(raw) => write!(f, "{}", raw.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_fields_are_typed_and_unknown_ones_kept() {
        for (raw, field) in [
            ("shared:7", OptionalField::Shared(7)),
            ("master:4294967295", OptionalField::Master(u32::MAX)),
            ("propagate_from:1", OptionalField::PropagateFrom(1)),
            ("unbindable", OptionalField::Unbindable),
            ("shared:07", OptionalField::Other("shared:07".into())),
            ("shared:+7", OptionalField::Other("shared:+7".into())),
            ("shared:4294967296", OptionalField::Other("shared:4294967296".into())),
            ("shared", OptionalField::Other("shared".into())),
            ("later:x", OptionalField::Other("later:x".into())),
        ] {
            assert_eq!(OptionalField::parse(raw.as_bytes()), field);
            assert_eq!(field.to_string(), raw);
        }
    }
}
