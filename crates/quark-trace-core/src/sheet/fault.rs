//! What is wrong with a fact sheet, and where: all of it at once.

use std::fmt;
use std::ops::Range;

use super::source::Source;
use crate::visible::visible;

/// How many faults are kept; a hostile sheet could otherwise hold a million.
const MOST: usize = 200;

/// Whether a fault stands in the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The sheet is refused.
    Error,
    /// The sheet is taken, and somebody should look at it.
    Warning,
}

/// Where in the source something stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Line, from 1.
    pub line: usize,
    /// Column, from 1, in characters.
    pub column: usize,
    /// Bytes of the source, a byte order mark included.
    pub span: Range<usize>,
}

/// One thing that is wrong, said to the person who wrote the sheet.
///
/// Texts may quote the source; [`Display`](fmt::Display) and [`SheetFaults::render`] make control
/// and direction characters visible, the fields hold them as they are.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fault {
    /// Whether it stands in the way.
    pub severity: Severity,
    /// Where it is; `None` when the content did not come from text.
    pub place: Option<Place>,
    /// The field, such as `input[0].type`; empty for the sheet as a whole.
    pub path: String,
    /// What is wrong.
    pub message: String,
    /// What was expected, or how to put it right.
    pub help: Option<String>,
    /// An earlier place that has to do with it, and what stands there.
    pub related: Option<(Place, String)>,
}

impl Fault {
    /// The line, from 1, when the content came from text.
    pub fn line(&self) -> Option<usize> {
        self.place.as_ref().map(|place| place.line)
    }

    /// The column, from 1, in characters, when the content came from text.
    pub fn column(&self) -> Option<usize> {
        self.place.as_ref().map(|place| place.column)
    }

    fn start(&self) -> usize {
        self.place.as_ref().map_or(usize::MAX, |place| place.span.start)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(formatter, "line {}, column {}: ", place.line, place.column)?;
        }
        if self.severity == Severity::Warning {
            formatter.write_str("warning: ")?;
        }
        if !self.path.is_empty() {
            write!(formatter, "{}: ", visible(&self.path))?;
        }
        formatter.write_str(&visible(&self.message))?;
        match &self.help {
            Some(help) => write!(formatter, " ({})", visible(help)),
            None => Ok(()),
        }
    }
}

/// Why a fact sheet was refused: every fault, warnings included, in the order of the source.
///
/// Its `Display` has one line a fault; [`SheetFaults::render`] draws them into the source.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", summary(.faults))]
pub struct SheetFaults {
    faults: Vec<Fault>,
}

impl SheetFaults {
    /// The faults, in the order of the source.
    pub fn faults(&self) -> &[Fault] {
        &self.faults
    }

    /// Draws every fault into the lines of `source`, for a terminal.
    ///
    /// `source_name` is what the reader calls the file. The result is safe to print whatever the
    /// source holds: control and direction characters are replaced by visible ones.
    ///
    /// ```
    /// use quark_trace_core::sheet::FactSheet;
    /// let source = "project_id: demo\nml_type: supervized\n";
    /// let faults = FactSheet::from_yaml(source.as_bytes(), "").unwrap_err();
    /// let drawn = faults.render("sheet.yaml", source, false);
    /// assert!(drawn.contains("help: did you mean `supervised`?"));
    /// ```
    pub fn render(&self, source_name: &str, source: &str, colour: bool) -> String {
        super::render::render(&self.faults, source_name, source, colour)
    }
}

impl From<Vec<Fault>> for SheetFaults {
    fn from(faults: Vec<Fault>) -> Self {
        Self { faults }
    }
}

fn summary(faults: &[Fault]) -> String {
    let lines: Vec<String> = faults.iter().map(Fault::to_string).collect();
    lines.join("\n")
}

/// Gathers faults while a sheet is read.
#[derive(Debug, Default)]
pub(super) struct Faults<'a> {
    source: Option<&'a Source<'a>>,
    list: Vec<Fault>,
    omitted: usize,
    errors: bool,
}

impl<'a> Faults<'a> {
    /// With a source, byte ranges become places; without one, faults have none.
    pub(super) fn new(source: Option<&'a Source<'a>>) -> Self {
        Self { source, ..Self::default() }
    }

    pub(super) fn error(&mut self, span: &Range<usize>, path: &str, said: Said) {
        self.errors = true;
        self.push(Severity::Error, span, path, said);
    }

    pub(super) fn warning(&mut self, span: &Range<usize>, path: &str, said: Said) {
        self.push(Severity::Warning, span, path, said);
    }

    /// The text of the source at `span`.
    pub(super) fn written(&self, span: &Range<usize>) -> Option<&'a str> {
        self.source.and_then(|source| source.text.get(span.clone()))
    }

    /// Everything said so far, in the order of the source; an error if any of it is one.
    pub(super) fn finish(mut self) -> Result<Vec<Fault>, SheetFaults> {
        self.list.sort_by_key(Fault::start);
        if self.omitted > 0 {
            self.list.push(Fault {
                severity: if self.errors { Severity::Error } else { Severity::Warning },
                place: None,
                path: String::new(),
                message: format!("{} further faults are not shown", self.omitted),
                help: None,
                related: None,
            });
        }
        if self.errors { Err(self.list.into()) } else { Ok(self.list) }
    }

    fn push(&mut self, severity: Severity, span: &Range<usize>, path: &str, said: Said) {
        if self.list.len() >= MOST {
            self.omitted += 1;
            return;
        }
        let place = |span: &Range<usize>| self.source.map(|source| source.place(span.clone()));
        let related = said.related.and_then(|(span, label)| Some((place(&span)?, label)));
        self.list.push(Fault {
            severity,
            place: place(span),
            path: path.to_owned(),
            message: said.message,
            help: said.help,
            related,
        });
    }
}

/// The words of a fault.
#[derive(Debug)]
pub(super) struct Said {
    message: String,
    help: Option<String>,
    related: Option<(Range<usize>, String)>,
}

impl Said {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), help: None, related: None }
    }

    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    pub(super) fn related(mut self, span: Range<usize>, label: impl Into<String>) -> Self {
        self.related = Some((span, label.into()));
        self
    }
}
