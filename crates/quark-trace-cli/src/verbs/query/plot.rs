//! Drawing numbers with characters: a line chart for one series, a sparkline each for several.
//!
//! Nothing here knows a terminal; names must be safe to show already.

/// What is drawn in one colour, were there colours.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// What it is called.
    pub name: String,
    /// x and y, in the order of x.
    pub points: Vec<(f64, f64)>,
}

/// The paper.
#[derive(Debug, Clone, Copy)]
pub struct Paper {
    /// Columns of the terminal.
    pub width: usize,
    /// Whether characters outside of ASCII are shown.
    pub unicode: bool,
}

/// Rows of a line chart.
const HEIGHT: usize = 10;
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
const ASCII_BARS: [char; 8] = ['_', '.', '-', '~', '=', '+', '*', '#'];
/// Dots of a braille character, by row and column.
const DOTS: [[u8; 2]; 4] = [[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]];

/// The least and the greatest value; a span of nothing is widened.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Span {
    low: f64,
    high: f64,
}

impl Span {
    fn of(values: impl Iterator<Item = f64>) -> Option<Self> {
        let widen = |span: Option<Self>, value: f64| match span {
            None => Some(Self { low: value, high: value }),
            Some(Self { low, high }) => Some(Self { low: low.min(value), high: high.max(value) }),
        };
        values.fold(None, widen)
    }

    /// Where a value lies, from 0 to `steps` - 1.
    fn place(self, value: f64, steps: usize) -> usize {
        // Halved first: the whole span of doubles is no double.
        let span = self.high / 2.0 - self.low / 2.0;
        if span <= 0.0 || steps == 0 {
            return 0;
        }
        let share = (value / 2.0 - self.low / 2.0) / span;
        ((share * steps as f64) as usize).min(steps - 1)
    }
}

/// Draws the series; `x` makes a label of a place on the axis. Values that are no finite numbers
/// must be left out before.
pub fn draw(series: &[Series], x: &dyn Fn(f64) -> String, paper: Paper) -> Vec<String> {
    let points = || series.iter().flat_map(|one| one.points.iter());
    let spans = (Span::of(points().map(|at| at.0)), Span::of(points().map(|at| at.1)));
    let (Some(across), Some(up)) = spans else { return Vec::new() };
    let mut lines = match series {
        [one] => line_chart(one, across, up, paper),
        many => sparklines(many, across, up, paper),
    };
    let indent = lines.last().map_or(0, |line| line.chars().take_while(|c| *c == ' ').count());
    let (from, to) = (x(across.low), x(across.high));
    let room = lines.last().map_or(0, |line| line.chars().count()).max(indent + from.len());
    let gap = room.saturating_sub(indent + from.chars().count() + to.chars().count()).max(1);
    lines.push(format!("{}{from}{}{to}", " ".repeat(indent), " ".repeat(gap)));
    lines
}

/// The mean of the values in each of `count` equal parts of the span.
fn bins(points: &[(f64, f64)], across: Span, count: usize) -> Vec<Option<f64>> {
    let mut means: Vec<(f64, u32)> = vec![(0.0, 0); count];
    for &(x, y) in points {
        let (mean, values) = &mut means[across.place(x, count)];
        *values += 1;
        // So that the sum of great values does not leave the doubles.
        *mean += y / f64::from(*values) - *mean / f64::from(*values);
    }
    means.into_iter().map(|(mean, values)| (values > 0).then_some(mean)).collect()
}

fn sparklines(series: &[Series], across: Span, up: Span, paper: Paper) -> Vec<String> {
    let name_width = series.iter().map(|one| one.name.chars().count()).max().unwrap_or(0).min(24);
    let numbers: Vec<_> = series.iter().map(|one| ends(&one.points)).collect();
    let number_width = numbers.iter().map(|text| text.chars().count()).max().unwrap_or(0);
    let width = paper.width.saturating_sub(name_width + number_width + 4).clamp(8, 120);
    let bars = if paper.unicode { BARS } else { ASCII_BARS };
    let mut lines = Vec::new();
    for (one, numbers) in series.iter().zip(numbers) {
        let bar = |mean: &Option<f64>| mean.map_or(' ', |mean| bars[up.place(mean, 8)]);
        let bars: String = bins(&one.points, across, width).iter().map(bar).collect();
        let name: String = one.name.chars().take(name_width).collect();
        lines.push(format!("{name:name_width$}  {bars}  {numbers}"));
    }
    let rule = if paper.unicode { '─' } else { '-' };
    lines.push(format!("{}{}", " ".repeat(name_width + 2), String::from(rule).repeat(width)));
    lines
}

/// `0.52 -> 0.21`: the first and the last value.
fn ends(points: &[(f64, f64)]) -> String {
    match (points.first(), points.last()) {
        (Some(first), Some(last)) => format!("{} -> {}", short(first.1), short(last.1)),
        _ => String::new(),
    }
}

