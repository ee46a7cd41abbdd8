//! Records as typed columns: what Arrow, Parquet, CSV and charts are made of.
//!
//! A [`Chunk`] takes record lines one by one, each read once; chunks know nothing of each other, so
//! that several threads may fill them. [`Columns`] puts them side by side and says which columns
//! there are and of which kind.
//!
//! ```
//! use quark_trace_core::columns::{Chunk, Columns, Kind, Selection};
//! let mut chunk = Chunk::new(&Selection::default());
//! let line = br#"{"record_id": "1", "project_id": "p", "stage": "train",
//!     "timestamp": "2026-01-02T03:04:05+00:00", "payload": {"loss": 0.5, "by": {"site": "a"}}}"#;
//! chunk.push(Some(7), line)?;
//! let columns = Columns::new(vec![chunk])?;
//! let names: Vec<_> = columns.schema().iter().map(|column| column.name.as_str()).collect();
//! assert_eq!(names[..4], ["record_id", "stage", "timestamp", "index"]);
//! assert_eq!(names[4..], ["payload.loss", "payload.by.site"]);
//! assert_eq!(columns.schema()[4].kind, Kind::Float);
//! # Ok::<(), quark_trace_core::columns::Refused>(())
//! ```
//!
//! The columns are `record_id`, `stage`, `timestamp` (microseconds since 1970 UTC; null where the
//! text is no time) and `index`, then one for each value in the payloads, in the order in which they
//! appear. A column is called what a filter calls the field: `payload.loss`, `payload.by.site`,
//! `payload."my metric"`. Objects are taken apart down to [`DEPTH_LIMIT`]; arrays, empty objects and
//! what lies deeper are JSON text.
//!
//! A column has one kind. Integers and floats together are floats. Anything else together, and
//! integers that do not fit in 64 bits, become the JSON text of each value. Missing and null are
//! null; NaN is a float.
//!
//! | file | what it holds |
//! |---|---|
//! | `cells` | the values of one column in one chunk |
//! | `chunk` | reading lines into columns |
//! | `dense` | a column with a place for every row |

use std::collections::HashMap;

use crate::query::{Field, Path, Step};
use crate::record::RecordFault;

mod cells;
mod chunk;
mod dense;

pub use cells::{Cells, Column, Texts};
pub use chunk::Chunk;
pub use dense::{Dense, Values};

/// Most columns of a table.
pub const COLUMN_LIMIT: usize = 1000;

/// How deep objects are taken apart.
pub const DEPTH_LIMIT: usize = 8;

/// What the values of a column are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `true`, `false`
    Bool,
    /// Whole numbers of 64 bits, with a sign.
    Integer,
    /// Doubles, NaN and infinities among them.
    Float,
    /// Microseconds since 1970-01-01T00:00:00 UTC.
    Time,
    /// Text; lone surrogates are U+FFFD.
    Text,
    /// JSON text of values that have no other kind in common.
    Json,
}

/// A column as its head has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heading {
    /// What a filter calls it, such as `payload.loss`.
    pub name: String,
    /// What its values are.
    pub kind: Kind,
}

/// Why records are not put into columns.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The line is no record.
    #[error("the line {0}")]
    Line(#[from] RecordFault),
    /// The payloads have too many different names.
    #[error(
        "the payloads of these records hold more than {COLUMN_LIMIT} different values; name the \
         columns that are wanted"
    )]
    TooManyColumns,
    /// The field of a selection lies in an array.
    #[error("`{0}` lies in an array; arrays are columns of JSON text, name the array")]
    Element(String),
}

/// Which columns are wanted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Selection {
    /// All there are.
    #[default]
    All,
    /// These; one that no record has is a column of nulls. [`Selection::only`] makes it.
    Only(Vec<Field>),
}

impl Selection {
    /// These fields alone, each once, in this order.
    ///
    /// # Errors
    /// An element of an array has no column of its own.
    pub fn only(fields: Vec<Field>) -> Result<Self, Refused> {
        let in_array = |field: &&Field| {
            let steps = field.path().map(Path::steps).unwrap_or_default();
            steps.iter().any(|step| matches!(step, Step::Element(_)))
        };
        match fields.iter().find(in_array) {
            Some(field) => Err(Refused::Element(field.to_string())),
            None => Ok(Self::Only(fields)),
        }
    }
}

