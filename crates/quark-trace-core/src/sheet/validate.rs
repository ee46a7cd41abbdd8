//! Holding a tree against the table of fields; every fault is gathered, none stops the walk.

use serde_json::{Map, Value};

use super::fault::{Faults, Said};
use super::field::{BOOKKEEPING, FIELDS, Field, INSTITUTION_ALIAS, Kind};
use super::tree::{DEPTH_LIMIT, Data, Member, NodeId, Span, Tree};
use super::yaml::join;
use crate::ids::ProjectId;
use crate::suggest::nearest;
use crate::visible::shortened;

/// What a sheet says, in the order of the table. Only meaningful when there was no error.
#[derive(Debug, Default)]
pub(super) struct Checked {
    /// Every field of the table; optional ones that are absent are null.
    pub(super) known: Map<String, Value>,
    /// Fields the table does not have.
    pub(super) extra: Map<String, Value>,
}

/// Checks a whole sheet.
pub(super) fn sheet(tree: &Tree, root: NodeId, faults: &mut Faults<'_>) -> Checked {
    let node = tree.node(root);
    let mut checker = Checker { tree, faults };
    match &node.data {
        Data::Object(members) => {
            let members = checker.own_members(members);
            checker.object(FIELDS, &members, &node.span, "")
        }
        Data::Refused => Checked::default(),
        other => {
            let said = Said::new(format!("a fact sheet is an object, but this is {}", seen(other)))
                .help("start from the template of `quark-trace init`");
            checker.faults.error(&node.span, "", said);
            Checked::default()
        }
    }
}

/// Checks the value of one field of a sheet, without a source.
pub(super) fn value(field: &Field, value: &Value, faults: &mut Faults<'_>) -> Value {
    let mut tree = Tree::default();
    match tree.push_value(value, 2) {
        Some(id) => Checker { tree: &tree, faults }.value(field, id, &(0..0), field.name),
        None => {
            faults.error(&(0..0), field.name, too_deep());
            Value::Null
        }
    }
}

pub(super) fn too_deep() -> Said {
    Said::new("this is nested too deeply").help(format!("at most {DEPTH_LIMIT} levels are kept"))
}

struct Checker<'t, 'f, 's> {
    tree: &'t Tree,
    faults: &'f mut Faults<'s>,
}

