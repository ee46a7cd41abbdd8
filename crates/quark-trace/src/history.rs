//! All records of a log at once, in one buffer.

use std::ops::{ControlFlow, Range};
use std::sync::Arc;

use quark_trace_core::record::{RecordFault, View};

use crate::error::Result;
use crate::log::TraceLog;
use crate::store::Place;

/// Below this many lines a second thread costs more than it saves.
const PARALLEL_FROM: usize = 4096;

/// The lines of a log, checked to be records, without an allocation for each.
#[derive(Debug, Clone, Default)]
pub struct History {
    bytes: Arc<Vec<u8>>,
    records: Vec<Range<usize>>,
    faults: Vec<LineFault>,
}

/// A line that is no record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineFault {
    /// Where it stands.
    pub place: Place,
    /// Why it is none.
    pub fault: RecordFault,
    /// How many records come before it.
    pub position: usize,
}

impl History {
    /// Reads every line of `log`. An unfinished last line, which nobody was promised, is left out.
    pub fn read(log: &TraceLog) -> Result<Self> {
        let mut bytes = Vec::new();
        let mut lines = Vec::new();
        log.each_line(|line, place| {
            lines.push((bytes.len()..bytes.len() + line.len(), place));
            bytes.extend_from_slice(line);
            ControlFlow::Continue(())
        })?;
        let faults = check(&bytes, &lines);
        let mut history = Self { bytes: Arc::new(bytes), ..Self::default() };
        history.records.reserve_exact(lines.len());
        let mut faults = faults.into_iter().peekable();
        for (at, (range, place)) in lines.into_iter().enumerate() {
            match faults.next_if(|(faulty, _)| *faulty == at) {
                None => history.records.push(range),
                Some((_, fault)) => {
                    let position = history.records.len();
                    history.faults.push(LineFault { place, fault, position });
                }
            }
        }
        Ok(history)
    }

    /// The buffer that the lines lie in.
    pub fn bytes(&self) -> &Arc<Vec<u8>> {
        &self.bytes
    }

    /// Where each record lies in the buffer, in the order of the log.
    pub fn records(&self) -> &[Range<usize>] {
        &self.records
    }

    /// The lines that are no records.
    pub fn faults(&self) -> &[LineFault] {
        &self.faults
    }
}

/// Checks each line, on two threads when there are many; gives the faulty ones in order.
fn check(bytes: &[u8], lines: &[(Range<usize>, Place)]) -> Vec<(usize, RecordFault)> {
    let check_part = |from: usize, part: &[(Range<usize>, Place)]| {
        let faulty = part.iter().enumerate().filter_map(|(at, (range, _))| {
            Some((from + at, View::parse(&bytes[range.clone()]).err()?))
        });
        faulty.collect::<Vec<_>>()
    };
    if lines.len() < PARALLEL_FROM {
        return check_part(0, lines);
    }
    let (first, second) = lines.split_at(lines.len() / 2);
    std::thread::scope(|scope| {
        let other = scope.spawn(|| check_part(first.len(), second));
        let mut faulty = check_part(0, first);
        match other.join() {
            Ok(more) => faulty.extend(more),
            Err(panic) => std::panic::resume_unwind(panic),
        }
        faulty
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{FileStore, Store};
    use std::sync::Arc;

    #[test]
    fn faulty_lines_do_not_hide_the_others() {
        let folder = std::env::temp_dir().join(format!("quark-history-{}", uuid::Uuid::new_v4()));
        std::fs::create_dir_all(&folder).unwrap();
        let line = r#"{"record_id": "1", "project_id": "p", "stage": "s", "timestamp": "t", "payload": {}}"#;
        let mut text = format!("{line}\nnot json\n").repeat(3000);
        text.push_str("{\"record_id");
        std::fs::write(folder.join("p_trace_log.jsonl"), text).unwrap();
        let store: Arc<dyn Store> = Arc::new(FileStore::new(&folder));
        let history = History::read(&TraceLog::new(store, "p".parse().unwrap())).unwrap();
        assert_eq!((history.records().len(), history.faults().len()), (3000, 3000));
        assert_eq!(history.faults()[1].place.line, 4);
        assert_eq!(history.faults()[1].position, 2);
        std::fs::remove_dir_all(folder).unwrap();
    }
}
