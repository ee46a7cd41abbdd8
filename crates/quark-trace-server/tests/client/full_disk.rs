//! What delivery does on a disk that is full, and afterwards: a small file system of its own, and a
//! real server that everything reaches in the end.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use quark_trace::core::ids::ProjectId;
use quark_trace::core::record::View;
use quark_trace::delivery::{
    Delivered, Delivery, DeliveryOptions, GAP_STAGE, Mode, OnFull, Pace, Receiver, Status, list,
};
use quark_trace::store::HttpStore;
use quark_trace::{Error, ErrorKind, Outcome, Result};
use quark_trace_server::registry::Role;

use super::running::{Running, record};

const PLACE: &str = "QUARK_SMALL_DISK";
const WRITER: &str = "QUARK_SMALL_DISK_WRITER";
const LONG: Duration = Duration::from_secs(3600);

/// Runs a test of this file on a file system of its own: in a process of its own, because mounting
/// one takes a namespace of its own.
fn on_a_small_disk(name: &str, options: &str, test: fn(&Path)) {
    if let Some(place) = std::env::var_os(PLACE) {
        return test(Path::new(&place));
    }
    let place = std::env::temp_dir().join(format!("quark-small-{}", uuid::Uuid::new_v4()));
    fs::create_dir(&place).unwrap();
    let mounted = "mount -t tmpfs -o \"$1\" tmpfs \"$2\" && shift 2 && exec \"$@\"";
    let inside = |words: &[&str]| {
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--mount", "sh", "-c", mounted, "sh", options]);
        command.arg(&place).args(words).env(PLACE, &place);
        command
    };
    if !inside(&["true"]).output().is_ok_and(|done| done.status.success()) {
        fs::remove_dir(&place).unwrap();
        let reason = "this machine lets nobody mount a small disk";
        let skipped = format!("SKIPPED: {name}: forbidden by this machine: {reason}\n");
        // Not by `eprintln!`, which is shown of tests that fail alone.
        return std::io::stderr().write_all(skipped.as_bytes()).unwrap();
    }
    let program = std::env::current_exe().unwrap();
    let name = format!("full_disk::{name}");
    let words = [program.to_str().unwrap(), "--exact", &name, "--nocapture"];
    let done = inside(&words).output().unwrap();
    fs::remove_dir(&place).unwrap();
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    let complained = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success() && said.contains("1 passed"), "{said}\n{complained}");
}

/// The way to a server, which may be closed.
#[derive(Debug)]
struct Gate {
    store: HttpStore,
    is_open: AtomicBool,
}

impl Receiver for Gate {
    fn receive(&self, project: &ProjectId, lines: &[&[u8]]) -> Result<()> {
        if self.is_open.load(Ordering::SeqCst) {
            return self.store.receive(project, lines);
        }
        Err(Error::new(ErrorKind::Unavailable, "append to the log", "the gate is closed"))
    }
}

/// What is to be found on the server.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Found {
    Record(String),
    Gap { count: u64, first: String, last: String },
}

struct Site {
    disk: PathBuf,
    running: Running,
    gate: Arc<Gate>,
    expected: Vec<Found>,
    sent: u32,
}

fn project() -> ProjectId {
    "p".parse().unwrap()
}

fn delivery(receiver: Arc<dyn Receiver>, disk: &Path, on_full: OnFull, mode: Mode) -> Delivery {
    let options = DeliveryOptions {
        mode,
        on_full,
        // An hour passes in six seconds.
        pace: Pace::times(600),
        ..DeliveryOptions::new(disk.join("spool"))
    };
    Delivery::new(receiver, "https://h", "a1", options)
}

impl Site {
    fn new(disk: &Path) -> Self {
        let running = Running::new();
        running.claim(&project());
        let gate = Gate { store: running.store(Role::Node), is_open: AtomicBool::new(false) };
        let (disk, gate) = (disk.to_owned(), Arc::new(gate));
        Self { disk, running, gate, expected: Vec::new(), sent: 0 }
    }

