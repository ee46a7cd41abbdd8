//! Names of what was logged, for whoever mistyped one.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use quark_trace_core::json::{Event, Scanner};
use quark_trace_core::query::{Query, QueryError, QueryFault};
use quark_trace_core::record::View;

use crate::log::TraceLog;
use crate::store::{Plan, Row, Select};

/// So many of the newest entries are asked for names.
const ENTRIES: u64 = 200;
/// Most names, and most bytes of one: nobody mistypes a longer one.
const NAMES: usize = 1000;
const LONGEST: usize = 160;
/// So many bytes of records are read.
const BYTES: usize = 4 * 1024 * 1024;

impl TraceLog {
    /// Reads a query as [`Query::parse`] does. The error about a name that there is not suggests one
    /// that the newest records have in their payloads, if it looks like a slip of it.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use quark_trace::{TraceLog, core::payload::Payload, store::MemoryStore};
    /// let log = TraceLog::new(Arc::new(MemoryStore::new()), "demo".parse()?);
    /// log.log("round", &Payload::new().with("accuracy", 0.9))?;
    /// let error = log.read_query("acuracy > 0.5").unwrap_err();
    /// assert!(error.to_string().contains("did you mean `payload.accuracy`?"));
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub fn read_query(&self, text: &str) -> Result<Query, QueryError> {
        let read = Query::parse(text);
        if !read.as_ref().is_err_and(|error| error.fault() == QueryFault::UnknownName) {
            return read;
        }
        let names = self.newest_names();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        Query::parse_knowing(text, &names)
    }

    /// Names of members of the newest payloads; fewer or none when they cannot be read.
    fn newest_names(&self) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        let head = self.store().head(self.project()).ok().flatten();
        let size = head.map_or(0, |head| head.range.size());
        let from = size.saturating_sub(ENTRIES);
        let plan = Plan { from, select: Select::Records, ..Plan::default() };
        let (mut records, mut bytes) = (0, 0);
        let read = self.store().scan(self.project(), &plan, &mut |row| {
            let object = match &row {
                Row::Entry { object: Some(object), .. } => object.as_ref(),
                Row::Loose { object, .. } => object,
                _ => return ControlFlow::Continue(()),
            };
            add_names(object, &mut names);
            (records, bytes) = (records + 1, bytes + object.len());
            match records < ENTRIES && bytes < BYTES && names.len() < NAMES {
                true => ControlFlow::Continue(()),
                false => ControlFlow::Break(()),
            }
        });
        // The query is refused anyway; without names the error says less.
        drop(read);
        names
    }
}

fn add_names(line: &[u8], names: &mut BTreeSet<String>) {
    let Ok(view) = View::parse(line) else { return };
    let mut scanner = Scanner::new(view.payload);
    let Ok(Some(Event::ObjectStart)) = scanner.next_event() else { return };
    while let Ok(Some(Event::Key(key))) = scanner.next_event() {
        if key.raw.len() <= LONGEST {
            names.insert(key.to_str().into_owned());
        }
        if scanner.skip_value().is_err() || names.len() >= NAMES {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(payload: &str) -> BTreeSet<String> {
        let line = format!(
            "{{\"record_id\": \"a\", \"project_id\": \"p\", \"stage\": \"s\", \
             \"timestamp\": \"t\", \"payload\": {payload}}}"
        );
        let mut names = BTreeSet::new();
        add_names(line.as_bytes(), &mut names);
        names
    }

    #[test]
    fn hostile_payloads_give_few_and_short_names() {
        let long = "x".repeat(900_000);
        let found = names(&format!("{{\"{long}\": 1, \"loss\": {{\"deep\": 2}}, \"acc\": 3}}"));
        assert_eq!(found.into_iter().collect::<Vec<_>>(), ["acc", "loss"]);
        let many: Vec<_> = (0..5000).map(|number| format!("\"n{number}\": 1")).collect();
        assert_eq!(names(&format!("{{{}}}", many.join(", "))).len(), NAMES);
        assert!(names("[1]").is_empty());
    }
}
