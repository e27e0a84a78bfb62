//! Values as they are written on the command line.

use std::str::FromStr;
use std::time::Duration;

use clap::ValueEnum;
use nix::sys::signal::Signal;
use oci_spec::runtime::Capability;

use super::User;

/// What `--rootless` says, also in the other words that Go has for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Rootless {
    #[value(aliases = ["1", "t"])]
    True,
    #[value(aliases = ["0", "f"])]
    False,
    Auto,
}

/// The number of a signal; 0 only asks whether one could be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignalNumber(pub i32);

/// The last signal.
const LAST: i32 = 64;
/// The first of the real-time signals that libc leaves to programs.
const RT_MIN: i32 = 34;

/// A number, or a name with or without `SIG`: `9`, `KILL`, `SIGKILL`, `RTMIN+3`.
pub fn signal(text: &str) -> Result<SignalNumber, String> {
    let unknown = || format!("unknown signal \"{text}\"");
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        let number = text.parse().ok().filter(|number| (0..=LAST).contains(number));
        return number.map(SignalNumber).ok_or_else(unknown);
    }
    let upper = text.to_ascii_uppercase();
    let name = upper.strip_prefix("SIG").unwrap_or(&upper);
    if let Some(number) = real_time(name) {
        return Ok(SignalNumber(number));
    }
    let signal = Signal::from_str(&format!("SIG{name}"));
    signal.map(|signal| SignalNumber(signal as i32)).map_err(|_| unknown())
}

fn real_time(name: &str) -> Option<i32> {
    let number = match (name.strip_prefix("RTMIN"), name.strip_prefix("RTMAX")) {
        (Some(""), _) => RT_MIN,
        (_, Some("")) => LAST,
        (Some(rest), _) => RT_MIN + small(rest.strip_prefix('+')?)?,
        (_, Some(rest)) => LAST - small(rest.strip_prefix('-')?)?,
        (None, None) => return None,
    };
    (RT_MIN..=LAST).contains(&number).then_some(number)
}

fn small(digits: &str) -> Option<i32> {
    digits.parse::<u8>().ok().map(i32::from)
}

/// `UID[:GID]`. The whole text has to be numbers: what is cut off would be another user.
pub fn user(text: &str) -> Result<User, String> {
    let (uid, gid) = match text.split_once(':') {
        Some((uid, gid)) => (uid, Some(gid)),
        None => (text, None),
    };
    Ok(User { uid: id(uid)?, gid: gid.map(id).transpose()? })
}

/// A user or a group. The highest number means none to the kernel.
pub fn id(text: &str) -> Result<u32, String> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = text.parse().ok().filter(|number| digits && *number != u32::MAX);
    number.ok_or_else(|| format!("{text:?} is no number from 0 to {}", u32::MAX - 1))
}

/// `NAME=VALUE`.
pub fn variable(text: &str) -> Result<String, String> {
    match text.split_once('=') {
        Some((name, _)) if !name.is_empty() => Ok(text.to_owned()),
        _ => Err("needs the form NAME=VALUE".to_owned()),
    }
}

/// `CAP_NET_RAW`, or without `CAP_`.
pub fn capability(text: &str) -> Result<Capability, String> {
    let upper = text.to_ascii_uppercase();
    let name = upper.strip_prefix("CAP_").unwrap_or(&upper);
    Capability::from_str(name).map_err(|_| format!("unknown capability {text:?}"))
}

