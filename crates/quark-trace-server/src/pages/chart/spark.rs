//! A curve as small as a word, without axes.

use std::fmt::Write;

use super::scale::Scale;
use super::thin::thinned;
use super::{Point, place};

const WIDTH: f64 = 96.0;
const HEIGHT: f64 = 22.0;
const EDGE: f64 = 3.0;

/// A small curve.
#[derive(Debug, Clone, Default)]
pub struct Spark {
    /// The path; empty when there is nothing to draw.
    pub path: String,
    /// Where it ends.
    pub end: Option<(String, String)>,
}

impl Spark {
    /// The values in their order; those that are not finite leave a gap.
    pub fn of(values: &[f64]) -> Self {
        let finite = values.iter().copied().filter(|value| value.is_finite());
        let (min, max) = finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(min, max), value| {
            (min.min(value), max.max(value))
        });
        if min > max {
            return Self::default();
        }
        let last = values.len().saturating_sub(1).max(1) as f64;
        let x = Scale::new((0.0, last), (EDGE, WIDTH - EDGE));
        let y = Scale::new((min, max), (HEIGHT - EDGE, EDGE));
        let points: Vec<_> =
            values.iter().enumerate().map(|(at, y)| Point { x: at as f64, y: *y }).collect();
        let mut spark = Self::default();
        for run in points.split(|point| !point.y.is_finite()).filter(|run| !run.is_empty()) {
            for (at, point) in thinned(run, (0.0, last), WIDTH as usize).iter().enumerate() {
                let (across, down) = (place(x.at(point.x)), place(y.at(point.y)));
                let step = if at == 0 { 'M' } else { 'L' };
                let _ = write!(spark.path, "{step}{across} {down}");
                spark.end = Some((across, down));
            }
        }
        spark
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_begin_a_new_stroke() {
        let spark = Spark::of(&[1.0, 2.0, f64::NAN, 1.5, 1.0]);
        assert_eq!(spark.path.matches('M').count(), 2);
        assert!(!spark.path.contains("NaN"));
        assert!(Spark::of(&[f64::NAN]).path.is_empty());
        assert_eq!(Spark::of(&[1.0, 1.0]).path, "M3 11L93 11");
    }
}
