//! The clocks of a new time namespace: `/proc/PID/timens_offsets`, `time_namespaces(7)`, Linux 5.6.

use crate::idmaps::write_file;
use crate::idrange::parse_u32;
use crate::{Errno, Error, Result};
use rustix::time::{ClockId, clock_gettime};
use std::fmt;
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};

const SECOND: u32 = 1_000_000_000;
/// `KTIME_SEC_MAX` of the kernel: the seconds in 2^63 - 1 nanoseconds.
const KTIME_SEC_MAX: i64 = i64::MAX / SECOND as i64;

/// A signed span: the nanoseconds are always added, so that half a second back is -1 s and 500000000 ns.
///
/// `Display` is `seconds nanoseconds`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Offset {
    /// Seconds.
    pub seconds: i64,
    /// Nanoseconds, below 1000000000.
    pub nanoseconds: u32,
}

impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.seconds, self.nanoseconds)
    }
}

/// What is added to the clocks in a time namespace.
///
/// `Display` is what the kernel takes, a line for each clock.
///
/// ```
/// use cofferdam_namespaces::{Offset, TimeOffsets};
/// let day = Offset { seconds: 86400, nanoseconds: 0 };
/// let offsets = TimeOffsets { monotonic: day, boottime: day };
/// assert_eq!(offsets.to_string(), "monotonic 86400 0\nboottime 86400 0");
/// assert_eq!(TimeOffsets::parse(offsets.to_string().as_bytes())?, offsets);
/// # Ok::<(), cofferdam_namespaces::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct TimeOffsets {
    /// For `CLOCK_MONOTONIC`.
    pub monotonic: Offset,
    /// For `CLOCK_BOOTTIME`.
    pub boottime: Offset,
}

/// What the clocks say, as offsets from zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clocks {
    /// `CLOCK_MONOTONIC`.
    pub monotonic: Offset,
    /// `CLOCK_BOOTTIME`.
    pub boottime: Offset,
}

impl Clocks {
    /// The clocks of the calling thread. In a time namespace these already have its offsets, while the kernel
    /// judges offsets by the clocks of the first time namespace.
    pub fn now() -> Self {
        Self { monotonic: read_clock(ClockId::Monotonic), boottime: read_clock(ClockId::Boottime) }
    }
}

fn read_clock(clock: ClockId) -> Offset {
    let time = clock_gettime(clock);
    Offset { seconds: time.tv_sec, nanoseconds: u32::try_from(time.tv_nsec).unwrap_or(0) }
}

impl TimeOffsets {
    /// Checks the kernel's rules: nanoseconds below a second, no clock negative now, none above half of
    /// what fits.
    ///
    /// # Errors
    /// [`Error::NanosecondsTooLarge`], [`Error::OffsetOutOfRange`].
    pub fn check(&self, now: &Clocks) -> Result<()> {
        check_one("monotonic", self.monotonic, now.monotonic)?;
        check_one("boottime", self.boottime, now.boottime)
    }

    /// Reads the text of `timens_offsets`. Clocks go by name or number (1 and 7); one that is missing is 0 0.
    ///
    /// # Errors
    /// [`Error::ParseOffsets`] for a line that is not `clock seconds nanoseconds` or names a clock again;
    /// [`Error::NanosecondsTooLarge`].
    pub fn parse(text: &[u8]) -> Result<Self> {
        let (mut monotonic, mut boottime) = (None, None);
        let text = text.strip_suffix(b"\n").unwrap_or(text);
        for (i, line) in text.split(|byte| *byte == b'\n').enumerate().filter(|(_, line)| !line.is_empty()) {
            let bad =
                || Error::ParseOffsets { line: i + 1, text: String::from_utf8_lossy(line).into_owned() };
            let (clock, offset) = parse_line(line).ok_or_else(bad)?;
            let (name, slot) = match clock {
                b"monotonic" | b"1" => ("monotonic", &mut monotonic),
                b"boottime" | b"7" => ("boottime", &mut boottime),
                _ => return Err(bad()),
            };
            check_nanoseconds(name, offset)?;
            if slot.replace(offset).is_some() {
                return Err(bad());
            }
        }
        Ok(Self { monotonic: monotonic.unwrap_or_default(), boottime: boottime.unwrap_or_default() })
    }

    /// The offsets of the time namespace that the calling thread's children will live in.
    ///
    /// # Errors
    /// [`Error::Read`], with `ENOENT` if the kernel has no time namespaces; those of [`TimeOffsets::parse`].
    pub fn current() -> Result<Self> {
        let path = own_offsets_file()?;
        let text = std::fs::read(&path).map_err(|error| Error::Read { path, errno: Errno::of(&error) })?;
        Self::parse(&text)
    }