/// A number of bytes with a binary unit: `64M`, `1.5g`, `512KiB`; `-1` is no limit.
pub fn memory(text: &str) -> Result<i64, String> {
    if text == "-1" {
        return Ok(-1);
    }
    let wrong = || format!("{text:?} is no size such as 64M");
    let lower = text.to_ascii_lowercase();
    let end = lower.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(lower.len());
    let (amount, unit) = lower.split_at(end);
    let unit = unit.strip_suffix("ib").or_else(|| unit.strip_suffix('b')).unwrap_or(unit);
    let shift = match unit.trim_start() {
        "" => 0,
        "k" => 10,
        "m" => 20,
        "g" => 30,
        "t" => 40,
        "p" => 50,
        _ => return Err(wrong()),
    };
    let (whole, fraction) = amount.split_once('.').unwrap_or((amount, "0"));
    let whole: u64 = whole.parse().map_err(|_| wrong())?;
    let part: u32 = fraction.parse().ok().filter(|_| fraction.len() < 7).ok_or_else(wrong)?;
    let ten = fraction.bytes().fold(1, |ten, _| ten * 10);
    let bytes = (u128::from(whole) * ten + u128::from(part)) * (1_u128 << shift) / ten;
    i64::try_from(bytes).map_err(|_| wrong())
}

/// `5s`, `300ms`, `1m30s`.
pub fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is no time such as 5s");
    let mut rest = text;
    let mut all = Duration::ZERO;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit()).filter(|end| *end > 0).ok_or_else(wrong)?;
        let (digits, behind) = rest.split_at(end);
        let end = behind.find(|c: char| c.is_ascii_digit()).unwrap_or(behind.len());
        let (unit, behind) = behind.split_at(end);
        let amount: u32 = digits.parse().map_err(|_| wrong())?;
        let unit = match unit {
            "us" => Duration::from_micros(1),
            "ms" => Duration::from_millis(1),
            "s" => Duration::from_secs(1),
            "m" => Duration::from_secs(60),
            "h" => Duration::from_secs(3600),
            _ => return Err(wrong()),
        };
        all = unit.checked_mul(amount).and_then(|time| all.checked_add(time)).ok_or_else(wrong)?;
        rest = behind;
    }
    if all.is_zero() { Err(wrong()) } else { Ok(all) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_have_names_and_numbers() {
        let all = ["9", "KILL", "SIGKILL", "sigterm", "0", "RTMIN+3", "SIGRTMAX"].map(signal);
        assert_eq!(all.map(|signal| signal.map(|signal| signal.0)), [9, 9, 9, 15, 0, 37, 64].map(Ok));
        for wrong in ["", "65", "FOO", "-1", "RTMIN+31", "SIG", "1e3"] {
            assert_eq!(signal(wrong), Err(format!("unknown signal \"{wrong}\"")), "{wrong}");
        }
    }

    #[test]
    fn users_are_whole_numbers() {
        assert_eq!(user("1000"), Ok(User { uid: 1000, gid: None }));
        assert_eq!(user("0:4294967294"), Ok(User { uid: 0, gid: Some(4_294_967_294) }));
        for wrong in
            ["", "1000abc", "1000:", ":5", "-1", "+1", "4294967296", "4294967295", "1e3", "0x0", "1:2:3"]
        {
            assert!(user(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn sizes_are_binary() {
        let all = ["64M", "1.5g", "512KiB", "7", "-1", "0.5k"].map(memory);
        assert_eq!(all, [64 << 20, 3 << 29, 512 << 10, 7, -1, 512].map(Ok));
        for wrong in ["", "M", "-2", "1x", "1..5", "9999999p", "1.", "1.99999999"] {
            assert_eq!(memory(wrong), Err(format!("{wrong:?} is no size such as 64M")));
        }
    }

    #[test]
    fn times_have_units() {
        assert_eq!(duration("1m30s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        for wrong in ["", "5", "s", "5x", "0s", "4294967296s"] {
            assert_eq!(duration(wrong), Err(format!("{wrong:?} is no time such as 5s")));
        }
    }

    #[test]
    fn capabilities_have_two_names() {
        assert_eq!(capability("CAP_NET_RAW"), Ok(Capability::NetRaw));
        assert_eq!(capability("net_raw"), Ok(Capability::NetRaw));
        assert_eq!(capability("CAP_FLY"), Err("unknown capability \"CAP_FLY\"".to_owned()));
    }
}