fn line_chart(series: &Series, across: Span, up: Span, paper: Paper) -> Vec<String> {
    let (high, low) = (short(up.high), short(up.low));
    let label_width = high.len().max(low.len());
    let width = paper.width.saturating_sub(label_width + 3).clamp(8, 120);
    let (fine, rows) = if paper.unicode { (2, 4) } else { (1, 1) };
    let line = joined(&bins(&series.points, across, width * fine));
    let mut cells = vec![vec![0u8; width]; HEIGHT];
    for (at, mean) in line.into_iter().enumerate() {
        let Some(mean) = mean else { continue };
        let row = HEIGHT * rows - 1 - up.place(mean, HEIGHT * rows);
        cells[row / rows][at / fine] |= DOTS[row % rows][at % fine];
    }
    let (side, corner, rule) = if paper.unicode { ('│', '└', '─') } else { ('|', '+', '-') };
    let mut lines = Vec::new();
    for (at, row) in cells.iter().enumerate() {
        let label = match at {
            0 => high.as_str(),
            _ if at + 1 == HEIGHT => low.as_str(),
            _ => "",
        };
        let drawn: String = row.iter().map(|&dots| cell(dots, paper.unicode)).collect();
        lines.push(format!("{label:>label_width$} {side}{}", drawn.trim_end()));
    }
    let rule = String::from(rule).repeat(width);
    lines.push(format!("{} {corner}{rule}", " ".repeat(label_width)));
    lines
}

fn cell(dots: u8, unicode: bool) -> char {
    match (dots, unicode) {
        (0, _) => ' ',
        (_, false) => '*',
        (_, true) => char::from_u32(0x2800 + u32::from(dots)).unwrap_or('*'),
    }
}

/// The gaps between values filled on a straight line.
fn joined(means: &[Option<f64>]) -> Vec<Option<f64>> {
    let mut line = means.to_vec();
    let mut last: Option<(usize, f64)> = None;
    for (at, mean) in means.iter().enumerate() {
        let Some(value) = *mean else { continue };
        if let Some((from, before)) = last {
            for (step, between) in line[from + 1..at].iter_mut().enumerate() {
                let share = (step + 1) as f64 / (at - from) as f64;
                *between = Some(before * (1.0 - share) + value * share);
            }
        }
        last = Some((at, value));
    }
    line
}

/// A number in few characters.
pub fn short(value: f64) -> String {
    let size = value.abs();
    if value == 0.0 || (1e-3..1e7).contains(&size) {
        let digits = if size >= 1000.0 { 1 } else { 4 };
        let text = format!("{value:.digits$}");
        return text.trim_end_matches('0').trim_end_matches('.').to_owned();
    }
    format!("{value:.2e}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Paper = Paper { width: 40, unicode: false };
    const FINE: Paper = Paper { width: 40, unicode: true };

    fn series(name: &str, points: &[(f64, f64)]) -> Series {
        Series { name: name.to_owned(), points: points.to_vec() }
    }

    fn falling() -> Series {
        series("loss", &[(1.0, 1.0), (2.0, 0.5), (3.0, 0.25), (4.0, 0.125)])
    }

    #[test]
    fn one_series_is_a_line() {
        let lines = draw(&[falling()], &short, PLAIN);
        assert_eq!(lines.len(), HEIGHT + 2);
        assert!(lines[0].starts_with("    1 |*"), "{lines:#?}");
        assert!(lines[HEIGHT - 1].starts_with("0.125 |") && lines[HEIGHT - 1].ends_with('*'));
        assert_eq!(lines[HEIGHT + 1].trim(), format!("1{}4", " ".repeat(31)));
        assert!(lines.iter().all(|line| line.is_ascii() && line.len() <= 40), "{lines:#?}");
        let drawn = draw(&[falling()], &short, FINE);
        assert!(drawn[0].chars().any(|c| ('\u{2801}'..='\u{28ff}').contains(&c)), "{drawn:#?}");
        assert!(drawn.iter().all(|line| line.chars().count() <= 40));
    }

    #[test]
    fn several_series_share_their_scales() {
        let flat = series("flat", &[(1.0, 0.125), (4.0, 0.125)]);
        let lines = draw(&[falling(), flat], &short, FINE);
        assert!(
            lines[0].starts_with("loss  █") && lines[0].contains("▁  1 -> 0.125"),
            "{lines:#?}"
        );
        assert!(lines[1].starts_with("flat  ▁"), "{lines:#?}");
        let plain = draw(&[falling(), falling()], &short, PLAIN);
        assert!(plain.iter().all(|line| line.is_ascii() && line.len() <= 40), "{plain:#?}");
        assert!(plain[0].starts_with("loss  #"));
    }

    #[test]
    fn odd_series_are_drawn_too() {
        assert!(draw(&[], &short, FINE).is_empty());
        assert!(draw(&[series("none", &[])], &short, FINE).is_empty());
        for points in [
            &[(1.0, 1.0)][..],
            &[(1.0, 0.0), (1.0, 0.0)],
            &[(0.0, f64::MAX), (1.0, f64::MIN), (2.0, f64::MAX)],
            &[(f64::MIN, 1.0), (f64::MAX, 5e-324)],
            &[(1e300, 1e-300), (1e300, 2e-300)],
        ] {
            for paper in [PLAIN, FINE, Paper { width: 0, unicode: true }] {
                let one = series("x", points);
                assert_eq!(draw(std::slice::from_ref(&one), &short, paper).len(), HEIGHT + 2);
                assert_eq!(draw(&[one.clone(), one], &short, paper).len(), 4);
            }
        }
    }

    #[test]
    fn numbers_are_short() {
        let shown = [0.0, 0.21, 1234.56, 1e9, -1e-5, 0.123456].map(short);
        assert_eq!(shown, ["0", "0.21", "1234.6", "1.00e9", "-1.00e-5", "0.1235"]);
    }
}
