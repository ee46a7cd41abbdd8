//! A federation to look at: what `serve --demo` puts into an empty store.
//!
//! Three institutions with five sites train a triage model for chest radiographs over 30 rounds. One
//! site leaves in between, one sends a NaN, the fact sheet is amended, the model is approved, goes
//! into use and has an incident. Beside it stand a project that has only begun and one that has
//! nothing but its sheet. Everything is the same on every machine: ids, times and noise.

mod federation;
mod others;

use std::sync::Arc;

use quark_trace::clock::timestamp;
use quark_trace::core::ledger::Digest;
use quark_trace::core::payload::Payload;
use quark_trace::core::record::Draft;
use quark_trace::core::sheet::FactSheet;
use quark_trace::store::{Durability, Store};
use quark_trace::{Error, ErrorKind, Project, Record, Result, TraceLog};

/// An institution of the demo.
#[derive(Debug, Clone, Copy)]
pub struct Institution {
    /// Its id.
    pub id: &'static str,
    /// What it is called.
    pub name: &'static str,
}

/// A node of the demo, and the site under which it logs.
#[derive(Debug, Clone, Copy)]
pub struct Node {
    /// Its id, which is also the `site` in its records.
    pub id: &'static str,
    /// Whose it is.
    pub institution: &'static str,
    /// What it is called.
    pub name: &'static str,
}

/// The institutions; the first coordinates, and all projects are its own.
pub const INSTITUTIONS: [Institution; 3] = [
    Institution { id: "nordstadt", name: "Nordstadt University Hospital" },
    Institution { id: "seeblick", name: "Seeblick Clinics" },
    Institution { id: "st-irenee", name: "Hôpital Saint-Irénée" },
];

/// The nodes, one a site.
pub const NODES: [Node; 5] = [
    Node { id: "nordstadt-main", institution: "nordstadt", name: "Radiology, main campus" },
    Node { id: "nordstadt-east", institution: "nordstadt", name: "Emergency room, east campus" },
    Node { id: "seeblick-north", institution: "seeblick", name: "Seeblick North" },
    Node { id: "seeblick-south", institution: "seeblick", name: "Seeblick South" },
    Node { id: "st-irenee", institution: "st-irenee", name: "Radiology, Saint-Irénée" },
];

/// The ids of the projects that [`fill`] makes.
pub const PROJECTS: [&str; 3] = [federation::PROJECT, others::RUNNING, others::NEW];

/// Puts the demo into a store.
///
/// # Errors
/// [`ErrorKind::AlreadyExists`] when one of its projects is there; whatever the store says.
///
/// ```
/// use std::sync::Arc;
/// use quark_trace::store::MemoryStore;
///
/// let store = Arc::new(MemoryStore::new());
/// quark_trace_server::demo::fill(store.clone())?;
/// assert!(quark_trace_server::demo::fill(store).is_err());
/// # Ok::<(), quark_trace::Error>(())
/// ```
pub fn fill(store: Arc<dyn Store>) -> Result<()> {
    federation::fill(store.clone())?;
    others::fill_running(store.clone())?;
    others::fill_new(store.clone())?;
    store.flush()
}

/// Writes the records of one project at times that it is told.
#[derive(Debug)]
struct Writer {
    project: Project,
    now_us: i64,
    written: u64,
    noise: u64,
}

impl Writer {
    /// Begins a project with its sheet at `now_us`, microseconds since 1970.
    fn begin(store: Arc<dyn Store>, yaml: &str, now_us: i64) -> Result<Self> {
        let (sheet, _) = FactSheet::from_yaml(yaml.as_bytes(), &timestamp(now_us))
            .map_err(|faults| bad_sheet(&faults.to_string()))?;
        let log = TraceLog::new(store, sheet.project_id().parse()?);
        let log = log.with_durability(Durability::Os);
        let noise = u64::from_be_bytes(first_eight(sheet.project_id().as_bytes()));
        Ok(Self { project: Project::load(sheet, log)?, now_us, written: 0, noise })
    }

    /// Lets time pass.
    fn wait(&mut self, seconds: i64) {
        self.now_us += seconds * 1_000_000;
    }

    /// Logs a record a moment later. Its id follows from the project and its number.
    fn log(&mut self, stage: &str, payload: &Payload) -> Result<()> {
        payload.check()?;
        self.written += 1;
        self.now_us += 40_000 + self.below(900_000);
        let project_id = self.project.sheet().project_id();
        let record_id = record_id(project_id, self.written);
        let mut line = Vec::new();
        let draft = Draft {
            record_id: &record_id,
            project_id,
            stage,
            timestamp: &timestamp(self.now_us),
            payload: payload.as_bytes(),
        };
        draft.write(&mut line);
        self.project.trace_log().append(&Record::from_line(line)?).map(drop)
    }

    /// The next of a row of numbers that look random, from 0 up to `limit`.
    fn below(&mut self, limit: i64) -> i64 {
        // The generator of Steele, Lea and Flood (SplitMix64).
        self.noise = self.noise.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.noise;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((mixed ^ (mixed >> 31)) % limit.unsigned_abs().max(1)) as i64
    }

    /// A number from -1 to 1, mostly near 0.
    fn jitter(&mut self) -> f64 {
        let sum: i64 = (0..3).map(|_| self.below(2001) - 1000).sum();
        sum as f64 / 3000.0
    }
}

/// A UUID of version 8, made from what the record is.
fn record_id(project_id: &str, number: u64) -> String {
    let hex = Digest::of(format!("{project_id}/{number}").as_bytes()).to_string();
    format!("{}-{}-8{}-8{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..32])
}

/// A digest as payloads carry it.
fn digest(of: &str) -> String {
    format!("sha256:{}", Digest::of(of.as_bytes()))
}

/// Rounded to so many decimal places, as people log it.
fn rounded(value: f64, places: i32) -> f64 {
    let scale = 10_f64.powi(places);
    (value * scale).round() / scale
}

fn first_eight(bytes: &[u8]) -> [u8; 8] {
    let digest = Digest::of(bytes).0;
    std::array::from_fn(|at| digest[at])
}

fn bad_sheet(faults: &str) -> Error {
    Error::new(ErrorKind::InvalidInput, "fill the store with the demo", faults.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use quark_trace::store::MemoryStore;

    fn root(store: &MemoryStore, project: &str) -> String {
        let head = store.head(&project.parse().unwrap()).unwrap().unwrap();
        head.range.root().to_string()
    }

    #[test]
    fn the_demo_is_the_same_everywhere() {
        let (one, other) = (Arc::new(MemoryStore::new()), Arc::new(MemoryStore::new()));
        fill(one.clone()).unwrap();
        fill(other.clone()).unwrap();
        for project in PROJECTS {
            assert_eq!(root(&one, project), root(&other, project), "{project}");
        }
    }

    #[test]
    fn the_demo_keeps_its_own_rules() {
        let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
        fill(store.clone()).unwrap();
        let log = TraceLog::new(store, federation::PROJECT.parse().unwrap());
        let project = Project::resume(log.clone()).unwrap();
        let summary = project.summary().unwrap();
        assert!(summary.total_records > 200, "{}", summary.total_records);
        assert_eq!(summary.unreadable, 0);
        assert_eq!(summary.sites.len(), NODES.len());
        assert_eq!(project.sheets().unwrap().len(), 2);
        assert!(log.stages().coverage().unwrap().unknown.is_empty());
        assert!(summary.broken.is_empty(), "{:?}", summary.broken);
        assert!(!project.verify(&quark_trace::verify::Policy::default()).unwrap().is_tampered());
    }
}
