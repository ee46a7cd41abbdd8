//! A line chart: one series for each site, over rounds or whatever counts them.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::scale::{Scale, Ticks, short_number};
use super::thin::thinned;
use super::{Point, place};
use crate::pages::text::Shown;

/// Left, right, top and bottom of what is drawn in a box of 520 by 260, the rest being for labels;
/// the page scales it.
const AREA: (f64, f64, f64, f64) = (50.0, 408.0, 14.0, 222.0);
/// Series with a colour of their own.
pub(crate) const COLOURS: usize = 8;
/// Totals with a pattern of their own.
const TOTALS: usize = 3;
/// Series that are drawn at all.
const DRAWN: usize = 40;
/// Points up to which each one gets a dot.
const DOTTED: usize = 60;
/// Least distance between two labels.
const LABEL_HEIGHT: f64 = 15.0;
/// Rows of the table beside the chart.
const ROWS: usize = 200;
/// Places that are no numbers and are marked.
const MARKED: usize = 200;

/// The values of one site, or of all sites together.
#[derive(Debug, Clone, Default)]
pub struct Series {
    /// Its name.
    pub name: String,
    /// The values, in any order.
    pub points: Vec<Point>,
    /// Whether it is of all sites together, such as an aggregation.
    pub is_total: bool,
}

/// A drawing, ready to be written down.
#[derive(Debug, Clone, Default)]
pub struct LineChart {
    /// What is drawn: the name of the number.
    pub title: Shown,
    /// What stands below: `round`.
    pub across: Shown,
    /// What a reader who does not see it is told.
    pub description: String,
    /// Ticks of the vertical axis.
    pub ticks_up: Vec<Tick>,
    /// Ticks of the horizontal axis.
    pub ticks_across: Vec<Tick>,
    /// The curves, the total last so that it lies on top.
    pub curves: Vec<Curve>,
    /// Places where a value is no number.
    pub gaps: Vec<Gap>,
    /// Names of the table's columns.
    pub columns: Vec<Shown>,
    /// Rows of the table: what counts them, and a value for each column.
    pub rows: Vec<(String, Vec<String>)>,
    /// Rows that the table leaves out.
    pub left_out: usize,
    /// Series that are not drawn.
    pub undrawn: usize,
}

/// A round number at an axis.
#[derive(Debug, Clone, Default)]
pub struct Tick {
    /// Where.
    pub at: String,
    /// What it says.
    pub label: String,
}

/// One curve.
#[derive(Debug, Clone, Default)]
pub struct Curve {
    /// Its name.
    pub name: Shown,
    /// Class of its colour and dashes.
    pub class: String,
    /// Its path.
    pub path: String,
    /// A dot for each point, when there are few.
    pub dots: Vec<(String, String)>,
    /// Where its label stands, and where the curve ends; `None` for a curve without colour.
    pub label: Option<(String, String)>,
}

/// A value that is no number.
#[derive(Debug, Clone, Default)]
pub struct Gap {
    /// Where.
    pub x: String,
    /// Of which series, and what it is.
    pub label: Shown,
    /// Class of its colour.
    pub class: String,
}

impl LineChart {
    /// Draws; `None` when no value is finite.
    pub fn new(title: &str, across: &str, mut series: Vec<Series>) -> Option<Self> {
        for one in &mut series {
            one.points.retain(|point| point.x.is_finite());
            one.points.sort_by(|one, other| one.x.total_cmp(&other.x));
        }
        let undrawn = series.len().saturating_sub(DRAWN);
        series.truncate(DRAWN);
        let all = || series.iter().flat_map(|series| &series.points);
        let (least, greatest) = span(all().filter(|p| p.y.is_finite()).map(|p| p.y))?;
        let (first, last) = span(all().map(|point| point.x))?;
        let up = Ticks::around(least, greatest, 4);
        let across_ticks = Ticks::within(first, last, 6);
        let x = Scale::new((first, last), (AREA.0, AREA.1));
        let y = Scale::new((up.first(), up.last()), (AREA.3, AREA.2));
        let mut chart = Self {
            title: Shown::within(title, 80),
            across: Shown::within(across, 40),
            description: describe(title, across, &series, (least, greatest)),
            ticks_up: ticks(&up, &y),
            ticks_across: ticks(&across_ticks, &x),
            undrawn,
            ..Self::default()
        };
        let mut ends = Vec::new();
        let mut classes = Classes::default();
        for one in &series {
            let class = classes.next(one);
            let (curve, end) = curve(one, &class, (first, last), &x, &y);
            ends.extend(end.filter(|_| class != "rest").map(|down| (chart.curves.len(), down)));
            chart.curves.push(curve);
            chart.mark_gaps(one, &class, &x);
        }
        chart.place_labels(ends);
        chart.tabulate(&series);
        chart.curves.sort_by_key(|curve| curve.class.starts_with('t'));
        Some(chart)
    }

