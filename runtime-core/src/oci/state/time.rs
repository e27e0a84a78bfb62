//! A moment as text.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// By RFC 3339, in UTC, with nanoseconds as far as there are any.
pub(crate) fn rfc3339(since_epoch: Duration) -> String {
    let seconds = since_epoch.as_secs();
    let (days, time) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (time / 3600, time / 60 % 60, time % 60);
    let fraction = match since_epoch.subsec_nanos() {
        0 => String::new(),
        nanos => format!(".{nanos:09}").trim_end_matches('0').to_owned(),
    };
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}Z")
}

/// Now, since 1970.
pub(crate) fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// The day of the Gregorian calendar, so many days after the first of 1970. Years are counted from March, so that the
/// leap day is the last.
fn civil(days: u64) -> (u64, u64, u64) {
    const ERA: u64 = 146_097;
    let days = days + 719_468;
    let (era, day) = (days / ERA, days % ERA);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year + year / 4 - year / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (era * 400 + year + u64::from(month <= 2), month, day_of_month)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_as_others_do() {
        let text = |seconds, nanos| rfc3339(Duration::new(seconds, nanos));
        assert_eq!(text(0, 0), "1970-01-01T00:00:00Z");
        assert_eq!(text(951_782_399, 0), "2000-02-28T23:59:59Z");
        assert_eq!(text(951_782_400, 500_000_000), "2000-02-29T00:00:00.5Z");
        assert_eq!(text(1_709_251_199, 1), "2024-02-29T23:59:59.000000001Z");
        assert_eq!(text(4_107_542_400, 0), "2100-03-01T00:00:00Z");
    }
}
