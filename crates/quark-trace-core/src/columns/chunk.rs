//! Reading record lines into columns, each line once.

use std::borrow::Cow;
use std::collections::HashMap;

use super::cells::{Cell, Column};
use super::{COLUMN_LIMIT, DEPTH_LIMIT, Refused, Selection};
use crate::json::{Event, Fault, Number, Scanner, Text};
use crate::query::{Field, Path, Step};
use crate::record::{Field as Top, RecordFault};
use crate::time::microseconds;

/// The columns that are not of the payload.
const FIELDS: [Field; FIXED] = [Field::RecordId, Field::Stage, Field::Timestamp, Field::Index];
pub(super) const FIXED: usize = 4;
/// `project_id` is read, since a record has one, and is no column: it is the same for all.
const NAMES: [&str; 4] = ["record_id", "stage", "timestamp", "project_id"];
const INDEX: usize = 3;
/// Above this many members a table finds one faster than looking at each.
const MANY: usize = 16;

/// Some records in columns.
#[derive(Debug, Clone)]
pub struct Chunk {
    rows: usize,
    columns: Vec<Column>,
    /// The columns of [`FIELDS`], where they are wanted.
    fields: [Option<usize>; FIXED],
    /// The payload is the first.
    nodes: Vec<Node>,
    /// Whether only what is known is read.
    closed: bool,
    /// How many columns there may be.
    limit: usize,
}

/// A place in the payload that was met, or is wanted.
#[derive(Debug, Clone, Default)]
struct Node {
    path: Option<Path>,
    column: Option<usize>,
    members: Vec<(Vec<u8>, usize)>,
    by_name: HashMap<Vec<u8>, usize>,
    /// The member that probably comes next: payloads of a stage are alike.
    next: usize,
    /// The row in which it was met last, counted from 1.
    row: usize,
}

impl Chunk {
    /// An empty one.
    pub fn new(selection: &Selection) -> Self {
        let mut chunk = Self {
            rows: 0,
            columns: Vec::new(),
            fields: [None; FIXED],
            nodes: vec![Node::default()],
            closed: *selection != Selection::All,
            limit: FIXED + COLUMN_LIMIT,
        };
        match selection {
            Selection::All => {
                for (at, field) in FIELDS.iter().enumerate() {
                    chunk.fields[at] = Some(chunk.column(field.to_string()));
                }
            }
            Selection::Only(fields) => fields.iter().for_each(|field| chunk.want(field)),
        }
        chunk
    }

