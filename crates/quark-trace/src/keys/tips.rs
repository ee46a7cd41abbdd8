//! What a key has signed last, of every log that it signs.
//!
//! A checkpoint says that a log had one root at one size. Whoever signs must not say two things: not
//! of a backup that was put back, and not of a copy beside the original. So the last signed state of
//! each log, its *tip*, is kept beside the key, outside the data, before the signature is released.
//!
//! Logs of one project id under one key have one name (FORMAT.md, origin), wherever they lie. They
//! are told apart by what is in them: a log continues the tip whose root it has at the tip's size.

use std::path::{Path, PathBuf};
use std::time::Duration;

use quark_trace_core::ledger::{Digest, Origin};

use crate::error::{Error, ErrorKind, Result};
use crate::signer::RootsAt;
use crate::store::file::folder;

use super::Keyring;
use super::locked::Locked;

const FORMAT: &str = "quark-trace-tips/1";
const OPERATION: &str = "note what is signed";
/// So many logs of one name are kept in mind, the last used ones.
const LIMIT: usize = 4096;
/// How long the notes may be held by another process (one that was stopped, say) before this one
/// goes on unsigned for the moment: whoever logs must not wait for that.
const PATIENCE: Duration = Duration::from_secs(1);

/// A state of a log that was signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tip {
    pub size: u64,
    pub root: Digest,
}

impl Keyring {
    /// Notes that `next` is signed of the log whose last checkpoint is `last`; refused when this
    /// key has signed something of that log which it does not contain. `found` says of a log without
    /// a checkpoint that whoever signs did not begin it.
    pub(crate) fn note_signed(
        &self,
        origin: &Origin,
        last: Option<Tip>,
        next: Tip,
        found: bool,
        roots_at: RootsAt<'_>,
    ) -> Result<()> {
        let path = self.tips_file(origin);
        let wrap = |error| Error::io(OPERATION, path.display().to_string(), error);
        let _locked = Locked::take(&path, PATIENCE).map_err(wrap)?;
        let mut tips = read(&path)?;
        let before = tips.clone();
        if let Some(at) = last.and_then(|last| tips.iter().position(|tip| *tip == last)) {
            tips.remove(at);
        } else {
            let continued = continued(&tips, next.size, roots_at)?;
            // A log that was begun here is new, and so is one of a key that was moved here without
            // its tips.
            if continued.is_empty() && (last.is_some() || found) && !tips.is_empty() {
                return Err(elsewhere(&tips, last, next));
            }
            tips.retain(|tip| !continued.contains(tip));
        }
        tips.retain(|tip| *tip != next);
        tips.push(next);
        let forgotten = tips.len().saturating_sub(LIMIT);
        tips.drain(..forgotten);
        if tips == before { Ok(()) } else { write(&path, &tips).map_err(wrap) }
    }

    /// Lets this key go on from a state that it would refuse, since somebody put back a backup on
    /// purpose. Both histories stay signed, and who has both checkpoints can see that there are two.
    pub(crate) fn accept(&self, origin: &Origin, size: u64, root: Digest) -> Result<()> {
        let path = self.tips_file(origin);
        let wrap = |error| Error::io(OPERATION, path.display().to_string(), error);
        let _locked = Locked::take(&path, PATIENCE).map_err(wrap)?;
        let mut tips = read(&path)?;
        let tip = Tip { size, root };
        if tips.contains(&tip) {
            return Ok(());
        }
        tips.push(tip);
        write(&path, &tips).map_err(wrap)
    }

    /// The states of logs of this name that this key signed last: size and root.
    pub(crate) fn signed(&self, origin: &Origin) -> Result<Vec<(u64, Digest)>> {
        let tips = read(&self.tips_file(origin))?;
        Ok(tips.into_iter().map(|tip| (tip.size, tip.root)).collect())
    }

    fn tips_file(&self, origin: &Origin) -> PathBuf {
        self.folder.join("tips").join(origin.log_id().to_string())
    }
}

