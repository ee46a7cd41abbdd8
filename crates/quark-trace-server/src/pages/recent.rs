//! What the overview draws: the end of a log, read once.
//!
//! Curves and lanes are of the last entries alone, so that a log of any length is drawn in the same
//! time and memory; the page says so when it happens.

use std::collections::HashMap;
use std::ops::ControlFlow;

use quark_trace::core::query::{Datum, Field, Reader, Values};
use quark_trace::store::{Plan, Row, Select};
use quark_trace::{Result, Summary, TraceLog};

use super::chart::{Point, Series};

/// Entries at the end of a log that are looked at.
pub const LOOKED_AT: u64 = 10_000;
/// Numbers that are followed.
const FOLLOWED: usize = 24;
/// Sites and stages that are told apart; the others count as one.
const NAMES: usize = 200;

/// What counts the steps of a training, from the most telling on.
const COUNTERS: [&str; 4] = ["payload.round", "payload.epoch", "payload.step", "payload.iteration"];

/// What the end of a log holds.
#[derive(Debug, Default)]
pub struct Recent {
    /// Index of the first entry that was looked at; 0 when that was all.
    pub from: u64,
    /// What counts the steps: `payload.round`; `None` when they are counted by entries.
    pub counter: Option<String>,
    /// The numbers, the most telling first.
    pub numbers: Vec<Followed>,
    /// Instants of each stage, in microseconds since 1970.
    pub stages: Vec<(String, Vec<i64>)>,
    /// The last step of each site, if it names one.
    pub sites: Vec<(String, Option<f64>)>,
}

/// A number that is followed through the records.
#[derive(Debug, Default)]
pub struct Followed {
    /// As a filter names it: `payload.loss`.
    pub field: String,
    /// Its values by site, or else by stage, over the steps.
    pub series: Vec<Series>,
}

impl Followed {
    /// The mean of all sites at each step, NaN where none has a number, so that it can be drawn as
    /// one small curve.
    pub fn means(&self) -> Vec<f64> {
        let mut points: Vec<Point> =
            self.series.iter().flat_map(|series| &series.points).copied().collect();
        points.sort_by(|one, other| one.x.total_cmp(&other.x));
        let mean = |step: &[Point]| {
            let finite = step.iter().map(|point| point.y).filter(|y| y.is_finite());
            finite.clone().sum::<f64>() / finite.count() as f64
        };
        points.chunk_by(|one, other| one.x == other.x).map(mean).collect()
    }
}

impl Recent {
    /// Looks at the last entries of a log, of which `size` are there, for what `summary` names.
    pub fn read(log: &TraceLog, size: u64, summary: &Summary) -> Result<Self> {
        let from = size.saturating_sub(LOOKED_AT);
        let mut look = Look::new(summary);
        let plan = Plan { from, until: None, select: Select::Records, filter: None };
        log.store().scan(log.project(), &plan, &mut |row| {
            match row {
                Row::Entry { index, object: Some(object), .. } => look.take(index, &object),
                Row::Loose { object, place, .. } => look.take(place.line, object),
                _ => {}
            }
            ControlFlow::Continue(())
        })?;
        Ok(Self { from, ..look.recent })
    }
}

struct Look {
    recent: Recent,
    reader: Reader,
    values: Values,
    slots: Slots,
    stages: HashMap<String, usize>,
    sites: HashMap<String, usize>,
    series: HashMap<(usize, String), usize>,
}

struct Slots {
    stage: usize,
    timestamp: usize,
    site: usize,
    client: usize,
    counter: Option<usize>,
    numbers: Vec<usize>,
}

impl Look {
    fn new(summary: &Summary) -> Self {
        let mut reader = Reader::new();
        let counter = COUNTERS.into_iter().find(|name| {
            summary.numbers.iter().any(|number| number.field == *name && number.count > 1)
        });
        let followed = worth_following(summary, counter);
        let slot = |reader: &mut Reader, name: &str| {
            quark_trace::core::query::field(name).ok().map(|field| reader.slot(&field))
        };
        let mut numbers = Vec::new();
        let mut slots = Vec::new();
        for name in followed {
            if let Some(place) = slot(&mut reader, name) {
                slots.push(place);
                numbers.push(Followed { field: name.to_owned(), ..Followed::default() });
            }
        }
        let slots = Slots {
            stage: reader.slot(&Field::Stage),
            timestamp: reader.slot(&Field::Timestamp),
            site: reader.slot(&Field::payload("site")),
            client: reader.slot(&Field::payload("client_id")),
            counter: counter.and_then(|name| slot(&mut reader, name)),
            numbers: slots,
        };
        let recent = Recent { counter: counter.map(str::to_owned), numbers, ..Recent::default() };
        Self {
            recent,
            reader,
            values: Values::default(),
            slots,
            stages: HashMap::new(),
            sites: HashMap::new(),
            series: HashMap::new(),
        }
    }

