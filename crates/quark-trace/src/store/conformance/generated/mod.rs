//! Records as anybody could have written them, and filters with every kind of condition.
//!
//! What is generated is drawn from few names and values, many of them at a border of what a store
//! can keep, so that filters meet records.

use proptest::prelude::*;
use proptest::sample::select;

mod filter;
mod record;

pub(super) use filter::filter;
pub(super) use record::line;

/// Names of members, as they stand between the quotes of JSON and as they are.
const NAMES: &[(&str, &str)] = &[
    ("a", "a"),
    ("\\u0061", "a"),
    ("b", "b"),
    ("loss", "loss"),
    ("a.b", "a.b"),
    ("a/b", "a/b"),
    ("~1", "~1"),
    ("\\\\", "\\"),
    ("", ""),
    ("\\u00e9", "é"),
    ("$numberDouble", "$numberDouble"),
    ("nul\\u0000", "nul\0"),
    ("'; DROP TABLE qt_log; --", "'; DROP TABLE qt_log; --"),
];

/// Lengths of names about which paths become too long to be kept.
const LENGTHS: &[usize] = &[184, 185, 186, 187, 198, 199, 200, 201];

/// Numbers as they stand in JSON.
const NUMBERS: &[&str] = &[
    "0",
    "-0",
    "-0.0",
    "1",
    "1.0",
    "1e0",
    "2",
    "3",
    "-1",
    "0.3",
    "0.30000000000000004",
    "3e-1",
    "9007199254740991",
    "9007199254740992",
    "9007199254740993",
    "-9007199254740993",
    "9007199254740992.0",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775809",
    "18446744073709551615",
    "18446744073709551616",
    "18446744073709551617",
    "1e308",
    "1e309",
    "-1e400",
    "1e-400",
    "5e-324",
    "-5e-324",
    "2.2250738585072014e-308",
    "NaN",
    "Infinity",
    "-Infinity",
    "123456789012345678901234567890123456789",
];

/// Numbers that records and filters have in common: at the ends of what doubles tell apart.
const NEAR: &[&str] = &["9007199254740992", "9007199254740993", "1e400"];

/// A name that records and filters have in common; the longest of them about too long to be kept.
fn near_name() -> BoxedStrategy<String> {
    prop_oneof![3 => Just("a".to_owned()), 1 => long_text(select(&[185_usize, 186][..]), "k")]
        .boxed()
}

fn text(all: &'static [&'static str]) -> BoxedStrategy<String> {
    select(all).prop_map(str::to_owned).boxed()
}

fn long_text(
    length: impl Strategy<Value = usize> + 'static,
    unit: &'static str,
) -> BoxedStrategy<String> {
    length.prop_map(move |length| unit.repeat(length)).boxed()
}
