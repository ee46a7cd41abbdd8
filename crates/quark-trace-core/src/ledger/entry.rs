//! Entries: the leaves of the ledger, one short ASCII line each.
//!
//! ```text
//! entry = kind SP "sha256:" 64LOWHEX *( SP name "=" value )
//! ```

use std::fmt;

use super::Digest;

/// Longest entry, in bytes.
pub const ENTRY_LIMIT: usize = 1024;

/// What an entry is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind<'a> {
    /// The header of the log; entry 0, exactly once.
    Log,
    /// A record logged live.
    Record,
    /// A record line found without an entry.
    RecordAdopted,
    /// A version of the fact sheet.
    Sheet,
    /// A fact sheet found without an entry.
    SheetAdopted,
    /// The JSON Schema of a stage.
    Schema,
    /// A key that is bound, rotated or revoked.
    Key,
    /// A notice that authorises missing content.
    Erased,
    /// The checkpoint of another log.
    Head,
    /// A kind of a later version of the format.
    Other(&'a str),
}

impl<'a> Kind<'a> {
    /// The word in the entry.
    pub fn as_str(&self) -> &'a str {
        match self {
            Self::Log => "log",
            Self::Record => "record",
            Self::RecordAdopted => "record-adopted",
            Self::Sheet => "sheet",
            Self::SheetAdopted => "sheet-adopted",
            Self::Schema => "schema",
            Self::Key => "key",
            Self::Erased => "erased",
            Self::Head => "head",
            Self::Other(word) => word,
        }
    }

    fn from_word(word: &'a str) -> Self {
        match word {
            "log" => Self::Log,
            "record" => Self::Record,
            "record-adopted" => Self::RecordAdopted,
            "sheet" => Self::Sheet,
            "sheet-adopted" => Self::SheetAdopted,
            "schema" => Self::Schema,
            "key" => Self::Key,
            "erased" => Self::Erased,
            "head" => Self::Head,
            other => Self::Other(other),
        }
    }

    /// Whether the object is a record line.
    pub fn is_record(&self) -> bool {
        matches!(self, Self::Record | Self::RecordAdopted)
    }

    /// Whether the object is a version of the fact sheet.
    pub fn is_sheet(&self) -> bool {
        matches!(self, Self::Sheet | Self::SheetAdopted)
    }
}

impl fmt::Display for Kind<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// Why a line is not an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a ledger entry: {0}")]
pub struct EntryFault(&'static str);

/// An entry read from its line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry<'a> {
    /// What it is about.
    pub kind: Kind<'a>,
    /// The SHA-256 of its object.
    pub object: Digest,
    attributes: &'a str,
}

impl<'a> Entry<'a> {
    /// Reads a line without its terminator; every rule of the grammar is checked.
    ///
    /// ```
    /// use quark_trace_core::ledger::{Entry, Kind};
    /// let line = format!("record sha256:{}", "ab".repeat(32));
    /// assert_eq!(Entry::parse(line.as_bytes()).unwrap().kind, Kind::Record);
    /// assert!(Entry::parse(b"record sha256:AB").is_err());
    /// ```
    pub fn parse(line: &'a [u8]) -> Result<Self, EntryFault> {
        if line.len() > ENTRY_LIMIT {
            return Err(EntryFault("longer than 1,024 bytes"));
        }
        let text = std::str::from_utf8(line).map_err(|_| EntryFault("not ASCII"))?;
        let (word, rest) = text.split_once(' ').ok_or(EntryFault("no object digest"))?;
        if word.is_empty() || !word.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-')) {
            return Err(EntryFault("the kind is not a word of a-z, 0-9 and -"));
        }
        let hex = rest.strip_prefix("sha256:").ok_or(EntryFault("no object digest"))?;
        let (hex, attributes) =
            hex.split_at_checked(64).ok_or(EntryFault("the digest is short"))?;
        let object = Digest::from_hex(hex.as_bytes())
            .ok_or(EntryFault("the digest is not 64 lower-case hex digits"))?;
        check_attributes(attributes)?;
        Ok(Self { kind: Kind::from_word(word), object, attributes })
    }

    /// The attributes in their order.
    pub fn attributes(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        self.attributes.split(' ').skip(1).filter_map(|pair| pair.split_once('='))
    }

    /// The first attribute called `name`.
    pub fn attribute(&self, name: &str) -> Option<&'a str> {
        self.attributes().find(|(known, _)| *known == name).map(|(_, value)| value)
    }
}

fn check_attributes(attributes: &str) -> Result<(), EntryFault> {
    if attributes.is_empty() {
        return Ok(());
    }
    let pairs = attributes.strip_prefix(' ').ok_or(EntryFault("the digest is too long"))?;
    for pair in pairs.split(' ') {
        let (name, value) = pair.split_once('=').ok_or(EntryFault("an attribute without ="))?;
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_lowercase()) {
            return Err(EntryFault("the name of an attribute is not a word of a-z"));
        }
        if value.is_empty() || !value.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(EntryFault("the value of an attribute is empty or not visible ASCII"));
        }
    }
    Ok(())
}

/// Appends the entry line (no terminator) for an object.
pub fn write(out: &mut Vec<u8>, kind: Kind<'_>, object: Digest) {
    out.extend_from_slice(kind.as_str().as_bytes());
    out.extend_from_slice(b" sha256:");
    out.extend_from_slice(&object.to_hex());
}

/// The object of entry 0.
pub fn header_object(project: &crate::ids::ProjectId) -> Vec<u8> {
    let mut object = br#"{"format": "quark-trace-log/1", "project_id": "#.to_vec();
    crate::json::write::string(&mut object, project.as_str());
    object.push(b'}');
    object
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_found_by_name() {
        let line = format!("record sha256:{} sig=aa:bb at=17", "0".repeat(64));
        let entry = Entry::parse(line.as_bytes()).unwrap();
        assert_eq!(entry.attribute("at"), Some("17"));
        assert_eq!(entry.attribute("by"), None);
        assert_eq!(entry.attributes().count(), 2);
    }

    #[test]
    fn unknown_kinds_are_kept() {
        let line = format!("future-kind sha256:{}", "0".repeat(64));
        assert_eq!(Entry::parse(line.as_bytes()).unwrap().kind, Kind::Other("future-kind"));
    }

    #[test]
    fn the_grammar_is_strict() {
        let hex = "0".repeat(64);
        for bad in [
            String::new(),
            "record".into(),
            format!("record  sha256:{hex}"),
            format!("Record sha256:{hex}"),
            format!("record sha256:{hex}0"),
            format!("record sha256:{hex} "),
            format!("record sha256:{hex} a"),
            format!("record sha256:{hex} a="),
            format!("record sha256:{hex} A=b"),
            format!("record sha256:{hex}\r"),
            format!("record sha512:{hex}"),
            format!("record sha256:{hex} a=é"),
            format!(" sha256:{hex}"),
            format!("record sha256:{hex} a={}", "x".repeat(1024)),
        ] {
            assert!(Entry::parse(bad.as_bytes()).is_err(), "{bad:?}");
        }
    }
}
