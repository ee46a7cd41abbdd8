//! `history`: the records as a table, the newest last.

use std::collections::VecDeque;
use std::ops::ControlFlow;

use quark_trace::core::record::View;

use super::row::{RecordRow, each_record};
use crate::failure::Failure;
use crate::output::{FAINT, Output, STRONG, fixed, table, width};
use crate::target::{Access, Target};

/// Rows of one table, so that a long history is shown while it is read.
const PAGE: usize = 500;
/// Characters of a payload in the table; `--json` has all of it.
const PAYLOAD: usize = 400;
/// Bytes of stored lines that are written together.
const LINES: usize = 64 * 1024;
/// Columns of a terminal that has no room for a table with a payload in it.
const NARROW: usize = 80;

pub fn run(
    words: &[String],
    last: Option<usize>,
    stage: Option<&str>,
    output: &Output,
) -> Result<u8, Failure> {
    let target = Target::open(words, Access::Read, output)?;
    let log = target.existing_log()?;
    let wanted = |line: &[u8]| {
        stage.is_none_or(|stage| {
            View::parse(line).is_ok_and(|view| view.stage.to_str().trim() == stage)
        })
    };
    let mut page = Page::new(output);
    let mut kept: VecDeque<(Option<u64>, Vec<u8>)> = VecDeque::new();
    let mut result = Ok(());
    each_record(&log, 0, |number, line| {
        if !wanted(line) {
            return ControlFlow::Continue(());
        }
        match last {
            None => result = page.add(number, line),
            Some(0) => {}
            Some(count) => {
                if kept.len() == count {
                    kept.pop_front();
                }
                kept.push_back((number, line.to_vec()));
            }
        }
        if result.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    result?;
    for (number, line) in &kept {
        page.add(*number, line)?;
    }
    page.flush()?;
    if page.shown == 0 && !output.json {
        output.say("no records");
    }
    Ok(0)
}

/// Index of an entry; a line that is not in the ledger has none.
fn entry(index: Option<u64>) -> String {
    index.map_or("-".to_owned(), |index| index.to_string())
}

/// Records on their way to the output, as a table or as they are stored.
pub(super) struct Page<'a> {
    output: &'a Output,
    rows: Vec<(Option<u64>, RecordRow)>,
    /// Stored lines on their way out.
    lines: Vec<u8>,
    /// How many there were.
    pub shown: usize,
}

impl<'a> Page<'a> {
    pub fn new(output: &'a Output) -> Self {
        Self { output, rows: Vec::new(), lines: Vec::new(), shown: 0 }
    }

    pub fn add(&mut self, number: Option<u64>, line: &[u8]) -> Result<(), Failure> {
        self.shown += 1;
        if self.output.json {
            self.output.put_stored(line, &mut self.lines);
            return if self.lines.len() < LINES { Ok(()) } else { self.flush() };
        }
        self.rows.push((number, RecordRow::of(line, PAYLOAD)));
        if self.rows.len() == PAGE { self.flush() } else { Ok(()) }
    }

    pub fn flush(&mut self) -> Result<(), Failure> {
        self.output.bytes(&self.lines)?;
        self.lines.clear();
        if self.rows.is_empty() {
            return Ok(());
        }
        if width().is_some_and(|columns| columns < NARROW) {
            let rows = self.rows.drain(..).map(|(number, row)| {
                let mut indented = table(&[]);
                indented.add_row([row.payload]);
                let (number, payload) = (entry(number), indented.trim_fmt());
                format!(
                    "{STRONG}{number}{STRONG:#} {FAINT}{}{FAINT:#} {}\n{payload}",
                    row.time, row.stage
                )
            });
            // Together, because each write to a terminal takes a while.
            return self.output.line(rows.collect::<Vec<_>>().join("\n"));
        }
        let first = self.shown == self.rows.len();
        let mut table =
            table(if first { &["entry", "time (UTC)", "stage", "payload"] } else { &[] });
        for (number, row) in self.rows.drain(..) {
            table.add_row([entry(number), row.time, row.stage, row.payload]);
        }
        fixed(&mut table, &[0, 1, 2]);
        self.output.line(table.trim_fmt())
    }
}
