//! Headers as they are in the archive: what tar-core takes and should not.

use tar_core::{HEADER_SIZE, Header};

use super::fault::{Fault, Result};
use super::pax::{Records, Time};

/// Checks the headers of one entry, which begin the window: its extensions, then its own. tar-core has parsed them, so
/// they are complete.
///
/// It passes over single blocks of zeros between them, where others stop or fail, and loses what does not fit into 64
/// bits of a binary number.
pub(super) fn check(window: &[u8]) -> Result<()> {
    let mut at = 0;
    loop {
        let block = window.get(at..).and_then(|rest| rest.first_chunk::<HEADER_SIZE>());
        let Some(block) = block else {
            return Err(Fault::refused("has headers that do not end"));
        };
        let header = Header::from_bytes(block);
        if header.is_empty() {
            return Err(Fault::refused("follows a single block of zeros"));
        }
        let fields = header.as_ustar();
        if !is_unsigned(&fields.size) || !is_unsigned(&fields.uid) || !is_unsigned(&fields.gid) {
            return Err(Fault::refused("has a negative or too large number in its header"));
        }
        let is_extension = matches!(fields.typeflag, [b'L' | b'K' | b'x']);
        if !is_extension || !(header.is_gnu() || header.is_ustar()) {
            return Ok(());
        }
        let size = header.entry_size().ok().and_then(|size| usize::try_from(size).ok());
        let padded = size.and_then(|size| size.checked_next_multiple_of(HEADER_SIZE));
        let next = padded.and_then(|size| at.checked_add(HEADER_SIZE)?.checked_add(size));
        at = next.ok_or_else(|| Fault::refused("has a header of an impossible size"))?;
    }
}

/// A binary number that is not negative and has no more than 64 bits, or digits.
fn is_unsigned(field: &[u8]) -> bool {
    if field[0] & 0x80 == 0 {
        return true;
    }
    let beyond = field.len().saturating_sub(8);
    field[0] == 0x80 && field.iter().take(beyond).skip(1).all(|byte| *byte == 0)
}

/// The time of a header, whose binary form may be negative. What no file can have becomes the nearest that fits.
pub(super) fn header_time(field: [u8; 12], parsed: u64) -> Result<Time> {
    let seconds = match field[0] {
        0xff if field[1..4] == [0xff; 3] => parsed.cast_signed(),
        0x80 if field[1..4] == [0; 3] => i64::try_from(parsed).unwrap_or(i64::MAX),
        first if first & 0x80 == 0 => i64::try_from(parsed).unwrap_or(i64::MAX),
        _ => return Err(Fault::refused("has a time that cannot be")),
    };
    Ok(Time { seconds, nanoseconds: 0 })
}

/// Global headers: only comments, as `git archive` writes them, are passed over. Some tools apply others to all entries
/// that follow, some do not. One between an entry and its extensions would make tar-core forget these.
pub(super) fn check_global(consumed: usize, records: &[u8]) -> Result<()> {
    if consumed != HEADER_SIZE + records.len().next_multiple_of(HEADER_SIZE) {
        return Err(Fault::refused("a global header lies between an entry and its extensions"));
    }
    for record in Records::new(records) {
        let (key, _) = record?;
        if key != b"comment" {
            let key = key.escape_ascii();
            return Err(Fault::refused(format!("a global header sets `{key}` for all entries")));
        }
    }
    Ok(())
}
