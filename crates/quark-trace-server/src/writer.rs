//! Writing: a few threads that take the records of many requests and append them together.
//!
//! A request hands its records over and waits. A thread takes what waits for it, as many as fit, and
//! appends those of one project in one commit, so that one flush serves many clients. Where a commit
//! is refused (a record id that is taken, a schema that is broken) each request is tried alone, so
//! that nobody suffers for another. A project is always written by the same thread.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError, RwLock};
use std::thread::JoinHandle;

use quark_trace::core::ids::ProjectId;
use quark_trace::core::stages::Fault;
use quark_trace::{Incoming, Outcome, Result, TraceLog};
use tokio::sync::{mpsc, oneshot};

use crate::problem::Problem;
use crate::routes::body::Share;

/// Most records in one commit of several requests.
const TOGETHER: usize = 4096;
/// Most bytes in one.
const TOGETHER_BYTES: usize = 8 * 1024 * 1024;

/// Records of one request, to be appended all or none.
#[derive(Debug)]
pub struct Job {
    /// Where to.
    pub log: TraceLog,
    /// What.
    pub records: Vec<Incoming<'static>>,
    /// The attributes of their entries.
    pub attributes: String,
    /// The size that the log must have.
    pub expected: Option<u64>,
    /// The memory that the records take; also when the client has gone away.
    pub share: Option<Share>,
}

/// What became of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Index of its entry.
    pub index: u64,
    /// Whether it was there before.
    pub existing: bool,
    /// How it breaks the schema of its stage.
    pub faults: Vec<Fault>,
}

/// What became of a request.
#[derive(Debug)]
pub struct Done {
    /// Each record, in its order.
    pub records: Vec<Written>,
    /// The size of the log.
    pub size: u64,
}

struct Waiting {
    job: Job,
    reply: oneshot::Sender<Result<Done>>,
}

/// The threads that write.
#[derive(Debug)]
pub struct Writer {
    shards: RwLock<Vec<mpsc::Sender<Waiting>>>,
    hasher: RandomState,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Writer {
    /// Starts so many threads, for each of which so many requests may wait.
    pub fn start(threads: NonZeroUsize, waiting: usize) -> Self {
        let mut shards = Vec::new();
        let mut handles = Vec::new();
        for number in 0..threads.get() {
            let (sender, receiver) = mpsc::channel(waiting.max(1));
            let builder = std::thread::Builder::new().name(format!("writer-{number}"));
            match builder.spawn(move || write(receiver)) {
                Ok(handle) => {
                    handles.push(handle);
                    shards.push(sender);
                }
                // The others write for it.
                Err(error) => tracing::error!(%error, "a thread that writes could not be started"),
            }
        }
        let (shards, threads) = (RwLock::new(shards), Mutex::new(handles));
        Self { shards, hasher: RandomState::new(), threads }
    }

    /// Appends the records of a request; they are durable when this returns. When the client goes
    /// away meanwhile they are appended all the same.
    pub async fn append(&self, job: Job) -> Result<Done, Problem> {
        let busy = || Problem::busy("too many records wait to be written; wait, then go on");
        let shard = self.shard(job.log.project()).ok_or_else(busy)?;
        let (reply, done) = oneshot::channel();
        // Clients that wait a moment need not come again.
        let patience = std::time::Duration::from_secs(5);
        let place = tokio::time::timeout(patience, shard.reserve()).await;
        place.map_err(|_| busy())?.map_err(|_| busy())?.send(Waiting { job, reply });
        match done.await {
            Ok(done) => done.map_err(Problem::from),
            Err(_) => Err(Problem::busy("the server failed or is going down").unknown()),
        }
    }

    /// Whether all threads are there.
    pub fn is_well(&self) -> bool {
        let threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        !threads.is_empty() && threads.iter().all(|thread| !thread.is_finished())
    }

    fn shard(&self, project: &ProjectId) -> Option<mpsc::Sender<Waiting>> {
        let shards = self.shards.read().unwrap_or_else(PoisonError::into_inner);
        let place = self.hasher.hash_one(project) as usize % shards.len().max(1);
        shards.get(place).cloned()
    }

    /// Takes no more, and waits until everything that was taken is written.
    pub fn end(&self) {
        self.shards.write().unwrap_or_else(PoisonError::into_inner).clear();
        let threads =
            std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            if thread.join().is_err() {
                tracing::error!("a thread that writes had failed");
            }
        }
    }
}

fn write(mut waiting: mpsc::Receiver<Waiting>) {
    while let Some(first) = waiting.blocking_recv() {
        let mut taken = vec![first];
        let (mut records, mut bytes) = weight(&taken[0].job);
        while records < TOGETHER && bytes < TOGETHER_BYTES {
            let Ok(next) = waiting.try_recv() else { break };
            let (more_records, more_bytes) = weight(&next.job);
            (records, bytes) = (records + more_records, bytes + more_bytes);
            taken.push(next);
        }
        metrics::histogram!("quark_trace_commit_records").record(records as f64);
        for group in by_project(taken) {
            // Nobody writes for this thread: it goes on, and those who waited are told.
            if catch_unwind(AssertUnwindSafe(|| append_group(group))).is_err() {
                tracing::error!("writing failed in a way that it should not");
            }
        }
    }
}