/// The tips that the log contains.
fn continued(tips: &[Tip], size: u64, roots_at: RootsAt<'_>) -> Result<Vec<Tip>> {
    let mut within: Vec<Tip> = tips.iter().copied().filter(|tip| tip.size <= size).collect();
    if within.is_empty() {
        return Ok(within);
    }
    within.sort_by_key(|tip| tip.size);
    let mut sizes: Vec<u64> = within.iter().map(|tip| tip.size).collect();
    sizes.dedup();
    let roots = roots_at(&sizes)?;
    within.retain(|tip| {
        let at = sizes.binary_search(&tip.size).ok();
        at.and_then(|at| roots.get(at).copied().flatten()) == Some(tip.root)
    });
    Ok(within)
}

fn elsewhere(tips: &[Tip], last: Option<Tip>, next: Tip) -> Error {
    let largest = tips.iter().map(|tip| tip.size).max().unwrap_or_default();
    let what = match last {
        Some(last) => format!(
            "the last checkpoint here covers {} entries, and this key has signed another history \
             of this project (up to {largest} entries) but not this one: this is an old backup, a \
             copy whose original went on, or the key came here without its folder `tips`",
            last.size
        ),
        None => format!(
            "no checkpoint lies beside the {} entries here, and this key has signed another \
             history of this project (up to {largest} entries) but not this one: the checkpoint \
             was removed and the log perhaps changed, or this log was never signed",
            next.size
        ),
    };
    let message = format!(
        "{what}; nothing was lost and nothing is signed. Go on where the history is newer, or say \
         that you go on from here with `quark-trace seal --new-epoch REASON`"
    );
    Error::new(ErrorKind::Integrity("E-FORK"), "sign a checkpoint", message)
}

fn read(path: &Path) -> Result<Vec<Tip>> {
    let wrap = |error| Error::io(OPERATION, path.display().to_string(), error);
    let Some(bytes) = folder::read_if_there(path).map_err(wrap)? else { return Ok(Vec::new()) };
    String::from_utf8(bytes).ok().and_then(|text| parse(&text)).ok_or_else(|| {
        let message = "the file is damaged; restore it from a backup, or move it away to have this \
                       key forget what it signed";
        Error::new(ErrorKind::Corrupted, OPERATION, message).on(path.display().to_string())
    })
}

fn parse(text: &str) -> Option<Vec<Tip>> {
    let mut lines = text.lines();
    if lines.next()? != FORMAT {
        return None;
    }
    lines
        .map(|line| {
            let (size, root) = line.split_once(' ')?;
            Some(Tip { size: size.parse().ok()?, root: Digest::from_hex(root.as_bytes())? })
        })
        .collect()
}

