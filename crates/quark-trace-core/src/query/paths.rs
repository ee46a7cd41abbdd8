//! Reading what a query asks about from the bytes of a record, in one pass and without copies.

use super::datum::Datum;
use super::field::{Field, Path, Step};
use crate::json::{Event, Fault, Number, Scanner, Text};
use crate::record::RecordFault;

/// Reads some fields of records.
///
/// ```
/// use quark_trace_core::query::{Datum, Reader, Values, field};
/// let mut reader = Reader::new();
/// let loss = reader.slot(&field("payload.loss")?);
/// let line = br#"{"record_id": "1", "project_id": "p", "stage": "s", "timestamp": "t", "payload": {"loss": 0.21}}"#;
/// let mut values = Values::default();
/// reader.read(None, line, &mut values).unwrap();
/// assert_eq!(values.datum(loss, line).number().map(|loss| loss.to_f64()), Some(0.21));
/// # Ok::<(), quark_trace_core::query::QueryError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Reader {
    /// The payload is the first.
    nodes: Vec<Node>,
    /// Slots of `record_id`, `project_id`, `stage`, `timestamp`, in the order of [`NAMES`].
    fields: [Option<usize>; 4],
    index: Option<usize>,
    slots: usize,
}

/// A place in the payload that is asked about, or on the way to one.
#[derive(Debug, Clone, Default)]
struct Node {
    slot: Option<usize>,
    keys: Vec<(Vec<u8>, usize)>,
    elements: Vec<(usize, usize)>,
}

const NAMES: [&str; 4] = ["record_id", "project_id", "stage", "timestamp"];

/// What a [`Reader`] found in one record; used again for the next.
#[derive(Debug, Clone, Default)]
pub struct Values {
    found: Vec<Found>,
}

/// A value as places in the line, so that it can outlive the line.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Found {
    Null,
    Bool(bool),
    Integer(usize, usize),
    Float(usize, usize),
    NonFinite(Number<'static>),
    Index(u64),
    Text(usize, usize, bool),
    Word(&'static str),
    Nested(usize, usize),
}

impl Values {
    /// The value of a slot, given the line that was read.
    pub fn datum<'a>(&self, slot: usize, line: &'a [u8]) -> Datum<'a> {
        let part = |start: usize, end: usize| line.get(start..end).unwrap_or_default();
        let digits =
            |start: usize, end: usize| std::str::from_utf8(part(start, end)).unwrap_or_default();
        match self.found.get(slot).copied().unwrap_or(Found::Null) {
            Found::Null => Datum::Null,
            Found::Bool(value) => Datum::Bool(value),
            Found::Integer(start, end) => Datum::Number(Number::Integer(digits(start, end))),
            Found::Float(start, end) => Datum::Number(Number::Float(digits(start, end))),
            Found::NonFinite(number) => Datum::Number(number),
            Found::Index(index) => Datum::Index(index),
            Found::Text(start, end, escaped) => {
                Datum::Text(Text { raw: part(start, end), escaped })
            }
            Found::Word(word) => Datum::Text(Text { raw: word.as_bytes(), escaped: false }),
            Found::Nested(start, end) => Datum::Nested(part(start, end)),
        }
    }

    fn set(&mut self, slot: Option<usize>, found: Found) {
        if let Some(place) = slot.and_then(|slot| self.found.get_mut(slot)) {
            *place = found;
        }
    }
}

impl Default for Reader {
    fn default() -> Self {
        Self { nodes: vec![Node::default()], fields: [None; 4], index: None, slots: 0 }
    }
}

impl Reader {
    /// Reads nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Where the value of a field will be; the field is read from now on.
    pub fn slot(&mut self, field: &Field) -> usize {
        let place = match field {
            Field::RecordId => &mut self.fields[0],
            Field::ProjectId => &mut self.fields[1],
            Field::Stage => &mut self.fields[2],
            Field::Timestamp => &mut self.fields[3],
            Field::Index => &mut self.index,
            Field::Payload(path) | Field::Written(path) => {
                let node = self.node(path);
                &mut self.nodes[node].slot
            }
        };
        *place.get_or_insert_with(|| {
            self.slots += 1;
            self.slots - 1
        })
    }

    fn node(&mut self, path: &Path) -> usize {
        let mut at = 0;
        for step in path.steps() {
            let known = match step {
                Step::Key(name) => self.nodes[at].key(name.as_bytes()),
                Step::Element(place) => self.nodes[at].element(*place),
            };
            at = known.unwrap_or_else(|| {
                let new = self.nodes.len();
                self.nodes.push(Node::default());
                match step {
                    Step::Key(name) => self.nodes[at].keys.push((name.clone().into_bytes(), new)),
                    Step::Element(place) => self.nodes[at].elements.push((*place, new)),
                }
                new
            });
        }
        at
    }

