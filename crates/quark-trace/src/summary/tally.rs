//! Counting records one after the other, in parts that can be put together.

use std::collections::HashMap;

use quark_trace_core::record::{Field, View};
use quark_trace_core::stages::Broken;

use super::numbers::Numbers;
use super::{LISTED, StageSummary, Summary};

/// Counts of some records that follow one another.
#[derive(Debug, Clone, Default)]
pub(super) struct Tally {
    total: u64,
    unreadable: u64,
    first_at: Option<String>,
    last_at: String,
    stages: Vec<StageSummary>,
    sites: Counts,
    numbers: Numbers,
}

/// Names in the order of their first appearance, each with a count.
#[derive(Debug, Clone, Default)]
struct Counts {
    places: HashMap<String, usize>,
    counts: Vec<(String, u64)>,
    is_cut: bool,
}

impl Tally {
    pub fn take(&mut self, line: &[u8]) {
        self.total += 1;
        let Ok(view) = View::parse(line) else {
            self.unreadable += 1;
            return;
        };
        let time = view.timestamp.to_str();
        let stage = match self.stages.iter().position(|known| is(&view.stage, &known.stage)) {
            Some(place) => &mut self.stages[place],
            None => {
                let stage = view.stage.to_str().into_owned();
                let (first_at, last_at) = (time.to_string(), String::new());
                self.stages.push(StageSummary { stage, records: 0, first_at, last_at });
                let last = self.stages.len() - 1;
                &mut self.stages[last]
            }
        };
        stage.records += 1;
        for last_at in [&mut stage.last_at, &mut self.last_at] {
            last_at.clear();
            last_at.push_str(&time);
        }
        if self.first_at.is_none() {
            self.first_at = Some(time.into_owned());
        }
        if let Some(site) = self.numbers.take(view.payload) {
            self.sites.add(&site, 1);
        }
    }

    /// Takes the counts of the records that follow.
    pub fn join(&mut self, later: Self) {
        if later.total == 0 {
            return;
        }
        self.total += later.total;
        self.unreadable += later.unreadable;
        for stage in later.stages {
            match self.stages.iter_mut().find(|known| known.stage == stage.stage) {
                Some(known) => {
                    known.records += stage.records;
                    known.last_at = stage.last_at;
                }
                None => self.stages.push(stage),
            }
        }
        if later.first_at.is_some() {
            self.last_at = later.last_at;
            self.first_at = self.first_at.take().or(later.first_at);
        }
        later.sites.counts.iter().for_each(|(site, count)| self.sites.add(site, *count));
        self.sites.is_cut |= later.sites.is_cut;
        self.numbers.join(later.numbers);
    }

    pub fn into_summary(self, broken: Vec<Broken>) -> Summary {
        let last_record_at = self.first_at.is_some().then_some(self.last_at);
        Summary {
            total_records: self.total,
            stages: self.stages,
            last_record_at,
            first_record_at: self.first_at,
            unreadable: self.unreadable,
            is_cut: self.sites.is_cut || self.numbers.is_cut(),
            sites: self.sites.counts,
            numbers: self.numbers.into_ranges(),
            broken,
        }
    }
}

fn is(field: &Field<'_>, name: &str) -> bool {
    match field {
        Field::Text(text) if !text.escaped => text.raw == name.as_bytes(),
        other => other.to_str() == name,
    }
}

impl Counts {
    fn add(&mut self, name: &str, count: u64) {
        match self.places.get(name) {
            Some(place) => self.counts[*place].1 += count,
            None if self.counts.len() < LISTED => {
                self.places.insert(name.to_owned(), self.counts.len());
                self.counts.push((name.to_owned(), count));
            }
            None => self.is_cut = true,
        }
    }
}
