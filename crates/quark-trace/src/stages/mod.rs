//! What is asked of the records of each stage: adopting schemas, and looking back with them.
//!
//! A schema is an entry of the log. It is in force for the records behind it, in every process: one
//! that appends to a log whose schemas changed is told by the store, and checks its record again. Only
//! `buffered` records are held to what their process knew when they were logged.

use std::ops::ControlFlow;

use quark_trace_core::ids::Stage;
use quark_trace_core::ledger::{Digest, Entry, Kind};
use quark_trace_core::record::View;
use quark_trace_core::stages::{
    ALL_STAGES, Coverage, Draft, Mode, Review, SchemaBook, StageSchema, builtin, settings,
    stage_attribute, suggestion,
};

use crate::error::{Error, ErrorKind, Outcome, Result};
use crate::log::TraceLog;
use crate::project::summary;
use crate::store::{Commit, Durability, NewEntry, Plan, Row, Schemas, Select};

pub(crate) mod rules;

/// The stages of a log.
///
/// ```
/// use std::sync::Arc;
/// use quark_trace::{ErrorKind, TraceLog, store::MemoryStore};
/// use quark_trace::core::{payload::Payload, stages::Mode};
///
/// let log = TraceLog::new(Arc::new(MemoryStore::new()), "demo".parse()?);
/// log.stages().adopt_builtin("client_round", Mode::Warn)?;
/// let record = log.log("client_round", &Payload::new().with("loss", "low"))?;
/// let faults: Vec<_> = record.faults().iter().map(|fault| fault.path.as_str()).collect();
/// assert_eq!(faults, ["/round", "/loss"]);
///
/// log.stages().set_mode("client_round", Mode::Strict)?;
/// let error = log.log("client_round", &Payload::new()).unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::SchemaBroken);
/// assert_eq!(log.history()?.len(), 1);
/// # Ok::<(), quark_trace::Error>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Stages<'a> {
    log: &'a TraceLog,
}

impl<'a> Stages<'a> {
    pub(crate) fn of(log: &'a TraceLog) -> Self {
        Self { log }
    }

    /// Puts a schema in force for the records of `stage` from now on; `*` ([`ALL_STAGES`]) stands
    /// for every stage that has none of its own. Gives the index of the entry, which is an old one
    /// when the very same schema is in force already.
    pub fn adopt(&self, stage: &str, schema: &StageSchema) -> Result<u64> {
        Stage::check(stage)
            .map_err(|fault| Error::from(fault).with_outcome(Outcome::NotWritten))?;
        let unwritten = |error: Error| error.or_outcome(Outcome::NotWritten);
        let known = Schemas::read(self.log.store().as_ref(), self.log.project());
        let same =
            known.map_err(unwritten)?.in_force.into_iter().find(|known| {
                known.stage == stage && known.object.as_deref() == Some(schema.object())
            });
        if let Some(same) = same {
            return Ok(same.index);
        }
        let attributes = stage_attribute(stage);
        let entry = NewEntry::new(Kind::Schema, schema.object());
        let entries = [NewEntry { attributes: &attributes, ..entry }];
        let durability = Durability::Sync;
        let commit = Commit { entries: &entries, expected: None, durability };
        let appended = self.log.store().append(self.log.project(), &commit);
        appended
            .map(|appended| appended.size - 1)
            .map_err(|error| error.or_outcome(Outcome::Unknown))
    }

    /// Adopts a schema from its text, JSON. Its own mode counts unless one is given.
    pub fn adopt_text(&self, stage: &str, text: &[u8], mode: Option<Mode>) -> Result<u64> {
        let schema = match mode {
            Some(mode) => StageSchema::read_with_mode(text, mode)?,
            None => StageSchema::read(text)?,
        };
        self.adopt(stage, &schema)
    }

