//! A column with a place for every row, as Arrow has it.

use super::Kind;
use super::cells::{Cells, Column, Texts};

/// A column of a chunk, with a value for every row.
#[derive(Debug, Clone, PartialEq)]
pub struct Dense {
    /// What stands where nothing is present is zero, false or empty.
    pub values: Values,
    /// Whether each row has a value; `None` when all of them have.
    pub present: Option<Vec<bool>>,
}

/// Values of one kind, one for each row.
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    /// Booleans.
    Bool(Vec<bool>),
    /// Integers.
    Integer(Vec<i64>),
    /// Doubles.
    Float(Vec<f64>),
    /// Microseconds since 1970 UTC.
    Time(Vec<i64>),
    /// UTF-8 texts behind each other, the first from 0, each to its end; the ends begin with a 0.
    Text {
        /// Where each text begins, and where the last one ends.
        offsets: Vec<i64>,
        /// UTF-8.
        bytes: Vec<u8>,
    },
}

impl Dense {
    /// The column under a heading of this kind, which its values can have.
    pub(super) fn of(column: &Column, rows: usize, kind: Kind) -> Self {
        let present: Option<Vec<bool>> =
            (column.len() < rows).then(|| (0..rows).map(|row| column.is_present(row)).collect());
        let at = present.as_deref();
        let values = match (column.cells(), kind) {
            (Cells::Bool(values), Kind::Bool) => Values::Bool(spread(values, at)),
            (Cells::Integer(values), Kind::Integer) => Values::Integer(spread(values, at)),
            (Cells::Float(values), Kind::Float) => Values::Float(spread(values, at)),
            (Cells::Integer(values), Kind::Float) => {
                let floats: Vec<f64> = values.iter().map(|&value| value as f64).collect();
                Values::Float(spread(&floats, at))
            }
            (Cells::Time(values), Kind::Time) => Values::Time(spread(values, at)),
            (Cells::Text(texts), Kind::Text) => texts_of(texts, at),
            (cells, Kind::Json) if !column.is_empty() => texts_of(&cells.to_json(), at),
            _ => return Self::nulls(rows, kind),
        };
        Self { values, present }
    }

    /// Nothing in any row.
    pub(super) fn nulls(rows: usize, kind: Kind) -> Self {
        let values = match kind {
            Kind::Bool => Values::Bool(vec![false; rows]),
            Kind::Integer => Values::Integer(vec![0; rows]),
            Kind::Float => Values::Float(vec![0.0; rows]),
            Kind::Time => Values::Time(vec![0; rows]),
            Kind::Text | Kind::Json => {
                Values::Text { offsets: vec![0; rows + 1], bytes: Vec::new() }
            }
        };
        Self { values, present: Some(vec![false; rows]) }
    }

    /// How many rows there are.
    pub fn rows(&self) -> usize {
        match &self.values {
            Values::Bool(values) => values.len(),
            Values::Integer(values) | Values::Time(values) => values.len(),
            Values::Float(values) => values.len(),
            Values::Text { offsets, .. } => offsets.len().saturating_sub(1),
        }
    }

    /// Whether a row has a value.
    pub fn is_present(&self, row: usize) -> bool {
        self.present.as_ref().is_none_or(|present| present.get(row) == Some(&true))
    }
}

impl Values {
    /// The text of a row; empty where it is none.
    pub fn text(&self, row: usize) -> &str {
        let Self::Text { offsets, bytes } = self else { return "" };
        let place = |at: usize| offsets.get(at).and_then(|&offset| usize::try_from(offset).ok());
        let (Some(start), Some(end)) = (place(row), place(row + 1)) else { return "" };
        bytes.get(start..end).and_then(|text| std::str::from_utf8(text).ok()).unwrap_or_default()
    }
}

fn spread<T: Copy + Default>(values: &[T], present: Option<&[bool]>) -> Vec<T> {
    let Some(present) = present else { return values.to_vec() };
    let mut values = values.iter().copied();
    let one = |&is: &bool| if is { values.next().unwrap_or_default() } else { T::default() };
    present.iter().map(one).collect()
}

fn texts_of(texts: &Texts, present: Option<&[bool]>) -> Values {
    let mut offsets = Vec::with_capacity(present.map_or(texts.ends.len(), <[bool]>::len) + 1);
    offsets.push(0);
    let mut ends = texts.ends.iter().map(|&end| end as i64);
    match present {
        None => offsets.extend(ends),
        Some(present) => {
            let mut last = 0;
            for &is in present {
                if is {
                    last = ends.next().unwrap_or(last);
                }
                offsets.push(last);
            }
        }
    }
    Values::Text { offsets, bytes: texts.bytes.clone() }
}
