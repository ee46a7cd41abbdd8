//! The values of one column in one chunk, without a place for rows that have none.

use super::Kind;
use crate::json::write;

/// A column of a chunk.
#[derive(Debug, Clone, Default)]
pub struct Column {
    /// What a filter calls it.
    pub name: String,
    /// A bit for each row, set where there is a value; what is behind its end is not.
    present: Vec<u64>,
    last: Option<usize>,
    cells: Cells,
}

/// Values of one kind.
#[derive(Debug, Clone, Default)]
pub enum Cells {
    /// None yet.
    #[default]
    Empty,
    /// Booleans.
    Bool(Vec<bool>),
    /// Integers.
    Integer(Vec<i64>),
    /// Doubles.
    Float(Vec<f64>),
    /// Microseconds since 1970 UTC.
    Time(Vec<i64>),
    /// Text.
    Text(Texts),
    /// JSON text.
    Json(Texts),
}

/// Texts behind each other.
#[derive(Debug, Clone, Default)]
pub struct Texts {
    /// Where each one ends.
    pub ends: Vec<usize>,
    /// UTF-8.
    pub bytes: Vec<u8>,
}

/// A value on its way into a column.
#[derive(Debug, Clone, Copy)]
pub(super) enum Cell<'a> {
    Bool(bool),
    Integer(i64),
    Float(f64),
    Time(i64),
    Text(&'a str),
    Json(&'a [u8]),
}

impl Texts {
    /// Appends a text.
    pub fn push(&mut self, text: &[u8]) {
        self.bytes.extend_from_slice(text);
        self.ends.push(self.bytes.len());
    }

    fn pop(&mut self) {
        self.ends.pop();
        self.bytes.truncate(self.ends.last().copied().unwrap_or(0));
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, &end)| &self.bytes[start..end])
    }
}

/// The kind that values of both kinds can have.
pub(super) fn common(one: Option<Kind>, other: Option<Kind>) -> Option<Kind> {
    match (one, other) {
        (None, kind) | (kind, None) => kind,
        (Some(one), Some(other)) if one == other => Some(one),
        (Some(Kind::Integer | Kind::Float), Some(Kind::Integer | Kind::Float)) => Some(Kind::Float),
        _ => Some(Kind::Json),
    }
}

impl Column {
    pub(super) fn named(name: String) -> Self {
        Self { name, ..Self::default() }
    }

    /// What its values are; `None` when there are none.
    pub fn kind(&self) -> Option<Kind> {
        self.cells.kind()
    }

    /// The values, one for each row that has one.
    pub fn cells(&self) -> &Cells {
        &self.cells
    }

    /// How many values there are.
    pub fn len(&self) -> usize {
        self.cells.len()
    }

    /// Whether it has no values.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether a row has a value.
    pub fn is_present(&self, row: usize) -> bool {
        self.present.get(row / 64).is_some_and(|word| word >> (row % 64) & 1 == 1)
    }

    /// Sets the value of a row, which is the last or behind it.
    pub(super) fn set(&mut self, row: usize, cell: Cell<'_>) {
        self.unset(row);
        self.cells.push(cell);
        if self.present.len() <= row / 64 {
            self.present.resize(row / 64 + 1, 0);
        }
        self.present[row / 64] |= 1 << (row % 64);
        self.last = Some(row);
    }

    /// Takes the value of a row back, if that is the last.
    pub(super) fn unset(&mut self, row: usize) {
        if self.last != Some(row) {
            return;
        }
        self.last = None;
        self.cells.pop();
        self.present[row / 64] &= !(1 << (row % 64));
    }
}

impl Cells {
    fn kind(&self) -> Option<Kind> {
        match self {
            _ if self.len() == 0 => None,
            Self::Empty => None,
            Self::Bool(_) => Some(Kind::Bool),
            Self::Integer(_) => Some(Kind::Integer),
            Self::Float(_) => Some(Kind::Float),
            Self::Time(_) => Some(Kind::Time),
            Self::Text(_) => Some(Kind::Text),
            Self::Json(_) => Some(Kind::Json),
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Empty => 0,
            Self::Bool(values) => values.len(),
            Self::Integer(values) | Self::Time(values) => values.len(),
            Self::Float(values) => values.len(),
            Self::Text(texts) | Self::Json(texts) => texts.ends.len(),
        }
    }

    fn pop(&mut self) {
        match self {
            Self::Empty => {}
            Self::Bool(values) => drop(values.pop()),
            Self::Integer(values) | Self::Time(values) => drop(values.pop()),
            Self::Float(values) => drop(values.pop()),
            Self::Text(texts) | Self::Json(texts) => texts.pop(),
        }
    }

    fn push(&mut self, cell: Cell<'_>) {
        if self.len() == 0 {
            *self = Self::beginning(cell);
        }
        match (&mut *self, cell) {
            (Self::Bool(values), Cell::Bool(value)) => values.push(value),
            (Self::Integer(values), Cell::Integer(value)) => values.push(value),
            (Self::Float(values), Cell::Float(value)) => values.push(value),
            (Self::Float(values), Cell::Integer(value)) => values.push(value as f64),
            (Self::Time(values), Cell::Time(value)) => values.push(value),
            (Self::Text(texts), Cell::Text(text)) => texts.push(text.as_bytes()),
            (Self::Json(texts), cell) => texts.push_json(cell),
            (Self::Integer(values), Cell::Float(value)) => {
                let mut floats: Vec<f64> = values.iter().map(|&value| value as f64).collect();
                floats.push(value);
                *self = Self::Float(floats);
            }
            (_, cell) => {
                let mut texts = self.to_json();
                texts.push_json(cell);
                *self = Self::Json(texts);
            }
        }
    }

    fn beginning(cell: Cell<'_>) -> Self {
        match cell {
            Cell::Bool(_) => Self::Bool(Vec::new()),
            Cell::Integer(_) => Self::Integer(Vec::new()),
            Cell::Float(_) => Self::Float(Vec::new()),
            Cell::Time(_) => Self::Time(Vec::new()),
            Cell::Text(_) => Self::Text(Texts::default()),
            Cell::Json(_) => Self::Json(Texts::default()),
        }
    }

    /// The JSON text of each value.
    pub(super) fn to_json(&self) -> Texts {
        let mut texts = Texts::default();
        match self {
            Self::Empty => {}
            Self::Bool(values) => values.iter().for_each(|&it| texts.push_json(Cell::Bool(it))),
            Self::Integer(values) | Self::Time(values) => {
                values.iter().for_each(|&it| texts.push_json(Cell::Integer(it)));
            }
            Self::Float(values) => values.iter().for_each(|&it| texts.push_json(Cell::Float(it))),
            Self::Text(known) => known.iter().for_each(|text| {
                let text = std::str::from_utf8(text).unwrap_or_default();
                texts.push_json(Cell::Text(text));
            }),
            Self::Json(known) => return known.clone(),
        }
        texts
    }
}

impl Texts {
    fn push_json(&mut self, cell: Cell<'_>) {
        match cell {
            Cell::Bool(value) => {
                let word: &[u8] = if value { b"true" } else { b"false" };
                self.bytes.extend_from_slice(word);
            }
            Cell::Integer(value) | Cell::Time(value) => {
                self.bytes.extend_from_slice(value.to_string().as_bytes());
            }
            Cell::Float(value) => write::float(&mut self.bytes, value),
            Cell::Text(text) => write::string(&mut self.bytes, text),
            Cell::Json(json) => self.bytes.extend_from_slice(json),
        }
        self.ends.push(self.bytes.len());
    }
}
