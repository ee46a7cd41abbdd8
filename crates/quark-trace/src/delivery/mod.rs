//! Delivery of records to a server that is not always there.
//!
//! | file | what it holds |
//! |---|---|
//! | `settings` | modes, limits, and what is told |
//! | `receiver` | who takes the records, and what its errors mean for those that wait |
//! | `spool`, `claim` | the folders on this machine; which process has what of them |
//! | `lane`, `segment` | the records of a project that wait; their files |
//! | `gap`, `tally`, `refused` | what is missing; the count of it; what was refused for good |
//! | `state`, `shipper` | what callers and the thread share; the thread that sends |
//! | `pace` | how fast time passes |
//!
//! A record is sent as the bytes that were spooled, as often as it takes; its id makes it one. What a
//! process leaves behind is taken over by the next one and goes first.

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use quark_trace_core::ids::ProjectId;
use quark_trace_core::record::{RECORD_LIMIT, View};

use crate::error::{Error, ErrorKind, Outcome, Result};
use crate::process;
use crate::record::Record;

mod claim;
mod gap;
mod lane;
mod pace;
mod receiver;
mod refused;
mod segment;
mod settings;
mod shipper;
mod spool;
mod state;
mod tally;

pub use gap::GAP_STAGE;
pub use pace::Pace;
pub use receiver::Receiver;
pub use settings::{Delivered, DeliveryOptions, Mode, Notice, OnFull, Status};
pub use spool::{Waiting, list};

use receiver::leaves_open;
use state::{Shared, State};

const APPEND: &str = "append to the spool";
/// How long closing waits for a call that is under way.
const PATIENCE: Duration = Duration::from_secs(1);
const NO_ROOM: &str = "the spool is full";

/// Delivers the records of one node to one server.
///
/// ```no_run
/// use std::sync::Arc;
/// use quark_trace::delivery::{Delivery, DeliveryOptions, Mode};
/// use quark_trace::store::{HttpStore, http::HttpOptions};
///
/// let server = "https://trace.example.org";
/// let store = Arc::new(HttpStore::new(server, HttpOptions::default())?);
/// let options = DeliveryOptions { mode: Mode::Background, ..DeliveryOptions::new("spool") };
/// let delivery = Delivery::new(store, server, "hospital-a", options);
/// # let record = quark_trace::Record::from_line(vec![])?;
/// delivery.send(&record)?;
/// assert_eq!(delivery.close()?.waiting, 0);
/// # Ok::<(), quark_trace::Error>(())
/// ```
#[derive(Debug)]
pub struct Delivery {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
    process: u32,
}

impl Delivery {
    /// Delivers to `receiver`, which `server` and `node` name in the spool. Nothing is opened or
    /// called before the first record.
    pub fn new(
        receiver: Arc<dyn Receiver>,
        server: &str,
        node: &str,
        options: DeliveryOptions,
    ) -> Self {
        // The names are lines of a file.
        let one_line = |name: &str| name.replace(['\n', '\r'], " ");
        let shared = Shared {
            receiver,
            server: one_line(server),
            node: one_line(node),
            options,
            state: Mutex::default(),
            changed: Condvar::new(),
        };
        Self { shared: Arc::new(shared), thread: Mutex::default(), process: process::id() }
    }

    /// Delivers a record as the mode says. Records of one caller reach the server in the order of
    /// the calls. A server that answers with a refusal is an error in every mode but `Background`.
    pub fn send(&self, record: &Record) -> Result<Delivered> {
        let view = record.view();
        let project: ProjectId = view.project_id.to_str().parse()?;
        check_size(record.line())?;
        if self.shared.options.mode == Mode::Strict {
            return self.send_now(&project, record.line());
        }
        let mut state = self.shared.state();
        self.shared.look(&mut state, false)?;
        if !state.is_drained() && !state.running {
            // What others left is shipped by whoever finds it; what cannot be now, is later.
            drop(state);
            let _ = self.run();
            state = self.shared.state();
        }
        let behind = state.lanes.get(project.as_str()).is_some_and(|lane| !lane.is_empty());
        if self.shared.options.mode == Mode::Auto && !behind {
            drop(state);
            match self.send_now(&project, record.line()) {
                Err(error) if leaves_open(&error) => {
                    state = self.shared.state();
                    let reason = error.message().to_owned();
                    state.note(match error.kind() {
                        ErrorKind::Corrupted => {
                            let project = project.as_str().to_owned();
                            Notice::Held { project, reason: reason.clone() }
                        }
                        _ => Notice::Spooling { reason: reason.clone() },
                    });
                    state.reason = Some(reason);
                }
                sent => return sent,
            }
        }
        self.spool(state, &project, record.line())
    }

    fn send_now(&self, project: &ProjectId, line: &[u8]) -> Result<Delivered> {
        self.shared.receiver.receive(project, &[line]).map(|()| Delivered::Stored)
    }

    fn spool(
        &self,
        mut state: MutexGuard<'_, State>,
        project: &ProjectId,
        line: &[u8],
    ) -> Result<Delivered> {
        let room = self.shared.options.limit.saturating_sub(state.waiting_bytes());
        let lane = self.shared.lane(&mut state, project);
        let appended = if room < line.len() as u64 + 1 {
            Err(io::Error::new(io::ErrorKind::StorageFull, NO_ROOM))
        } else {
            lane.append(line)
        };
        let error = match appended {
            Ok(()) => {
                drop(state);
                self.run()?;
                return Ok(Delivered::Spooled);
            }
            Err(error) => error,
        };
        let subject = lane.place().display().to_string();
        if !is_full(&error) {
            return Err(Error::io(APPEND, subject, error).with_outcome(Outcome::NotWritten));
        }
        if self.shared.options.on_full == OnFull::Raise {
            let full = Error::new(ErrorKind::StorageFull, APPEND, error.to_string());
            return Err(full.on(subject).caused_by(error).with_outcome(Outcome::NotWritten));
        }
        lane.leave_out(line, NO_ROOM);
        state.dropped += 1;
        let (project, reason) = (project.as_str().to_owned(), error.to_string());
        state.note(Notice::Dropping { project, reason });
        drop(state);
        self.run()?;
        Ok(Delivered::Dropped)
    }

