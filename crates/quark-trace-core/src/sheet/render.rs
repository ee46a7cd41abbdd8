//! Drawing faults into the lines they stand on.

use std::borrow::Cow;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};

use super::fault::{Fault, Place, Severity};
use crate::visible::{is_hidden, visible};

/// Most characters of a line that are shown on either side of a fault.
const CONTEXT: usize = 100;

/// Draws `faults` into the lines of `source`, as [`SheetFaults::render`] does; for the warnings of
/// a sheet that was taken.
///
/// [`SheetFaults::render`]: super::SheetFaults::render
pub fn render(faults: &[Fault], source_name: &str, source: &str, colour: bool) -> String {
    let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
    let source_name = visible(source_name);
    let groups: Vec<Group<'_>> =
        faults.iter().map(|fault| group(fault, &source_name, source)).collect();
    let drawn: Vec<String> = groups.chunks(1).map(|group| renderer.render(group)).collect();
    drawn.join("\n\n")
}

fn group<'a>(fault: &'a Fault, source_name: &'a str, source: &str) -> Group<'a> {
    let level = match fault.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let mut group = Group::with_title(level.primary_title(title(fault)));
    if let Some(place) = &fault.place {
        group = group.element(snippet(place, AnnotationKind::Primary, "", source_name, source));
    } else {
        group = group.element(Origin::path(source_name));
    }
    if let Some((place, label)) = &fault.related {
        group = group.element(snippet(place, AnnotationKind::Context, label, source_name, source));
    }
    if let Some(help) = &fault.help {
        group = group.element(Level::HELP.message(visible(help)));
    }
    group
}

fn title(fault: &Fault) -> String {
    if fault.path.is_empty() {
        return visible(&fault.message).into_owned();
    }
    format!("{}: {}", visible(&fault.path), visible(&fault.message))
}

type Drawn<'a> = Snippet<'a, annotate_snippets::Annotation<'a>>;

/// Only the line of the fault is handed on, so that a hostile source costs no more than a line.
fn snippet<'a>(
    place: &Place,
    kind: AnnotationKind,
    label: &'a str,
    source_name: &'a str,
    source: &str,
) -> Drawn<'a> {
    let (line, span) = line_of(source, &place.span);
    let label = (!label.is_empty()).then(|| visible(label));
    Snippet::source(line)
        .line_start(place.line)
        .path(Cow::Borrowed(source_name))
        .annotation(kind.span(span).label(label))
}

/// The line on which `span` starts, made safe to show, and where the span is in it.
fn line_of(source: &str, span: &Range<usize>) -> (String, Range<usize>) {
    let start = source.floor_char_boundary(span.start);
    let end = source.floor_char_boundary(span.end).max(start);
    let (before, rest) = source.split_at(start);
    let before = &before[before.rfind(['\n', '\r']).map_or(0, |at| at + 1)..];
    let before = before.strip_prefix('\u{FEFF}').unwrap_or(before);
    let rest = &rest[..rest.find(['\n', '\r']).unwrap_or(rest.len())];
    let (marked, after) = rest.split_at((end - start).min(rest.len()));

    let skipped = before.chars().count().saturating_sub(CONTEXT);
    let mut line = if skipped > 0 { "…".to_owned() } else { String::new() };
    line.extend(before.chars().skip(skipped).map(picture));
    let from = line.len();
    line.extend(marked.chars().take(CONTEXT).map(picture));
    let to = line.len();
    line.extend(after.chars().take(CONTEXT).map(picture));
    (line, from..to)
}

/// One character for one, so that what is marked stays under its marks.
fn picture(character: char) -> char {
    match character {
        '\t' => ' ',
        '\0'..='\u{1F}' => {
            char::from_u32(0x2400 + u32::from(character)).unwrap_or(char::REPLACEMENT_CHARACTER)
        }
        _ if is_hidden(character) => char::REPLACEMENT_CHARACTER,
        _ => character,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_cut_to_what_matters() {
        let source = format!("a: {}X{}\nnext", "é".repeat(500), "ü".repeat(500));
        let at = source.find('X').unwrap();
        let (line, span) = line_of(&source, &(at..at + 1));
        assert_eq!(line.chars().count(), 202);
        assert_eq!(&line[span], "X");
    }

    #[test]
    fn places_beyond_the_source_do_no_harm() {
        assert_eq!(line_of("a: b\n", &(90..95)), (String::new(), 0..0));
        assert_eq!(line_of("", &(0..1)), (String::new(), 0..0));
    }
}