    /// Reads the fields of a record, checking the JSON of the whole of it, as
    /// [`crate::record::View::parse`] does. `index` is its place in the ledger, if it has one.
    pub fn read(
        &self,
        index: Option<u64>,
        line: &[u8],
        values: &mut Values,
    ) -> Result<(), RecordFault> {
        values.found.clear();
        values.found.resize(self.slots, Found::Null);
        values.set(self.index, index.map_or(Found::Null, Found::Index));
        let mut scanner = Scanner::new(line);
        if scanner.next_event()? != Some(Event::ObjectStart) {
            return Err(RecordFault::NotAnObject);
        }
        let mut seen = [false; 4];
        while let Some(event) = scanner.next_event()? {
            let Event::Key(key) = event else { break };
            if let Some(at) = NAMES.iter().position(|known| is(key, known.as_bytes())) {
                seen[at] = true;
                let found = top_level(&mut scanner, line)?;
                values.set(self.fields[at], found);
            } else if is(key, b"payload") && !self.nodes[0].is_leaf() {
                self.clear(0, values);
                let event = scanner.next_event()?;
                self.value(0, event, &mut scanner, values)?;
            } else {
                scanner.skip_value()?;
            }
        }
        scanner.next_event()?;
        match seen.iter().position(|seen| !seen) {
            Some(missing) => Err(RecordFault::Missing(NAMES[missing])),
            None => Ok(()),
        }
    }

    /// Takes the value that begins with `event`.
    fn value(
        &self,
        node: usize,
        event: Option<Event<'_>>,
        scanner: &mut Scanner<'_>,
        values: &mut Values,
    ) -> Result<(), Fault> {
        let end = scanner.position();
        let slot = self.nodes[node].slot;
        let found = match event {
            Some(Event::ObjectStart) => return self.object(node, scanner, values),
            Some(Event::ArrayStart) => return self.array(node, scanner, values),
            Some(Event::Bool(value)) => Found::Bool(value),
            Some(Event::String(text)) => {
                Found::Text(end - 1 - text.raw.len(), end - 1, text.escaped)
            }
            Some(Event::Number(Number::Integer(text))) => Found::Integer(end - text.len(), end),
            Some(Event::Number(Number::Float(text))) => Found::Float(end - text.len(), end),
            Some(Event::Number(Number::NotANumber)) => Found::NonFinite(Number::NotANumber),
            Some(Event::Number(Number::Infinity)) => Found::NonFinite(Number::Infinity),
            Some(Event::Number(Number::NegativeInfinity)) => {
                Found::NonFinite(Number::NegativeInfinity)
            }
            _ => Found::Null,
        };
        values.set(slot, found);
        Ok(())
    }

    fn object(
        &self,
        node: usize,
        scanner: &mut Scanner<'_>,
        values: &mut Values,
    ) -> Result<(), Fault> {
        let start = scanner.position() - 1;
        let mut first = true;
        while let Some(Event::Key(key)) = scanner.next_event()? {
            if std::mem::take(&mut first)
                && is(key, b"$numberDouble")
                && let Some(number) = tagged(scanner)?
            {
                values.set(self.nodes[node].slot, Found::NonFinite(number));
                return Ok(());
            }
            match self.nodes[node].find(key) {
                None => drop(scanner.skip_value()?),
                Some(below) => {
                    self.clear(below, values);
                    let event = scanner.next_event()?;
                    self.value(below, event, scanner, values)?;
                }
            }
        }
        values.set(self.nodes[node].slot, Found::Nested(start, scanner.position()));
        Ok(())
    }

    fn array(
        &self,
        node: usize,
        scanner: &mut Scanner<'_>,
        values: &mut Values,
    ) -> Result<(), Fault> {
        let start = scanner.position() - 1;
        let depth = scanner.depth();
        let mut place = 0;
        loop {
            let event = scanner.next_event()?;
            if scanner.depth() < depth {
                break;
            }
            match self.nodes[node].element(place) {
                Some(below) => self.value(below, event, scanner, values)?,
                None => {
                    while scanner.depth() > depth {
                        scanner.next_event()?;
                    }
                }
            }
            place += 1;
        }
        values.set(self.nodes[node].slot, Found::Nested(start, scanner.position()));
        Ok(())
    }

    /// Forgets what was found under a key that stands once more.
    fn clear(&self, node: usize, values: &mut Values) {
        let node = &self.nodes[node];
        values.set(node.slot, Found::Null);
        let below = node.keys.iter().map(|(_, below)| below);
        below.chain(node.elements.iter().map(|(_, below)| below)).for_each(|below| {
            self.clear(*below, values);
        });
    }
}

impl Node {
    fn is_leaf(&self) -> bool {
        self.keys.is_empty() && self.elements.is_empty()
    }

    fn find(&self, key: Text<'_>) -> Option<usize> {
        if self.keys.is_empty() {
            return None;
        }
        if key.escaped { self.key(&key.to_wtf8()) } else { self.key(key.raw) }
    }

