//! What the PostgreSQL store costs beside a plain `INSERT` of the same record, in the same run and
//! on the same server: `tools/with-postgres cargo bench -p quark-trace --features postgres --bench
//! postgres`. The first argument is the number of records at the end, a million unless given.

#![allow(clippy::print_stdout, reason = "it is a program")]

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use postgres::{Client, NoTls, Statement};
use quark_trace::core::ids::ProjectId;
use quark_trace::core::ledger::Kind;
use quark_trace::store::{Commit, Durability, NewEntry, PostgresStore, Store};
use quark_trace::verify::{Policy, verify};

const BATCH: usize = 1000;
const SINGLE: usize = 2000;
const BATCHES: usize = 60;
const WAITING: Duration = Duration::from_secs(3);
const THREADS: usize = 8;

static NEXT: AtomicU64 = AtomicU64::new(0);

/// A record of about 275 bytes.
fn record() -> Vec<u8> {
    let id = uuid::Uuid::new_v4();
    let round = NEXT.fetch_add(1, Ordering::Relaxed);
    format!(
        "{{\"record_id\": \"{id}\", \"project_id\": \"speed\", \"stage\": \"client_round\", \
         \"timestamp\": \"2026-01-02T03:04:05.{:06}+00:00\", \"payload\": {{\"round\": {round}, \
         \"client_id\": \"site-7\", \"loss\": 0.2103, \"accuracy\": 0.9312, \"num_examples\": 1024}}}}",
        round % 1_000_000
    )
    .into_bytes()
}

struct Bare {
    client: Client,
    one: Statement,
    many: Statement,
}

impl Bare {
    fn new(url: &str) -> Self {
        let mut client = Client::connect(url, NoTls).expect("a server");
        let one = client.prepare("INSERT INTO bare (body) VALUES ($1)").expect("a statement");
        let many = client.prepare("INSERT INTO bare (body) SELECT unnest($1::bytea[])");
        Self { one, many: many.expect("a statement"), client }
    }

    fn one(&mut self) {
        self.client.execute(&self.one, &[&record()]).expect("an insert");
    }

    fn many(&mut self, lines: &[Vec<u8>]) {
        self.client.execute(&self.many, &[&lines]).expect("an insert");
    }
}

fn append(store: &PostgresStore, project: &ProjectId, lines: &[Vec<u8>]) {
    let entries: Vec<_> = lines.iter().map(|line| NewEntry::new(Kind::Record, line)).collect();
    let commit = Commit { entries: &entries, expected: None, durability: Durability::Sync };
    store.append(project, &commit).expect("an append");
}

fn lines(count: usize) -> Vec<Vec<u8>> {
    (0..count).map(|_| record()).collect()
}

fn us(of: impl FnOnce()) -> f64 {
    let started = Instant::now();
    of();
    started.elapsed().as_secs_f64() * 1e6
}

fn median(mut of: Vec<f64>) -> f64 {
    of.sort_by(f64::total_cmp);
    of[of.len() / 2]
}

fn per_second(each: impl Fn() + Sync) -> f64 {
    let (done, started) = (AtomicU64::new(0), Instant::now());
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                while started.elapsed() < WAITING {
                    each();
                    done.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    done.load(Ordering::Relaxed) as f64 / started.elapsed().as_secs_f64()
}

fn main() {
    let last: usize =
        std::env::args().skip(1).find_map(|word| word.parse().ok()).unwrap_or(1_000_000);
    let url = std::env::var("QUARK_TRACE_TEST_POSTGRES").expect("run it with tools/with-postgres");
    let schema = format!("speed_{}", uuid::Uuid::new_v4().simple());
    let mut admin = Client::connect(&url, NoTls).expect("a server");
    admin
        .batch_execute(&format!(
            "CREATE SCHEMA {schema}; \
             CREATE TABLE {schema}.bare (id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, body BYTEA NOT NULL)"
        ))
        .expect("a schema");
    let url = format!("{url}?options=-c%20search_path%3D{schema}&sslmode=disable");
    let store = PostgresStore::new(&url).expect("a store");
    let project: ProjectId = "speed".parse().expect("an id");
    append(&store, &project, &lines(1));
    println!(
        "{:>9} {:>28} {:>33} {:>33}",
        "records",
        "one durable append, us",
        "batch of 1,000, records/s",
        "8 waiting writers, records/s"
    );
    println!(
        "{:>9} {:>9} {:>9} {:>8} {:>11} {:>11} {:>9} {:>11} {:>11} {:>9}",
        "", "INSERT", "store", "ratio", "INSERT", "store", "ratio", "8 INSERT", "store", "ratio"
    );
    for target in [1_000, 100_000, 1_000_000] {
        if target > last {
            break;
        }
        let size =
            || store.head(&project).expect("a head").map_or(0, |head| head.range.size() as usize);
        while size() + BATCH <= target {
            append(&store, &project, &lines((target - size()).min(5 * BATCH)));
        }
        row(target, &url, &store, &project);
    }
    let started = Instant::now();
    let verdict = verify(&store, &project, &Policy::default()).expect("a verdict");
    println!(
        "verify {} entries: {:.2} s, exit code {}",
        verdict.size,
        started.elapsed().as_secs_f64(),
        verdict.exit_code()
    );
    admin.batch_execute(&format!("DROP SCHEMA {schema} CASCADE")).expect("the schema goes");
}

fn row(size: usize, url: &str, store: &PostgresStore, project: &ProjectId) {
    let mut bare = Bare::new(url);
    let (mut theirs, mut ours) = (Vec::new(), Vec::new());
    for _ in 0..SINGLE {
        theirs.push(us(|| bare.one()));
        let line = [record()];
        ours.push(us(|| append(store, project, &line)));
    }
    let single = (median(theirs), median(ours));
    let (mut theirs, mut ours) = (Vec::new(), Vec::new());
    for _ in 0..BATCHES {
        let (one, other) = (lines(BATCH), lines(BATCH));
        theirs.push(us(|| bare.many(&one)));
        ours.push(us(|| append(store, project, &other)));
    }
    let rate = |us: Vec<f64>| BATCH as f64 * 1e6 / median(us);
    let batch = (rate(theirs), rate(ours));
    let pool = std::sync::Mutex::new((0..THREADS).map(|_| Bare::new(url)).collect::<Vec<_>>());
    let theirs = per_second(|| {
        let mut one = pool.lock().expect("a lock").pop().expect("one a thread");
        one.one();
        pool.lock().expect("a lock").push(one);
    });
    let ours = per_second(|| append(store, project, &[record()]));
    println!(
        "{size:>9} {:>9.0} {:>9.0} {:>8.2} {:>11.0} {:>11.0} {:>9.2} {:>11.0} {:>11.0} {:>9.2}",
        single.0,
        single.1,
        single.1 / single.0,
        batch.0,
        batch.1,
        batch.1 / batch.0,
        theirs,
        ours,
        ours / theirs
    );
}
