//! Content that is read is checked against its descriptor.

use std::io::Read;

use crate::{Descriptor, Digester, Error, Result};

/// How much is read at once.
const CHUNK: usize = 128 << 10;

/// Reads all of a content into a sink, and checks its size and digest. Not more than one byte too many is read.
pub(crate) fn transfer(
    descriptor: &Descriptor,
    content: &mut (dyn Read + Send),
    sink: &mut dyn FnMut(&[u8]) -> Result<()>,
) -> Result<()> {
    let Descriptor { digest, size: expected, .. } = descriptor;
    let mut digester = Digester::new(digest.algorithm());
    let mut content = content.take(expected.saturating_add(1));
    let mut buffer = vec![0; CHUNK];
    let mut found = 0;
    loop {
        let count = match content.read(&mut buffer) {
            Ok(count) => count,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(source) => return Err(Error::Stream { what: "blob", source }.in_layer(digest)),
        };
        found += count as u64;
        if found > *expected || (count == 0 && found < *expected) {
            return Err(Error::SizeMismatch { digest: digest.clone(), expected: *expected, found });
        }
        if count == 0 {
            break;
        }
        digester.update(&buffer[..count]);
        sink(&buffer[..count])?;
    }
    match digester.finish() {
        found if found == *digest => Ok(()),
        found => Err(Error::DigestMismatch { what: "blob", expected: digest.clone(), found }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Digest;

    fn result(promised: (&[u8], u64), came: &[u8]) -> (Result<()>, Vec<u8>) {
        let descriptor = Descriptor::new("x", Digest::sha256(promised.0), promised.1);
        let mut taken = Vec::new();
        let outcome = transfer(&descriptor, &mut &*came, &mut |bytes| {
            taken.extend_from_slice(bytes);
            Ok(())
        });
        (outcome, taken)
    }

    #[test]
    fn only_what_was_promised_passes() {
        assert!(matches!(result((b"abc", 3), b"abc"), (Ok(()), taken) if taken == b"abc"));
        assert!(matches!(result((b"", 0), b""), (Ok(()), _)));
        let mismatch =
            |found| move |error: Error| matches!(error, Error::SizeMismatch { found: f, .. } if f == found);
        assert!(result((b"abc", 3), b"ab").0.is_err_and(mismatch(2)));
        assert!(result((b"abc", 3), &[b'x'; 1000]).0.is_err_and(mismatch(4)));
        assert!(result((b"abc", u64::MAX), b"abc").0.is_err_and(mismatch(3)));
        assert!(matches!(result((b"abc", 3), b"abd").0, Err(Error::DigestMismatch { .. })));
    }
}