    fn delivery(&self, on_full: OnFull) -> Delivery {
        self.delivery_as(on_full, Mode::Background)
    }

    fn delivery_as(&self, on_full: OnFull, mode: Mode) -> Delivery {
        delivery(Arc::clone(&self.gate) as Arc<dyn Receiver>, &self.disk, on_full, mode)
    }

    fn opens(&self) {
        self.gate.is_open.store(true, Ordering::SeqCst);
    }

    /// Sends records and takes down what becomes of them; gives how many had no room.
    fn send(&mut self, delivery: &Delivery, count: u32, size: usize) -> u32 {
        let mut without_room = 0;
        for _ in 0..count {
            self.sent += 1;
            let id = format!("r{:05}", self.sent);
            match delivery.send(&record(&id, size)) {
                Ok(Delivered::Dropped) => {
                    without_room += 1;
                    self.expect_gap(&id);
                }
                Ok(_) => self.expected.push(Found::Record(id)),
                Err(error) => {
                    without_room += 1;
                    let told = (error.kind(), error.outcome());
                    let full = (ErrorKind::StorageFull, Some(Outcome::NotWritten));
                    assert_eq!(told, full, "{error}");
                }
            }
        }
        without_room
    }

    fn expect_gap(&mut self, id: &str) {
        let (first, last) = (id.to_owned(), id.to_owned());
        join(&mut self.expected, Found::Gap { count: 1, first, last });
    }

    /// Delivers everything, and looks at what the server has.
    fn drain(&self, delivery: &Delivery) {
        self.opens();
        let Status { waiting, untold, .. } = delivery.flush(LONG).unwrap();
        assert_eq!((waiting, untold), (0, 0));
        assert_eq!(self.found(), self.expected);
        delivery.close().unwrap();
        let left = list(&self.disk.join("spool")).unwrap();
        let left: u64 = left.iter().map(|waiting| waiting.records + waiting.untold).sum();
        assert_eq!(left, 0);
    }

    fn found(&self) -> Vec<Found> {
        let lines = self.running.store(Role::Admin).record_lines("p").unwrap();
        // The first of a gap may have been on its way when the rest came: then two records tell of it.
        lines.iter().fold(Vec::new(), |mut all, line| {
            join(&mut all, found(line));
            all
        })
    }
}

/// Adds what is found next; gaps in a row are one.
fn join(all: &mut Vec<Found>, next: Found) {
    match (all.last_mut(), next) {
        (Some(Found::Gap { count, last, .. }), Found::Gap { count: more, last: end, .. }) => {
            *count += more;
            *last = end;
        }
        (_, next) => all.push(next),
    }
}

fn found(line: &[u8]) -> Found {
    let view = View::parse(line).unwrap();
    if view.stage.to_str() != GAP_STAGE {
        return Found::Record(view.record_id.to_str().into_owned());
    }
    let told: serde_json::Value = serde_json::from_slice(view.payload).unwrap();
    let text = |name: &str| told[name].as_str().unwrap().to_owned();
    let (first, last) = (text("first_record_id"), text("last_record_id"));
    Found::Gap { count: told["count"].as_u64().unwrap(), first, last }
}

/// Takes all room but so many bytes.
fn fill(disk: &Path, but: u64) {
    let mut ballast = fs::File::create(disk.join("ballast")).unwrap();
    while ballast.write_all(&[7; 4096]).is_ok() {}
    let length = ballast.metadata().unwrap().len();
    ballast.set_len(length - but).unwrap();
}

fn empty(disk: &Path) {
    fs::remove_file(disk.join("ballast")).unwrap();
}

/// Takes all names of files.
fn fill_names(disk: &Path) {
    fs::create_dir_all(disk.join("names")).unwrap();
    for number in 0.. {
        if fs::File::create_new(disk.join(format!("names/{number}"))).is_err() {
            return;
        }
    }
}

