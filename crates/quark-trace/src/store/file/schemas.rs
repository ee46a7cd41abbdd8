//! Which schemas are in force, as the append path keeps it along: by index and digest.

use std::collections::BTreeMap;
use std::io::Read;

use quark_trace_core::ids::{percent_decode, percent_encode};
use quark_trace_core::ledger::{Digest, Entry, Kind};
use quark_trace_core::stages::stage_of;

use super::folder::{self, Names};
use super::writer::{APPEND, Writer, not_written};
use crate::error::{Error, ErrorKind, Result};
use crate::store::schemas::OUTDATED;
use crate::store::{NewEntry, SchemaEntry, Schemas};

/// The last `schema` entry of each stage.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct SchemaIndex {
    /// Index behind the last `schema` entry.
    pub until: u64,
    stages: BTreeMap<String, (u64, Digest)>,
}

impl SchemaIndex {
    /// Takes note of entry `index`, if it is about a schema.
    pub fn take(&mut self, index: u64, entry: &Entry<'_>) {
        if entry.kind != Kind::Schema {
            return;
        }
        self.until = index + 1;
        if let Some(stage) = stage_of(entry) {
            self.stages.insert(stage, (index, entry.object));
        }
    }

    /// Reads the schemas themselves.
    pub fn read(&self, names: &Names) -> Result<Schemas> {
        let mut in_force = Vec::with_capacity(self.stages.len());
        for (stage, (index, digest)) in &self.stages {
            let path = names.object(*digest);
            let object = folder::read_if_there(&path)
                .map_err(|error| Error::io("read a schema", path.display().to_string(), error))?;
            let object = object.filter(|object| Digest::of(object) == *digest);
            in_force.push(SchemaEntry { index: *index, stage: stage.clone(), object });
        }
        Ok(Schemas { until: self.until, in_force })
    }

    /// `<until> <stage>:<index>:<digest> ...` on one line.
    pub fn to_text(&self) -> String {
        let mut text = self.until.to_string();
        for (stage, (index, digest)) in &self.stages {
            text.push_str(&format!(" {}:{index}:{digest}", percent_encode(stage.as_bytes())));
        }
        text
    }

    pub fn parse(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        let until = words.next()?.parse().ok()?;
        let stages = words.map(|word| {
            let (stage, rest) = word.split_once(':')?;
            let (index, digest) = rest.split_once(':')?;
            let stage = String::from_utf8(percent_decode(stage)?).ok()?;
            Some((stage, (index.parse().ok()?, Digest::from_hex(digest.as_bytes())?)))
        });
        Some(Self { until, stages: stages.collect::<Option<_>>()? })
    }
}

impl Writer {
    /// Refuses records that were checked with other schemas than those in force.
    pub fn check_schemas(&self, entries: &[NewEntry<'_>]) -> Result<()> {
        if !entries.iter().any(|entry| entry.is_outdated(self.at.schemas.until)) {
            return Ok(());
        }
        let kind = ErrorKind::Conflict { actual: self.at.range.size() };
        Err(not_written(Error::new(kind, APPEND, OUTDATED)))
    }
}

/// Whether the ledger has an entry about a schema, found without reading its lines one by one: most
/// logs have none, and most readers ask.
pub(super) fn is_in_ledger(names: &Names) -> Result<bool> {
    const WORD: &[u8] = b"\nschema sha256:";
    let find = || {
        let mut file = folder::open_read(&names.ledger())?;
        let finder = memchr::memmem::Finder::new(WORD);
        let mut bytes = vec![0; 256 * 1024];
        // The end of what was read before stands in front: the word may lie across.
        let mut kept = 0;
        loop {
            let read = file.read(&mut bytes[kept..])?;
            if read == 0 {
                return Ok(false);
            }
            let length = kept + read;
            if finder.find(&bytes[..length]).is_some() {
                return Ok(true);
            }
            kept = length.min(WORD.len() - 1);
            bytes.copy_within(length - kept..length, 0);
        }
    };
    find().map_err(|error| Error::io("read the log", names.ledger().display().to_string(), error))
}
