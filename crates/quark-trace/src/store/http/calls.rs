//! Calls beside the contract of a store: those that quark-trace 0.1.0 makes, and what a sender of
//! records needs.

use quark_trace_core::ids::ProjectId;
use quark_trace_core::json::{Event, Scanner};
use quark_trace_core::record::View;
use serde_json::Value;

use super::connection::Call;
use super::fault::malformed;
use super::write::{self, Told};
use super::{APPEND, Answered, HttpStore, READ};
use crate::error::{Error, ErrorKind, Outcome, Result};

/// What the registry of a server says of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Whether it may write.
    pub active: bool,
    /// The institution that it belongs to; empty when the answer names none.
    pub institution_id: String,
}

/// What a server said of a record that it was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Receipt {
    /// Its index in the log; a server of 0.1.0 tells none.
    pub index: Option<u64>,
    /// Whether the server had it before.
    pub existing: bool,
}

impl HttpStore {
    /// Asks the registry about a node.
    pub fn node(&self, node_id: &str) -> Result<Node> {
        const OPERATION: &str = "verify the node";
        let path = ["registry", "nodes", node_id];
        let answer = self.connection.call(&Call::read(OPERATION, &path))?;
        let answer: Value = serde_json::from_slice(&answer)
            .map_err(|_| malformed(OPERATION, "it is no JSON").on(self.connection.url()))?;
        let text = |name: &str| answer[name].as_str().unwrap_or_default().to_owned();
        let active = text("status") == "active";
        Ok(Node { active, institution_id: text("institution_id") })
    }

    /// Whether the server has the whole API, and not only the calls of 0.1.0.
    pub fn is_current(&self) -> Result<bool> {
        match self.connection.call(&Call::read("ask what the server is", &["about"])) {
            Ok(answer) => {
                let about: Value = serde_json::from_slice(&answer).unwrap_or_default();
                let is_current = !about["api"].is_null();
                if is_current {
                    self.known.note_ours();
                }
                Ok(is_current)
            }
            Err(error) if Answered::of(&error).is_some_and(|answer| answer.status < 500) => {
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    /// Sends record lines, at most 1,000, which are appended all or none. A record that the server
    /// has is answered as before. Each receipt is held to the record that was sent.
    pub fn send_records(&self, project: &ProjectId, lines: &[&[u8]]) -> Result<Vec<Receipt>> {
        self.check_writable()?;
        if lines.is_empty() {
            return Ok(Vec::new());
        }
        let answer = write::post_records(&self.connection, project, lines, &[]);
        let answer = answer.map_err(|error| error.or_outcome(Outcome::Unknown))?;
        let receipts = write::receipts(lines.len(), &answer)?;
        let told = lines.iter().zip(receipts).map(|(line, receipt)| Told::of(line, receipt));
        let told = told.collect::<Result<Vec<_>>>()?;
        if told.iter().any(|told| told.index.is_some()) {
            self.known.note_ours();
        }
        // A server of 0.1.0 gives none; one of ours always does.
        if told.iter().any(|told| told.index.is_none()) && self.known.is_ours(project)? {
            return Err(write::unfit("it holds no receipt, and this server gives receipts"));
        }
        Ok(told
            .iter()
            .map(|Told { index, existing }| Receipt { index: *index, existing: *existing })
            .collect())
    }

    /// All records of a project by the call that 0.1.0 makes: the bytes of each, in their order. One
    /// that is no record, or is of another project, is an error.
    pub fn record_lines(&self, project: &str) -> Result<Vec<Vec<u8>>> {
        let path = ["projects", project, "records"];
        let answer = self.connection.call(&Call::read(READ, &path))?;
        let lines = elements(&answer).ok_or_else(|| malformed(READ, "it is no list of records"))?;
        for line in &lines {
            match View::parse(line) {
                Err(fault) => return Err(malformed(READ, format!("a record {fault}"))),
                Ok(view) if view.project_id.to_str() != project => {
                    return Err(malformed(READ, "a record is of another project"));
                }
                Ok(_) => {}
            }
        }
        Ok(lines)
    }

    /// The fact sheet in force by the call that 0.1.0 makes, unchecked; `None` when there is none.
    pub fn sheet_document(&self, project: &str) -> Result<Option<Vec<u8>>> {
        match self.connection.call(&Call::read(READ, &["projects", project])) {
            Ok(answer) => Ok(Some(answer)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Begins a project with a fact sheet by the call that 0.1.0 makes: the server may complete it.
    /// Refused with `AlreadyExists` when the project has one.
    pub fn begin(&self, document: &[u8]) -> Result<()> {
        self.check_writable()?;
        let body = Some(("application/json", document));
        let begun = self.connection.call(&Call { body, ..Call::write(APPEND, &["projects", ""]) });
        begun.map(drop)
    }

    pub(super) fn check_writable(&self) -> Result<()> {
        if !self.connection.options().read_only {
            return Ok(());
        }
        let message = "the store was opened for reading only";
        let refused = Error::new(ErrorKind::ReadOnly, APPEND, message);
        Err(refused.with_outcome(Outcome::NotWritten))
    }
}

/// The elements of a JSON list as they are written, each on one line.
fn elements(list: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut scanner = Scanner::new(list);
    if scanner.next_event().ok()?? != Event::ArrayStart {
        return None;
    }
    let mut found = Vec::new();
    loop {
        // A position that holds the end of the list, or the next element.
        let next = scanner.next_position();
        if list.get(next) == Some(&b']') {
            scanner.next_event().ok()?;
            // Nothing may follow.
            return scanner.next_event().ok()?.is_none().then_some(found);
        }
        // The comma before it is passed over with it.
        let element = scanner.skip_value().ok()?;
        let element = element.strip_prefix(b",").unwrap_or(element).trim_ascii_start();
        let one_line = |byte: &u8| if matches!(byte, b'\n' | b'\r') { b' ' } else { *byte };
        found.push(element.iter().map(one_line).collect());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_taken_apart_as_it_is_written() {
        let list = b" [ {\"a\": [1, 2]},\n {\"b\":\n \"]\"} , 1.0]\n";
        let found = elements(list).unwrap();
        assert_eq!(found, [&b"{\"a\": [1, 2]}"[..], b"{\"b\":  \"]\"}", b"1.0"]);
        assert_eq!(elements(b"[]").unwrap(), Vec::<Vec<u8>>::new());
        for bad in [&b""[..], b"{}", b"[1", b"[1] 2", b"[1,]", b"no"] {
            assert_eq!(elements(bad), None, "{}", String::from_utf8_lossy(bad));
        }
    }
}
