//! From YAML 1.2 text to a [`Tree`], within budgets.
//!
//! Built from parser events with an explicit stack, so that no input can exhaust ours. Tags outside
//! the core schema, merge keys, repeated keys and second documents are faults, never guesses.

use std::collections::BTreeMap;

use granit_parser::{ErrorKind, Event, Parser, ScalarStyle, ScanError, Tag};

use super::fault::{Faults, Said};
use super::scalar::{self, Scalar};
use super::source::Source;
use super::tree::{DEPTH_LIMIT, Data, Member, NodeId, Span, Tree};
use super::visible::shortened;

/// Most nodes in a sheet, an aliased node counted each time it is used.
const NODE_LIMIT: usize = 50_000;

/// Most aliases in a sheet.
const ALIAS_LIMIT: usize = 1_000;

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

type Words = (&'static str, &'static str);

const EMPTY: Words = ("the sheet is empty", "start from the template of `quark-trace init`");
const SECOND_DOCUMENT: Words =
    ("a second document starts here", "one file holds one fact sheet: remove the `---` line");
const TOO_DEEP: Words = ("the sheet is nested too deeply", "at most 32 levels are read");
const TOO_MANY_NODES: Words = ("the sheet holds too many values", "at most 50,000 are read");
const TOO_MANY_ALIASES: Words = ("the sheet holds too many aliases", "at most 1,000 are read");
const ENDLESS: Words = ("this alias stands inside what it names", "write the value out");
const MERGE_KEY: Words = (
    "merge keys are not part of YAML 1.2",
    "write the merged fields out, or quote the key: \"<<\"",
);
const ODD_KEY: Words = ("a key must be text", "lists, objects and aliases cannot name a field");
const BEYOND_JSON: &str = "this number cannot be kept exactly";

/// Where an event stands, and its tag.
struct Place {
    node: Span,
    tag: Option<Span>,
}

impl Place {
    fn new(span: &granit_parser::Span) -> Self {
        Self {
            node: span.byte_range().unwrap_or_default(),
            tag: span.tag_span().and_then(|tag| tag.byte_range()),
        }
    }
}

/// A list or object that is not closed yet.
struct Frame {
    span: Span,
    anchor: usize,
    refused: bool,
    content: Content,
}

enum Content {
    List(Vec<NodeId>),
    Object { members: Vec<Member>, places: BTreeMap<String, Span>, key: Key },
}

/// What the next node of an object is: its key, or the value of one.
enum Key {
    Awaited,
    Named(String, Span),
    /// The key was refused; its value is read and dropped.
    Refused,
}

/// The reason is in the faults.
struct Stopped;

struct Reader<'f, 's> {
    tree: Tree,
    root: Option<NodeId>,
    frames: Vec<Frame>,
    anchors: BTreeMap<usize, NodeId>,
    nodes: usize,
    aliases: usize,
    faults: &'f mut Faults<'s>,
}

impl<'f, 's> Reader<'f, 's> {
    fn new(faults: &'f mut Faults<'s>) -> Self {
        Self {
            tree: Tree::default(),
            root: None,
            frames: Vec::new(),
            anchors: BTreeMap::new(),
            nodes: 0,
            aliases: 0,
            faults,
        }
    }

