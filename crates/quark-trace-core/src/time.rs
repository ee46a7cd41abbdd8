//! Instants as records write them: ISO 8601 text, and microseconds since 1970-01-01T00:00:00 UTC.

/// 0001-01-01 and the end of 9999-12-31 in microseconds, the span of Python's `datetime`.
pub const SPAN_US: std::ops::RangeInclusive<i64> =
    -62_135_596_800_000_000..=253_402_300_799_999_999;

/// Microseconds since 1970-01-01T00:00:00 UTC of `2026-01-02T03:04:05.000007+00:00` and what is
/// like it; a time without an offset is taken as UTC, and what is finer than a microsecond is cut
/// off. `None` for anything else.
///
/// ```
/// use quark_trace_core::time::microseconds;
/// assert_eq!(microseconds("1970-01-01T00:00:01.5Z"), Some(1_500_000));
/// assert_eq!(microseconds("yesterday"), None);
/// ```
pub fn microseconds(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    let is = |at: usize, any: &[u8]| bytes.get(at).is_some_and(|byte| any.contains(byte));
    if !(is(4, b"-") && is(7, b"-") && is(10, b"Tt ") && is(13, b":") && is(16, b":")) {
        return None;
    }
    let (year, month, day) = (number(bytes, 0, 4)?, number(bytes, 5, 2)?, number(bytes, 8, 2)?);
    let (hour, minute) = (number(bytes, 11, 2)?, number(bytes, 14, 2)?);
    let second = number(bytes, 17, 2)?;
    let is_date = (1..=12).contains(&month) && (1..=31).contains(&day);
    if !(is_date && hour < 24 && minute < 60 && second <= 60) {
        return None;
    }
    let (mut at, mut fraction_us) = (19, 0);
    if is(at, b".,") {
        let digits = bytes[at + 1..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let kept = digits.min(6);
        let fraction = number(bytes, at + 1, kept).filter(|_| kept > 0)?;
        fraction_us = fraction * 10_i64.pow(6 - kept as u32);
        at += 1 + digits;
    }
    let offset_minutes = match &bytes[at..] {
        b"" | b"Z" | b"z" => 0,
        [sign @ (b'+' | b'-'), _, _, b':', _, _] => {
            let minutes = number(bytes, at + 1, 2)? * 60 + number(bytes, at + 4, 2)?;
            if *sign == b'-' { -minutes } else { minutes }
        }
        _ => return None,
    };
    let days = days_from_civil(year, month, day);
    let seconds = days * 86_400 + hour * 3600 + (minute - offset_minutes) * 60 + second;
    Some(seconds * 1_000_000 + fraction_us)
}

/// As [`microseconds`], and dates (`2026-01-02`, its beginning in UTC) and times without seconds,
/// as people write them in a filter.
pub fn typed(text: &str) -> Option<i64> {
    let text = text.trim();
    let bytes = text.as_bytes();
    match bytes.len() {
        10 => microseconds(&format!("{text}T00:00:00Z")),
        16 => microseconds(&format!("{text}:00Z")),
        _ => microseconds(text),
    }
}

fn number(bytes: &[u8], from: usize, digits: usize) -> Option<i64> {
    let part = bytes.get(from..from + digits)?;
    let all = part.iter().all(u8::is_ascii_digit);
    all.then(|| part.iter().fold(0, |value, digit| value * 10 + i64::from(digit - b'0')))
}

/// Days since 1970-01-01 in the proleptic Gregorian calendar (H. Hinnant, "chrono-Compatible
/// Low-Level Date Algorithms").
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// A time in the form of Python's `datetime.now(timezone.utc).isoformat()`: six digits of
/// fraction, none when it is zero. Outside of [`SPAN_US`] the nearest time in it is taken: a broken
/// clock must not break logging.
///
/// ```
/// use quark_trace_core::time::iso8601;
/// assert_eq!(iso8601(1_767_323_046_000_007), "2026-01-02T03:04:06.000007+00:00");
/// assert_eq!(iso8601(1_767_323_045_000_000), "2026-01-02T03:04:05+00:00");
/// ```
pub fn iso8601(micros: i64) -> String {
    let micros = micros.clamp(*SPAN_US.start(), *SPAN_US.end());
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

/// Year, month and day of a day count since 1970-01-01 (H. Hinnant, as above).
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
    fn what_is_written_is_read_back() {
        for micros in
            [0, 1, -1, 1_767_323_046_000_007, 951_782_400_000_000, -62_135_596_800_000_000]
        {
            assert_eq!(microseconds(&iso8601(micros)), Some(micros), "{}", iso8601(micros));
        }
        assert_eq!(microseconds("1970-01-01 01:00:00,5+01:00"), Some(500_000));
        assert_eq!(microseconds("1970-01-01T00:00:00.1234567Z"), Some(123_456));
        for bad in ["", "yesterday", "1970-01-01", "1970-13-01T00:00:00Z", "1970-01-01T00:00:00.Z"]
        {
            assert_eq!(microseconds(bad), None, "{bad}");
        }
    }

    #[test]
    fn people_write_dates_and_minutes() {
        assert_eq!(typed("1970-01-02"), Some(86_400_000_000));
        assert_eq!(typed("1970-01-01 00:01"), Some(60_000_000));
        assert_eq!(typed("1970-01-01T00:00:01Z"), Some(1_000_000));
        for bad in ["1970-1-1", "12345678é", "1970-01-01 0001"] {
            assert_eq!(typed(bad), None, "{bad}");
        }
    }
}