/// Chunks side by side, under the same headings.
#[derive(Debug, Clone, Default)]
pub struct Columns {
    chunks: Vec<Chunk>,
    schema: Vec<Heading>,
    rows: usize,
}

impl Columns {
    /// Puts chunks side by side, in this order; all of them have the same selection.
    pub fn new(chunks: Vec<Chunk>) -> Result<Self, Refused> {
        let mut schema: Vec<(String, Option<Kind>)> = Vec::new();
        let mut places: HashMap<&str, usize> = HashMap::new();
        for column in chunks.iter().flat_map(Chunk::columns) {
            let place = *places.entry(&column.name).or_insert_with(|| {
                schema.push((column.name.clone(), None));
                schema.len() - 1
            });
            schema[place].1 = cells::common(schema[place].1, column.kind());
        }
        drop_hollow(&mut schema);
        if schema.len() > COLUMN_LIMIT + chunk::FIXED {
            return Err(Refused::TooManyColumns);
        }
        let rows = chunks.iter().map(Chunk::rows).sum();
        // A column without any value is of no kind; text is what every reader has.
        let schema = schema
            .into_iter()
            .map(|(name, kind)| Heading { name, kind: kind.unwrap_or(Kind::Text) })
            .collect();
        Ok(Self { chunks, schema, rows })
    }

    /// The columns there are.
    pub fn schema(&self) -> &[Heading] {
        &self.schema
    }

    /// How many records there are.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The records in parts, one after the other.
    pub fn chunks(&self) -> &[Chunk] {
        &self.chunks
    }

    /// A column of one chunk under its heading, ready to be written. Both are counted from 0; what
    /// there is not has no rows.
    pub fn dense(&self, chunk: usize, column: usize) -> Dense {
        let (Some(chunk), Some(heading)) = (self.chunks.get(chunk), self.schema.get(column)) else {
            return Dense::nulls(0, Kind::Text);
        };
        // The columns of one chunk are mostly those of all, so that this one is at its place.
        let known = chunk.columns().get(column).filter(|known| known.name == heading.name);
        let known =
            known.or_else(|| chunk.columns().iter().find(|known| known.name == heading.name));
        match known {
            Some(known) => Dense::of(known, chunk.rows(), heading.kind),
            None => Dense::nulls(chunk.rows(), heading.kind),
        }
    }
}

