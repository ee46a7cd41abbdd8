//! Who signs the checkpoints of a log, and when it is refused.

use quark_trace_core::ids::ProjectId;
use quark_trace_core::ledger::{Checkpoint, CompactRange, Digest, Note, Origin, SignerKey};
use quark_trace_core::payload::Payload;

use crate::error::{Error, ErrorKind, Result};
use crate::keys::{Keyring, Tip};
use crate::log::TraceLog;
use crate::record::Record;
use crate::store::{Beside, Durability};

const OPERATION: &str = "sign a checkpoint";

/// Works out the roots that a log has at earlier sizes, in rising order; `None` where it is shorter.
pub(crate) type RootsAt<'r> = &'r mut dyn FnMut(&[u64]) -> Result<Vec<Option<Digest>>>;

/// What lies beside a log that is to be signed.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Before<'n> {
    /// Its last checkpoint.
    By(&'n str),
    /// None, and nothing says that there was one.
    Nothing,
    /// None, and the number of a log that was begun and not signed yet.
    Begun(Digest),
    /// None and no number, although entries were found: the checkpoint was removed, or whoever
    /// began the log had no key.
    Missing,
}

impl<'n> Before<'n> {
    pub fn of(last: Option<&'n str>) -> Self {
        last.map_or(Self::Nothing, Self::By)
    }

    fn last(self) -> Option<&'n str> {
        match self {
            Self::By(note) => Some(note),
            Self::Nothing | Self::Begun(_) | Self::Missing => None,
        }
    }
}

/// The key that signs the checkpoints of one log.
#[derive(Debug)]
pub struct Signer {
    keys: Keyring,
    origin: Origin,
    key: SignerKey,
}

impl Signer {
    /// The key for a log beside which these verifier keys lie: a log without any is bound to this
    /// key, one that is bound to another has no signer here. Nor has one under a name that this key
    /// has not: what was signed is noted by names, and whoever may write beside a log could give it
    /// a new one.
    pub(crate) fn of(keys: &Keyring, project: &ProjectId, beside: Option<&str>) -> Option<Self> {
        let is_bound_to = |key: &SignerKey| {
            let ours = key.verifier().to_string();
            beside.is_none_or(|beside| beside.lines().any(|line| line == ours))
        };
        keys.origins(project).find_map(|origin| {
            let key = keys.signer(&origin);
            is_bound_to(&key).then(|| Self { key, keys: keys.clone(), origin })
        })
    }

    /// Notes that the log is begun; gives the number that is to lie beside it.
    pub(crate) fn note_begun(&self) -> std::io::Result<Digest> {
        self.keys.note_begun(&self.origin)
    }

    /// What lies beside a log that is bound to this key.
    pub(crate) fn verifier_keys(&self) -> String {
        format!("{}\n", self.key.verifier())
    }

    /// Signs the tree of `durable`, whose entries are on the medium. `before` is what lies beside the
    /// log. `None` when there is nothing new to sign.
    ///
    /// What is signed is noted beside the key before this returns, so that neither an old backup
    /// nor a copy gets a second signature over another history.
    pub(crate) fn sign(
        &self,
        durable: &CompactRange,
        before: Before<'_>,
        roots_at: RootsAt<'_>,
    ) -> Result<Option<String>> {
        let Some(next) = Checkpoint::of(&self.origin, durable) else { return Ok(None) };
        let last = before.last().map(parse).transpose()?;
        if let Some(last) = &last {
            if last.size == next.size && last.root != next.root {
                let message = format!(
                    "a checkpoint with another root was signed at size {}; the log was changed or \
                     is a copy that went its own way, run `quark-trace verify`",
                    last.size
                );
                return Err(Error::new(ErrorKind::Integrity("E-FORK"), OPERATION, message));
            }
            if last.size >= next.size {
                return Ok(None);
            }
        }
        let last = last.map(|last| Tip { size: last.size, root: last.root });
        let tip = Tip { size: next.size, root: next.root };
        let found = match before {
            Before::By(_) | Before::Nothing => false,
            Before::Begun(number) => !self.keys.is_begun(&self.origin, number),
            Before::Missing => true,
        };
        self.keys.note_signed(&self.origin, last, tip, found, roots_at)?;
        if let Before::Begun(number) = before {
            self.keys.forget_begun(&self.origin, number);
        }
        Ok(Some(next.sign(&self.key)))
    }
}

/// Begins a new epoch of a log: this key may go on from the checkpoint that lies beside it, although
/// it has signed another history after that. `reason` is logged in a record of stage `new_epoch`,
/// together with what was signed elsewhere. For backups that are put back on purpose; refused where
/// the log can be signed as it is.
///
/// Both histories stay signed under one name, so that whoever holds checkpoints of both sees that
/// there are two.
pub fn begin_epoch(log: &TraceLog, keys: &Keyring, reason: &str) -> Result<Record> {
    let refuse = |message: &str| Error::new(ErrorKind::Unsupported, "begin a new epoch", message);
    let beside = log.store().beside(log.project())?.unwrap_or_default();
    let signer = Signer::of(keys, log.project(), beside.keys.as_deref())
        .ok_or_else(|| refuse("the log is signed with a key that is not here"))?;
    let from = match beside.checkpoint.as_deref() {
        Some(note) => {
            let opened = Checkpoint::open(note, signer.key.verifier())
                .map_err(|fault| refuse(&format!("the checkpoint beside the log: {fault}")))?;
            Tip { size: opened.size, root: opened.root }
        }
        None => {
            let range = log.store().head(log.project())?.unwrap_or_default().range;
            Tip { size: range.size(), root: range.root() }
        }
    };
    let signed = keys.signed(&signer.origin)?;
    if signed.is_empty() || signed.contains(&(from.size, from.root)) {
        return Err(refuse(
            "this key has signed no other history of this project; `quark-trace seal` goes on \
             without a new epoch",
        ));
    }
    let elsewhere: Vec<Payload> = signed
        .iter()
        .filter(|(size, root)| (*size, *root) != (from.size, from.root))
        .map(|(size, root)| Payload::new().with("size", *size).with("root", root.to_string()))
        .collect();
    let payload = Payload::new()
        .with("reason", reason)
        .with("from", Payload::new().with("size", from.size).with("root", from.root.to_string()))
        .with("signed_elsewhere", elsewhere);
    let record = log.clone().with_durability(Durability::Sync).log("new_epoch", &payload)?;
    keys.accept(&signer.origin, from.size, from.root)?;
    Ok(record)
}

/// The keys and the checkpoint that a copy takes over from `given`, what lies beside its original;
/// `None` when `known`, what lies beside the copy, is bound to others or covers as much.
pub(crate) fn taken_over<'g>(known: &Beside, given: &'g Beside) -> Option<(&'g str, &'g str)> {
    let (keys, note) = (given.keys.as_deref()?, given.checkpoint.as_deref()?);
    let bound_to_others = known.keys.as_deref().is_some_and(|known| known != keys);
    let size = |note: &str| parse(note).map_or(u64::MAX, |checkpoint| checkpoint.size);
    let covered = known.checkpoint.as_deref().map_or(0, size);
    (!bound_to_others && covered < parse(note).ok()?.size).then_some((keys, note))
}

fn parse(note: &str) -> Result<Checkpoint> {
    Note::parse(note).and_then(|note| Checkpoint::parse(note.text())).map_err(|fault| {
        let message = format!("the last checkpoint is {fault}; run `quark-trace verify`");
        Error::new(ErrorKind::Integrity("E-SIG"), OPERATION, message)
    })
}