    fn take(&mut self, event: Event<'_>, place: Place) -> Result<(), Stopped> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.scalar(&text, style, anchor, tag.as_deref(), place)
            }
            Event::SequenceStart(_, anchor, tag) => {
                let refused = self.refuses_tag(tag.as_deref(), "seq", &place);
                self.open(Content::List(Vec::new()), refused, anchor, place.node)
            }
            Event::MappingStart(_, anchor, tag) => {
                let refused = self.refuses_tag(tag.as_deref(), "map", &place);
                let (members, places) = (Vec::new(), BTreeMap::new());
                let content = Content::Object { members, places, key: Key::Awaited };
                self.open(content, refused, anchor, place.node)
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(),
            Event::Alias(anchor) => self.alias(anchor, place.node),
            _ => Ok(()),
        }
    }

    fn scalar(
        &mut self,
        text: &str,
        style: ScalarStyle,
        anchor: usize,
        tag: Option<&Tag>,
        place: Place,
    ) -> Result<(), Stopped> {
        let plain = style == ScalarStyle::Plain;
        if self.awaits_key() {
            if self.foreign_tag(tag, &place) {
                return self.refuse_key();
            }
            if anchor != 0 {
                let id = self.tree.push(Data::Text(text.to_owned()), place.node.clone());
                self.anchors.insert(anchor, id);
            }
            return self.key(text, plain && tag.is_none(), place.node);
        }
        let data = self.resolve(text, plain, tag, &place);
        let id = self.tree.push(data, place.node.clone());
        if anchor != 0 {
            self.anchors.insert(anchor, id);
        }
        self.attach(id, 1, &place.node)
    }

    fn resolve(&mut self, text: &str, plain: bool, tag: Option<&Tag>, place: &Place) -> Data {
        if self.foreign_tag(tag, place) {
            return Data::Refused;
        }
        let meaning = match (tag.and_then(Tag::core_suffix), tag, plain) {
            (Some("str"), ..) | (None, Some(_), _) | (None, None, false) => Scalar::Text,
            (Some(wanted), ..) => match scalar::resolve(text) {
                meaning if fits(wanted, &meaning) => meaning,
                _ => {
                    let said = Said::new(format!("`{}` is no !!{wanted}", shortened(text, 40)))
                        .help("remove the tag, or write a value of that type");
                    self.error(&place.node, said);
                    return Data::Refused;
                }
            },
            (None, None, true) => scalar::resolve(text),
        };
        match meaning {
            Scalar::Null => Data::Null,
            Scalar::Bool(flag) => Data::Bool(flag),
            Scalar::Number(number) => Data::Number(number),
            Scalar::Text => Data::Text(text.to_owned()),
            Scalar::BeyondJson => {
                let help = format!("write it in quotes: \"{}\"", shortened(text, 40));
                self.error(&place.node, Said::new(BEYOND_JSON).help(help));
                Data::Refused
            }
        }
    }

    fn key(&mut self, text: &str, plain: bool, span: Span) -> Result<(), Stopped> {
        self.count(1, &span)?;
        if plain && text == "<<" {
            self.say(&span, MERGE_KEY);
            return self.refuse_key();
        }
        let path = self.path();
        let Some(Frame { content: Content::Object { places, key, .. }, .. }) =
            self.frames.last_mut()
        else {
            return Ok(());
        };
        if let Some(first) = places.get(text) {
            let said = Said::new("this is given twice")
                .help("keep one of the two")
                .related(first.clone(), "first given here");
            *key = Key::Refused;
            self.faults.error(&span, &join(&path, text), said);
            return Ok(());
        }
        places.insert(text.to_owned(), span.clone());
        *key = Key::Named(text.to_owned(), span);
        Ok(())
    }

    fn alias(&mut self, anchor: usize, span: Span) -> Result<(), Stopped> {
        self.aliases += 1;
        if self.aliases > ALIAS_LIMIT {
            return self.halt(&span, TOO_MANY_ALIASES);
        }
        let Some(&target) = self.anchors.get(&anchor) else {
            return self.halt(&span, ENDLESS);
        };
        if self.awaits_key() {
            self.say(&span, ODD_KEY);
            return self.refuse_key();
        }
        if self.frames.len() + self.tree.node(target).height > DEPTH_LIMIT {
            return self.halt(&span, TOO_DEEP);
        }
        self.attach(target, self.tree.node(target).weight, &span)
    }

    fn open(
        &mut self,
        content: Content,
        refused: bool,
        anchor: usize,
        span: Span,
    ) -> Result<(), Stopped> {
        if self.frames.len() >= DEPTH_LIMIT {
            return self.halt(&span, TOO_DEEP);
        }
        self.frames.push(Frame { span, anchor, refused, content });
        Ok(())
    }

    fn close(&mut self) -> Result<(), Stopped> {
        let Some(Frame { mut span, anchor, refused, content }) = self.frames.pop() else {
            return Ok(());
        };
        let data = match content {
            _ if refused => Data::Refused,
            Content::List(items) => Data::List(items),
            Content::Object { members, .. } => {
                if let Some(first) = members.first() {
                    span = first.key_span.clone();
                }
                Data::Object(members)
            }
        };
        let id = self.tree.push(data, span.clone());
        if anchor != 0 {
            self.anchors.insert(anchor, id);
        }
        if self.awaits_key() {
            self.say(&span, ODD_KEY);
            return self.refuse_key();
        }
        self.attach(id, 1, &span)
    }

    /// Puts a finished node where it belongs. A container counted its children when they came, so
    /// its own weight is one; an alias brings the whole weight of what it names.
    fn attach(&mut self, id: NodeId, weight: usize, span: &Span) -> Result<(), Stopped> {
        self.count(weight, span)?;
        match self.frames.last_mut().map(|frame| &mut frame.content) {
            None => self.root = Some(id),
            Some(Content::List(items)) => items.push(id),
            Some(Content::Object { members, key, .. }) => {
                if let Key::Named(key, key_span) = std::mem::replace(key, Key::Awaited) {
                    members.push(Member { key, key_span, value: id });
                }
            }
        }
        Ok(())
    }

    fn count(&mut self, nodes: usize, span: &Span) -> Result<(), Stopped> {
        self.nodes = self.nodes.saturating_add(nodes);
        if self.nodes > NODE_LIMIT { self.halt(span, TOO_MANY_NODES) } else { Ok(()) }
    }

    fn awaits_key(&self) -> bool {
        let content = self.frames.last().map(|frame| &frame.content);
        matches!(content, Some(Content::Object { key: Key::Awaited, .. }))
    }

    fn refuse_key(&mut self) -> Result<(), Stopped> {
        if let Some(Content::Object { key, .. }) =
            self.frames.last_mut().map(|frame| &mut frame.content)
        {
            *key = Key::Refused;
        }
        Ok(())
    }

    fn refuses_tag(&mut self, tag: Option<&Tag>, wanted: &str, place: &Place) -> bool {
        if self.foreign_tag(tag, place) {
            return true;
        }
        let Some(found) = tag.and_then(Tag::core_suffix).filter(|&found| found != wanted) else {
            return false;
        };
        let said = Said::new(format!("this is no !!{found}")).help("remove the tag");
        self.error(place.tag.as_ref().unwrap_or(&place.node), said);
        true
    }

    fn foreign_tag(&mut self, tag: Option<&Tag>, place: &Place) -> bool {
        let Some(tag) = tag else { return false };
        if tag.core_suffix().is_some() || tag.original() == "!" {
            return false;
        }
        let message = format!("the tag `{}` is not allowed", shortened(&tag.original(), 80));
        let said = Said::new(message).help("a fact sheet holds plain data: remove the tag");
        self.error(place.tag.as_ref().unwrap_or(&place.node), said);
        true
    }

    /// The path of the node that comes next.
    fn path(&self) -> String {
        let mut path = String::new();
        for frame in &self.frames {
            match &frame.content {
                Content::List(items) => path.push_str(&format!("[{}]", items.len())),
                Content::Object { key: Key::Named(name, _), .. } => path = join(&path, name),
                Content::Object { .. } => {}
            }
        }
        path
    }

    fn error(&mut self, span: &Span, said: Said) {
        let path = self.path();
        self.faults.error(span, &path, said);
    }

    fn say(&mut self, span: &Span, (message, help): Words) {
        self.error(span, Said::new(message).help(help));
    }

    fn halt(&mut self, span: &Span, words: Words) -> Result<(), Stopped> {
        self.say(span, words);
        Err(Stopped)
    }

    fn stop<T>(&mut self, span: &Span, words: Words) -> Option<T> {
        self.say(span, words);
        None
    }

    fn stop_at_error<T>(&mut self, error: &ScanError, source: &Source<'_>) -> Option<T> {
        let start = error.marker().byte_offset().unwrap_or(source.text.len());
        if matches!(error.kind(), ErrorKind::RecursionLimitExceeded) {
            return self.stop(&(start..start + 1), TOO_DEEP);
        }
        let said = Said::new(format!("this is not YAML: {}", error.info()));
        let said = match error.kind() {
            ErrorKind::TabNotAllowed
            | ErrorKind::TabInBlockIndentation
            | ErrorKind::TabInIndentation
            | ErrorKind::TabInPlainScalar => said.help("indent with spaces, never with tabs"),
            ErrorKind::UnknownAnchor => said.help("put a text that starts with `*` in quotes"),
            _ => said,
        };
        self.error(&(start..start + 1), said);
        None
    }
}

/// Whether a value of this meaning may carry the core tag `wanted`.
fn fits(wanted: &str, meaning: &Scalar) -> bool {
    match meaning {
        Scalar::Null => wanted == "null",
        Scalar::Bool(_) => wanted == "bool",
        Scalar::Number(number) => wanted == "float" || (wanted == "int" && !number.is_f64()),
        Scalar::BeyondJson => matches!(wanted, "int" | "float"),
        Scalar::Text => false,
    }
}

/// The path of the member `name` below `path`.
pub(super) fn join(path: &str, name: &str) -> String {
    let name = shortened(name, 80);
    if path.is_empty() { name.into_owned() } else { format!("{path}.{name}") }
}