    /// How many records there are.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The columns, in the order in which they were met.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    fn column(&mut self, name: String) -> usize {
        self.columns.push(Column::named(name));
        self.columns.len() - 1
    }

    fn want(&mut self, field: &Field) {
        if let Some(at) = FIELDS.iter().position(|known| known == field) {
            if self.fields[at].is_none() {
                self.fields[at] = Some(self.column(field.to_string()));
            }
            return;
        }
        let Some(path) = field.path() else { return };
        let mut at = 0;
        for step in path.steps() {
            let Step::Key(name) = step else { return };
            at = self.member(at, name.as_bytes()).unwrap_or_else(|| self.add(at, name));
        }
        if self.nodes[at].column.is_none() {
            self.nodes[at].column = Some(self.column(Field::Payload(path.clone()).to_string()));
        }
    }

    fn member(&mut self, node: usize, name: &[u8]) -> Option<usize> {
        let node = &mut self.nodes[node];
        let at = match node.members.get(node.next) {
            Some((known, _)) if known == name => Some(node.next),
            _ if node.members.len() > MANY => node.by_name.get(name).copied(),
            _ => node.members.iter().position(|(known, _)| known == name),
        }?;
        node.next = at + 1;
        Some(node.members[at].1)
    }

    fn add(&mut self, node: usize, name: &str) -> usize {
        let path = match &self.nodes[node].path {
            None => Path::member(name),
            Some(path) => path.clone().key(name),
        };
        let new = self.nodes.len();
        self.nodes.push(Node { path: Some(path), ..Node::default() });
        let node = &mut self.nodes[node];
        node.by_name.insert(name.as_bytes().to_vec(), node.members.len());
        node.members.push((name.as_bytes().to_vec(), new));
        node.next = node.members.len();
        new
    }

    /// Takes a record. `index` is its place in the ledger, if it has one. What is refused adds no
    /// row.
    pub fn push(&mut self, index: Option<u64>, line: &[u8]) -> Result<(), Refused> {
        let read = self.record(line);
        if read.is_err() {
            self.columns.iter_mut().for_each(|column| column.unset(self.rows));
            return read;
        }
        if let (Some(column), Some(index)) = (self.fields[INDEX], index) {
            let index = i64::try_from(index).unwrap_or(i64::MAX);
            self.columns[column].set(self.rows, Cell::Integer(index));
        }
        self.rows += 1;
        Ok(())
    }

    fn record(&mut self, line: &[u8]) -> Result<(), Refused> {
        let mut scanner = Scanner::new(line);
        if scanner.next_event().map_err(RecordFault::from)? != Some(Event::ObjectStart) {
            return Err(RecordFault::NotAnObject.into());
        }
        let mut seen = [false; 4];
        while let Some(event) = scanner.next_event().map_err(RecordFault::from)? {
            let Event::Key(key) = event else { break };
            let name = readable(key);
            if let Some(at) = NAMES.iter().position(|known| *known == name) {
                seen[at] = true;
                self.field(at, &mut scanner, line).map_err(RecordFault::from)?;
            } else if name == "payload" {
                self.clear(0);
                self.value(0, 0, &mut scanner, line)?;
            } else {
                scanner.skip_value().map_err(RecordFault::from)?;
            }
        }
        scanner.next_event().map_err(RecordFault::from)?;
        match seen.iter().position(|seen| !seen) {
            Some(missing) => Err(RecordFault::Missing(NAMES[missing]).into()),
            None => Ok(()),
        }
    }

    /// `record_id`, `stage` or `timestamp`.
    fn field(&mut self, at: usize, scanner: &mut Scanner<'_>, line: &[u8]) -> Result<(), Fault> {
        let start = scanner.next_position();
        let value = if line.get(start) == Some(&b'"') {
            match scanner.next_event()? {
                Some(Event::String(text)) => Top::Text(text),
                _ => Top::Other(b""),
            }
        } else {
            Top::Other(scanner.skip_value()?)
        };
        let wanted = self.fields.get(at).copied().flatten().filter(|_| at < INDEX);
        let Some(column) = wanted.map(|place| &mut self.columns[place]) else { return Ok(()) };
        let text = match value {
            Top::Text(text) => readable(text),
            other => Cow::Owned(other.to_str().into_owned()),
        };
        match FIELDS[at] {
            Field::Timestamp => match microseconds(&text) {
                Some(micros) => column.set(self.rows, Cell::Time(micros)),
                None => column.unset(self.rows),
            },
            _ => column.set(self.rows, Cell::Text(&text)),
        }
        Ok(())
    }

    /// The value that comes next, which lies at `node`.
    fn value(
        &mut self,
        node: usize,
        depth: usize,
        scanner: &mut Scanner<'_>,
        line: &[u8],
    ) -> Result<(), Refused> {
        let row = self.rows;
        let fault = RecordFault::from;
        let first = scanner.next_position();
        match line.get(first) {
            Some(b'{') if depth < DEPTH_LIMIT => return self.object(node, depth, scanner, line),
            Some(b'{' | b'[') => {
                let json = scanner.skip_value().map_err(fault)?;
                return self.put(node, row, Cell::Json(json));
            }
            _ => {}
        }
        match scanner.next_event().map_err(fault)? {
            Some(Event::Bool(value)) => self.put(node, row, Cell::Bool(value)),
            Some(Event::String(text)) => self.put(node, row, Cell::Text(&readable(text))),
            Some(Event::Number(number)) => self.put(node, row, cell(number)),
            // A column that is null everywhere is a column all the same.
            _ if node != 0 && self.nodes[node].members.is_empty() => self.open(node).map(drop),
            _ => Ok(()),
        }
    }

    fn put(&mut self, node: usize, row: usize, cell: Cell<'_>) -> Result<(), Refused> {
        if let Some(column) = self.open(node)? {
            self.columns[column].set(row, cell);
        }
        Ok(())
    }

    /// The column of a place, made when it is wanted.
    fn open(&mut self, node: usize) -> Result<Option<usize>, Refused> {
        if self.nodes[node].column.is_some() || self.closed {
            return Ok(self.nodes[node].column);
        }
        if self.columns.len() >= self.limit {
            return Err(Refused::TooManyColumns);
        }
        let path = self.nodes[node].path.clone();
        let name = path.map_or("payload".to_owned(), |path| Field::Payload(path).to_string());
        let column = self.column(name);
        self.nodes[node].column = Some(column);
        Ok(Some(column))
    }

    fn object(
        &mut self,
        node: usize,
        depth: usize,
        scanner: &mut Scanner<'_>,
        line: &[u8],
    ) -> Result<(), Refused> {
        let fault = RecordFault::from;
        let mut ahead = scanner.clone();
        let start = ahead.next_position();
        ahead.next_event().map_err(fault)?;
        let mut empty = true;
        self.nodes[node].next = 0;
        while let Some(Event::Key(key)) = ahead.next_event().map_err(fault)? {
            if std::mem::take(&mut empty)
                && key.raw.ends_with(b"numberDouble")
                && let Some(value) = tagged(key, &ahead).map_err(fault)?
            {
                scanner.skip_value().map_err(fault)?;
                return self.put(node, self.rows, Cell::Float(value));
            }
            let name = readable(key);
            let below = match self.member(node, name.as_bytes()) {
                Some(below) => below,
                None if self.closed || self.nodes.len() > 2 * self.limit => {
                    ahead.skip_value().map_err(fault)?;
                    if self.closed {
                        continue;
                    }
                    return Err(Refused::TooManyColumns);
                }
                None => self.add(node, &name),
            };
            if self.nodes[below].row == self.rows + 1 {
                self.clear(below);
            }
            self.nodes[below].row = self.rows + 1;
            self.value(below, depth + 1, &mut ahead, line)?;
        }
        *scanner = ahead;
        // Where everything is wanted, an object is its members; only one without any is shown.
        let whole = empty || (self.closed && self.nodes[node].column.is_some());
        if whole && node != 0 {
            let json = line.get(start..scanner.position()).unwrap_or_default();
            self.put(node, self.rows, Cell::Json(json))?;
        }
        Ok(())
    }

    /// Forgets what was found in this row under a key that stands once more.
    fn clear(&mut self, node: usize) {
        if let Some(column) = self.nodes[node].column {
            self.columns[column].unset(self.rows);
        }
        for at in 0..self.nodes[node].members.len() {
            self.clear(self.nodes[node].members[at].1);
        }
    }
}

