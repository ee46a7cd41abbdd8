//! Counting in groups: how many records, and for numbers least, greatest, mean and last.

use std::collections::HashMap;
use std::ops::ControlFlow;

use quark_trace_core::query::{Datum, Field, Literal, Number};

use super::rows::Rows;
use crate::error::Result;

/// Records in groups.
#[derive(Debug, Clone, Default)]
pub struct Groups {
    /// The groups in the order in which the log first has one of theirs.
    pub groups: Vec<Group>,
    /// See [`super::Done::unreadable`].
    pub unreadable: u64,
}

/// Records that are alike in what they are grouped by.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    /// The values that they are grouped by, in the order in which that was asked. Numbers that are
    /// equal are alike; objects and arrays are text, as they are written.
    pub by: Vec<Literal>,
    /// How many records.
    pub records: u64,
    /// What was counted, in the order in which it was asked.
    pub of: Vec<Statistics>,
}

/// The numbers of one field. What is no number counts for nothing.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Statistics {
    /// How many numbers, NaN among them.
    pub count: u64,
    /// The least; `None` when there is none. NaN is neither least nor greatest.
    pub min: Option<Number>,
    /// The greatest.
    pub max: Option<Number>,
    /// The last in the order of the log.
    pub last: Option<Number>,
    sum: f64,
    /// What rounding took from the sum.
    lost: f64,
}

impl Statistics {
    /// The mean in double precision, NaN when one of the numbers is; `None` when there is none.
    pub fn mean(&self) -> Option<f64> {
        let sum = self.sum + if self.lost.is_finite() { self.lost } else { 0.0 };
        (self.count > 0).then(|| sum / self.count as f64)
    }

    /// Takes one more number.
    pub fn add(&mut self, number: Number) {
        self.count += 1;
        let value = number.to_f64();
        // Neumaier's summation: what is rounded away is kept aside.
        let sum = self.sum + value;
        self.lost += if self.sum.abs() >= value.abs() {
            (self.sum - sum) + value
        } else {
            (value - sum) + self.sum
        };
        self.sum = sum;
        if !number.is_nan() {
            let least = self.min.as_ref().and_then(|known| number.compare(known));
            if self.min.is_none() || least.is_some_and(std::cmp::Ordering::is_lt) {
                self.min = Some(number.clone());
            }
            let greatest = self.max.as_ref().and_then(|known| number.compare(known));
            if self.max.is_none() || greatest.is_some_and(std::cmp::Ordering::is_gt) {
                self.max = Some(number.clone());
            }
        }
        self.last = Some(number);
    }
}

pub(super) fn group(mut rows: Rows<'_>, by: &[Field], of: &[Field]) -> Result<Groups> {
    let by: Vec<usize> = by.iter().map(|field| rows.reader.slot(field)).collect();
    let of: Vec<usize> = of.iter().map(|field| rows.reader.slot(field)).collect();
    let mut groups: Vec<Group> = Vec::new();
    let mut places: HashMap<Vec<u8>, usize> = HashMap::new();
    let mut key = Vec::new();
    rows.each_selected(0, |selected| {
        key.clear();
        for slot in &by {
            write_key(&mut key, &selected.values.datum(*slot, selected.line));
        }
        let place = match places.get(key.as_slice()) {
            Some(place) => *place,
            None => {
                let datum = |slot: &usize| literal(&selected.values.datum(*slot, selected.line));
                let of = vec![Statistics::default(); of.len()];
                groups.push(Group { by: by.iter().map(datum).collect(), records: 0, of });
                places.insert(key.clone(), groups.len() - 1);
                groups.len() - 1
            }
        };
        let group = &mut groups[place];
        group.records += 1;
        for (statistics, slot) in group.of.iter_mut().zip(&of) {
            if let Some(number) = selected.values.datum(*slot, selected.line).number() {
                statistics.add(number);
            }
        }
        ControlFlow::Continue(())
    })?;
    Ok(Groups { groups, unreadable: rows.unreadable() })
}

/// Bytes that are the same for values that are alike, each value's with its length.
fn write_key(key: &mut Vec<u8>, datum: &Datum<'_>) {
    let mut put = |kind: u8, bytes: &[u8]| {
        key.push(kind);
        key.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
        key.extend_from_slice(bytes);
    };
    match datum {
        Datum::Null => put(b'0', b""),
        Datum::Bool(value) => put(b'b', &[u8::from(*value)]),
        Datum::Text(text) => put(b't', &text.to_wtf8()),
        Datum::Nested(raw) => put(b'o', raw),
        Datum::Number(_) | Datum::Index(_) => {
            let number = datum.number().map(whole).map(|number| number.to_string());
            put(b'n', number.unwrap_or_default().as_bytes());
        }
    }
}

/// A double that is an integer as that integer, so that `1.0` and `1` are alike.
fn whole(number: Number) -> Number {
    match number {
        Number::Float(value) if value.is_finite() && value.trunc() == value => {
            let digits = format!("{:.0}", value + 0.0);
            Number::of(quark_trace_core::json::Number::Integer(&digits))
        }
        other => other,
    }
}

fn literal(datum: &Datum<'_>) -> Literal {
    match datum {
        Datum::Null => Literal::Null,
        Datum::Bool(value) => Literal::Bool(*value),
        Datum::Text(text) => Literal::Text(text.to_str().into_owned()),
        Datum::Nested(raw) => Literal::Text(String::from_utf8_lossy(raw).into_owned()),
        Datum::Number(_) | Datum::Index(_) => datum.number().map_or(Literal::Null, Literal::Number),
    }
}
