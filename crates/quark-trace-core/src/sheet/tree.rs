//! The content of a sheet with the place of every part, before anybody asked what it means.

use std::ops::Range;

use serde_json::{Map, Number, Value};

/// Most levels of lists and objects in a sheet.
pub const DEPTH_LIMIT: usize = 32;

/// Bytes of the source.
pub(super) type Span = Range<usize>;

/// Index of a [`Node`] in its [`Tree`].
pub(super) type NodeId = usize;

/// All nodes of a sheet; an aliased node is stored once and referred to twice.
#[derive(Debug, Default)]
pub(super) struct Tree {
    nodes: Vec<Node>,
}

#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) data: Data,
    pub(super) span: Span,
    /// Nodes below and including this one, aliases counted each time.
    pub(super) weight: usize,
    /// Levels of lists and objects, itself included.
    pub(super) height: usize,
}

#[derive(Debug, Clone)]
pub(super) enum Data {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<NodeId>),
    Object(Vec<Member>),
    /// Something that was refused where it was read; nobody needs to complain again.
    Refused,
}

#[derive(Debug, Clone)]
pub(super) struct Member {
    pub(super) key: String,
    pub(super) key_span: Span,
    pub(super) value: NodeId,
}

impl Tree {
    pub(super) fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id]
    }

    pub(super) fn push(&mut self, data: Data, span: Span) -> NodeId {
        let children: Vec<NodeId> = match &data {
            Data::List(items) => items.clone(),
            Data::Object(members) => members.iter().map(|member| member.value).collect(),
            _ => Vec::new(),
        };
        let container = matches!(data, Data::List(_) | Data::Object(_));
        let mut node = Node { data, span, weight: 1, height: usize::from(container) };
        for child in children {
            let child = &self.nodes[child];
            node.weight = node.weight.saturating_add(child.weight);
            node.height = node.height.max(child.height + 1);
        }
        self.nodes.push(node);
        self.nodes.len() - 1
    }

    /// Takes in a value that has no source; `None` when it is deeper than [`DEPTH_LIMIT`].
    pub(super) fn push_value(&mut self, value: &Value, depth: usize) -> Option<NodeId> {
        if depth > DEPTH_LIMIT && (value.is_array() || value.is_object()) {
            return None;
        }
        let data = match value {
            Value::Null => Data::Null,
            Value::Bool(flag) => Data::Bool(*flag),
            Value::Number(number) => Data::Number(number.clone()),
            Value::String(text) => Data::Text(text.clone()),
            Value::Array(items) => {
                let items = items.iter().map(|item| self.push_value(item, depth + 1));
                Data::List(items.collect::<Option<_>>()?)
            }
            Value::Object(map) => Data::Object(self.push_members(map, depth)?),
        };
        Some(self.push(data, 0..0))
    }

    fn push_members(&mut self, map: &Map<String, Value>, depth: usize) -> Option<Vec<Member>> {
        let member = |(key, value): (&String, &Value)| {
            let value = self.push_value(value, depth + 1)?;
            Some(Member { key: key.clone(), key_span: 0..0, value })
        };
        map.iter().map(member).collect()
    }

    /// The value below `id`, without places. Depth was bounded when the tree was built.
    pub(super) fn value(&self, id: NodeId) -> Value {
        match &self.nodes[id].data {
            Data::Null | Data::Refused => Value::Null,
            Data::Bool(flag) => Value::Bool(*flag),
            Data::Number(number) => Value::Number(number.clone()),
            Data::Text(text) => Value::String(text.clone()),
            Data::List(items) => items.iter().map(|&item| self.value(item)).collect(),
            Data::Object(members) => {
                let pair = |member: &Member| (member.key.clone(), self.value(member.value));
                Value::Object(members.iter().map(pair).collect())
            }
        }
    }
}
