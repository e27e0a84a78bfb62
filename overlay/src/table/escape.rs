//! Octal escapes, with which the kernel keeps spaces and newlines out of the fields of its tables.

use std::borrow::Cow;

/// Replaces `\040` and the like by their byte. Anything else after a backslash stays as it is.
pub(super) fn unescape(field: &[u8]) -> Cow<'_, [u8]> {
    if !field.contains(&b'\\') {
        return Cow::Borrowed(field);
    }
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((first, tail)) = rest.split_first() {
        let octal = tail.get(..3).filter(|_| *first == b'\\').and_then(octal);
        bytes.push(octal.unwrap_or(*first));
        rest = if octal.is_some() { tail.get(3..).unwrap_or_default() } else { tail };
    }
    Cow::Owned(bytes)
}

/// The byte that three octal digits stand for.
fn octal(digits: &[u8]) -> Option<u8> {
    digits.iter().try_fold(0_u8, |value, digit| match digit {
        b'0'..=b'7' => value.checked_mul(8)?.checked_add(digit - b'0'),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_escapes_is_read_back() {
        for (raw, bytes) in [
            (&b"/plain"[..], &b"/plain"[..]),
            (b"/a\\040b\\011c\\012d\\134e\\043f", b"/a b\tc\nd\\e#f"),
            (b"\\377\\000", b"\xff\0"),
            (b"\\134040", b"\\040"),
            (b"\\400", b"\\400"),
            (b"\\08", b"\\08"),
            (b"\\", b"\\"),
            (b"\\\\040", b"\\ "),
            (b"\xff\xfe", b"\xff\xfe"),
        ] {
            assert_eq!(unescape(raw), bytes, "{}", raw.escape_ascii());
        }
    }
}
