//! What a scan reads, and the rows that it passes by.

use std::borrow::Cow;

use quark_trace_core::ledger::Digest;
use quark_trace_core::query::Filter;

use super::Place;

/// Which rows a scan reads.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Plan<'a> {
    /// Index of the first entry.
    pub from: u64,
    /// Index of the first entry that is left out, with everything behind it and everything that
    /// has no entry; `None` for the whole log.
    pub until: Option<u64>,
    /// Which entries.
    pub select: Select,
    /// What the caller is going to ask about each record; with another selection than
    /// [`Select::Records`] it says nothing.
    ///
    /// A store passes every row for which the filter is TRUE, in ledger order, and may leave out any
    /// other row: as many as it can cheaply, or none. Whoever asks evaluates the filter again, with
    /// the one evaluator that there is ([`quark_trace_core::query::Matcher`]), so that a filter
    /// means the same everywhere. `now()` does not stand in it any more.
    pub filter: Option<&'a Filter>,
}

impl Plan<'_> {
    /// Whether nothing can be left that the plan asks for, when the next entry is `index`.
    pub fn ends_before(&self, index: u64) -> bool {
        self.until.is_some_and(|until| index >= until)
    }
}

/// Which entries a scan passes to its sink.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Select {
    /// All of them, and what the store holds without an entry.
    #[default]
    All,
    /// Records alone.
    Records,
    /// Fact sheets alone, all versions.
    Sheets,
    /// Schemas of stages alone, all of them.
    Schemas,
    /// All entries, their lines alone: no row has an object, whether it is there or not, and nothing
    /// is passed that has no entry. For whoever needs the tree and not what it is about; a store
    /// begins near [`Plan::from`] where it can.
    Entries,
}

/// One thing found by a scan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Row<'a> {
    /// An entry of the ledger.
    Entry {
        /// Its index.
        index: u64,
        /// Its line, unchecked.
        line: &'a [u8],
        /// Its object as found, unchecked; `None` when it is missing, or not asked for
        /// ([`Select::Entries`]).
        object: Option<Cow<'a, [u8]>>,
        /// SHA-256 of the object as found, where the store worked it out anyway.
        digest: Option<Digest>,
        /// Where the object stands, or should.
        place: Place,
        /// Whether the object was found, but not where the order of the entries puts it.
        displaced: bool,
    },
    /// A record object that has no entry.
    Loose {
        /// The object.
        object: &'a [u8],
        /// Where it stands.
        place: Place,
        /// Whether entries that follow have objects behind it, so that it cannot be a line which is
        /// still to be adopted.
        inside: bool,
    },
    /// Bytes at the end of the records or of the ledger that make no whole line.
    Torn {
        /// `records` or `ledger`.
        what: &'static str,
        /// Where they begin.
        place: Place,
        /// How many.
        length: u64,
        /// Whether the ledger has an entry for them, so that the line was whole once.
        entered: bool,
    },
    /// Something that the store derived from the log and keeps for speed, such as a column, says
    /// otherwise than the log.
    Differs {
        /// The entry it is about, if it is about one.
        index: Option<u64>,
        /// What it is, and what is wrong with it: `the column stage says otherwise than the
        /// record`.
        what: Cow<'static, str>,
    },
    /// The current fact sheet as people see it differs from the last sheet entry.
    SheetDiffers {
        /// What was found there; `None` when it is missing.
        found: Option<Digest>,
    },
}

impl<'a> Row<'a> {
    /// An entry whose object was not asked for.
    pub(super) fn line(index: u64, line: &'a [u8]) -> Self {
        let (place, displaced) = (Place::default(), false);
        Self::Entry { index, line, object: None, digest: None, place, displaced }
    }
}