    /// Adopts the vocabulary's schema of a stage by its name or alias; for `*` all of them.
    pub fn adopt_builtin(&self, stage: &str, mode: Mode) -> Result<u64> {
        if stage == ALL_STAGES {
            return self.adopt_text(stage, settings(mode).as_bytes(), None);
        }
        let known = builtin(stage).ok_or_else(|| {
            let meant = suggestion(stage);
            let meant = meant.map(|name| format!("; did you mean {name:?}?")).unwrap_or_default();
            let shown = quark_trace_core::visible::shortened(stage, 80);
            let message = format!(
                "the vocabulary has no stage {shown:?}{meant}; give a schema of your own for it"
            );
            Error::new(ErrorKind::NotFound, "adopt a schema", message)
                .with_outcome(Outcome::NotWritten)
        })?;
        self.adopt_text(stage, known.text.as_bytes(), Some(mode))
    }

    /// Changes the mode of a stage for the records from now on, with the schema that is in force;
    /// a stage without one gets the vocabulary's.
    pub fn set_mode(&self, stage: &str, mode: Mode) -> Result<u64> {
        let book = self.in_force().map_err(|error| error.or_outcome(Outcome::NotWritten))?;
        let own = book.in_force().find(|(known, _)| *known == stage);
        match own.map(|(_, in_force)| &in_force.schema) {
            Some(Ok(schema)) => self.adopt_text(stage, schema.object(), Some(mode)),
            _ if mode == Mode::Off && builtin(stage).is_none() && stage != ALL_STAGES => {
                self.adopt_text(stage, b"{}", Some(mode))
            }
            _ => self.adopt_builtin(stage, mode),
        }
    }

    /// The schemas in force now.
    pub fn in_force(&self) -> Result<SchemaBook> {
        Ok(Schemas::read(self.log.store().as_ref(), self.log.project())?.book())
    }

    /// Looks back over the whole log: which records break the schemas of their time.
    pub fn review(&self) -> Result<Review> {
        let mut review = Review::default();
        self.review_from(0, &mut review)?;
        Ok(review)
    }

    /// Looks at the entries from `from` on, of which a review has not seen any; gives the index behind
    /// the last of them, if it had to look at them one by one.
    pub(crate) fn review_from(&self, from: u64, review: &mut Review) -> Result<Option<u64>> {
        let (store, project) = (self.log.store(), self.log.project());
        let mut first = (!review.book().is_empty()).then_some(from);
        if first.is_none() {
            let plan = Plan { from, select: Select::Schemas, ..Plan::default() };
            store.scan(project, &plan, &mut |row| {
                if let Row::Entry { index, .. } = row {
                    first = Some(index);
                }
                ControlFlow::Break(())
            })?;
        }
        // Nothing was asked of the records before it.
        let Some(from) = first else { return Ok(None) };
        let mut until = from;
        store.scan(project, &Plan { from, ..Plan::default() }, &mut |row| {
            let Row::Entry { index, line, object, digest, .. } = row else {
                return ControlFlow::Continue(());
            };
            until = index + 1;
            let Ok(entry) = Entry::parse(line) else { return ControlFlow::Continue(()) };
            let is_named =
                |object: &[u8]| digest.unwrap_or_else(|| Digest::of(object)) == entry.object;
            match object.filter(|object| is_named(object)) {
                Some(object) => review.take(index, &entry, &object),
                None => review.take_missing(index, &entry),
            }
            ControlFlow::Continue(())
        })?;
        Ok(Some(until))
    }

    /// Which stages of the vocabulary the log has, lacks, or names otherwise.
    pub fn coverage(&self) -> Result<Coverage> {
        Ok(Coverage::of(summary(self.log)?.stage_counts()))
    }

    /// A draft of a schema from the records of a stage.
    pub fn infer(&self, stage: &str) -> Result<Draft> {
        let mut draft = Draft::default();
        self.log.each_line(|line, _| {
            if let Ok(view) = View::parse(line)
                && view.stage.to_str() == stage
            {
                draft.take(view.payload);
            }
            ControlFlow::Continue(())
        })?;
        Ok(draft)
    }
}
