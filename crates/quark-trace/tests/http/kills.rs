//! A program that delivers through a spool and is killed at random, with the server up and down.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use quark_trace::core::record::View;

use super::server::{Answer, Request, Server};

/// What the server keeps: ids in their order, each once.
#[derive(Default)]
struct Kept {
    ids: Vec<String>,
    gaps: Vec<String>,
    known: HashSet<Vec<u8>>,
    down: bool,
    calls: u32,
}

fn serve(kept: &Mutex<Kept>, request: &Request) -> Answer {
    let mut kept = kept.lock().unwrap();
    if kept.down {
        return Answer::Hang;
    }
    kept.calls += 1;
    for line in request.body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        if kept.known.insert(line.to_vec()) {
            let view = View::parse(line).unwrap();
            match view.stage.to_str().as_ref() {
                "delivery_gap" => {
                    kept.gaps.push(String::from_utf8_lossy(view.payload).into_owned())
                }
                _ => kept.ids.push(view.record_id.to_str().into_owned()),
            }
        }
    }
    // Now and then the answer is lost.
    if kept.calls % 7 == 3 {
        return Answer::Hang;
    }
    let ids: Vec<_> = request
        .body
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::json!({"record_id": View::parse(line).unwrap().record_id.to_str()}))
        .collect();
    Answer::json(201, &serde_json::json!({"project_id": "demo", "records": ids}))
}

struct Run {
    kept: Arc<Mutex<Kept>>,
    server: Server,
    folder: PathBuf,
}

impl Run {
    fn new() -> Self {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::SeqCst);
        let folder =
            std::env::temp_dir().join(format!("quark-kills-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let kept: Arc<Mutex<Kept>> = Arc::default();
        let served = Arc::clone(&kept);
        let server = Server::start(move |request| serve(&served, request));
        Self { kept, server, folder }
    }

    fn command(&self, count: u64, mode: &str, more: &[&str]) -> Vec<String> {
        let spool = self.folder.join("spool").display().to_string();
        let done = self.folder.join("done").display().to_string();
        let url = self.server.url.clone();
        let count = count.to_string();
        let words =
            [program().display().to_string(), url, spool, done, count, mode.into(), "600".into()];
        words.into_iter().chain(more.iter().map(ToString::to_string)).collect()
    }

    fn is_down(&self, down: bool) {
        self.kept.lock().unwrap().down = down;
    }

    fn done(&self) -> u64 {
        let text = std::fs::read_to_string(self.folder.join("done")).unwrap_or_default();
        text.trim().parse().unwrap_or_default()
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn start(words: &[String]) -> Child {
    Command::new(&words[0]).args(&words[1..]).stdout(Stdio::piped()).spawn().unwrap()
}

fn finish(child: Child) -> String {
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "the program failed");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// The example beside this test program.
fn program() -> PathBuf {
    let own = std::env::current_exe().unwrap();
    let found = own.parent().and_then(Path::parent).unwrap().join("examples/spool_writer");
    assert!(
        found.is_file(),
        "build it with: cargo build -p quark-trace --features http --examples"
    );
    found
}

/// Numbers that look random and are the same each time.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

fn is_once_and_in_order(ids: &[String], count: u64) {
    let expected: Vec<String> = (1..=count).map(|number| format!("r{number:08}")).collect();
    let differs = ids.iter().zip(&expected).position(|(found, expected)| found != expected);
    assert_eq!(
        differs,
        None,
        "{:?}",
        differs.map(|at| &ids[at.saturating_sub(2)..(at + 3).min(ids.len())])
    );
    assert_eq!(ids.len() as u64, count);
}

fn killed_at_random(mode: &str, count: u64, outage: Duration) {
    let run = Run::new();
    let words = run.command(count, mode, &[]);
    let mut numbers = Numbers(0x9E37_79B9_7F4A_7C15);
    let begun = Instant::now();
    run.is_down(true);
    let mut kills = 0;
    while run.done() < count || begun.elapsed() < outage {
        run.is_down(begun.elapsed() < outage || numbers.below(3) == 0);
        let mut child = start(&words);
        std::thread::sleep(Duration::from_millis(20 + numbers.below(400)));
        child.kill().unwrap();
        child.wait().unwrap();
        kills += 1;
        assert!(begun.elapsed() < Duration::from_secs(120), "{} of {count}", run.done());
    }
    run.is_down(false);
    assert_eq!(finish(start(&words)), "waiting 0 dropped 0 raised 0");
    is_once_and_in_order(&run.kept.lock().unwrap().ids, count);
    assert!(kills >= 3, "only {kills} kills");
    let left = std::fs::read_dir(run.folder.join("spool")).unwrap().count();
    assert_eq!(left, 1, "one folder for the server");
}

#[test]
fn an_hour_without_server_and_a_client_that_is_killed_again_and_again() {
    // Time passes 600 times as fast.
    killed_at_random("background", 100_000, Duration::from_secs(6));
}

#[test]
fn auto_is_killed_too() {
    killed_at_random("auto", 3_000, Duration::from_secs(1));
}

/// Runs with files limited to 32 KiB, as a disk that is full is seen by a program.
fn on_a_full_disk(run: &Run, count: u64, more: &[&str]) -> String {
    let words = run.command(count, "background", more);
    let limited = "trap '' XFSZ; ulimit -f 64; exec \"$@\"";
    let mut all = vec!["sh".to_owned(), "-c".to_owned(), limited.to_owned(), "sh".to_owned()];
    all.extend(words);
    run.is_down(true);
    let child = start(&all);
    let begun = Instant::now();
    while run.done() < count {
        assert!(begun.elapsed() < Duration::from_secs(60), "{} of {count}", run.done());
        std::thread::sleep(Duration::from_millis(20));
    }
    run.is_down(false);
    finish(child)
}

#[test]
fn a_full_disk_raises() {
    let run = Run::new();
    let told = on_a_full_disk(&run, 2000, &["1000000000"]);
    let raised: u64 = told.rsplit(' ').next().unwrap().parse().unwrap();
    assert!(told.starts_with("waiting 0 dropped 0") && raised > 1000, "{told}");
    let kept = run.kept.lock().unwrap();
    assert_eq!(kept.ids.len() as u64 + raised, 2000);
    assert_eq!(kept.gaps, Vec::<String>::new());
}

#[test]
fn a_full_disk_drops_and_tells() {
    let run = Run::new();
    let told = on_a_full_disk(&run, 2000, &["1000000000", "drop"]);
    let dropped: u64 = told.split(' ').nth(3).unwrap().parse().unwrap();
    assert!(told.starts_with("waiting 0") && dropped > 1000, "{told}");
    let kept = run.kept.lock().unwrap();
    assert_eq!(kept.ids.len() as u64 + dropped, 2000);
    let told: u64 = kept
        .gaps
        .iter()
        .map(|gap| {
            serde_json::from_str::<serde_json::Value>(gap).unwrap()["count"].as_u64().unwrap()
        })
        .sum();
    assert_eq!(told, dropped, "{:?}", kept.gaps);
}
