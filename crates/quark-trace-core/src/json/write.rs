//! Writing JSON tokens exactly as Python's `json.dumps` does with its defaults.
//!
//! The output is ASCII: a record line can be shown by `cat` without driving the terminal, is read
//! alike in every locale, and equals the line the original would have written.

/// Appends `text` as a JSON string, quotes included.
///
/// ```
/// let mut out = Vec::new();
/// quark_trace_core::json::write::string(&mut out, "Köln\n");
/// assert_eq!(out, br#""K\u00f6ln\n""#);
/// ```
pub fn string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    let mut rest = text;
    while let Some(at) = rest.bytes().position(needs_escape) {
        out.extend_from_slice(&rest.as_bytes()[..at]);
        let Some(character) = rest[at..].chars().next() else { break };
        escape(out, character);
        rest = &rest[at + character.len_utf8()..];
    }
    out.extend_from_slice(rest.as_bytes());
    out.push(b'"');
}

/// As [`string`], from WTF-8: UTF-8 in which lone surrogates may stand as three bytes each
/// (Python's `surrogatepass`). Returns `false`, with nothing written, when `bytes` is neither.
pub fn string_wtf8(out: &mut Vec<u8>, bytes: &[u8]) -> bool {
    let start = out.len();
    out.push(b'"');
    let mut rest = bytes;
    while !rest.is_empty() {
        let valid = match std::str::from_utf8(rest) {
            Ok(_) => rest.len(),
            Err(error) => error.valid_up_to(),
        };
        for character in std::str::from_utf8(&rest[..valid]).unwrap_or_default().chars() {
            if character.is_ascii() && !needs_escape(character as u8) {
                out.push(character as u8);
            } else {
                escape(out, character);
            }
        }
        rest = &rest[valid..];
        match rest {
            [] => {}
            [0xED, second @ 0xA0..=0xBF, third @ 0x80..=0xBF, ..] => {
                let unit = 0xD000 | (u16::from(second & 0x3F) << 6) | u16::from(third & 0x3F);
                unicode_escape(out, unit);
                rest = &rest[3..];
            }
            _ => {
                out.truncate(start);
                return false;
            }
        }
    }
    out.push(b'"');
    true
}

/// Appends a finite or non-finite float.
///
/// Finite values have the shortest digits that read back equal, in the form of Python's `repr`.
/// The others, which JSON lacks, are written as MongoDB Extended JSON v2 writes them.
///
/// ```
/// let mut out = Vec::new();
/// quark_trace_core::json::write::float(&mut out, 1e-5);
/// out.push(b' ');
/// quark_trace_core::json::write::float(&mut out, f64::NAN);
/// assert_eq!(out, br#"1e-05 {"$numberDouble": "NaN"}"#);
/// ```
pub fn float(out: &mut Vec<u8>, value: f64) {
    if !value.is_finite() {
        return out.extend_from_slice(non_finite(value));
    }
    let mut buffer = ryu::Buffer::new();
    let text = buffer.format_finite(value);
    let magnitude = value.abs();
    if magnitude == 0.0 || (1e-4..1e16).contains(&magnitude) {
        return out.extend_from_slice(text.as_bytes());
    }
    scientific(out, text);
}

fn non_finite(value: f64) -> &'static [u8] {
    if value.is_nan() {
        br#"{"$numberDouble": "NaN"}"#
    } else if value > 0.0 {
        br#"{"$numberDouble": "Infinity"}"#
    } else {
        br#"{"$numberDouble": "-Infinity"}"#
    }
}

/// Rewrites shortest digits into Python's exponent form: `1e-5` and `0.00001` become `1e-05`.
fn scientific(out: &mut Vec<u8>, text: &str) {
    let (sign, text) = text.strip_prefix('-').map_or(("", text), |rest| ("-", rest));
    let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    let digits = [whole, fraction].concat();
    let leading = digits.len() - digits.trim_start_matches('0').len();
    let digits = digits.trim_matches('0');
    let point = whole.len() as i32 - leading as i32 + exponent - 1;
    out.extend_from_slice(sign.as_bytes());
    out.extend_from_slice(&digits.as_bytes()[..1]);
    if digits.len() > 1 {
        out.push(b'.');
        out.extend_from_slice(&digits.as_bytes()[1..]);
    }
    out.extend_from_slice(if point < 0 { b"e-" } else { b"e+" });
    let point = point.unsigned_abs().to_string();
    if point.len() < 2 {
        out.push(b'0');
    }
    out.extend_from_slice(point.as_bytes());
}

const fn needs_escape(byte: u8) -> bool {
    byte < 0x20 || byte >= 0x7F || byte == b'"' || byte == b'\\'
}

fn escape(out: &mut Vec<u8>, character: char) {
    let short: &[u8] = match character {
        '"' => b"\\\"",
        '\\' => b"\\\\",
        '\n' => b"\\n",
        '\r' => b"\\r",
        '\t' => b"\\t",
        '\u{8}' => b"\\b",
        '\u{c}' => b"\\f",
        _ => {
            let mut units = [0u16; 2];
            for unit in character.encode_utf16(&mut units) {
                unicode_escape(out, *unit);
            }
            return;
        }
    };
    out.extend_from_slice(short);
}

fn unicode_escape(out: &mut Vec<u8>, unit: u16) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.extend_from_slice(b"\\u");
    for shift in [12, 8, 4, 0] {
        out.push(HEX[usize::from(unit >> shift & 0xF)]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(value: f64) -> String {
        let mut out = Vec::new();
        float(&mut out, value);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn floats_look_as_in_python() {
        let table: &[(f64, &str)] = &[
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (1.0, "1.0"),
            (0.1, "0.1"),
            (1e-4, "0.0001"),
            (1e-5, "1e-05"),
            (1.5e-5, "1.5e-05"),
            (-2.5e-7, "-2.5e-07"),
            (1e15, "1000000000000000.0"),
            (1e16, "1e+16"),
            (1.2345e16, "1.2345e+16"),
            (1e22, "1e+22"),
            (1e100, "1e+100"),
            (5e-324, "5e-324"),
            (f64::MAX, "1.7976931348623157e+308"),
            (123456.789, "123456.789"),
            (9007199254740993.0, "9007199254740992.0"),
        ];
        for &(value, text) in table {
            assert_eq!(written(value), text);
        }
    }

    #[test]
    fn strings_are_ascii_and_lone_surrogates_survive() {
        let mut out = Vec::new();
        string(&mut out, "a\"\\\u{1b}é😀\u{7f}");
        assert_eq!(out, b"\"a\\\"\\\\\\u001b\\u00e9\\ud83d\\ude00\\u007f\"");
        out.clear();
        assert!(string_wtf8(&mut out, b"caf\xED\xB3\xA9.csv"));
        assert_eq!(out, br#""caf\udce9.csv""#);
        assert!(!string_wtf8(&mut out, b"\xFF"));
    }
}