    fn key(&self, name: &[u8]) -> Option<usize> {
        self.keys.iter().find(|(known, _)| known == name).map(|(_, below)| *below)
    }

    fn element(&self, place: usize) -> Option<usize> {
        self.elements.iter().find(|(known, _)| *known == place).map(|(_, below)| *below)
    }
}

fn is(key: Text<'_>, name: &[u8]) -> bool {
    if key.escaped { key.to_wtf8().as_ref() == name } else { key.raw == name }
}

/// The number that an object with the key `$numberDouble` alone stands for; the scanner is behind
/// that key, and behind the object if it is one.
fn tagged(scanner: &mut Scanner<'_>) -> Result<Option<Number<'static>>, Fault> {
    let mut ahead = scanner.clone();
    let Some(Event::String(text)) = ahead.next_event()? else { return Ok(None) };
    let number = match text.to_wtf8().as_ref() {
        b"NaN" => Number::NotANumber,
        b"Infinity" => Number::Infinity,
        b"-Infinity" => Number::NegativeInfinity,
        _ => return Ok(None),
    };
    if ahead.next_event()? != Some(Event::ObjectEnd) {
        return Ok(None);
    }
    *scanner = ahead;
    Ok(Some(number))
}

/// A field that should be text; something else is shown as [`crate::record::Field::to_str`] does.
fn top_level(scanner: &mut Scanner<'_>, line: &[u8]) -> Result<Found, Fault> {
    let (start, depth) = (scanner.next_position(), scanner.depth());
    if let Some(Event::String(text)) = scanner.next_event()? {
        let end = scanner.position() - 1;
        return Ok(Found::Text(end - text.raw.len(), end, text.escaped));
    }
    while scanner.depth() > depth {
        scanner.next_event()?;
    }
    Ok(match &line[start..scanner.position()] {
        b"null" => Found::Word("None"),
        b"true" => Found::Word("True"),
        b"false" => Found::Word("False"),
        _ => Found::Text(start, scanner.position(), false),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::field;

    fn shown(payload: &str, names: &[&str]) -> Vec<String> {
        let line = format!(
            "{{\"record_id\": \"r\", \"project_id\": null, \"stage\": [1], \"timestamp\": \"t\", \
             \"payload\": {payload}}}"
        );
        let mut reader = Reader::new();
        let slots: Vec<_> = names.iter().map(|name| reader.slot(&field(name).unwrap())).collect();
        let mut values = Values::default();
        reader.read(Some(3), line.as_bytes(), &mut values).unwrap();
        let show = |slot: usize| match values.datum(slot, line.as_bytes()) {
            Datum::Null => "-".to_owned(),
            Datum::Nested(raw) => String::from_utf8_lossy(raw).into_owned(),
            Datum::Index(index) => format!("#{index}"),
            other => String::from_utf8_lossy(&other.written().unwrap()).into_owned(),
        };
        slots.into_iter().map(show).collect()
    }

    #[test]
    fn values_are_found_where_they_are() {
        let names = ["payload.a", "payload.a.b", "payload.a.c[1].d", "payload.\"e f\"", "index"];
        let payload =
            r#"{"x": {"a": 1}, "a": {"b": 0.5, "c": [[{}], {"d": "é\n"}, 3]}, "\u0065 f": true}"#;
        assert_eq!(
            shown(payload, &names),
            [r#"{"b": 0.5, "c": [[{}], {"d": "é\n"}, 3]}"#, "0.5", "é\n", "True", "#3"]
        );
        assert_eq!(shown("[1]", &names)[..4], ["-", "-", "-", "-"]);
        assert_eq!(shown("{}", &["stage", "project_id", "record_id"]), ["[1]", "None", "r"]);
    }

    #[test]
    fn the_last_of_repeated_keys_counts_whole() {
        assert_eq!(
            shown(
                r#"{"a": {"b": 1, "c": 2}, "a": {"c": 3, "c": null}}"#,
                &["payload.a.b", "payload.a.c"]
            ),
            ["-", "-"]
        );
        let twice = r#"{"a": 1}, "payload": {"b": 2}"#;
        assert_eq!(shown(twice, &["payload.a", "payload.b"]), ["-", "2"]);
    }

    #[test]
    fn numbers_that_json_lacks() {
        let payload = r#"{"a": {"$numberDouble": "NaN"}, "b": -Infinity, "c": {"$numberDouble": "NaN", "d": 1},
            "e": {"\u0024numberDouble": "Infinity"}, "f": {"$numberDouble": 1}}"#;
        assert_eq!(
            shown(payload, &["payload.a", "payload.b", "payload.c", "payload.e", "payload.f"]),
            [
                "nan",
                "-inf",
                r#"{"$numberDouble": "NaN", "d": 1}"#,
                "inf",
                r#"{"$numberDouble": 1}"#
            ]
        );
    }
}