    /// Starts the thread, if it is not at work.
    fn run(&self) -> Result<()> {
        self.run_with(self.shared.state())
    }

    fn run_with(&self, mut state: MutexGuard<'_, State>) -> Result<()> {
        // One that was to end goes on.
        state.ending = false;
        if !state.running {
            let shared = Arc::clone(&self.shared);
            let named = std::thread::Builder::new().name("quark-trace delivery".to_owned());
            let thread = named.spawn(move || shipper::run(&shared)).map_err(|error| {
                Error::io("start the delivery", self.shared.server.clone(), error)
                    .with_outcome(Outcome::Unknown)
            })?;
            state.running = true;
            *self.thread.lock().unwrap_or_else(PoisonError::into_inner) = Some(thread);
        }
        drop(state);
        self.shared.changed.notify_all();
        Ok(())
    }

    /// Takes over what processes that are no more have left, and waits until nothing waits for the
    /// server, but no longer than `timeout`. Gives what is left.
    pub fn flush(&self, timeout: Duration) -> Result<Status> {
        self.hurry()?;
        Ok(self.wait(timeout))
    }

    /// Takes over what processes that are no more have left, and tries the server again at once.
    /// Whoever must not wait for long at a time calls this and then [`Delivery::wait`] repeatedly.
    pub fn hurry(&self) -> Result<()> {
        if self.shared.options.mode == Mode::Strict {
            return Ok(());
        }
        let mut state = self.shared.state();
        self.shared.look(&mut state, true)?;
        state.due = Duration::ZERO;
        state.lanes.values_mut().for_each(|lane| lane.due = Duration::ZERO);
        if state.is_drained() { Ok(()) } else { self.run_with(state) }
    }

    /// Waits until nothing waits for the server, but no longer than `timeout`. Gives what is left.
    pub fn wait(&self, timeout: Duration) -> Status {
        let pace = self.shared.options.pace;
        let end = pace.now() + timeout;
        let mut state = self.shared.state();
        while !state.is_drained() {
            let left = end.saturating_sub(pace.now());
            if left.is_zero() {
                break;
            }
            let waited = self.shared.changed.wait_timeout(state, pace.really(left));
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        state.status()
    }

    /// What waits, and what became of what does not.
    pub fn status(&self) -> Status {
        self.shared.state().status()
    }

    /// Whether it has looked at the spool since it was made or closed.
    pub fn is_open(&self) -> bool {
        self.shared.state().looked
    }

    /// What the user should be told; each kind once.
    pub fn notices(&self) -> Vec<Notice> {
        std::mem::take(&mut self.shared.state().notices)
    }

    /// Waits for the server as long as `DeliveryOptions::drain` says, ends the thread and lets go of
    /// the spool. What is left is there for the next process. The delivery can be used again.
    pub fn close(&self) -> Result<Status> {
        self.close_within(self.shared.options.drain)
    }

    /// As [`Delivery::close`], but waits for the server no longer than `timeout`.
    pub fn close_within(&self, timeout: Duration) -> Result<Status> {
        let drained = if self.is_open() { self.flush(timeout) } else { Ok(self.status()) };
        self.end_thread();
        let mut state = self.shared.state();
        // A call that is under way still needs its segment.
        if !state.running {
            state.lanes.retain(|_, lane| lane.release());
            state.looked = false;
        }
        self.shared.receiver.let_go();
        drained
    }

    /// Ends the thread, so that a forked child inherits none. Call it before `fork`; the child opens
    /// its own delivery and never touches or drops this one.
    pub fn before_fork(&self) {
        if self.process != process::id() {
            return;
        }
        self.end_thread();
        self.shared.receiver.let_go();
    }

    /// Goes on in the parent after `fork`.
    pub fn after_fork(&self) -> Result<()> {
        if self.process != process::id() {
            return Ok(());
        }
        let state = self.shared.state();
        if state.is_drained() { Ok(()) } else { self.run_with(state) }
    }

    fn end_thread(&self) {
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        let mut state = self.shared.state();
        state.ending = true;
        self.shared.changed.notify_all();
        let begun = std::time::Instant::now();
        while state.running && begun.elapsed() < PATIENCE {
            let waited = self.shared.changed.wait_timeout(state, PATIENCE);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        let ended = !state.running;
        drop(state);
        if let Some(thread) = thread.filter(|_| ended) {
            // It has nothing more to say.
            let _ = thread.join();
        }
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        if self.process == process::id() {
            self.end_thread();
        }
    }
}

fn check_size(line: &[u8]) -> Result<()> {
    let refuse = |kind, message: String| {
        Err(Error::new(kind, APPEND, message).with_outcome(Outcome::NotWritten))
    };
    if line.len() > RECORD_LIMIT {
        let size = line.len();
        let message = format!(
            "it is {size} bytes, the limit is {RECORD_LIMIT}; log a digest or a path instead"
        );
        return refuse(ErrorKind::TooLarge, message);
    }
    if memchr::memchr2(b'\n', b'\r', line).is_some() || View::parse(line).is_err() {
        return refuse(ErrorKind::InvalidInput, "a record is one line".to_owned());
    }
    Ok(())
}

/// Whether there is no room, on the disk or in what this process may take of it.
fn is_full(error: &io::Error) -> bool {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge)
}
