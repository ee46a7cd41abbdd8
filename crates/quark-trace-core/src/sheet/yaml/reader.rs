//! Building the tree: one event at a time, with a stack of what is still open.

use std::collections::BTreeMap;

use granit_parser::{Event, ScalarStyle, Tag};

use super::refusal::{
    ENDLESS, MERGE_KEY, ODD_KEY, TOO_DEEP, TOO_MANY_ALIASES, TOO_MANY_NODES, join,
};
use crate::sheet::fault::{Faults, Said};
use crate::sheet::tree::{DEPTH_LIMIT, Data, Member, NodeId, Span, Tree};

/// Most nodes in a sheet, an aliased node counted each time it is used.
const NODE_LIMIT: usize = 50_000;

/// Most aliases in a sheet.
const ALIAS_LIMIT: usize = 1_000;

/// Where an event stands, and its tag.
pub(super) struct Place {
    pub(super) node: Span,
    pub(super) tag: Option<Span>,
}

impl Place {
    pub(super) fn new(span: &granit_parser::Span) -> Self {
        Self {
            node: span.byte_range().unwrap_or_default(),
            tag: span.tag_span().and_then(|tag| tag.byte_range()),
        }
    }
}

/// A list or object that is not closed yet.
pub(super) struct Frame {
    span: Span,
    anchor: usize,
    refused: bool,
    pub(super) content: Content,
}

pub(super) enum Content {
    List(Vec<NodeId>),
    Object { members: Vec<Member>, places: BTreeMap<String, Span>, key: Key },
}

/// What the next node of an object is: its key, or the value of one.
pub(super) enum Key {
    Awaited,
    Named(String, Span),
    /// The key was refused; its value is read and dropped.
    Refused,
}

/// The reason is in the faults.
pub(super) struct Stopped;

pub(super) struct Reader<'f, 's> {
    pub(super) tree: Tree,
    pub(super) root: Option<NodeId>,
    pub(super) frames: Vec<Frame>,
    anchors: BTreeMap<usize, NodeId>,
    nodes: usize,
    aliases: usize,
    pub(super) faults: &'f mut Faults<'s>,
}

impl<'f, 's> Reader<'f, 's> {
    pub(super) fn new(faults: &'f mut Faults<'s>) -> Self {
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

    pub(super) fn take(&mut self, event: Event<'_>, place: Place) -> Result<(), Stopped> {
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
}
