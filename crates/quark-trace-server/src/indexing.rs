//! Taking up into the store's indexes what was appended here, beside the requests: a server runs for
//! months without the seal or close at which stores do so by themselves.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use quark_trace::Result;
use quark_trace::core::ids::ProjectId;

use crate::app::App;

/// How often that is done.
const EVERY: Duration = Duration::from_secs(30);

/// The projects that may have grown since their records were taken up.
#[derive(Debug, Default)]
pub struct Indexing {
    grown: Mutex<BTreeSet<ProjectId>>,
}

impl Indexing {
    /// Says that records come for a project.
    pub fn note(&self, project: &ProjectId) {
        let mut grown = self.grown.lock().unwrap_or_else(PoisonError::into_inner);
        if !grown.contains(project) {
            grown.insert(project.clone());
        }
    }

    /// Passes each project that has grown to `index`, one after the other, and answers the last
    /// failure. One that failed comes again in the next round.
    fn round(&self, index: &mut dyn FnMut(&ProjectId) -> Result<()>) -> Result<()> {
        let grown = std::mem::take(&mut *self.grown.lock().unwrap_or_else(PoisonError::into_inner));
        let mut done = Ok(());
        for project in &grown {
            let indexed = index(project);
            if indexed.is_err() {
                self.note(project);
                done = indexed;
            }
        }
        done
    }
}

/// Goes round until it is aborted. Servers that share a database may do so at the same time.
pub async fn run(app: Arc<App>) {
    let mut failed_before = false;
    loop {
        tokio::time::sleep(EVERY).await;
        let running = Arc::clone(&app);
        let round = tokio::task::spawn_blocking(move || {
            running.indexing.round(&mut |project| {
                if running.is_ending() { Ok(()) } else { running.store.index(project) }
            })
        });
        let failed = match round.await {
            Ok(done) => done.err().map(|error| error.to_string()),
            Err(panicked) => Some(panicked.to_string()),
        };
        if let Some(error) = &failed
            && !failed_before
        {
            tracing::warn!(%error, "queries read more than they need: a log cannot be indexed");
        }
        failed_before = failed.is_some();
    }
}

#[cfg(test)]
mod tests {
    use quark_trace::{Error, ErrorKind};

    use super::*;

    #[test]
    fn each_round_takes_what_has_grown_since() {
        let (indexing, mut seen) = (Indexing::default(), Vec::new());
        let [one, other]: [ProjectId; 2] = ["a", "b"].map(|id| id.parse().unwrap());
        for project in [&other, &one, &other] {
            indexing.note(project);
        }
        let fails = indexing.round(&mut |project| {
            seen.push(project.clone());
            // Records come while it is at it.
            indexing.note(&other);
            if *project == one {
                Err(Error::new(ErrorKind::Busy, "index", "later"))
            } else {
                Ok(())
            }
        });
        assert!(fails.is_err());
        assert_eq!(seen, [one.clone(), other.clone()]);
        seen.clear();
        for _ in 0..2 {
            let again = indexing.round(&mut |project| {
                seen.push(project.clone());
                Ok(())
            });
            again.unwrap();
        }
        assert_eq!(seen, [one, other], "once more each, and then nothing is left");
    }
}