fn weight(job: &Job) -> (usize, usize) {
    (job.records.len(), job.records.iter().map(Incoming::length).sum())
}

/// Puts the requests of one project together, in the order in which they came.
fn by_project(taken: Vec<Waiting>) -> Vec<Vec<Waiting>> {
    let mut places: HashMap<ProjectId, usize> = HashMap::new();
    let mut groups: Vec<Vec<Waiting>> = Vec::new();
    for waiting in taken {
        let place = *places.entry(waiting.job.log.project().clone()).or_insert_with(|| {
            groups.push(Vec::new());
            groups.len() - 1
        });
        groups[place].push(waiting);
    }
    groups
}

fn append_group(group: Vec<Waiting>) {
    let is_plain = group.iter().all(|waiting| waiting.job.expected.is_none());
    if is_plain && group.len() > 1 {
        let jobs: Vec<&Job> = group.iter().map(|waiting| &waiting.job).collect();
        match append(&jobs) {
            Ok(done) => return reply_all(group, done),
            // Whether it was written is not known: trying again answers that by the ids.
            Err(error) => tracing::debug!(%error, "requests are tried one by one"),
        }
    }
    for waiting in group {
        let done = append(&[&waiting.job]).map(|mut done| done.remove(0));
        // A client that went away misses its answer alone.
        let _ = waiting.reply.send(done);
    }
}

fn reply_all(group: Vec<Waiting>, done: Vec<Done>) {
    for (waiting, done) in group.into_iter().zip(done) {
        let _ = waiting.reply.send(Ok(done));
    }
}

/// Appends the records of jobs of one project in one commit.
fn append(jobs: &[&Job]) -> Result<Vec<Done>> {
    let Some(first) = jobs.first() else { return Ok(Vec::new()) };
    let all = jobs
        .iter()
        .flat_map(|job| job.records.iter().map(|record| (record, job.attributes.as_str())));
    let expected = first.expected;
    let received = first.log.append_received(all, expected);
    let received = received.map_err(|error| error.or_outcome(Outcome::Unknown))?;
    let size = received.appended.size;
    let mut existing = received.appended.existing.into_iter().peekable();
    let count: usize = jobs.iter().map(|job| job.records.len()).sum();
    let mut next = size - (count - existing.len()) as u64;
    let mut faults = received.faults.into_iter();
    let mut place = 0;
    let done = jobs.iter().map(|job| {
        let records = job.records.iter().map(|_| {
            let known = existing.next_if(|(at, _)| *at == place).map(|(_, index)| index);
            place += 1;
            let index = known.unwrap_or_else(|| {
                next += 1;
                next - 1
            });
            let faults = faults.next().unwrap_or_default();
            Written { index, existing: known.is_some(), faults }
        });
        Done { records: records.collect(), size }
    });
    Ok(done.collect())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use quark_trace::store::MemoryStore;

    use super::*;

    fn record(id: usize, stage: &str) -> Incoming<'static> {
        let line = format!(
            "{{\"record_id\": \"{id}\", \"project_id\": \"p\", \"stage\": \"{stage}\", \
             \"timestamp\": \"t\", \"payload\": {{}}}}"
        );
        let read = Incoming::read(&"p".parse().unwrap(), line.into_bytes(), |_| Ok::<_, ()>(()));
        read.unwrap().unwrap()
    }

    fn job(log: &TraceLog, records: Vec<Incoming<'static>>) -> Job {
        Job {
            log: log.clone(),
            records,
            attributes: " by=n".to_owned(),
            expected: None,
            share: None,
        }
    }

    #[test]
    fn requests_that_are_written_together_are_answered_each() {
        let log = TraceLog::new(Arc::new(MemoryStore::new()), "p".parse().unwrap());
        log.append_received([(&record(7, "s"), "")], None).unwrap();
        let jobs = [
            job(&log, vec![record(1, "s"), record(7, "s")]),
            job(&log, vec![record(1, "s")]),
            job(&log, vec![record(2, "s"), record(3, "s")]),
        ];
        let done = append(&jobs.iter().collect::<Vec<_>>()).unwrap();
        let indexes: Vec<Vec<_>> = done
            .iter()
            .map(|done| done.records.iter().map(|it| (it.index, it.existing)).collect())
            .collect();
        assert_eq!(
            indexes,
            [vec![(2, false), (1, true)], vec![(2, true)], vec![(3, false), (4, false)]]
        );
        assert_eq!(log.history().unwrap().len(), 4);
    }

    #[tokio::test]
    async fn nobody_suffers_for_another() {
        let log = TraceLog::new(Arc::new(MemoryStore::new()), "p".parse().unwrap());
        log.append_received([(&record(1, "s"), "")], None).unwrap();
        let writer = Writer::start(NonZeroUsize::MIN, 8);
        let (good, bad) = (job(&log, vec![record(2, "s")]), job(&log, vec![record(1, "other")]));
        let (good, bad) = tokio::join!(writer.append(good), writer.append(bad));
        assert_eq!(good.unwrap().records[0].index, 2);
        assert_eq!(bad.unwrap_err().code, crate::problem::Code::RecordConflict);
        tokio::task::spawn_blocking(move || writer.end()).await.unwrap();
    }
}
