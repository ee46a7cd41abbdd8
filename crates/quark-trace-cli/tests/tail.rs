//! `tail -f` beside a process that writes.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use session::Session;

mod session;

/// Ends the follower when the test ends.
struct Follower(Child, Receiver<String>);

impl Follower {
    fn start(session: &Session, arguments: &[&str]) -> Self {
        let mut child = session.command(arguments).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (send, receive) = channel();
        std::thread::spawn(move || {
            lines.map_while(Result::ok).try_for_each(|line| send.send(line))
        });
        Self(child, receive)
    }

    fn line(&self) -> String {
        self.1.recv_timeout(Duration::from_secs(20)).expect("a line in time")
    }

    fn is_silent(&self) -> bool {
        self.1.recv_timeout(Duration::from_millis(700)).is_err()
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn shows_each_record_once_and_in_order() {
    let session = Session::with_demo();
    let follower = Follower::start(&session, &["tail", "-f", "-n", "1", "traces", "demo"]);
    assert!(follower.line().ends_with("evaluation accuracy=0.97 ok=true"));
    for round in 0..20 {
        session.run(&["log", "traces", "demo", "round", &format!("round={round}")]).done();
    }
    for round in 0..20 {
        assert!(follower.line().ends_with(&format!(" round round={round}")));
    }
    assert!(follower.is_silent());
}

#[test]
fn begins_before_the_log_does() {
    let session = Session::new();
    let follower = Follower::start(&session, &["tail", "-f", "--json", "traces", "demo"]);
    assert!(follower.is_silent());
    session.run(&["log", "traces", "demo", "start"]).done();
    assert!(follower.line().contains(r#""stage": "start""#));
}

#[test]
fn shows_lines_of_0_1_0_once_although_they_are_adopted_later() {
    let session = Session::with_demo();
    let follower = Follower::start(&session, &["tail", "-f", "-n", "1", "traces", "demo"]);
    assert!(follower.line().contains("evaluation"), "it has begun");
    let line = r#"{"record_id": "1", "project_id": "demo", "stage": "old", "timestamp": "t", "payload": {}}"#;
    let file = session.folder.join("traces/demo_trace_log.jsonl");
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.append(true).open(file).unwrap();
    std::io::Write::write_all(&mut file, format!("{line}\n").as_bytes()).unwrap();
    assert!(follower.line().contains("old"));
    session.run(&["seal", "traces", "demo"]).done();
    session.run(&["log", "traces", "demo", "new"]).done();
    assert!(follower.line().contains("new"), "the adopted line is not shown again");
    assert!(follower.is_silent());
}

#[cfg(unix)]
#[test]
fn ends_when_nobody_reads_it_although_nothing_comes() {
    let session = Session::with_demo();
    let mut command = session.command(&["tail", "-f", "-n", "1", "traces", "demo"]);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut reader = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    assert!(line.contains("evaluation"), "{line}");
    drop(reader);
    // Fails by never ending.
    assert!(child.wait().unwrap().success());
}