fn write(path: &Path, tips: &[Tip]) -> std::io::Result<()> {
    let mut text = format!("{FORMAT}\n");
    tips.iter().for_each(|tip| text.push_str(&format!("{} {}\n", tip.size, tip.root)));
    folder::replace(path, text.as_bytes(), true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tip(size: u64, text: &str) -> Tip {
        Tip { size, root: Digest::of(text.as_bytes()) }
    }

    /// A log of which `known` are the states.
    fn log(known: Vec<Tip>) -> impl FnMut(&[u64]) -> Result<Vec<Option<Digest>>> {
        move |sizes| {
            let root = |size| known.iter().find(|tip| tip.size == size).map(|tip| tip.root);
            Ok(sizes.iter().map(|&size| root(size)).collect())
        }
    }

    struct Keys(Keyring, PathBuf);

    impl Keys {
        fn new() -> Self {
            let folder = std::env::temp_dir().join(format!("quark-tips-{}", uuid::Uuid::new_v4()));
            Self(Keyring::load_or_create(&folder).unwrap(), folder)
        }

        fn note(&self, last: Option<Tip>, next: Tip, known: &[Tip]) -> Result<()> {
            let origin = self.0.origin(&"demo".parse().unwrap());
            self.0.note_signed(&origin, last, next, false, &mut log(known.to_vec()))
        }

        fn note_found(&self, next: Tip, known: &[Tip]) -> Result<()> {
            let origin = self.0.origin(&"demo".parse().unwrap());
            self.0.note_signed(&origin, None, next, true, &mut log(known.to_vec()))
        }
    }

    impl Drop for Keys {
        fn drop(&mut self) {
            std::fs::remove_dir_all(&self.1).unwrap();
        }
    }

    #[test]
    fn two_logs_of_one_name_do_not_disturb_each_other() {
        let keys = Keys::new();
        let (a, b) = ([tip(2, "a2"), tip(5, "a5")], [tip(2, "b2"), tip(9, "b9")]);
        keys.note(None, a[0], &a).unwrap();
        keys.note(None, b[0], &b).unwrap();
        keys.note(Some(b[0]), b[1], &b).unwrap();
        keys.note(Some(a[0]), a[1], &a).unwrap();
        let origin = keys.0.origin(&"demo".parse().unwrap());
        assert_eq!(keys.0.signed(&origin).unwrap(), [(9, b[1].root), (5, a[1].root)]);
    }

    #[test]
    fn a_copy_that_goes_on_beside_the_original_is_refused() {
        let keys = Keys::new();
        let (start, original, copy) = (tip(2, "2"), tip(4, "original"), tip(4, "copy"));
        keys.note(None, start, &[start]).unwrap();
        keys.note(Some(start), original, &[start, original]).unwrap();
        for next in [copy, tip(9, "copy later")] {
            let refused = keys.note(Some(start), next, &[start, copy, next]).unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::Integrity("E-FORK"));
        }
        // It may, when somebody says so; then the original may not any more unless it is said too.
        let origin = keys.0.origin(&"demo".parse().unwrap());
        keys.0.accept(&origin, start.size, start.root).unwrap();
        keys.note(Some(start), copy, &[start, copy]).unwrap();
        keys.note(Some(original), tip(5, "original later"), &[]).unwrap();
    }

    #[test]
    fn a_crash_before_the_checkpoint_was_put_in_place_locks_nobody_out() {
        let keys = Keys::new();
        let states = [tip(2, "2"), tip(4, "4"), tip(7, "7")];
        keys.note(None, states[0], &states).unwrap();
        keys.note(None, states[1], &states).unwrap();
        keys.note(Some(states[0]), states[2], &states).unwrap();
        keys.note(Some(states[0]), states[2], &states).unwrap();
        let origin = keys.0.origin(&"demo".parse().unwrap());
        assert_eq!(keys.0.signed(&origin).unwrap(), [(7, states[2].root)]);
    }

    #[test]
    fn a_log_that_was_found_without_a_checkpoint_is_signed_where_nothing_contradicts_it() {
        let keys = Keys::new();
        let (first, second, other) = (tip(2, "2"), tip(4, "4"), tip(4, "other"));
        keys.note_found(first, &[first]).unwrap();
        keys.note_found(second, &[first, second]).unwrap();
        let refused = keys.note_found(other, &[tip(2, "changed"), other]).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Integrity("E-FORK"));
        assert!(refused.to_string().contains("no checkpoint lies beside the 4 entries"));
        keys.note(None, other, &[other]).unwrap();
    }

    #[test]
    fn a_process_that_was_stopped_while_it_notes_stops_nobody_else() {
        let keys = Keys::new();
        let origin = keys.0.origin(&"demo".parse().unwrap());
        let held = Locked::take(&keys.0.tips_file(&origin), PATIENCE).unwrap();
        let error = keys.note(None, tip(2, "2"), &[]).unwrap_err();
        assert!(error.to_string().contains("is it stopped?"), "{error}");
        drop(held);
        keys.note(None, tip(2, "2"), &[]).unwrap();
    }

    #[test]
    fn a_damaged_file_is_no_empty_file() {
        let keys = Keys::new();
        keys.note(None, tip(2, "2"), &[]).unwrap();
        let origin = keys.0.origin(&"demo".parse().unwrap());
        std::fs::write(keys.0.tips_file(&origin), "quark-trace-tips/1\n2 zz\n").unwrap();
        let error = keys.note(Some(tip(2, "2")), tip(3, "3"), &[]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupted);
    }
}
