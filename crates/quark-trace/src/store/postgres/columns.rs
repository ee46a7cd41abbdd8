//! The columns of an entry that are derived from its bytes: for queries, never for proofs.

use quark_trace_core::ids::ProjectId;
use quark_trace_core::ledger::Digest;
use quark_trace_core::record::{Field, View};

/// Longest stage that is kept as a column; an index holds no text of any length.
const STAGE_LIMIT: usize = 200;

/// The number of a project's log: the first 63 bits of the SHA-256 of the project's id. Not from a
/// sequence, so that it is the same after a failover and can be checked.
pub(super) fn log_id(project: &ProjectId) -> i64 {
    let digest = Digest::of(project.as_str().as_bytes()).0;
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    i64::from_be_bytes(first) & i64::MAX
}

/// The key under which a record id is found, of any length and with any characters.
pub(super) fn record_key(record_id: &str) -> Digest {
    Digest::of(record_id.as_bytes())
}

/// What a record says of itself, as far as columns can hold it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Columns {
    /// Key of the record id.
    pub record_key: Option<Digest>,
    /// The stage; `None` where a column cannot hold it.
    pub stage: Option<String>,
    /// The time in microseconds since 1970; `None` where it is no ISO 8601.
    pub at_us: Option<i64>,
}

impl Columns {
    /// The columns of a record; all empty when it cannot be read.
    pub fn of_record(line: &[u8]) -> Self {
        let Ok(view) = View::parse(line) else { return Self::default() };
        Self {
            record_key: Some(record_key(&view.record_id.to_str())),
            stage: stage(&view.stage),
            at_us: microseconds(&view.timestamp.to_str()),
        }
    }
}

fn stage(field: &Field<'_>) -> Option<String> {
    let stage = match field {
        Field::Text(text) => String::from_utf8(text.to_wtf8().into_owned()).ok()?,
        Field::Other(_) => field.to_str().into_owned(),
    };
    (stage.len() <= STAGE_LIMIT && !stage.contains('\0')).then_some(stage)
}

/// Microseconds since 1970-01-01T00:00:00 UTC of `2026-01-02T03:04:05.000007+00:00` and what is
/// like it; a time without an offset is taken as UTC.
fn microseconds(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    let number = |from: usize, digits: usize| -> Option<i64> {
        let part = bytes.get(from..from + digits)?;
        part.iter()
            .all(u8::is_ascii_digit)
            .then(|| part.iter().fold(0, |value, digit| value * 10 + i64::from(digit - b'0')))
    };
    let is = |at: usize, any: &[u8]| bytes.get(at).is_some_and(|byte| any.contains(byte));
    if !(is(4, b"-") && is(7, b"-") && is(10, b"Tt ") && is(13, b":") && is(16, b":")) {
        return None;
    }
    let (year, month, day) = (number(0, 4)?, number(5, 2)?, number(8, 2)?);
    let (hour, minute, second) = (number(11, 2)?, number(14, 2)?, number(17, 2)?);
    let valid = (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && hour < 24
        && minute < 60
        && second <= 60;
    if !valid {
        return None;
    }
    let mut at = 19;
    let mut fraction_us = 0;
    if is(at, b".,") {
        let digits = bytes[at + 1..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        for place in 0..6 {
            let digit = if place < digits { i64::from(bytes[at + 1 + place] - b'0') } else { 0 };
            fraction_us = fraction_us * 10 + digit;
        }
        at += 1 + digits;
        if digits == 0 {
            return None;
        }
    }
    let offset_minutes = match &bytes[at..] {
        b"" | b"Z" | b"z" => 0,
        [sign @ (b'+' | b'-'), _, _, b':', _, _] => {
            let minutes = number(at + 1, 2)? * 60 + number(at + 4, 2)?;
            if *sign == b'-' { -minutes } else { minutes }
        }
        _ => return None,
    };
    let seconds = days_from_civil(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second
        - offset_minutes * 60;
    Some(seconds * 1_000_000 + fraction_us)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::timestamp;

    #[test]
    fn times_come_back_from_what_the_clock_writes() {
        for micros in
            [0, 1, -1, 1_767_323_046_000_007, 951_782_400_000_000, -62_135_596_800_000_000]
        {
            assert_eq!(microseconds(&timestamp(micros)), Some(micros), "{}", timestamp(micros));
        }
        assert_eq!(microseconds("1970-01-01 01:00:00,5+01:00"), Some(500_000));
        assert_eq!(microseconds("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(microseconds("1969-12-31T23:00:00-01:00"), Some(0));
        for bad in ["", "yesterday", "1970-01-01", "1970-13-01T00:00:00Z", "1970-01-01T00:00:00+1"]
        {
            assert_eq!(microseconds(bad), None, "{bad}");
        }
    }

    #[test]
    fn what_a_column_cannot_hold_is_left_out() {
        let line = |stage: &str| {
            format!(
                "{{\"record_id\": \"a\", \"project_id\": \"p\", \"stage\": {stage}, \
                 \"timestamp\": \"t\"}}"
            )
        };
        let of = |stage: &str| Columns::of_record(line(stage).as_bytes());
        assert_eq!(of("\"s\"").stage.as_deref(), Some("s"));
        assert_eq!(of("null").stage.as_deref(), Some("None"));
        assert_eq!(of("\"a\\u0000b\"").stage, None);
        assert_eq!(of("\"\\ud800\"").stage, None);
        assert_eq!(of(&format!("\"{}\"", "x".repeat(201))).stage, None);
        assert_eq!(of("\"s\"").record_key, Some(record_key("a")));
        assert_eq!(Columns::of_record(b"\0"), Columns::default());
    }
}