impl Checker<'_, '_, '_> {
    /// The members of the sheet itself, without what Quark Trace alone decides.
    fn own_members(&mut self, members: &[Member]) -> Vec<Member> {
        let has_institution = members.iter().any(|member| member.key == "institution_id");
        let mut own = Vec::with_capacity(members.len());
        for member in members {
            let mut member = member.clone();
            if BOOKKEEPING.contains(&member.key.as_str()) {
                let said = Said::new("this is ignored")
                    .help("Quark Trace sets it itself: remove the line");
                self.faults.warning(&member.key_span, &member.key, said);
                continue;
            }
            if member.key == INSTITUTION_ALIAS && !has_institution {
                let said = Said::new("this is read as `institution_id`")
                    .help("rename it to `institution_id`");
                self.faults.warning(&member.key_span, &member.key, said);
                "institution_id".clone_into(&mut member.key);
            }
            own.push(member);
        }
        own
    }

    fn object(
        &mut self,
        fields: &'static [Field],
        members: &[Member],
        at: &Span,
        path: &str,
    ) -> Checked {
        let mut checked = Checked::default();
        for field in fields {
            let member = members.iter().find(|member| member.key == field.name);
            let value = match member {
                Some(member) => {
                    let path = join(path, field.name);
                    self.value(field, member.value, &member.key_span, &path)
                }
                None => self.absent(field, at, path),
            };
            checked.known.insert(field.name.to_owned(), value);
        }
        for member in members {
            if !checked.known.contains_key(&member.key) {
                self.warn_unknown(fields, members, member, path);
                checked.extra.insert(member.key.clone(), self.tree.value(member.value));
            }
        }
        checked
    }

    fn absent(&mut self, field: &Field, at: &Span, path: &str) -> Value {
        if field.required {
            let said = Said::new("this field is missing").help(advice(field));
            self.faults.error(at, &join(path, field.name), said);
        }
        Value::Null
    }

    fn warn_unknown(
        &mut self,
        fields: &'static [Field],
        members: &[Member],
        member: &Member,
        path: &str,
    ) {
        let absent = |field: &&Field| members.iter().all(|member| member.key != field.name);
        let candidates = fields.iter().filter(absent).map(|field| field.name);
        let help = match nearest(&member.key, candidates) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => "it is kept as it is".to_owned(),
        };
        let said = Said::new("this is not a known field").help(help);
        self.faults.warning(&member.key_span, &join(path, &member.key), said);
    }

    /// Checks a value; `key_span` is pointed at when the value itself takes no room.
    fn value(&mut self, field: &Field, id: NodeId, key_span: &Span, path: &str) -> Value {
        let node = self.tree.node(id);
        let span = if node.span.is_empty() { key_span } else { &node.span };
        match (&node.data, field.kind) {
            (Data::Refused, _) => return Value::Null,
            (Data::Null, _) if !field.required => return Value::Null,
            (Data::Null, _) => {
                let said = Said::new("no value is given").help(advice(field));
                self.faults.error(span, path, said);
            }
            (Data::Text(text), Kind::Text) => self.text(field, text, span, path),
            (Data::Text(text), Kind::ProjectId) => self.project_id(text, span, path),
            (Data::Text(text), Kind::Choice(words)) => self.choice(words, text, span, path),
            (Data::List(items), Kind::TextList) => {
                self.warn_empty_list(field, items, span, path);
                return items.iter().enumerate().map(|item| self.text_item(item, path)).collect();
            }
            (Data::Object(members), Kind::Object(fields)) => {
                return self.nested(fields, members, key_span, path);
            }
            (Data::List(items), Kind::ObjectList(fields)) => {
                self.warn_empty_list(field, items, span, path);
                let items = items.iter().enumerate();
                return items.map(|item| self.object_item(fields, item, path)).collect();
            }
            (other, kind) => {
                let said =
                    Said::new(format!("this must be {}, but it is {}", name(kind), seen(other)))
                        .help(self.remedy(field, other, span));
                self.faults.error(span, path, said);
            }
        }
        self.tree.value(id)
    }

    fn nested(
        &mut self,
        fields: &'static [Field],
        members: &[Member],
        at: &Span,
        path: &str,
    ) -> Value {
        let Checked { mut known, extra } = self.object(fields, members, at, path);
        known.extend(extra);
        Value::Object(known)
    }

    fn text(&mut self, field: &Field, text: &str, span: &Span, path: &str) {
        if text.trim().is_empty() && (field.required || field.name == "institution_id") {
            let said = Said::new("this text is blank").help(advice(field));
            self.faults.error(span, path, said);
        }
    }

    fn project_id(&mut self, text: &str, span: &Span, path: &str) {
        if let Err(error) = text.parse::<ProjectId>() {
            let text = error.to_string();
            let said = match text.rsplit_once("; ") {
                Some((message, help)) => Said::new(message).help(help),
                None => Said::new(text),
            };
            self.faults.error(span, path, said);
        }
    }

    fn choice(&mut self, words: &'static [&'static str], text: &str, span: &Span, path: &str) {
        if words.contains(&text) {
            return;
        }
        let all = words.join(", ");
        let help = match nearest(text, words.iter().copied()) {
            Some(meant) => format!("did you mean `{meant}`? It is one of: {all}"),
            None => format!("it is one of: {all}"),
        };
        let message = format!("`{}` is not one of its values", shortened(text, 80));
        self.faults.error(span, path, Said::new(message).help(help));
    }

    fn text_item(&mut self, (index, &id): (usize, &NodeId), path: &str) -> Value {
        const ITEM: Field = Field {
            name: "item",
            kind: Kind::Text,
            required: true,
            about: "Every item of this list is a text.",
            example: "",
        };
        let span = self.tree.node(id).span.clone();
        self.value(&ITEM, id, &span, &format!("{path}[{index}]"))
    }

    fn object_item(
        &mut self,
        fields: &'static [Field],
        (index, &id): (usize, &NodeId),
        path: &str,
    ) -> Value {
        let item = Field {
            name: "item",
            kind: Kind::Object(fields),
            required: true,
            about: "Every item of this list is an object.",
            example: "",
        };
        let span = self.tree.node(id).span.clone();
        self.value(&item, id, &span, &format!("{path}[{index}]"))
    }

    fn warn_empty_list(&mut self, field: &Field, items: &[NodeId], span: &Span, path: &str) {
        if items.is_empty() {
            let said = Said::new("this list is empty").help(advice(field));
            self.faults.warning(span, path, said);
        }
    }

    /// How to turn what was found into what is wanted.
    fn remedy(&self, field: &Field, found: &Data, span: &Span) -> String {
        match (field.kind, found) {
            (Kind::Text | Kind::ProjectId, Data::Bool(_) | Data::Number(_)) => {
                match self.faults.written(span) {
                    Some(text) => format!("write it in quotes: \"{}\"", shortened(text, 40)),
                    None => "give it as text".to_owned(),
                }
            }
            (Kind::TextList, Data::Text(_)) => {
                "write a list: one item a line, each after `- `".to_owned()
            }
            (Kind::ObjectList(_), Data::Object(_)) => {
                "it is a list: put `- ` before its first field and indent the others".to_owned()
            }
            _ => advice(field),
        }
    }
}

/// What a field is for, and what it looks like.
fn advice(field: &Field) -> String {
    match field.kind {
        Kind::Object(fields) | Kind::ObjectList(fields) => {
            let names: Vec<&str> = fields.iter().map(|field| field.name).collect();
            format!("{} Its fields are: {}", field.about, names.join(", "))
        }
        Kind::Choice(words) => format!("{} It is one of: {}", field.about, words.join(", ")),
        _ if field.example.is_empty() => field.about.to_owned(),
        Kind::TextList => format!("{} For example: - {}", field.about, field.example),
        Kind::Text | Kind::ProjectId => {
            format!("{} For example: {}: \"{}\"", field.about, field.name, field.example)
        }
    }
}

fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::Text | Kind::ProjectId | Kind::Choice(_) => "text",
        Kind::TextList => "a list of texts",
        Kind::Object(_) => "an object",
        Kind::ObjectList(_) => "a list of objects",
    }
}

fn seen(data: &Data) -> String {
    match data {
        Data::Null | Data::Refused => "empty".to_owned(),
        Data::Bool(flag) => format!("the boolean {flag}"),
        Data::Number(number) => format!("the number {number}"),
        Data::Text(text) => format!("the text `{}`", shortened(text, 40)),
        Data::List(_) => "a list".to_owned(),
        Data::Object(_) => "an object".to_owned(),
    }
}
