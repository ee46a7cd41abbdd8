//! From YAML 1.2 text to a [`Tree`], within budgets.
//!
//! Built from parser events with an explicit stack, so that no input can exhaust ours. Tags outside
//! the core schema, merge keys, repeated keys and second documents are faults, never guesses.

mod reader;
mod refusal;
mod scalar;
mod value;

use granit_parser::{Event, Parser};

use super::fault::Faults;
use super::source::Source;
use super::tree::{DEPTH_LIMIT, Data, NodeId, Tree};
use reader::{Place, Reader};
use refusal::{EMPTY, SECOND_DOCUMENT};

pub(super) use refusal::join;

/// Reads one document. `None` when the text cannot be read to its end; `faults` says why.
pub(super) fn read(source: &Source<'_>, faults: &mut Faults<'_>) -> Option<(Tree, NodeId)> {
    let options = granit_parser::options! {
        emit_comments: false,
        // As the parser of release 0.1.0 has it, so that a sheet gives the same text in both.
        block_scalar_eof_without_line_feed: true,
        flow_nesting_limit: 2 * DEPTH_LIMIT,
        block_nesting_limit: 2 * DEPTH_LIMIT,
    };
    let mut reader = Reader::new(faults);
    let mut documents = 0;
    for step in Parser::new_from_str_with_options(source.text, options) {
        let (event, span) = match step {
            Ok((event, span)) => (event, Place::new(&span)),
            Err(error) => return reader.stop_at_error(&error, source),
        };
        if let Event::DocumentStart(..) = event {
            documents += 1;
            if documents > 1 {
                return reader.stop(&span.node, SECOND_DOCUMENT);
            }
        }
        reader.take(event, span).ok()?;
    }
    match reader.root {
        Some(root) if !matches!(reader.tree.node(root).data, Data::Null) => {
            Some((reader.tree, root))
        }
        _ => reader.stop(&(0..0), EMPTY),
    }
}
