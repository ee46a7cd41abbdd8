//! Times as records carry them, and where they come from.

use std::fmt::Debug;
use std::time::{SystemTime, UNIX_EPOCH};

/// Where times come from; tests bring their own.
pub trait Clock: Debug + Send + Sync {
    /// Microseconds since 1970-01-01T00:00:00 UTC; negative before.
    fn now_us(&self) -> i64;
}

/// The clock of the operating system.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now_us(&self) -> i64 {
        match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(after) => i64::try_from(after.as_micros()).unwrap_or(i64::MAX),
            Err(before) => {
                i64::try_from(before.duration().as_micros()).map_or(i64::MIN, |micros| -micros)
            }
        }
    }
}

/// The present time of the operating system, as records carry it.
pub fn now() -> String {
    timestamp(SystemClock.now_us())
}

/// A time in the form of Python's `datetime.now(timezone.utc).isoformat()`: six digits of
/// fraction, none when it is zero.
///
/// ```
/// use quark_trace::clock::timestamp;
/// assert_eq!(timestamp(1_767_323_046_000_007), "2026-01-02T03:04:06.000007+00:00");
/// assert_eq!(timestamp(1_767_323_045_000_000), "2026-01-02T03:04:05+00:00");
/// ```
pub fn timestamp(micros: i64) -> String {
    // Outside the years that ISO 8601 writes with four digits the nearest one is kept: a broken
    // clock must not break logging.
    let micros = micros.clamp(MIN_US, MAX_US);
    let seconds = micros.div_euclid(1_000_000);
    let fraction = micros.rem_euclid(1_000_000);
    let (year, month, day) = civil(seconds.div_euclid(86_400));
    let second_of_day = seconds.rem_euclid(86_400);
    let (hour, minute, second) =
        (second_of_day / 3600, second_of_day / 60 % 60, second_of_day % 60);
    let mut out = [0u8; 40];
    let mut at = 0;
    let mut put = |value: i64, width: usize, after: u8| {
        let mut rest = value;
        for place in (at..at + width).rev() {
            out[place] = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        at += width;
        out[at] = after;
        at += 1;
    };
    put(year, 4, b'-');
    put(month, 2, b'-');
    put(day, 2, b'T');
    put(hour, 2, b':');
    put(minute, 2, b':');
    put(second, 2, if fraction == 0 { b'+' } else { b'.' });
    if fraction != 0 {
        put(fraction, 6, b'+');
    }
    put(0, 2, b':');
    put(0, 2, b' ');
    String::from_utf8_lossy(&out[..at - 1]).into_owned()
}

/// 0001-01-01 and 9999-12-31, the span of Python's `datetime`.
const MIN_US: i64 = -62_135_596_800_000_000;
const MAX_US: i64 = 253_402_300_799_999_999;

/// Year, month and day of a day count since 1970-01-01, in the proleptic Gregorian calendar
/// (H. Hinnant, "chrono-Compatible Low-Level Date Algorithms").
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn far_times_are_written_too() {
        assert_eq!(timestamp(-1), "1969-12-31T23:59:59.999999+00:00");
        assert_eq!(timestamp(i64::MIN), "0001-01-01T00:00:00+00:00");
        assert_eq!(timestamp(i64::MAX), "9999-12-31T23:59:59.999999+00:00");
        assert_eq!(timestamp(951_782_400_000_000), "2000-02-29T00:00:00+00:00");
        assert_eq!(timestamp(2_147_483_648_000_000), "2038-01-19T03:14:08+00:00");
    }
}
