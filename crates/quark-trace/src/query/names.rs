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
/// Most names.
const NAMES: usize = 1000;

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
        let plan = Plan { from, until: Some(size), select: Select::Records, filter: None };
        let read = self.store().scan(self.project(), &plan, &mut |row| {
            if let Row::Entry { object: Some(object), .. } = row {
                add_names(&object, &mut names);
            }
            match names.len() {
                0..NAMES => ControlFlow::Continue(()),
                _ => ControlFlow::Break(()),
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
        names.insert(key.to_str().into_owned());
        if scanner.skip_value().is_err() {
            return;
        }
    }
}
