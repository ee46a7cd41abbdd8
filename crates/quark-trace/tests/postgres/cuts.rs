//! Connections that are cut at some byte, on the way there or on the way back.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use quark_trace::core::ledger::Kind;
use quark_trace::store::{Commit, Durability, NewEntry, PostgresStore, Store};
use quark_trace::verify::{Policy, verify};
use quark_trace::{ErrorKind, Outcome};

use crate::server::{Schema, count};
use crate::sharing::{append, line};

/// Passes bytes on between a client and the server until its patience for one direction is used up.
struct Proxy {
    port: u16,
    there: Arc<AtomicI64>,
    back: Arc<AtomicI64>,
}

const NEVER: i64 = i64::MAX / 2;

impl Proxy {
    fn new(server: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (there, back) = (Arc::new(AtomicI64::new(NEVER)), Arc::new(AtomicI64::new(NEVER)));
        let proxy = Self { port, there: Arc::clone(&there), back: Arc::clone(&back) };
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let (Ok(client), Ok(server)) = (client, TcpStream::connect(&server)) else {
                    return;
                };
                let others = (client.try_clone().unwrap(), server.try_clone().unwrap());
                let (there, back) = (Arc::clone(&there), Arc::clone(&back));
                std::thread::spawn(move || pass(client, server, &there));
                std::thread::spawn(move || pass(others.1, others.0, &back));
            }
        });
        proxy
    }

    /// Cuts after so many more bytes on the way there, or back.
    fn cut_after(&self, there: i64, back: i64) {
        self.there.store(there, Ordering::SeqCst);
        self.back.store(back, Ordering::SeqCst);
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, left: &AtomicI64) {
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        let before = left.fetch_sub(count as i64, Ordering::SeqCst);
        let whole = before >= count as i64;
        let part = if whole { count } else { before.max(0) as usize };
        if to.write_all(&buffer[..part]).is_err() || !whole {
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}

fn append_batch(store: &PostgresStore, ids: &[String]) -> quark_trace::Result<()> {
    let lines: Vec<Vec<u8>> = ids.iter().map(|id| line(id)).collect();
    let entries: Vec<NewEntry<'_>> = lines
        .iter()
        .zip(ids)
        .map(|(line, id)| NewEntry { record_id: Some(id), ..NewEntry::new(Kind::Record, line) })
        .collect();
    let commit = Commit { entries: &entries, expected: None, durability: Durability::Sync };
    store.append(&"demo".parse()?, &commit).map(drop)
}

#[test]
fn a_batch_is_there_whole_or_not_at_all_wherever_the_connection_is_cut() {
    let schema = Schema::new();
    let direct = schema.open();
    append(&direct, "first").unwrap();
    let server = schema.url.split('@').nth(1).unwrap().split('/').next().unwrap().to_owned();
    let proxy = Proxy::new(server.clone());
    let through = schema.url.replace(&server, &format!("127.0.0.1:{}", proxy.port));
    let through = format!("{through}&sslmode=disable");
    let (mut unknown, mut not_written, mut there_all_the_same, mut round) = (0, 0, 0, 0);
    // Close steps at the beginning, where statements are short, wide ones inside a batch.
    let steps = (0..60).map(|n| n * 29).chain((0..20).map(|n| 2000 + n * 211));
    for bytes in steps {
        for (there, back) in [(bytes, NEVER), (NEVER, bytes)] {
            // A fresh handle takes the lock of the row, one that has written does without.
            for warm in [false, true] {
                proxy.cut_after(NEVER, NEVER);
                let store = PostgresStore::new(&through).unwrap();
                if warm {
                    append(&store, &format!("warm-{round}")).unwrap();
                } else {
                    store.projects().unwrap();
                }
                proxy.cut_after(there, back);
                let ids: Vec<String> = (0..8).map(|n| format!("cut-{round}-{n}")).collect();
                round += 1;
                let Err(error) = append_batch(&store, &ids) else {
                    proxy.cut_after(NEVER, NEVER);
                    continue;
                };
                proxy.cut_after(NEVER, NEVER);
                let found: i64 = ids.iter().map(|id| count(&schema, id)).sum();
                match error.outcome() {
                    Some(Outcome::NotWritten) => {
                        not_written += 1;
                        assert_eq!(found, 0, "cut after {bytes}: {error}");
                    }
                    Some(Outcome::Unknown) => {
                        unknown += 1;
                        there_all_the_same += i64::from(found == 8);
                    }
                    None => panic!("a write says what became of it: {error}"),
                }
                assert!(matches!(error.kind(), ErrorKind::Io), "cut after {bytes}: {error}");
                assert!(found == 0 || found == 8, "a batch is there in part");
                append_batch(&store, &ids).unwrap();
                let now: Vec<i64> = ids.iter().map(|id| count(&schema, id)).collect();
                assert_eq!(now, [1; 8], "cut after {bytes}, tried again");
            }
        }
    }
    assert!(not_written > 10, "{not_written} cuts before anything was written");
    assert!(unknown > 10, "{unknown} cuts of which nobody knows");
    assert!(there_all_the_same > 0, "an answer was lost at least once");
    let verdict = verify(&direct, &"demo".parse().unwrap(), &Policy::default()).unwrap();
    assert!(!verdict.is_tampered(), "{verdict:?}");
}
