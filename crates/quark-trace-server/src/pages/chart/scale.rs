//! From values to places, and the round numbers that stand at an axis.

/// The round numbers at an axis, and the span that they make.
#[derive(Debug, Clone, PartialEq)]
pub struct Ticks {
    /// The values, rising.
    pub values: Vec<f64>,
    step: f64,
}

impl Ticks {
    /// About `wanted` round numbers around `min` and `max`, which are finite.
    pub fn around(min: f64, max: f64, wanted: usize) -> Self {
        let (min, max) = spread(min, max);
        let step = round_step((max - min) / wanted.max(1) as f64);
        let first = (min / step).floor();
        let last = (max / step).ceil();
        let count = ((last - first) as usize).min(4 * wanted.max(1));
        let values = (0..=count).map(|at| (first + at as f64) * step).collect();
        Self { values, step }
    }

    /// About `wanted` round numbers from `min` to `max`, none outside.
    pub fn within(min: f64, max: f64, wanted: usize) -> Self {
        let mut ticks = Self::around(min, max, wanted);
        ticks.values.retain(|value| *value >= min && *value <= max);
        if ticks.values.is_empty() {
            ticks.values.push(min);
        }
        ticks
    }

    /// The least.
    pub fn first(&self) -> f64 {
        self.values.first().copied().unwrap_or(0.0)
    }

    /// The greatest.
    pub fn last(&self) -> f64 {
        self.values.last().copied().unwrap_or(1.0)
    }

    /// A tick in as many places as its neighbours need.
    pub fn label(&self, value: f64) -> String {
        let value = if value.abs() < self.step / 1e6 { 0.0 } else { value };
        let greatest = self.first().abs().max(self.last().abs());
        if greatest >= 1e6 || (greatest < 1e-3 && greatest > 0.0) {
            return short_number(value);
        }
        let places = (-self.step.log10().floor()).clamp(0.0, 12.0) as usize;
        grouped(&format!("{value:.places$}"))
    }
}

/// Two numbers that are not the same, around one that is.
fn spread(min: f64, max: f64) -> (f64, f64) {
    if max > min && (max - min).is_finite() {
        return (min, max);
    }
    let around = if min == 0.0 { 1.0 } else { min.abs() / 2.0 };
    if around.is_finite() && min.abs() < 1e300 {
        (min - around, min + around)
    } else {
        (-1e300, 1e300)
    }
}

/// The next of 1, 2, 5, 10, 20, 50, … that is not below `step`.
fn round_step(step: f64) -> f64 {
    let power = 10_f64.powf(step.log10().floor());
    let factor = [1.0, 2.0, 5.0].into_iter().find(|factor| factor * power >= step * 0.999_999);
    factor.unwrap_or(10.0) * power
}

/// A number in few characters: `0.2135`, `18,420`, `2.8e7`, `NaN`.
pub fn short_number(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "∞" } else { "-∞" }.to_owned();
    }
    let size = value.abs();
    if size != 0.0 && !(1e-4..1e9).contains(&size) {
        return format!("{value:.3e}").replace(".000e", "e").replace("00e", "e");
    }
    let places = if size >= 1000.0 { 1 } else { 4 };
    let text = format!("{value:.places$}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    grouped(if text == "-0" { "0" } else { text })
}

/// The digits before the point in groups of three.
fn grouped(text: &str) -> String {
    let (sign, rest) = text.strip_prefix('-').map_or(("", text), |rest| ("-", rest));
    let (whole, fraction) = rest.split_once('.').map_or((rest, ""), |(w, f)| (w, f));
    let mut out = sign.to_owned();
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    if !fraction.is_empty() {
        out.push('.');
        out.push_str(fraction);
    }
    out
}

/// A way from values to places in a drawing.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scale {
    from: (f64, f64),
    to: (f64, f64),
}

impl Scale {
    pub fn new(from: (f64, f64), to: (f64, f64)) -> Self {
        Self { from: spread(from.0, from.1), to }
    }

    pub fn at(&self, value: f64) -> f64 {
        // Halved first, so that the span of two huge numbers does not overflow.
        let span = self.from.1 / 2.0 - self.from.0 / 2.0;
        let part = (value / 2.0 - self.from.0 / 2.0) / span;
        self.to.0 + part.clamp(-0.01, 1.01) * (self.to.1 - self.to.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round() {
        let labels = |min, max| {
            let ticks = Ticks::around(min, max, 4);
            ticks.values.iter().map(|value| ticks.label(*value)).collect::<Vec<_>>()
        };
        assert_eq!(labels(0.151, 0.79), ["0.0", "0.2", "0.4", "0.6", "0.8"]);
        assert_eq!(labels(0.0, 18_420.0), ["0", "5,000", "10,000", "15,000", "20,000"]);
        assert_eq!(labels(-1.0, 1.0), ["-1.0", "-0.5", "0.0", "0.5", "1.0"]);
        assert_eq!(labels(3.0, 3.0), ["1", "2", "3", "4", "5"]);
    }

    #[test]
    fn no_number_is_too_wild() {
        for (min, max) in [
            (f64::MIN, f64::MAX),
            (0.0, f64::MIN_POSITIVE),
            (f64::MAX, f64::MAX),
            (-0.0, 0.0),
            (1e-320, 2e-320),
            (1.0, 1.0 + f64::EPSILON),
        ] {
            let ticks = Ticks::around(min, max, 4);
            assert!(ticks.values.len() < 40, "{min} {max}: {ticks:?}");
            let scale = Scale::new((min, max), (0.0, 100.0));
            let middle = scale.at(min / 2.0 + max / 2.0);
            assert!((-2.0..=102.0).contains(&middle), "{min} {max}: {middle}");
            assert!(ticks.values.iter().all(|value| !ticks.label(*value).is_empty()));
        }
    }

    #[test]
    fn short_numbers_are_short() {
        for (value, text) in [
            (0.2135, "0.2135"),
            (18_420.0, "18,420"),
            (1234.56, "1,234.6"),
            (28_311_552_000.0, "2.831e10"),
            (1e-7, "1e-7"),
            (0.0, "0"),
            (-0.00001, "-1e-5"),
            (f64::NAN, "NaN"),
            (f64::NEG_INFINITY, "-∞"),
        ] {
            assert_eq!(short_number(value), text);
        }
    }
}