fn both(disk: &Path, test: impl Fn(&mut Site, OnFull)) {
    for on_full in [OnFull::Drop, OnFull::Raise] {
        let mut site = Site::new(disk);
        test(&mut site, on_full);
        for what in ["spool", "names"] {
            let _ = fs::remove_dir_all(disk.join(what));
        }
    }
}

#[test]
fn while_a_segment_grows() {
    on_a_small_disk("while_a_segment_grows", "size=1m", |disk| {
        both(disk, |site, on_full| {
            fill(disk, 128 * 1024);
            let delivery = site.delivery(on_full);
            let without_room = site.send(&delivery, 300, 1000);
            assert!((100..290).contains(&without_room), "{without_room}");
            assert_eq!(delivery.status().untold > 0, on_full == OnFull::Drop);
            empty(disk);
            assert_eq!(site.send(&delivery, 20, 1000), 0);
            site.drain(&delivery);
        });
    });
}

#[test]
fn before_there_is_a_folder() {
    on_a_small_disk("before_there_is_a_folder", "size=1m", |disk| {
        both(disk, |site, on_full| {
            fill(disk, 0);
            let delivery = site.delivery(on_full);
            assert_eq!(site.send(&delivery, 20, 1000), 20);
            empty(disk);
            assert_eq!(site.send(&delivery, 5, 1000), 0);
            site.drain(&delivery);
        });
    });
}

#[test]
fn a_gap_needs_no_room_where_the_server_is_there() {
    let name = "a_gap_needs_no_room_where_the_server_is_there";
    on_a_small_disk(name, "size=1m", |disk| {
        let mut site = Site::new(disk);
        fill(disk, 0);
        let delivery = site.delivery_as(OnFull::Drop, Mode::Auto);
        assert_eq!(site.send(&delivery, 20, 1000), 20);
        site.opens();
        assert_eq!(delivery.flush(LONG).unwrap().untold, 0);
        assert_eq!(site.send(&delivery, 5, 1000), 0, "the server takes them");
        site.drain(&delivery);
    });
}

/// No segment can be made while names are missing, which is how a roll-over fails.
#[test]
fn where_the_next_segment_begins() {
    on_a_small_disk("where_the_next_segment_begins", "size=16m,nr_inodes=64", |disk| {
        both(disk, |site, on_full| {
            let delivery = site.delivery(on_full);
            assert_eq!(site.send(&delivery, 1, 60_000), 0);
            fill_names(disk);
            let without_room = site.send(&delivery, 100, 60_000);
            assert!((20..40).contains(&without_room), "{without_room}");
            if on_full == OnFull::Drop {
                let counted = list(&disk.join("spool")).unwrap()[0].untold;
                assert_eq!(counted, u64::from(without_room), "the count is not on the disk");
            }
            fs::remove_dir_all(disk.join("names")).unwrap();
            assert_eq!(site.send(&delivery, 5, 60_000), 0);
            site.drain(&delivery);
        });
    });
}

/// A process that sends a record for each line that it is given, from `first` on, and says what
/// becomes of each.
fn writer(site: &Site, first: u32) -> Child {
    let program = std::env::current_exe().unwrap();
    let words = ["--exact", "full_disk::a_writer_that_is_killed", "--nocapture"];
    let mut command = Command::new(program);
    command.args(words).env(PLACE, &site.disk).env(WRITER, first.to_string());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap()
}

/// The other half of [`writer`]; by itself it does nothing.
#[test]
#[allow(clippy::print_stdout, reason = "it tells the process that kills it")]
fn a_writer_that_is_killed() {
    let Ok(first) = std::env::var(WRITER) else { return };
    let first: u32 = first.parse().unwrap();
    let disk = PathBuf::from(std::env::var_os(PLACE).unwrap());
    let nobody = HttpStore::new("http://127.0.0.1:1", Default::default()).unwrap();
    let delivery = delivery(Arc::new(nobody), &disk, OnFull::Drop, Mode::Background);
    for (number, line) in (first..).zip(std::io::stdin().lines()) {
        line.unwrap();
        let id = format!("r{number:05}");
        let what = match delivery.send(&record(&id, 1000)).unwrap() {
            Delivered::Dropped => "dropped",
            _ => "spooled",
        };
        println!("\nWRITER {id} {what}");
    }
}

