//! When each key was last used, to the minute.
//!
//! It is kept in memory and noted in the server's own ledger: the first use of a key at once, later
//! ones once an hour for all keys together and when the server ends. So the ledger grows with the
//! hours and not with the calls, and after a crash what is known is an hour old at most.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use quark_trace::Result;

use crate::registry::{KeyEntry, Registry};

const MINUTE_US: i64 = 60_000_000;
/// How often later uses are noted.
const EVERY_US: i64 = 60 * MINUTE_US;
/// Most keys in one record of the ledger.
const TOGETHER: usize = 1000;

/// The uses that this server saw.
#[derive(Debug)]
pub struct LastUsed(Mutex<Uses>);

#[derive(Debug)]
struct Uses {
    /// By the public part of the key, in microseconds since 1970. There are no more than were issued.
    at_us: HashMap<String, i64>,
    noted_us: i64,
}

impl LastUsed {
    /// Nothing was used yet.
    pub fn new(now_us: i64) -> Self {
        Self(Mutex::new(Uses { at_us: HashMap::new(), noted_us: now_us }))
    }

    /// Takes note that a key that is good was used.
    pub fn used(&self, key_id: &str, now_us: i64) {
        let now_us = now_us - now_us.rem_euclid(MINUTE_US);
        let mut uses = self.uses();
        match uses.at_us.get_mut(key_id) {
            Some(at_us) => *at_us = now_us.max(*at_us),
            None => drop(uses.at_us.insert(key_id.to_owned(), now_us)),
        }
    }

    /// When a key was last used, in microseconds since 1970, as far as it is known here.
    pub fn of(&self, key: &KeyEntry) -> Option<i64> {
        key.last_used_us.max(self.uses().at_us.get(&key.key_id).copied())
    }

    /// Notes in the ledger what is due; all that is new when the server `ends`. What cannot be noted
    /// is due again.
    pub fn write(&self, registry: &Registry, now_us: i64, ends: bool) -> Result<()> {
        let is_time = ends || now_us - self.uses().noted_us >= EVERY_US;
        let due: Vec<(String, i64)> = {
            let (state, uses) = (registry.state(), self.uses());
            let known = |key_id: &String| state.keys.get(key_id).and_then(|key| key.last_used_us);
            let is_due = |(key_id, at_us): &(&String, &i64)| match known(key_id) {
                None => true,
                Some(known) => is_time && known < **at_us,
            };
            let due = uses.at_us.iter().filter(is_due);
            due.map(|(key_id, at_us)| (key_id.clone(), *at_us)).collect()
        };
        for keys in due.chunks(TOGETHER) {
            registry.note_used(keys.iter().cloned().collect::<BTreeMap<_, _>>())?;
        }
        if is_time {
            self.uses().noted_us = now_us;
        }
        Ok(())
    }

    fn uses(&self) -> MutexGuard<'_, Uses> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