    /// Writes both offsets for the children of a process, by one write.
    ///
    /// `proc_dir` is a directory descriptor of `/proc/PID` of a process after `unshare(CLONE_NEWTIME)`. The
    /// offsets are frozen once a process lives in the namespace, so also after `clone3(CLONE_NEWTIME)`.
    ///
    /// # Privileges
    /// `CAP_SYS_TIME` in the user namespace that owns the time namespace.
    ///
    /// # Errors
    /// [`Error::Write`] with `EACCES` if frozen, `ERANGE` if a clock would leave its range, `EPERM`.
    pub fn write_to(&self, proc_dir: BorrowedFd<'_>) -> Result<()> {
        check_nanoseconds("monotonic", self.monotonic)?;
        check_nanoseconds("boottime", self.boottime)?;
        write_file(proc_dir, "timens_offsets", &self.to_string())
    }
}

impl fmt::Display for TimeOffsets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "monotonic {}\nboottime {}", self.monotonic, self.boottime)
    }
}

/// The kernel shows the file only in `/proc/N`, which exists for the number of a thread too.
fn own_offsets_file() -> Result<PathBuf> {
    let link = Path::new("/proc/thread-self");
    let target = std::fs::read_link(link)
        .map_err(|error| Error::Read { path: link.to_owned(), errno: Errno::of(&error) })?;
    let thread = target.file_name().unwrap_or_default();
    Ok(Path::new("/proc").join(thread).join("timens_offsets"))
}

fn parse_line(line: &[u8]) -> Option<(&[u8], Offset)> {
    let mut fields = line.split(u8::is_ascii_whitespace).filter(|field| !field.is_empty());
    let clock = fields.next()?;
    let seconds = fields.next().filter(|text| !text.starts_with(b"+"))?;
    let seconds = std::str::from_utf8(seconds).ok()?.parse().ok()?;
    let nanoseconds = parse_u32(fields.next()?)?;
    fields.next().is_none().then_some((clock, Offset { seconds, nanoseconds }))
}

fn check_nanoseconds(clock: &'static str, offset: Offset) -> Result<()> {
    if offset.nanoseconds < SECOND {
        return Ok(());
    }
    Err(Error::NanosecondsTooLarge { clock, nanoseconds: offset.nanoseconds })
}

fn check_one(clock: &'static str, offset: Offset, now: Offset) -> Result<()> {
    check_nanoseconds(clock, offset)?;
    let carry = i64::from(offset.nanoseconds.saturating_add(now.nanoseconds) >= SECOND);
    let sum = now.seconds.saturating_add(offset.seconds).saturating_add(carry);
    let fits = (-KTIME_SEC_MAX..=KTIME_SEC_MAX).contains(&offset.seconds);
    if fits && (0..=KTIME_SEC_MAX / 2).contains(&sum) {
        return Ok(());
    }
    Err(Error::OffsetOutOfRange { clock, offset })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offset(seconds: i64, nanoseconds: u32) -> Offset {
        Offset { seconds, nanoseconds }
    }

    #[test]
    fn reads_the_kernels_text() {
        let text = b"monotonic      -86400 500000000\nboottime           0         0\n";
        let offsets = TimeOffsets::parse(text).expect("valid");
        assert_eq!(offsets, TimeOffsets { monotonic: offset(-86400, 500_000_000), boottime: offset(0, 0) });
        assert_eq!(TimeOffsets::parse(b"7 1 2").expect("number").boottime, offset(1, 2));
        for bad in
            ["realtime 0 0", "monotonic 0", "monotonic 0 0 0", "1 0 0\nmonotonic 0 0", "1 0 -1", "1 +1 0"]
        {
            let result = TimeOffsets::parse(bad.as_bytes());
            assert!(matches!(result, Err(Error::ParseOffsets { .. })), "{bad:?}: {result:?}");
        }
        assert!(matches!(TimeOffsets::parse(b"1 0 1000000000"), Err(Error::NanosecondsTooLarge { .. })));
    }

    #[test]
    fn the_kernels_range() {
        let now = Clocks { monotonic: offset(100, 600_000_000), boottime: offset(100, 0) };
        let check = |seconds, nanoseconds| {
            TimeOffsets { monotonic: offset(seconds, nanoseconds), boottime: offset(0, 0) }.check(&now)
        };
        assert_eq!(check(-100, 0), Ok(()));
        assert_eq!(check(-101, 400_000_000), Ok(()));
        assert!(matches!(check(-101, 399_999_999), Err(Error::OffsetOutOfRange { .. })));
        assert_eq!(check(4_611_686_018 - 100, 0), Ok(()));
        assert!(check(4_611_686_018 - 100, 400_000_000).is_err());
        assert!(check(i64::MAX, 0).is_err() && check(i64::MIN, 0).is_err());
        assert!(matches!(check(0, u32::MAX), Err(Error::NanosecondsTooLarge { .. })));
    }

    #[test]
    fn no_offset_is_always_right() {
        assert_eq!(TimeOffsets::default().check(&Clocks::now()), Ok(()));
        TimeOffsets::current().expect("readable");
    }
}