/// What a writer said of so many records and perhaps one more, while which it is killed after a time.
fn killed(mut child: Child, count: usize, more: Option<Duration>) -> Vec<(String, bool)> {
    let mut told = Vec::new();
    let mut go = child.stdin.take().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut next = || {
        let line = lines.find_map(|line| Some(line.ok()?.strip_prefix("WRITER ")?.to_owned()))?;
        let (id, what) = line.split_once(' ').unwrap();
        Some((id.to_owned(), what == "dropped"))
    };
    for _ in 0..count {
        go.write_all(b"\n").unwrap();
        told.push(next().expect("the writer goes on"));
    }
    if let Some(time) = more {
        go.write_all(b"\n").unwrap();
        std::thread::sleep(time);
    }
    child.kill().unwrap();
    child.wait().unwrap();
    told.extend(std::iter::from_fn(next));
    told
}

#[test]
fn a_count_outlives_a_kill() {
    on_a_small_disk("a_count_outlives_a_kill", "size=1m,nr_inodes=64", |disk| {
        let mut site = Site::new(disk);
        let run = |site: &mut Site, count: usize| {
            let told = killed(writer(site, site.sent + 1), count, None);
            for (id, dropped) in told {
                site.sent += 1;
                match dropped {
                    true => site.expect_gap(&id),
                    false => site.expected.push(Found::Record(id)),
                }
            }
        };
        run(&mut site, 3);
        // Neither a segment can be made nor a line appended, in one process and the next.
        fill(disk, 0);
        fill_names(disk);
        run(&mut site, 40);
        run(&mut site, 30);
        assert!(matches!(site.expected.last(), Some(Found::Gap { count: 70, .. })));
        assert_eq!(list(&disk.join("spool")).unwrap()[0].untold, 70);
        empty(disk);
        fs::remove_dir_all(disk.join("names")).unwrap();
        let delivery = site.delivery(OnFull::Drop);
        site.send(&delivery, 2, 1000);
        site.drain(&delivery);
    });
}

#[test]
fn a_writer_is_killed_in_its_midst() {
    on_a_small_disk("a_writer_is_killed_in_its_midst", "size=1m", |disk| {
        let site = Site::new(disk);
        let mut told = killed(writer(&site, 1), 2, None);
        fill(disk, 32 * 1024);
        const KILLS: u32 = 40;
        for kill in 1..=KILLS {
            let time = Duration::from_micros(u64::from(kill) * 15);
            told.extend(killed(writer(&site, kill * 100), 6, Some(time)));
        }
        let dropped = told.iter().filter(|(_, dropped)| *dropped).count() as u64;
        let spooled = told.len() as u64 - dropped;
        assert!(dropped > 100 && spooled > 20, "{spooled} spooled, {dropped} dropped");
        empty(disk);
        let delivery = site.delivery(OnFull::Drop);
        site.opens();
        assert_eq!(delivery.flush(LONG).unwrap().untold, 0);
        let (mut ids, mut told) = (Vec::new(), 0);
        for found in site.found() {
            match found {
                Found::Record(id) => ids.push(id),
                Found::Gap { count, .. } => told += count,
            }
        }
        assert!(ids.is_sorted_by(|one, next| one < next), "once and in order: {ids:?}");
        // One was under way whenever the process was killed, and nobody was told of it.
        let (records, at_once) = (ids.len() as u64, u64::from(KILLS));
        assert!((spooled..=spooled + at_once).contains(&records), "{records}, said {spooled}");
        assert!((dropped..=dropped + at_once).contains(&told), "{told}, said {dropped}");
        assert!(records + told <= 2 + u64::from(KILLS) * 7, "something is there twice");
    });
}
