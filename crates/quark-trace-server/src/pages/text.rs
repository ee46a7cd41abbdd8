//! Text that came from a log, safe to show.
//!
//! Whoever may log may write anything. Templates escape what means something in HTML; this makes
//! visible what would reorder or hide text, and cuts what is long. The templates wrap each in `<bdi>`,
//! so that letters which run from right to left stay among themselves.

use std::fmt;

use quark_trace::core::visible::{shortened, visible};

/// Characters that are shown at first.
const SHORT: usize = 200;
/// Characters that are shown at all; what is longer is downloaded.
const WHOLE: usize = 20_000;

/// A text from outside: control and direction characters written out, the rest of a long one apart.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Shown {
    short: String,
    whole: Option<String>,
}

impl Shown {
    /// A text of which 200 characters are shown at first.
    pub fn of(text: &str) -> Self {
        Self::within(text, SHORT)
    }

    /// A text of which so many characters are shown at first.
    pub fn within(text: &str, limit: usize) -> Self {
        // Cut before it is written out, so that the work is bounded.
        let cut = shortened(text, limit.max(1));
        let is_cut = cut.len() != text.len() && cut.ends_with('…');
        let whole = is_cut.then(|| visible(&shortened(text, WHOLE)).into_owned());
        Self { short: visible(&cut).into_owned(), whole }
    }

    /// The text to look into when it was cut.
    pub fn whole(&self) -> Option<&str> {
        self.whole.as_deref()
    }

    /// Whether there is nothing to show.
    pub fn is_empty(&self) -> bool {
        self.short.is_empty()
    }

    /// What is shown at first.
    pub fn as_str(&self) -> &str {
        &self.short
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.short)
    }
}

/// A time of a record for people: `2026-03-02 07:30:01`, in UTC; what is no time stays as it is.
pub fn time(text: &str) -> Shown {
    let is_utc = text.ends_with("+00:00") || text.ends_with('Z');
    match text.get(..19) {
        Some(plain) if is_utc && quark_trace::core::time::microseconds(text).is_some() => {
            Shown::of(&plain.replace('T', " "))
        }
        _ => Shown::within(text, 40),
    }
}

/// A count with its digits in groups: `12,345`.
pub fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `1 record`, `2 records`.
pub fn counted(value: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(value), if value == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_hides_is_written_out_and_what_is_long_is_cut() {
        assert_eq!(Shown::of("a\u{202e}b\u{0}").to_string(), "a\\u{202e}b\\u{0}");
        let long = Shown::within(&"x\u{7}".repeat(300), 4);
        assert_eq!(long.to_string(), "x\\u{7}x\\u{7}…");
        assert_eq!(long.whole().unwrap().len(), 300 * 6);
        assert_eq!(Shown::within("äöü…", 4).whole(), None);
    }

    #[test]
    fn times_are_short_when_they_are_times() {
        assert_eq!(time("2026-03-02T07:30:01.000007+00:00").to_string(), "2026-03-02 07:30:01");
        assert_eq!(time("2026-03-02T07:30:01+02:00").to_string(), "2026-03-02T07:30:01+02:00");
        assert_eq!(time("<yesterday>Z").to_string(), "<yesterday>Z");
        assert_eq!(time("ééééééééééééééééZ").to_string(), "ééééééééééééééééZ");
    }

    #[test]
    fn counts_are_grouped() {
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(counted(1, "record", "records"), "1 record");
    }
}
