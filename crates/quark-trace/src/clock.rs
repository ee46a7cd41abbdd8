//! Times as records carry them, and where they come from.

use std::fmt::Debug;
use std::time::{SystemTime, UNIX_EPOCH};

use quark_trace_core::time::iso8601;

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
    iso8601(micros)
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
