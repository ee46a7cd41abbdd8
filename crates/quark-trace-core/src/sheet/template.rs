//! The sheet that a new project starts from.

use super::field::{FIELDS, Field, Kind};

const HEAD: &str = "\
# Fact sheet of a machine learning project (YAML 1.2), read by Quark Trace.
# Every value below is an example: replace it. A line `# name: ...` is an optional field.
";

/// A commented YAML sheet for `project_id`, made from the table of fields. It is valid as it is
/// when the id is.
///
/// ```
/// let yaml = quark_trace_core::sheet::template("my-project-001");
/// assert!(yaml.contains("\nproject_id: \"my-project-001\"\n"));
/// ```
pub fn template(project_id: &str) -> String {
    let mut out = HEAD.to_owned();
    for field in FIELDS {
        out.push_str(&format!("\n# {}\n", field.about));
        if let Kind::Choice(words) = field.kind {
            out.push_str(&format!("# One of: {}\n", words.join(", ")));
        }
        match field.kind {
            Kind::ProjectId => out.push_str(&format!("project_id: {}\n", quoted(project_id))),
            Kind::TextList => {
                out.push_str(&format!("{}:\n  - {}\n", field.name, quoted(field.example)));
            }
            Kind::Object(fields) => {
                out.push_str(&format!("{}:\n", field.name));
                nested(&mut out, fields, "  ", "  ");
            }
            Kind::ObjectList(fields) => {
                out.push_str(&format!("{}:\n", field.name));
                nested(&mut out, fields, "  - ", "    ");
            }
            Kind::Text | Kind::Choice(_) => {
                let mark = if field.required { "" } else { "# " };
                out.push_str(&format!("{mark}{}\n", line(field)));
            }
        }
    }
    out
}

/// The fields of one object; `first` opens its first line, `indent` the others.
fn nested(out: &mut String, fields: &[Field], first: &str, indent: &str) {
    for (index, field) in fields.iter().enumerate() {
        let start = if index == 0 { first } else { indent };
        let text = line(field);
        let hint = hint(field);
        if hint.is_empty() {
            out.push_str(&format!("{start}{text}\n"));
        } else {
            out.push_str(&format!("{start}{text}  # {hint}\n"));
        }
    }
}

fn line(field: &Field) -> String {
    match field.kind {
        Kind::Choice(_) => format!("{}: {}", field.name, field.example),
        _ => format!("{}: {}", field.name, quoted(field.example)),
    }
}

fn hint(field: &Field) -> String {
    match field.kind {
        Kind::Choice(words) => words.join(", "),
        _ if !field.required => "optional".to_owned(),
        _ => String::new(),
    }
}

/// Text in double quotes, as YAML 1.2 reads it.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => out.extend(['\\', character]),
            _ if crate::visible::is_hidden(character) => {
                out.push_str(&format!("\\U{:08X}", u32::from(character)));
            }
            _ => out.push(character),
        }
    }
    out.push('"');
    out
}