    fn mark_gaps(&mut self, series: &Series, class: &str, x: &Scale) {
        for point in series.points.iter().filter(|point| !point.y.is_finite()) {
            if self.gaps.len() == MARKED {
                return;
            }
            let text = format!(
                "{}, {} {}: {}",
                series.name,
                self.across,
                short_number(point.x),
                short_number(point.y)
            );
            let class = class.to_owned();
            self.gaps.push(Gap { x: place(x.at(point.x)), label: Shown::of(&text), class });
        }
    }

    /// Puts the labels at the ends of their curves, moved apart where they would cover each other.
    fn place_labels(&mut self, mut ends: Vec<(usize, f64)>) {
        ends.sort_by(|one, other| one.1.total_cmp(&other.1));
        let mut floor = AREA.2 - LABEL_HEIGHT;
        for end in &mut ends {
            end.1 = end.1.max(floor + LABEL_HEIGHT);
            floor = end.1;
        }
        let mut ceiling = AREA.3 + LABEL_HEIGHT;
        for (curve, at) in ends.into_iter().rev() {
            let at = at.min(ceiling - LABEL_HEIGHT);
            ceiling = at;
            self.curves[curve].label = Some((place(AREA.1 + 10.0), place(at + 4.0)));
        }
    }

    fn tabulate(&mut self, series: &[Series]) {
        let mut rows: BTreeMap<u64, (f64, Vec<String>)> = BTreeMap::new();
        for (column, one) in series.iter().enumerate() {
            for point in &one.points {
                let empty = || (point.x, vec![String::new(); series.len()]);
                let row = rows.entry(sortable(point.x)).or_insert_with(empty);
                row.1[column] = short_number(point.y);
            }
        }
        self.left_out = rows.len().saturating_sub(ROWS);
        let rows = rows.into_values().skip(self.left_out);
        self.rows = rows.map(|(x, cells)| (short_number(x), cells)).collect();
        self.columns = series.iter().map(|one| Shown::within(&one.name, 40)).collect();
    }
}

/// The bits of a number such that they rise with it.
fn sortable(value: f64) -> u64 {
    let bits = (value + 0.0).to_bits();
    if bits >> 63 == 1 { !bits } else { bits | 1 << 63 }
}

fn span(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    values.fold(None, |span, value| {
        Some(span.map_or((value, value), |(min, max): (f64, f64)| (min.min(value), max.max(value))))
    })
}

/// Which class comes next: sites and totals are counted apart.
#[derive(Default)]
struct Classes {
    sites: usize,
    totals: usize,
}

impl Classes {
    fn next(&mut self, series: &Series) -> String {
        if series.is_total {
            self.totals += 1;
            return format!("t{}", self.totals.min(TOTALS));
        }
        self.sites += 1;
        if self.sites > COLOURS { "rest".to_owned() } else { format!("s{}", self.sites) }
    }
}

fn ticks(ticks: &Ticks, scale: &Scale) -> Vec<Tick> {
    let tick = |value: &f64| Tick { at: place(scale.at(*value)), label: ticks.label(*value) };
    ticks.values.iter().map(tick).collect()
}

