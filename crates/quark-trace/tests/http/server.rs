//! A server on this machine that answers what a test says, byte for byte.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use quark_trace::store::http::HttpOptions;
use quark_trace::store::{HttpStore, Password};

pub const KEY: &str = "qt_a-secret-key";

/// What a client sent.
#[derive(Debug, Clone)]
pub struct Request {
    #[allow(dead_code, reason = "seen when a test fails")]
    pub method: String,
    pub target: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// What it is answered.
#[derive(Debug, Clone)]
pub enum Answer {
    /// A status and a body, with their length.
    Whole(u16, Vec<u8>),
    /// These bytes, and then the end of the connection.
    Raw(Vec<u8>),
    /// The head of an answer, and then a byte now and then for ever.
    Slow,
    /// Nothing: the connection is closed.
    Hang,
}

impl Answer {
    pub fn json(status: u16, body: &serde_json::Value) -> Self {
        Self::Whole(status, body.to_string().into_bytes())
    }

    pub fn text(status: u16, body: &str) -> Self {
        Self::Whole(status, body.as_bytes().to_vec())
    }
}

type Serve = dyn Fn(&Request) -> Answer + Send + Sync;

pub struct Server {
    pub url: String,
    pub requests: Arc<Mutex<Vec<Request>>>,
    pub connections: Arc<Mutex<usize>>,
    ending: Arc<AtomicBool>,
}

impl Server {
    pub fn start(serve: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (requests, connections) = (Arc::default(), Arc::default());
        let ending = Arc::new(AtomicBool::new(false));
        let server = Self { url, requests, connections, ending };
        let (requests, connections) = (server.requests.clone(), server.connections.clone());
        let (ending, serve): (_, Arc<Serve>) = (server.ending.clone(), Arc::new(serve));
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if ending.load(Ordering::SeqCst) {
                    return;
                }
                *connections.lock().unwrap() += 1;
                let (requests, serve, ending) = (requests.clone(), serve.clone(), ending.clone());
                thread::spawn(move || converse(&stream, &requests, serve.as_ref(), &ending));
            }
        });
        server
    }

    pub fn store(&self) -> HttpStore {
        self.store_with(HttpOptions::default())
    }

    pub fn store_with(&self, options: HttpOptions) -> HttpStore {
        let api_key = Some(Password::new(KEY));
        HttpStore::new(&self.url, HttpOptions { api_key, ..options }).unwrap()
    }

    pub fn count(&self) -> usize {
        self.requests.lock().unwrap().len()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.ending.store(true, Ordering::SeqCst);
        drop(TcpStream::connect(self.url.trim_start_matches("http://")));
    }
}

fn converse(
    stream: &TcpStream,
    requests: &Mutex<Vec<Request>>,
    serve: &Serve,
    ending: &AtomicBool,
) {
    let mut reader = BufReader::new(stream);
    while let Some(request) = read(&mut reader, stream) {
        if ending.load(Ordering::SeqCst) {
            return;
        }
        requests.lock().unwrap().push(request.clone());
        let mut out = stream;
        match serve(&request) {
            Answer::Whole(status, body) => {
                let length = body.len();
                let head = format!(
                    "HTTP/1.1 {status} X\r\ncontent-length: {length}\r\nlocation: /other\r\n\r\n"
                );
                if out.write_all(&[head.as_bytes(), &body].concat()).is_err() {
                    return;
                }
            }
            Answer::Raw(bytes) => {
                let _ = out.write_all(&bytes);
                return;
            }
            Answer::Hang => return,
            Answer::Slow => {
                let _ = out.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n");
                while out.write_all(b" ").is_ok() && !ending.load(Ordering::SeqCst) {
                    thread::sleep(Duration::from_millis(50));
                }
                return;
            }
        }
    }
}

fn read(reader: &mut impl BufRead, mut out: &TcpStream) -> Option<Request> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
    let mut words = line.split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        headers.push((name.to_ascii_lowercase(), value.to_owned()));
    }
    if headers.iter().any(|(name, _)| name == "expect") {
        // As HTTP servers do; a client waits for it for a second.
        out.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").ok()?;
    }
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length = length.map_or(0, |(_, value)| value.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Request { method, target, headers, body })
}