/// The text of a string; lone surrogates are U+FFFD.
fn readable<'a>(text: Text<'a>) -> Cow<'a, str> {
    match std::str::from_utf8(text.raw) {
        Ok(plain) if !text.escaped => Cow::Borrowed(plain),
        _ => text.to_str(),
    }
}

fn cell(number: Number<'_>) -> Cell<'_> {
    match number {
        Number::Integer(digits) => match digits.parse() {
            Ok(value) => Cell::Integer(value),
            Err(_) => Cell::Json(digits.as_bytes()),
        },
        Number::Float(text) => Cell::Float(text.parse().unwrap_or(f64::NAN)),
        Number::NotANumber => Cell::Float(f64::NAN),
        Number::Infinity => Cell::Float(f64::INFINITY),
        Number::NegativeInfinity => Cell::Float(f64::NEG_INFINITY),
    }
}

/// The float that an object with the key `$numberDouble` alone stands for; `ahead` is behind it.
fn tagged(key: Text<'_>, ahead: &Scanner<'_>) -> Result<Option<f64>, Fault> {
    let mut ahead = ahead.clone();
    if readable(key) != "$numberDouble" {
        return Ok(None);
    }
    let value = match ahead.next_event()? {
        Some(Event::String(text)) => match readable(text).as_ref() {
            "NaN" => f64::NAN,
            "Infinity" => f64::INFINITY,
            "-Infinity" => f64::NEG_INFINITY,
            _ => return Ok(None),
        },
        _ => return Ok(None),
    };
    Ok((ahead.next_event()? == Some(Event::ObjectEnd)).then_some(value))
}
