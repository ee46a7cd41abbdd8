//! `verify`: what is proven, in plain words.

use std::path::Path;

use quark_trace::core::ledger::{Checkpoint, Note, VerifierKey};
use quark_trace::verify::{Finding, Level, Policy, Severity, Verdict, verify_with_progress};

use super::value;
use crate::failure::Failure;
use crate::input;
use crate::output::{BAD, FAINT, GOOD, Output, STRONG, WARNING, fitted, shown};
use crate::target::{Access, Target};

/// Findings of one severity that are shown; `--json` has all of them.
const SHOWN: usize = 20;

pub fn run(
    words: &[String],
    level: Level,
    keys: &[String],
    checkpoint: Option<&Path>,
    output: &Output,
) -> Result<u8, Failure> {
    let target = Target::open(words, Access::Read, output)?;
    target.existing_log()?;
    let policy = Policy {
        level,
        keys: read_keys(keys)?,
        checkpoint: note(checkpoint)?,
        ..Policy::default()
    };
    let beside = target.store.beside(&target.project)?.unwrap_or_default();
    let bar = output.progress(signed_size(beside.checkpoint.as_deref()), "verifying");
    let verdict =
        verify_with_progress(target.store.as_ref(), &target.project, &policy, &mut |done| {
            if bar.length().is_some_and(|length| length < done) {
                bar.set_length(done);
            }
            bar.set_position(done);
        })?;
    bar.finish_and_clear();
    if output.json {
        output.json(&verdict.to_json())?;
    } else {
        show(&verdict, output)?;
    }
    Ok(verdict.exit_code())
}

/// How many entries a checkpoint says that it covers, whoever signed it; 0 where there is none.
pub fn signed_size(note: Option<&str>) -> u64 {
    let note = note.and_then(|text| Note::parse(text).ok());
    let checkpoint = note.and_then(|note| Checkpoint::parse(note.text()).ok());
    checkpoint.map_or(0, |checkpoint| checkpoint.size)
}

/// The keys that were given; a file or input without one is refused, because nothing would be
/// pinned then.
fn read_keys(given: &[String]) -> Result<Vec<VerifierKey>, Failure> {
    let mut keys = Vec::new();
    for text in given {
        let (what, source) = match text.strip_prefix('@') {
            Some(file) => (format!("--key @{file}"), file_bytes("--key", Path::new(file))?),
            None => ("--key".to_owned(), value::source(text)?),
        };
        let before = keys.len();
        for (at, line) in String::from_utf8_lossy(&source).lines().enumerate() {
            if line.trim().is_empty() {
                continue;
            }
            let key = VerifierKey::parse(line.trim()).map_err(|fault| {
                Failure::usage(format!("{what}, line {}: {fault}", at + 1))
                    .with_help("a verifier key is NAME+HASH+KEY, as in the file log.vkey of a log")
            });
            keys.push(key?);
        }
        if keys.len() == before {
            return Err(Failure::usage(format!("{what}: there is no key in it"))
                .with_help("without --key, the keys beside the log are used"));
        }
    }
    Ok(keys)
}

/// The checkpoint that was given. One that is none says nothing about the log.
fn note(file: Option<&Path>) -> Result<Option<String>, Failure> {
    let Some(file) = file else { return Ok(None) };
    let text = String::from_utf8_lossy(&file_bytes("--checkpoint", file)?).into_owned();
    match Note::parse(&text).and_then(|note| Checkpoint::parse(note.text())) {
        Ok(_) => Ok(Some(text)),
        Err(fault) => {
            let message = format!("--checkpoint {}: it is {fault}", file.display());
            Err(Failure::usage(message).with_help(
                "give the file `checkpoint` of a log as it was, such as a kept copy of it",
            ))
        }
    }
}

fn file_bytes(option: &str, file: &Path) -> Result<Vec<u8>, Failure> {
    input::read(file).map_err(|error| {
        Failure::failed(format!("could not read {} for {option}: {error}", file.display()))
    })
}

fn show(verdict: &Verdict, output: &Output) -> Result<(), Failure> {
    let style = match verdict.exit_code() {
        0 => GOOD,
        1 => BAD,
        _ => WARNING,
    };
    output.line(format!("{style}{}{style:#}", verdict.headline()))?;
    for severity in [Severity::Error, Severity::Unknown, Severity::Warning] {
        findings(verdict, severity, output)?;
    }
    output.line("")?;
    let counts = &verdict.counts;
    output.line(format!(
        "{STRONG}{}{STRONG:#}  {} entries: {} records, {} fact sheet version(s)",
        shown(&verdict.project, 200),
        verdict.size,
        counts.records,
        counts.sheets
    ))?;
    // Hashes and keys are left in one piece, so that they can be copied out of any terminal.
    if let Some(root) = verdict.root {
        output.line(format!("root    {root}"))?;
    }
    if verdict.sealed > 0 {
        output.line(format!("signed  {} of {} entries", verdict.sealed, verdict.size))?;
    }
    for key in &verdict.keys {
        let whose = if verdict.pinned { "given by you" } else { "found beside the log" };
        output.line(format!("key     {}  {FAINT}({whose}){FAINT:#}", shown(key, 400)))?;
    }
    let notes: Vec<_> = of(verdict, Severity::Note).collect();
    if !notes.is_empty() {
        output.line(format!("\n{FAINT}not proven at this level:{FAINT:#}"))?;
    }
    for finding in notes {
        let code = finding.code.as_str();
        let message = fitted(&shown(&finding.message, 1000), code.len() + 4);
        output.line(format!("{FAINT}  {code}  {message}{FAINT:#}"))?;
    }
    Ok(())
}

fn of(verdict: &Verdict, severity: Severity) -> impl Iterator<Item = &Finding> {
    verdict.findings.iter().filter(move |finding| finding.severity == severity)
}

fn findings(verdict: &Verdict, severity: Severity, output: &Output) -> Result<(), Failure> {
    let style = if severity == Severity::Error { BAD } else { WARNING };
    for finding in of(verdict, severity).take(SHOWN) {
        let code = finding.code.as_str();
        let place = match finding.place.line {
            0 => String::new(),
            line => format!("  line {line}, byte {}", finding.place.offset),
        };
        let text = fitted(&(shown(&finding.message, 1000) + &place), code.len() + 4);
        let message = text.strip_suffix(&place).filter(|_| !place.is_empty());
        let text = message.map_or(text.clone(), |rest| format!("{rest}{FAINT}{place}{FAINT:#}"));
        output.line(format!("  {style}{code}{style:#}  {text}"))?;
    }
    let more = of(verdict, severity).count().saturating_sub(SHOWN);
    if more > 0 {
        output.line(format!("  … and {more} more; --json lists all"))?;
    }
    Ok(())
}
