//! What a plain YAML scalar means: the core schema of YAML 1.2, chapter 10.3, and nothing else.
//!
//! So `no`, `on`, `1:30` and `2024-01-01` are text, and nobody's country is read as `false`.

use serde_json::Number;

/// The meaning of a scalar.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Scalar {
    Null,
    Bool(bool),
    Number(Number),
    Text,
    /// A number that JSON cannot hold: not finite, or an integer past 64 bits.
    BeyondJson,
}

/// Resolves a scalar that was written without quotes and without a tag.
pub(super) fn resolve(text: &str) -> Scalar {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Scalar::Null,
        "true" | "True" | "TRUE" => Scalar::Bool(true),
        "false" | "False" | "FALSE" => Scalar::Bool(false),
        _ => integer(text).or_else(|| float(text)).unwrap_or(Scalar::Text),
    }
}

fn integer(text: &str) -> Option<Scalar> {
    if let Some(digits) = text.strip_prefix("0o") {
        return radix(digits, 8);
    }
    if let Some(digits) = text.strip_prefix("0x") {
        return radix(digits, 16);
    }
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let signed = text.parse::<i64>().map(Number::from);
    let number = signed.or_else(|_| text.parse::<u64>().map(Number::from));
    Some(number.map_or(Scalar::BeyondJson, Scalar::Number))
}

fn radix(digits: &str, radix: u32) -> Option<Scalar> {
    if digits.is_empty() || !digits.chars().all(|digit| digit.is_digit(radix)) {
        return None;
    }
    let number = u64::from_str_radix(digits, radix);
    Some(number.map_or(Scalar::BeyondJson, |number| Scalar::Number(number.into())))
}

fn float(text: &str) -> Option<Scalar> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN") {
        return Some(Scalar::BeyondJson);
    }
    if !is_float(unsigned) {
        return None;
    }
    let number = text.parse().ok().and_then(Number::from_f64);
    Some(number.map_or(Scalar::BeyondJson, Scalar::Number))
}

/// `( "." [0-9]+ | [0-9]+ ( "." [0-9]* )? ) ( [eE] [-+]? [0-9]+ )?`
fn is_float(unsigned: &str) -> bool {
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let exponent_fits = exponent.is_none_or(|exponent| {
        let exponent = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
        !exponent.is_empty() && digits(exponent)
    });
    digits(whole) && digits(fraction) && !(whole.is_empty() && fraction.is_empty()) && exponent_fits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_core_schema_and_nothing_of_yaml_1_1() {
        for text in [
            "no",
            "yes",
            "on",
            "off",
            "y",
            "tRuE",
            "1:30",
            "2024-01-01",
            "1_000",
            "0b101",
            "1e",
            "e5",
            ".",
            "-",
            "+",
            "1.2.3",
            "0o8",
            "0xg",
            "-0x1",
            "nan",
            "inf",
            "0x",
            "+.",
            "<<",
            "-.nan",
            "--1",
            "١",
        ] {
            assert_eq!(resolve(text), Scalar::Text, "{text}");
        }
        for text in ["", "~", "null", "Null", "NULL"] {
            assert_eq!(resolve(text), Scalar::Null);
        }
    }

    #[test]
    fn numbers() {
        let integers: &[(&str, i64)] = &[
            ("0", 0),
            ("-7", -7),
            ("+7", 7),
            ("0755", 755),
            ("0o755", 493),
            ("0xfF", 255),
            ("9223372036854775807", i64::MAX),
            ("-9223372036854775808", i64::MIN),
        ];
        for &(text, number) in integers {
            assert_eq!(resolve(text), Scalar::Number(number.into()), "{text}");
        }
        let max = Scalar::Number(u64::MAX.into());
        assert_eq!(resolve("18446744073709551615"), max);
        for (text, number) in [("1e3", 1e3), (".5", 0.5), ("5.", 5.0), ("-1.5E-3", -0.0015)] {
            assert_eq!(resolve(text), Scalar::Number(Number::from_f64(number).unwrap()), "{text}");
        }
    }

    #[test]
    fn what_json_cannot_hold_is_told_apart() {
        for text in [
            ".nan",
            ".inf",
            "-.INF",
            "+.Inf",
            "1e999",
            "18446744073709551616",
            "-9223372036854775809",
            "0x10000000000000000",
        ] {
            assert_eq!(resolve(text), Scalar::BeyondJson, "{text}");
        }
    }
}