    fn take(&mut self, index: u64, line: &[u8]) {
        if self.reader.read(Some(index), line, &mut self.values).is_err() {
            return;
        }
        let datum = |slot| self.values.datum(slot, line);
        let text = |slot| text_of(&datum(slot));
        let stage = text(self.slots.stage).unwrap_or_default();
        let site = text(self.slots.site).or_else(|| text(self.slots.client));
        let step = self.slots.counter.and_then(|slot| datum(slot).number()).map(|n| n.to_f64());
        let instant = datum(self.slots.timestamp).instant();
        let numbers: Vec<Option<f64>> =
            self.slots.numbers.iter().map(|slot| Some(datum(*slot).number()?.to_f64())).collect();
        self.take_stage(&stage, instant);
        if let Some(site) = &site {
            self.take_site(site, step);
        }
        // Without a counter the entries are the steps.
        let step = if self.slots.counter.is_some() { step } else { Some(index as f64) };
        for (at, y) in numbers.into_iter().enumerate() {
            let Some(y) = y else { continue };
            if let Some(x) = step {
                self.take_point(at, site.as_deref(), &stage, Point { x, y });
            }
        }
    }

    fn take_stage(&mut self, stage: &str, instant: Option<i64>) {
        let known = &mut self.recent.stages;
        let place = place_of(&mut self.stages, stage, known, || (stage.to_owned(), Vec::new()));
        if let Some((place, at)) = place.zip(instant) {
            known[place].1.push(at);
        }
    }

    fn take_site(&mut self, site: &str, step: Option<f64>) {
        let known = &mut self.recent.sites;
        if let Some(place) = place_of(&mut self.sites, site, known, || (site.to_owned(), None)) {
            known[place].1 = step.or(known[place].1);
        }
    }

    fn take_point(&mut self, number: usize, site: Option<&str>, stage: &str, point: Point) {
        let name = site.unwrap_or(stage);
        let known = &mut self.recent.numbers[number].series;
        let key = (number, name.to_owned());
        let place = *self.series.entry(key).or_insert(known.len());
        if place == known.len() && place < NAMES {
            let is_total = site.is_none();
            known.push(Series { name: name.to_owned(), points: Vec::new(), is_total });
        }
        if let Some(series) = known.get_mut(place) {
            series.points.push(point);
        }
    }
}

/// Where a name stands among those that are known; it is added while there is room.
fn place_of<T>(
    places: &mut HashMap<String, usize>,
    name: &str,
    known: &mut Vec<T>,
    new: impl FnOnce() -> T,
) -> Option<usize> {
    if let Some(place) = places.get(name) {
        return Some(*place);
    }
    if known.len() >= NAMES {
        return None;
    }
    places.insert(name.to_owned(), known.len());
    known.push(new());
    Some(known.len() - 1)
}

fn text_of(datum: &Datum<'_>) -> Option<String> {
    datum.text().map(|text| String::from_utf8_lossy(&text).into_owned())
}

/// The numbers that tell most: losses and metrics first, then what is logged most often.
fn worth_following<'s>(summary: &'s Summary, counter: Option<&str>) -> Vec<&'s str> {
    let mut all: Vec<_> = summary
        .numbers
        .iter()
        .filter(|number| Some(number.field.as_str()) != counter && number.count > 1)
        .collect();
    all.sort_by_key(|number| (rank(&number.field), std::cmp::Reverse(number.count)));
    all.into_iter().take(FOLLOWED).map(|number| number.field.as_str()).collect()
}

fn rank(field: &str) -> usize {
    const TELLING: [&str; 4] = ["loss", "auc", "accuracy", "f1"];
    let name = field.rsplit('.').next().unwrap_or_default().to_ascii_lowercase();
    let found = TELLING.iter().position(|telling| name.contains(telling));
    match found {
        Some(place) => place,
        None if field.contains(".metrics.") => TELLING.len(),
        None => TELLING.len() + 1,
    }
}
