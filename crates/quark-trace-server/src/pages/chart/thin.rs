//! Fewer points than there are, drawing the same picture.

use super::Point;

/// Of every column of `width` pixels over `span` the first, least, greatest and last point, in their
/// order. What is not finite is kept out; fewer points than that come back as they are.
pub(super) fn thinned(points: &[Point], span: (f64, f64), columns: usize) -> Vec<Point> {
    if points.len() <= 4 * columns {
        return points.to_vec();
    }
    let width = (span.1 - span.0).max(f64::MIN_POSITIVE) / columns.max(1) as f64;
    let column = |point: &Point| ((point.x - span.0) / width) as usize;
    points.chunk_by(|one, other| column(one) == column(other)).flat_map(extremes).collect()
}

fn extremes(column: &[Point]) -> Vec<Point> {
    let by = |better: fn(f64, f64) -> bool| {
        let mut best = 0;
        for (at, point) in column.iter().enumerate() {
            if better(point.y, column[best].y) {
                best = at;
            }
        }
        best
    };
    let least = by(|new, known| new < known);
    let greatest = by(|new, known| new > known);
    let mut kept = vec![0, least, greatest, column.len() - 1];
    kept.sort_unstable();
    kept.dedup();
    kept.into_iter().map(|at| column[at]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_spike_survives() {
        let spike = |at: usize| if at == 61_234 { 9.0 } else { 0.1 };
        let points: Vec<_> = (0..100_000).map(|at| Point { x: at as f64, y: spike(at) }).collect();
        let thin = thinned(&points, (0.0, 99_999.0), 400);
        assert!(thin.len() <= 4 * 401, "{}", thin.len());
        assert!(thin.iter().any(|point| point.y > 8.0));
        assert_eq!((thin[0].x, thin[thin.len() - 1].x), (0.0, 99_999.0));
        assert!(thin.is_sorted_by(|one, other| one.x <= other.x));
    }

    #[test]
    fn few_points_stay_as_they_are() {
        let points = [Point { x: 0.0, y: 1.0 }, Point { x: 1.0, y: 2.0 }];
        assert_eq!(thinned(&points, (0.0, 1.0), 400), points);
    }
}
