//! `sheets`: the versions of the fact sheet, and what changed between them.

use quark_trace::core::sheet::{FieldChange, diff};
use quark_trace::{SheetVersion, project};
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::output::{BAD, FAINT, GOOD, Output, STRONG, shown};
use crate::target::{Access, Target};

pub fn run(
    words: &[String],
    show: Option<u64>,
    between: Option<&[u64]>,
    output: &Output,
) -> Result<u8, Failure> {
    let target = Target::open(words, Access::Read, output)?;
    let versions = project::sheets(&target.existing_log()?)?;
    if versions.is_empty() {
        return Err(Failure::failed("the project has no fact sheet")
            .with_help("begin it with `quark-trace open STORE PROJECT --sheet FILE`"));
    }
    if let Some(wanted) = show {
        let version = find(&versions, wanted)?;
        return output.stored(&version.bytes).map(|()| 0);
    }
    if let Some([old, new]) = between {
        return compare(find(&versions, *old)?, find(&versions, *new)?, output).map(|()| 0);
    }
    let mut previous: Option<&SheetVersion> = None;
    for version in &versions {
        let changed = previous.map(|previous| diff(&previous.sheet, &version.sheet));
        let changed = changed.unwrap_or_default();
        if output.json {
            output.json(&document(version, &changed))?;
        } else {
            headline(version, output)?;
            changes(&changed, output)?;
        }
        previous = Some(version);
    }
    Ok(0)
}

fn find(versions: &[SheetVersion], wanted: u64) -> Result<&SheetVersion, Failure> {
    let found = versions.iter().rev().find(|version| version.sheet.version() == wanted);
    found.ok_or_else(|| {
        let last = versions.last().map_or(0, |version| version.sheet.version());
        Failure::failed(format!("there is no version {wanted}; the last one is {last}"))
    })
}

fn compare(old: &SheetVersion, new: &SheetVersion, output: &Output) -> Result<(), Failure> {
    let changed = diff(&old.sheet, &new.sheet);
    if output.json {
        return output.json(&json!({
            "from": old.sheet.version(),
            "to": new.sheet.version(),
            "changes": changes_json(&changed),
        }));
    }
    if changed.is_empty() {
        output.say("nothing changed");
    }
    changes(&changed, output)
}

fn headline(version: &SheetVersion, output: &Output) -> Result<(), Failure> {
    let sheet = &version.sheet;
    let entry = version.index.map_or("not in the ledger".to_owned(), |at| format!("entry {at}"));
    let digest = version.digest.to_string();
    output.line(format!(
        "{STRONG}version {}{STRONG:#}  {FAINT}{entry}, sha256 {}…{FAINT:#}",
        sheet.version(),
        &digest[..12]
    ))?;
    let text = |entry: &Value, name: &str| {
        shown(entry.get(name).and_then(Value::as_str).unwrap_or("?"), 500)
    };
    match sheet.amendment_log().last() {
        Some(amendment) => output.line(format!(
            "  {} by {}: {}",
            text(amendment, "amended_at"),
            text(amendment, "amended_by"),
            text(amendment, "reason")
        )),
        None => output.line(format!("  {} created", shown(sheet.created_at(), 40))),
    }
}

/// What changed, old and new, a line each.
pub fn changes(changes: &[FieldChange], output: &Output) -> Result<(), Failure> {
    for change in changes {
        output.line(format!("  {}", shown(&change.path, 200)))?;
        if let Some(old) = &change.old {
            output.line(format!("    {BAD}- {}{BAD:#}", shown(&old.to_string(), 2000)))?;
        }
        if let Some(new) = &change.new {
            output.line(format!("    {GOOD}+ {}{GOOD:#}", shown(&new.to_string(), 2000)))?;
        }
    }
    Ok(())
}

fn document(version: &SheetVersion, changed: &[FieldChange]) -> Value {
    json!({
        "index": version.index,
        "sha256": version.digest.to_string(),
        "version": version.sheet.version(),
        "changes": changes_json(changed),
        "sheet": version.sheet.to_json_value(),
    })
}

fn changes_json(changed: &[FieldChange]) -> Vec<Value> {
    let document =
        |change: &FieldChange| json!({"path": change.path, "old": change.old, "new": change.new});
    changed.iter().map(document).collect()
}
