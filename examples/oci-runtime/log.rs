//! Messages: on standard error, and in a log that engines read.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::fs::OFlags;
use rustix::process::geteuid;

use crate::args::{Globals, LogFormat};
use crate::failure::Failure;

/// Where messages go.
#[derive(Debug)]
pub struct Log {
    file: Option<File>,
    format: LogFormat,
    debug: bool,
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Level {
    Error,
    Warning,
    Debug,
}

impl Level {
    const fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Debug => "debug",
        }
    }
}

impl Log {
    /// Opens the log, which is added to. Where root opens it, it is no symbolic link.
    pub fn open(globals: &Globals) -> Result<Self, Failure> {
        let mut log = Self { file: None, format: globals.log_format, debug: globals.debug };
        if let Some(path) = globals.log.as_deref().filter(|path| *path != Path::new("/dev/stderr")) {
            // A fifo without a reader is an error, not a wait.
            let mut flags = OFlags::NONBLOCK | OFlags::NOCTTY;
            if geteuid().is_root() {
                flags |= OFlags::NOFOLLOW;
            }
            let flags = i32::try_from(flags.bits()).map_err(Failure::new)?;
            let file =
                OpenOptions::new().append(true).create(true).mode(0o644).custom_flags(flags).open(path);
            log.file = Some(file.map_err(Failure::of(format_args!("open the log {}", path.display())))?);
        }
        Ok(log)
    }

    /// Standard error alone, for what happens before there is a log.
    pub const fn plain() -> Self {
        Self { file: None, format: LogFormat::Text, debug: false }
    }

    pub fn error(&self, message: &str) {
        self.write(Level::Error, message);
    }

    pub fn warning(&self, message: &str) {
        self.write(Level::Warning, message);
    }

    pub fn debug(&self, message: &str) {
        if self.debug {
            self.write(Level::Debug, message);
        }
    }

    /// That a message cannot be written can be said nowhere.
    fn write(&self, level: Level, message: &str) {
        let line = match self.format {
            LogFormat::Json => json(level, message, &now()),
            LogFormat::Text => text(level, message, &now()),
        };
        if let Some(mut file) = self.file.as_ref() {
            file.write_all(line.as_bytes()).unwrap_or_default();
        }
        let line = match (&self.file, self.format, level) {
            (Some(_), _, Level::Warning | Level::Debug) => return,
            (None, LogFormat::Json, _) => line,
            (_, _, Level::Error) => format!("cofferdam: {message}\n"),
            (None, LogFormat::Text, _) => format!("cofferdam: {}: {message}\n", level.name()),
        };
        std::io::stderr().write_all(line.as_bytes()).unwrap_or_default();
    }
}

/// As logrus writes JSON.
fn json(level: Level, message: &str, time: &str) -> String {
    // In this order by name, as a map of serde_json is.
    format!("{}\n", serde_json::json!({ "level": level.name(), "msg": message, "time": time }))
}

/// As logrus writes text for others than a terminal.
fn text(level: Level, message: &str, time: &str) -> String {
    let quoted = serde_json::Value::from(message);
    format!("time=\"{time}\" level={} msg={quoted}\n", level.name())
}

/// The time by RFC 3339.
fn now() -> String {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    rfc3339(seconds)
}

/// Seconds since 1970 in UTC.
fn rfc3339(seconds: u64) -> String {
    let (days, second) = (seconds / 86400, seconds % 86400);
    // Days since the first of March of the year 0: leap days come last in a year then, and 400 years are 146097 days.
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day = day_of_era - (365 * year + year / 4 - year / 100);
    // Months from March on have 31, 30, 31, 30, 31 days, repeatedly: 153 in five.
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    let year = era * 400 + year + next;
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_those_of_logrus() {
        let time = "2026-01-02T03:04:05Z";
        assert_eq!(
            json(Level::Error, "a \"b\"", time),
            "{\"level\":\"error\",\"msg\":\"a \\\"b\\\"\",\"time\":\"2026-01-02T03:04:05Z\"}\n"
        );
        assert_eq!(
            text(Level::Warning, "a \"b\"", time),
            "time=\"2026-01-02T03:04:05Z\" level=warning msg=\"a \\\"b\\\"\"\n"
        );
    }

    #[test]
    fn times_are_those_of_the_calendar() {
        let times = [0, 951_782_400, 951_868_800, 1_798_761_599, 4_102_444_800].map(rfc3339);
        let expected = ["1970-01-01T00:00:00Z", "2000-02-29T00:00:00Z", "2000-03-01T00:00:00Z"];
        assert_eq!(times[..3], expected);
        assert_eq!(times[3..], ["2026-12-31T23:59:59Z", "2100-01-01T00:00:00Z"]);
    }
}