/// Leaves out what is null wherever it is no object: an object is shown by its members.
fn drop_hollow(schema: &mut Vec<(String, Option<Kind>)>) {
    let is_member = |name: &str, other: &(String, Option<Kind>)| {
        let rest = other.0.strip_prefix(name);
        other.1.is_some() && rest.is_some_and(|rest| rest.starts_with('.'))
    };
    let hollow: Vec<String> = schema
        .iter()
        .filter(|(_, kind)| kind.is_none())
        .filter(|(name, _)| schema.iter().any(|other| is_member(name, other)))
        .map(|(name, _)| name.clone())
        .collect();
    schema.retain(|(name, _)| !hollow.contains(name));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::field;

    fn line(payload: &str) -> String {
        format!(
            "{{\"record_id\": \"r\", \"project_id\": \"p\", \"stage\": \"s\", \
             \"timestamp\": \"1970-01-01T00:00:01Z\", \"payload\": {payload}}}"
        )
    }

    fn chunk(payloads: &[&str], selection: &Selection) -> Chunk {
        let mut chunk = Chunk::new(selection);
        for (at, payload) in payloads.iter().enumerate() {
            chunk.push(Some(at as u64), line(payload).as_bytes()).unwrap();
        }
        chunk
    }

    fn table(chunks: &[&[&str]], selection: &Selection) -> (Vec<String>, Columns) {
        let chunks = chunks.iter().map(|payloads| chunk(payloads, selection)).collect();
        let columns = Columns::new(chunks).unwrap();
        let shown = |heading: &Heading| format!("{} {:?}", heading.name, heading.kind);
        (columns.schema().iter().map(shown).collect(), columns)
    }

    /// The values of a column, all chunks together.
    fn values(columns: &Columns, name: &str) -> Vec<String> {
        let at = columns.schema().iter().position(|heading| heading.name == name).unwrap();
        let mut all = Vec::new();
        for part in 0..columns.chunks().len() {
            let dense = columns.dense(part, at);
            for row in 0..columns.chunks()[part].rows() {
                all.push(match &dense.values {
                    _ if !dense.is_present(row) => "-".to_owned(),
                    Values::Bool(values) => values[row].to_string(),
                    Values::Integer(values) | Values::Time(values) => values[row].to_string(),
                    Values::Float(values) => format!("{:?}", values[row]),
                    text => text.text(row).to_owned(),
                });
            }
        }
        all
    }

    #[test]
    fn kinds_meet_within_a_chunk_and_between_chunks() {
        let all = [
            r#"{"a": 1, "b": 1, "c": true, "d": "x", "e": 1, "f": NaN}"#,
            r#"{"a": 2, "b": 0.5, "c": null, "d": 1e-05, "e": 18446744073709551617}"#,
        ];
        let expected = ["payload.a Integer", "payload.b Float", "payload.c Bool", "payload.d Json"];
        for chunks in [&[&all[..]][..], &[&all[..1], &all[1..]]] {
            let (schema, columns) = table(chunks, &Selection::All);
            assert_eq!(schema[4..8], expected);
            assert_eq!(schema[8..], ["payload.e Json", "payload.f Float"]);
            assert_eq!(values(&columns, "payload.a"), ["1", "2"]);
            assert_eq!(values(&columns, "payload.b"), ["1.0", "0.5"]);
            assert_eq!(values(&columns, "payload.c"), ["true", "-"]);
            assert_eq!(values(&columns, "payload.d"), ["\"x\"", "1e-05"]);
            assert_eq!(values(&columns, "payload.e"), ["1", "18446744073709551617"]);
            assert_eq!(values(&columns, "payload.f"), ["NaN", "-"]);
            assert_eq!(values(&columns, "timestamp"), ["1000000", "1000000"]);
            assert_eq!(columns.rows(), 2);
        }
    }

    #[test]
    fn objects_are_taken_apart_and_arrays_are_not() {
        let (schema, columns) = table(
            &[&[
                r#"{"o": null, "e": {}, "l": [1, {"x": 2}], "n": {"$numberDouble": "-Infinity"}}"#,
                r#"{"o": {"p": {"q.r": 1}, "p ": 2}, "e": {}, "n": 1.5}"#,
            ]],
            &Selection::All,
        );
        let expected = [
            "payload.e Json",
            "payload.l Json",
            "payload.n Float",
            "payload.o.p.\"q.r\" Integer",
            "payload.o.\"p \" Integer",
        ];
        assert_eq!(schema[4..], expected, "what is null or an object is its members");
        assert_eq!(values(&columns, "payload.l"), [r#"[1, {"x": 2}]"#, "-"]);
        assert_eq!(values(&columns, "payload.n"), ["-inf", "1.5"]);
        assert_eq!(values(&columns, "payload.e"), ["{}", "{}"]);
    }

    #[test]
    fn depth_ends_in_text() {
        let deep = format!("{}1{}", "{\"a\": ".repeat(40), "}".repeat(40));
        let (schema, columns) = table(&[&[&deep]], &Selection::All);
        assert_eq!(schema[4], format!("payload{} Json", ".a".repeat(DEPTH_LIMIT)));
        let name = format!("payload{}", ".a".repeat(DEPTH_LIMIT));
        assert!(values(&columns, &name)[0].starts_with("{\"a\": {"));
        let deeper = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        table(&[&[&deeper]], &Selection::All);
    }

    #[test]
    fn the_last_of_repeated_keys_counts_whole() {
        let (_, columns) = table(
            &[&[r#"{"a": {"b": 1, "c": 2}, "a": {"c": 3}, "d": 1, "d": null}"#]],
            &Selection::All,
        );
        for (name, value) in [("payload.a.b", "-"), ("payload.a.c", "3"), ("payload.d", "-")] {
            assert_eq!(values(&columns, name), [value], "{name}");
        }
    }

    #[test]
    fn what_is_wanted_alone() {
        let wanted =
            ["payload.a", "stage", "payload.z", "payload.o"].map(|name| field(name).unwrap());
        let selection = Selection::only(wanted.to_vec()).unwrap();
        let payloads: &[&str] = &[r#"{"b": 1, "a": 2, "o": {"p": 1}}"#, r#"{"a": {}}"#];
        let (schema, columns) = table(&[payloads], &selection);
        let expected = ["payload.a Json", "stage Text", "payload.z Text", "payload.o Json"];
        assert_eq!(schema, expected);
        assert_eq!(values(&columns, "payload.o"), [r#"{"p": 1}"#, "-"]);
        assert_eq!(values(&columns, "payload.z"), ["-", "-"]);
        let element = Selection::only(vec![field("payload.a[0]").unwrap()]);
        assert!(element.unwrap_err().to_string().contains("name the array"));
    }

    #[test]
    fn too_many_names_are_refused_and_a_selection_helps() {
        let many: Vec<_> = (0..=COLUMN_LIMIT).map(|at| format!("\"k{at}\": 1")).collect();
        let wide = line(&format!("{{{}}}", many.join(", ")));
        let refused = Chunk::new(&Selection::All).push(None, wide.as_bytes());
        assert_eq!(refused, Err(Refused::TooManyColumns));
        let selection = Selection::only(vec![field("payload.k1000").unwrap()]).unwrap();
        let mut chunk = Chunk::new(&selection);
        chunk.push(None, wide.as_bytes()).unwrap();
        assert_eq!(values(&Columns::new(vec![chunk]).unwrap(), "payload.k1000"), ["1"]);
        // Half of them in one chunk and half in the other are as many.
        let halves = many.chunks(COLUMN_LIMIT / 2 + 1).map(|some| {
            let mut chunk = Chunk::new(&Selection::All);
            chunk.push(None, line(&format!("{{{}}}", some.join(", "))).as_bytes()).unwrap();
            chunk
        });
        assert_eq!(Columns::new(halves.collect()).unwrap_err(), Refused::TooManyColumns);
    }

    #[test]
    fn what_is_no_record_adds_no_row() {
        let mut chunk = Chunk::new(&Selection::All);
        chunk.push(None, line(r#"{"a": 1}"#).as_bytes()).unwrap();
        let whole = line(r#"{"a": 2, "b": {"c": 3}}"#);
        for end in 0..whole.len() {
            assert!(chunk.push(None, &whole.as_bytes()[..end]).is_err(), "{end}");
        }
        assert!(chunk.push(None, b"{\"record_id\": \"r\"}").is_err());
        chunk.push(None, whole.as_bytes()).unwrap();
        let columns = Columns::new(vec![chunk]).unwrap();
        assert_eq!(values(&columns, "payload.a"), ["1", "2"]);
        assert_eq!(values(&columns, "payload.b.c"), ["-", "3"]);
    }

    #[test]
    fn payloads_and_fields_of_every_kind() {
        for payload in ["null", "[1]", "\"text\"", "1", "{}"] {
            let (schema, columns) = table(&[&[payload, r#"{"a": 1}"#]], &Selection::All);
            assert_eq!(columns.rows(), 2, "{payload}");
            assert!(schema.contains(&"payload.a Integer".to_owned()), "{payload}: {schema:?}");
        }
        let odd = r#"{"record_id": null, "project_id": 1, "stage": [1], "timestamp": "soon", "payload": {}}"#;
        let mut chunk = Chunk::new(&Selection::All);
        chunk.push(None, odd.as_bytes()).unwrap();
        let columns = Columns::new(vec![chunk]).unwrap();
        assert_eq!(values(&columns, "record_id"), ["None"]);
        assert_eq!(values(&columns, "stage"), ["[1]"]);
        assert_eq!(values(&columns, "timestamp"), ["-"]);
        assert_eq!(values(&columns, "index"), ["-"]);
    }
}
