//! Columns as CSV (RFC 4180), safe to open in a spreadsheet.
//!
//! A spreadsheet takes a cell that begins with `=`, `+`, `-`, `@`, a tab or a line end for a formula, whoever logged it. Such a text gets a `'` in front, which spreadsheets do not show; what
//! reads as a number is left.

use quark_trace::core::columns::{Columns, Dense, Values};
use quark_trace::core::time::iso8601;

use crate::failure::Failure;
use crate::output::Output;

/// Bytes that are written together.
const BLOCK: usize = 64 * 1024;
/// What a formula begins with, in full width too.
const FORMULA: [char; 11] =
    ['=', '+', '-', '@', '\t', '\r', '\n', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}'];

pub fn write(columns: &Columns, output: &Output) -> Result<(), Failure> {
    let names: Vec<_> = columns.schema().iter().map(|heading| heading.name.as_str()).collect();
    let mut out = header(&names);
    for part in 0..columns.chunks().len() {
        let dense: Vec<_> = (0..names.len()).map(|at| columns.dense(part, at)).collect();
        for row in 0..columns.chunks()[part].rows() {
            for (at, column) in dense.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                put(column, row, &mut out);
            }
            out.push_str("\r\n");
            if out.len() >= BLOCK {
                output.document(&out)?;
                out.clear();
            }
        }
    }
    output.document(&out)
}

/// A line of names.
pub fn header(names: &[&str]) -> String {
    let mut out = String::new();
    for (at, name) in names.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        text(name, &mut out);
    }
    out.push_str("\r\n");
    out
}

fn put(column: &Dense, row: usize, out: &mut String) {
    if !column.is_present(row) {
        return;
    }
    match &column.values {
        Values::Bool(values) => out.push_str(if values[row] { "true" } else { "false" }),
        Values::Integer(values) => out.push_str(&values[row].to_string()),
        Values::Float(values) => out.push_str(&float(values[row])),
        Values::Time(values) => out.push_str(&iso8601(values[row])),
        texts @ Values::Text { .. } => text(texts.text(row), out),
    }
}

/// A number as spreadsheets and data frames read it.
pub fn float(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    let mut out = Vec::new();
    match value.is_finite() {
        true => quark_trace::core::json::write::float(&mut out, value),
        false => out.extend_from_slice(if value > 0.0 { b"Infinity" } else { b"-Infinity" }),
    }
    String::from_utf8(out).unwrap_or_default()
}

/// A text as a cell. An empty one is quoted, so that it differs from none.
pub fn text(text: &str, out: &mut String) {
    let formula = text.starts_with(FORMULA) && !is_number(text);
    if !formula && !text.is_empty() && !text.contains(['"', ',', '\r', '\n']) {
        return out.push_str(text);
    }
    out.push('"');
    if formula {
        out.push('\'');
    }
    out.push_str(&text.replace('"', "\"\""));
    out.push('"');
}

/// `-0.5`, `+1e-05`: nothing that a spreadsheet could run.
fn is_number(text: &str) -> bool {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte));
    plain && text.parse::<f64>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_quoted_and_formulas_are_text() {
        for (given, cell) in [
            ("plain", "plain"),
            ("", "\"\""),
            ("a,b", "\"a,b\""),
            ("say \"hi\"", "\"say \"\"hi\"\"\""),
            ("two\nlines", "\"two\nlines\""),
            ("=1+1", "\"'=1+1\""),
            ("+cmd|' /C calc'!A0", "\"'+cmd|' /C calc'!A0\""),
            ("-2+3", "\"'-2+3\""),
            ("@SUM(A1)", "\"'@SUM(A1)\""),
            ("\t=1", "\"'\t=1\""),
            ("\r=1", "\"'\r=1\""),
            ("=HYPERLINK(\"http://x\",\"y\")", "\"'=HYPERLINK(\"\"http://x\"\",\"\"y\"\")\""),
            ("\n=1", "\"'\n=1\""),
            ("\u{ff1d}1", "\"'\u{ff1d}1\""),
            ("-1.5", "-1.5"),
            ("+1e-05", "+1e-05"),
            ("-", "\"'-\""),
            ("-infinity", "\"'-infinity\""),
            (" =1", " =1"),
        ] {
            let mut out = String::new();
            text(given, &mut out);
            assert_eq!(out, cell, "{given:?}");
        }
    }

    #[test]
    fn numbers() {
        let shown = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.5, 1e-5].map(float);
        assert_eq!(shown, ["NaN", "Infinity", "-Infinity", "-0.5", "1e-05"]);
    }
}