fn curve(
    series: &Series,
    class: &str,
    span: (f64, f64),
    x: &Scale,
    y: &Scale,
) -> (Curve, Option<f64>) {
    let mut curve = Curve {
        name: Shown::within(&series.name, 16),
        class: class.to_owned(),
        ..Curve::default()
    };
    let mut end = None;
    let is_dotted = series.points.len() <= DOTTED;
    let runs = series.points.split(|point| !point.y.is_finite());
    for run in runs.filter(|run| !run.is_empty()) {
        for (at, point) in thinned(run, span, (AREA.1 - AREA.0) as usize).iter().enumerate() {
            let (across, down) = (place(x.at(point.x)), place(y.at(point.y)));
            let step = if at == 0 { 'M' } else { 'L' };
            let _ = write!(curve.path, "{step}{across} {down}");
            end = Some(y.at(point.y));
            if is_dotted {
                curve.dots.push((across, down));
            }
        }
    }
    (curve, end)
}

fn describe(title: &str, across: &str, series: &[Series], span: (f64, f64)) -> String {
    let names: Vec<_> = series.iter().take(COLOURS).map(|one| one.name.as_str()).collect();
    let more = series.len() - names.len();
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let text = format!(
        "{title} by {across}, from {} to {}, for {}{more}",
        short_number(span.0),
        short_number(span.1),
        names.join(", ")
    );
    Shown::within(&text, 400).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(name: &str, values: &[f64]) -> Series {
        let points = values.iter().enumerate().map(|(at, y)| Point { x: at as f64 + 1.0, y: *y });
        Series { name: name.to_owned(), points: points.collect(), is_total: false }
    }

    #[test]
    fn what_is_no_number_leaves_a_gap_and_a_mark() {
        let values = [0.9, f64::NAN, 0.7, f64::INFINITY, 0.5];
        let chart = LineChart::new("loss", "round", vec![series("north", &values)]).unwrap();
        assert_eq!(chart.curves[0].path.matches('M').count(), 3);
        let gaps: Vec<_> = chart.gaps.iter().map(|gap| gap.label.to_string()).collect();
        assert_eq!(gaps, ["north, round 2: NaN", "north, round 4: ∞"]);
        assert_eq!(chart.rows[1].1, ["NaN"]);
        assert!(LineChart::new("loss", "round", vec![series("north", &[f64::NAN])]).is_none());
    }

    #[test]
    fn labels_do_not_cover_each_other() {
        let many =
            (0..8).map(|at| series(&format!("site {at}"), &[1.0, 0.5 + f64::from(at) / 1e4]));
        let chart = LineChart::new("loss", "round", many.collect()).unwrap();
        let mut places: Vec<f64> = chart
            .curves
            .iter()
            .map(|curve| curve.label.as_ref().unwrap().1.parse().unwrap())
            .collect();
        places.sort_by(f64::total_cmp);
        assert!(
            places.windows(2).all(|pair| pair[1] - pair[0] >= LABEL_HEIGHT - 0.1),
            "{places:?}"
        );
        assert!(places.iter().all(|place| (AREA.2..AREA.3 + 5.0).contains(place)), "{places:?}");
    }

    #[test]
    fn the_total_lies_on_top_and_many_sites_share_a_class() {
        let mut all: Vec<_> = (0..50).map(|at| series(&at.to_string(), &[1.0, 0.5])).collect();
        all.insert(0, Series { is_total: true, ..series("all", &[1.0, 0.6]) });
        let chart = LineChart::new("loss", "round", all).unwrap();
        assert_eq!(chart.curves.last().unwrap().class, "t1");
        assert_eq!((chart.curves.len(), chart.undrawn), (DRAWN, 11));
        let labels = chart.curves.iter().filter(|curve| curve.label.is_some()).count();
        assert_eq!(labels, COLOURS + 1);
    }

    #[test]
    fn rows_are_in_order_also_below_zero() {
        let points = [-2.0, 10.0, -1.0, 0.0].map(|x| Point { x, y: x });
        let one = Series { points: points.to_vec(), ..Series::default() };
        let chart = LineChart::new("y", "x", vec![one]).unwrap();
        let across: Vec<_> = chart.rows.iter().map(|row| row.0.as_str()).collect();
        assert_eq!(across, ["-2", "-1", "0", "10"]);
    }
}
