//! The values of options, as pure functions from text.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use cofferdam::cgroups::{Bytes, Cpu, Setting, Unified};
use cofferdam::{CapabilitySet, ClockOffset, IdMap, Kind, Namespaces, Resource};

/// `SRC[:DST]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bind {
    pub source: PathBuf,
    pub target: PathBuf,
}

/// `DST[:SIZE]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tmpfs {
    pub target: PathBuf,
    pub size: Option<u64>,
}

/// `NAME=SOFT[:HARD]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    pub resource: Resource,
    pub soft: u64,
    pub hard: u64,
}

/// `NAME[=VALUE]`; without a value, the caller's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    pub name: OsString,
    pub value: Option<OsString>,
}

/// A path that may be relative to the caller's directory.
pub fn path(text: OsString) -> Result<PathBuf, String> {
    std::path::absolute(&text).map_err(|error| error.to_string())
}

pub fn bind(text: OsString) -> Result<Bind, String> {
    let (source, target) = split(&text, b':');
    let source = path(source.to_owned())?;
    let target = target.map_or_else(|| source.clone(), PathBuf::from);
    Ok(Bind { source, target })
}

pub fn tmpfs(text: OsString) -> Result<Tmpfs, String> {
    let (target, bytes) = split(&text, b':');
    let size = bytes.map(|bytes| size(&bytes.to_string_lossy())).transpose()?;
    Ok(Tmpfs { target: Path::new(target).to_owned(), size })
}

pub fn variable(text: OsString) -> Result<Variable, String> {
    let (name, value) = split(&text, b'=');
    match name.is_empty() {
        true => Err("the name is empty".into()),
        false => Ok(Variable { name: name.to_owned(), value: value.map(OsStr::to_owned) }),
    }
}

/// At the first separator.
fn split(text: &OsStr, separator: u8) -> (&OsStr, Option<&OsStr>) {
    let bytes = text.as_bytes();
    match bytes.iter().position(|byte| *byte == separator) {
        None => (text, None),
        Some(at) => (OsStr::from_bytes(&bytes[..at]), Some(OsStr::from_bytes(&bytes[at + 1..]))),
    }
}

pub fn limit(text: &str) -> Result<Limit, String> {
    let (name, values) = text.split_once('=').ok_or("is not NAME=SOFT[:HARD]")?;
    let resource = name.parse::<Resource>().map_err(|error| error.to_string())?;
    let (soft, hard) = values.split_once(':').unwrap_or((values, values));
    Ok(Limit { resource, soft: amount(soft)?, hard: amount(hard)? })
}

fn amount(text: &str) -> Result<u64, String> {
    if text == "unlimited" { Ok(u64::MAX) } else { size(text) }
}

/// Bytes or another count, with `k`, `m` or `g` for powers of 1024.
pub fn size(text: &str) -> Result<u64, String> {
    let (number, shift) = match text.to_ascii_lowercase().as_bytes().last() {
        Some(b'k') => (&text[..text.len() - 1], 10),
        Some(b'm') => (&text[..text.len() - 1], 20),
        Some(b'g') => (&text[..text.len() - 1], 30),
        _ => (text, 0),
    };
    let number =
        number.parse::<u64>().map_err(|_| format!("{text:?} is not a number, or one with k, m or g"));
    number?.checked_mul(1 << shift).ok_or_else(|| format!("{text} is too large"))
}

/// Seconds, or a number with `ms`, `s`, `m`, `h` or `d`.
/// An amount of memory for a cgroup.
pub fn bytes(text: &str) -> Result<Bytes, String> {
    text.parse().map_err(|fault| format!("{fault}"))
}

/// A number of processors.
pub fn cpus(text: &str) -> Result<f64, String> {
    let count: f64 = text.parse().map_err(|_| "not a number such as 0.5 or 2".to_owned())?;
    Setting::from(Cpu::cpus(count)).validate().map_err(|error| error.to_string())?;
    Ok(count)
}

/// A control file with what is to be written.
pub fn control_file(text: &str) -> Result<Unified, String> {
    let (file, value) = text.split_once('=').ok_or("not of the form FILE=VALUE")?;
    let file = Unified::new(file, value);
    Setting::from(file.clone()).validate().map_err(|error| error.to_string())?;
    Ok(file)
}

pub fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let milliseconds = match unit {
        "ms" => 1,
        "" | "s" => 1000,
        "m" => 60 * 1000,
        "h" => 3600 * 1000,
        "d" => 24 * 3600 * 1000,
        _ => return Err("is not a number with ms, s, m, h or d".into()),
    };
    let number = number.parse::<u64>().map_err(|_| "is not a number with ms, s, m, h or d".to_owned())?;
    number.checked_mul(milliseconds).map(Duration::from_millis).ok_or_else(|| "is too long".into())
}

