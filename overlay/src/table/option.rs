//! Options as the mount table writes them: separated by commas, in the kernel's order, some of them repeated.

use super::escape::unescape;
use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

/// One option: `ro`, or `size=4k`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MountOption {
    /// What is before the first `=`. Overlay's options that are given several times keep their `+`: `lowerdir+`.
    pub name: OsString,
    /// What is after it, without escapes, and without the quotes around a security context that has commas.
    pub value: Option<OsString>,
}

impl MountOption {
    /// One option, without the commas around it.
    pub(super) fn parse(raw: &[u8]) -> Self {
        let (name, value) = match raw.iter().position(|byte| *byte == b'=') {
            Some(at) => (&raw[..at], Some(&raw[at + 1..])),
            None => (raw, None),
        };
        Self { name: decoded(name), value: value.map(|value| decoded(quoted(value).unwrap_or(value))) }
    }

    /// Whether it has this name.
    pub fn is(&self, name: impl AsRef<OsStr>) -> bool {
        self.name == name.as_ref()
    }
}

fn decoded(raw: &[u8]) -> OsString {
    OsString::from_vec(unescape(raw).into_owned())
}

/// What is between quotes that begin at the start; None without such.
fn quoted(value: &[u8]) -> Option<&[u8]> {
    let inner = value.strip_prefix(b"\"")?;
    inner.iter().position(|byte| *byte == b'"').map(|end| &inner[..end])
}

/// The options one by one. A comma in a quoted value separates nothing: SELinux quotes contexts such as
/// `context="u:r:t:s0:c1,c2"`.
#[derive(Clone, Debug)]
pub(super) struct Options<'a>(pub(super) Option<&'a [u8]>);

impl<'a> Options<'a> {
    /// All options of a field. An empty field has none.
    pub(super) fn of(field: &'a [u8]) -> Self {
        Self(Some(field).filter(|field| !field.is_empty()))
    }
}

impl<'a> Iterator for Options<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let rest = self.0?;
        let comma = |from: usize| rest[from..].iter().position(|byte| *byte == b',').map(|at| at + from);
        let mut end = comma(0);
        let value = rest.iter().position(|byte| *byte == b'=').map_or(rest.len(), |at| at + 1);
        if end.is_none_or(|end| value <= end)
            && let Some(inner) = quoted(&rest[value..])
        {
            end = comma(value + inner.len() + 2);
        }
        self.0 = end.map(|end| &rest[end + 1..]);
        Some(&rest[..end.unwrap_or(rest.len())])
    }
}

/// A field as text of the system.
pub(super) fn os(bytes: &[u8]) -> Cow<'_, OsStr> {
    match unescape(bytes) {
        Cow::Borrowed(bytes) => Cow::Borrowed(OsStr::from_bytes(bytes)),
        Cow::Owned(bytes) => Cow::Owned(OsString::from_vec(bytes)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(field: &str, expected: &[(&str, Option<&str>)]) {
        let expected: Vec<_> = expected
            .iter()
            .map(|(name, value)| MountOption { name: name.into(), value: value.map(OsString::from) })
            .collect();
        assert_eq!(Options::of(field.as_bytes()).map(MountOption::parse).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn order_repeats_and_values_are_kept() {
        check("", &[]);
        check("rw", &[("rw", None)]);
        check("rw,,a=", &[("rw", None), ("", None), ("a", Some(""))]);
        check(
            "ro,lowerdir+=/a,lowerdir+=/b\\054c,lowerdir+=/d=e",
            &[
                ("ro", None),
                ("lowerdir+", Some("/a")),
                ("lowerdir+", Some("/b,c")),
                ("lowerdir+", Some("/d=e")),
            ],
        );
    }

    #[test]
    fn a_quoted_value_may_have_commas() {
        check(
            "rw,context=\"u:r:t:s0:c1,c2\",x",
            &[("rw", None), ("context", Some("u:r:t:s0:c1,c2")), ("x", None)],
        );
        check("a=\"b,c", &[("a", Some("\"b")), ("c", None)]);
        check("x,a=\"\"", &[("x", None), ("a", Some(""))]);
    }
}