/// A duration that may be negative.
pub fn offset(text: &str) -> Result<ClockOffset, String> {
    let (negative, rest) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let span = duration(rest.strip_prefix('+').unwrap_or(rest))?;
    let seconds = i64::try_from(span.as_secs()).map_err(|_| "is too long")?;
    let nanoseconds = span.subsec_nanos();
    Ok(match (negative, nanoseconds) {
        (false, _) => ClockOffset { seconds, nanoseconds },
        (true, 0) => ClockOffset { seconds: -seconds, nanoseconds },
        // Nanoseconds are always added.
        (true, _) => ClockOffset { seconds: -seconds - 1, nanoseconds: 1_000_000_000 - nanoseconds },
    })
}

/// Kinds of namespaces, separated by commas.
pub fn kinds(text: &str) -> Result<Namespaces, String> {
    text.split(',').try_fold(Namespaces::empty(), |all, name| {
        let kind = name.parse::<Kind>().map_err(|error| error.to_string())?;
        Ok(all | Namespaces::from_bits(kind.flag()))
    })
}

/// Capabilities, separated by commas, or `all`.
pub fn capabilities(text: &str) -> Result<CapabilitySet, String> {
    match text {
        "all" => Ok(CapabilitySet::all()),
        names => names
            .split(',')
            .map(|name| name.parse().map_err(|error: cofferdam::process::Error| error.to_string()))
            .collect(),
    }
}

/// `INSIDE:OUTSIDE:COUNT`, several separated by commas.
pub fn id_map(text: &str) -> Result<IdMap, String> {
    let groups: Vec<Vec<&str>> = text.split(',').map(|range| range.split(':').collect()).collect();
    match groups.iter().all(|group| group.len() == 3) {
        true => IdMap::from_args(&groups.concat()).map_err(|error| error.to_string()),
        false => Err("is not INSIDE:OUTSIDE:COUNT".into()),
    }
}

/// `NAME=VALUE`.
pub fn sysctl(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("is not NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        for (text, milliseconds) in
            [("5", 5000), ("5s", 5000), ("200ms", 200), ("2m", 120_000), ("1d", 86_400_000)]
        {
            assert_eq!(duration(text), Ok(Duration::from_millis(milliseconds)), "{text}");
        }
        for text in ["", "s", "5x", "-5s", "1.5s", "99999999999999999999s", "9999999999999999d"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn offsets_add_their_nanoseconds() {
        assert_eq!(offset("1h"), Ok(ClockOffset { seconds: 3600, nanoseconds: 0 }));
        assert_eq!(offset("-1h"), Ok(ClockOffset { seconds: -3600, nanoseconds: 0 }));
        assert_eq!(offset("-500ms"), Ok(ClockOffset { seconds: -1, nanoseconds: 500_000_000 }));
        assert!(offset("--1s").is_err());
    }

    #[test]
    fn sizes_and_limits() {
        assert_eq!(size("16m"), Ok(16 << 20));
        assert_eq!(limit("nofile=64"), Ok(Limit { resource: Resource::NOFILE, soft: 64, hard: 64 }));
        assert_eq!(
            limit("as=1g:unlimited"),
            Ok(Limit { resource: Resource::AS, soft: 1 << 30, hard: u64::MAX })
        );
        for text in ["nofile", "nofile=", "nofile=x", "files=1", "nofile=1:", "nofile=99999999999g"] {
            assert!(limit(text).is_err(), "{text}");
        }
    }

    #[test]
    fn paths_of_binds() {
        let of = |source: &str, target: &str| Ok(Bind { source: source.into(), target: target.into() });
        assert_eq!(bind("/a:/b".into()), of("/a", "/b"));
        assert_eq!(bind("/a".into()), of("/a", "/a"));
        assert_eq!(tmpfs("/x:1k".into()), Ok(Tmpfs { target: "/x".into(), size: Some(1024) }));
        assert!(tmpfs("/x:".into()).is_err() && bind("".into()).is_err());
    }

    #[test]
    fn names() {
        assert_eq!(kinds("net,uts"), Ok(Namespaces::NET | Namespaces::UTS));
        assert_eq!(capabilities("all"), Ok(CapabilitySet::all()));
        assert_eq!(capabilities("chown,CAP_KILL").map(|set| set.iter().count()), Ok(2));
        assert!(kinds("net,").is_err() && kinds("pids").is_err() && capabilities("root").is_err());
        assert!(id_map("0:100000:65536,65536:0:1").is_ok());
        assert!(id_map("0:1").is_err() && id_map("0:1:0").is_err() && id_map("0:1:2,1:9:1").is_err());
    }
}
