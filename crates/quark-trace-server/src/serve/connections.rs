//! How many connections there may be, of all and of one address, and which of them gives way.
//!
//! When all places are taken, the connection that has waited longest without a request gives its
//! place to the newcomer: who opens connections and says nothing locks out nobody.

use std::collections::{BTreeMap, HashMap};
use std::future::{Future, Ready, ready};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use axum_server::accept::Accept;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

use crate::access::rate::network;
use crate::settings::Limits;

/// Counts connections.
#[derive(Debug)]
pub struct Admission {
    counts: Mutex<Counts>,
    most: usize,
    most_of_one: usize,
}

#[derive(Debug, Default)]
struct Counts {
    of: HashMap<IpAddr, usize>,
    connections: HashMap<SocketAddr, Connection>,
    /// Those without a request, the longest without one first.
    waiting: BTreeMap<u64, SocketAddr>,
    next_turn: u64,
}

#[derive(Debug)]
struct Connection {
    /// Requests that are being answered.
    requests: usize,
    /// Its place in `waiting`, while there are none.
    turn: u64,
    /// Dropped to close it.
    _open: oneshot::Sender<()>,
}

impl Admission {
    /// No connections yet.
    pub fn new(limits: &Limits) -> Arc<Self> {
        Arc::new(Self {
            counts: Mutex::default(),
            most: limits.connections,
            most_of_one: limits.connections_per_address,
        })
    }

    /// Says that a request of this client is being answered, as long as what is returned is kept.
    pub fn begin(self: &Arc<Self>, client: SocketAddr) -> Answering {
        let mut counts = self.counts();
        if let Some(connection) = counts.connections.get_mut(&client) {
            connection.requests += 1;
            let turn = connection.turn;
            counts.waiting.remove(&turn);
        }
        Answering { admission: Arc::clone(self), client }
    }

    /// A place for a connection, if there is one or one can be had.
    fn admit(self: &Arc<Self>, client: SocketAddr) -> Option<Place> {
        let mut counts = self.counts();
        let address = network(Some(client));
        let of_one = counts.of.get(&address).copied().unwrap_or_default();
        if of_one >= self.most_of_one {
            return None;
        }
        if counts.connections.len() >= self.most {
            let (_, longest) = counts.waiting.pop_first()?;
            metrics::counter!("quark_trace_connections_displaced_total").increment(1);
            counts.forget(longest);
        }
        let (open, closed) = oneshot::channel();
        *counts.of.entry(address).or_default() += 1;
        let turn = counts.wait(client);
        counts.connections.insert(client, Connection { requests: 0, turn, _open: open });
        metrics::gauge!("quark_trace_connections").set(counts.connections.len() as f64);
        Some(Place { admission: Arc::clone(self), client, closed })
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counts {
    /// Puts a connection last among those without a request.
    fn wait(&mut self, client: SocketAddr) -> u64 {
        self.next_turn += 1;
        self.waiting.insert(self.next_turn, client);
        self.next_turn
    }

    /// Closes a connection, if it is not closed.
    fn forget(&mut self, client: SocketAddr) {
        let Some(connection) = self.connections.remove(&client) else { return };
        self.waiting.remove(&connection.turn);
        let address = network(Some(client));
        match self.of.get(&address).map_or(0, |count| count - 1) {
            0 => drop(self.of.remove(&address)),
            left => drop(self.of.insert(address, left)),
        }
    }
}

/// A request that is being answered; its connection is not closed for another.
#[derive(Debug)]
pub struct Answering {
    admission: Arc<Admission>,
    client: SocketAddr,
}

impl Drop for Answering {
    fn drop(&mut self) {
        let counts = &mut *self.admission.counts();
        let Some(connection) = counts.connections.get_mut(&self.client) else { return };
        connection.requests = connection.requests.saturating_sub(1);
        if connection.requests == 0 {
            let turn = counts.wait(self.client);
            if let Some(connection) = counts.connections.get_mut(&self.client) {
                connection.turn = turn;
            }
        }
    }
}

/// The place of a connection, given back when it is dropped.
#[derive(Debug)]
pub struct Place {
    admission: Arc<Admission>,
    client: SocketAddr,
    closed: oneshot::Receiver<()>,
}

impl Drop for Place {
    fn drop(&mut self) {
        let counts = &mut *self.admission.counts();
        // One that gave way has none; its port may be another's by now.
        if self.closed.try_recv() == Err(oneshot::error::TryRecvError::Empty) {
            counts.forget(self.client);
        }
        metrics::gauge!("quark_trace_connections").set(counts.connections.len() as f64);
    }
}

/// Takes connections as long as there are places, and closes the others at once.
#[derive(Debug, Clone)]
pub struct Capped(Arc<Admission>);

impl Capped {
    /// Counts with this.
    pub fn new(admission: Arc<Admission>) -> Self {
        Self(admission)
    }
}

impl<S> Accept<TcpStream, S> for Capped {
    type Stream = Counted;
    type Service = S;
    type Future = Ready<io::Result<(Counted, S)>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        let admitted = stream.peer_addr().map(|address| self.0.admit(address));
        ready(match admitted {
            Ok(Some(place)) => {
                // Small answers must not wait for more.
                let _ = stream.set_nodelay(true);
                Ok((Counted { stream, place }, service))
            }
            Ok(None) => {
                metrics::counter!("quark_trace_connections_refused_total").increment(1);
                Err(io::Error::other("too many connections"))
            }
            Err(error) => Err(error),
        })
    }
}

/// A connection that has a place.
#[derive(Debug)]
pub struct Counted {
    stream: TcpStream,
    place: Place,
}

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if Pin::new(&mut self.place.closed).poll(context).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Counted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admission(most: usize, most_of_one: usize) -> Arc<Admission> {
        Admission::new(&Limits {
            connections: most,
            connections_per_address: most_of_one,
            ..Limits::default()
        })
    }

    fn client(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    fn is_closed(place: &mut Place) -> bool {
        place.closed.try_recv() == Err(oneshot::error::TryRecvError::Closed)
    }

    #[test]
    fn who_waits_longest_without_a_request_gives_way() {
        let admission = admission(3, 9);
        let clients = ["10.0.0.1:1", "10.0.0.1:2", "10.0.0.2:1", "10.0.0.3:1", "10.0.0.3:2"];
        let mut places: Vec<_> =
            clients[..3].iter().map(|text| admission.admit(client(text)).unwrap()).collect();
        let answering = admission.begin(client(clients[0]));
        places.push(admission.admit(client(clients[3])).unwrap());
        let closed: Vec<_> = places.iter_mut().map(is_closed).collect();
        assert_eq!(closed, [false, true, false, false]);

        // Answered just now, it waits for less long than all others.
        drop(answering);
        places.push(admission.admit(client(clients[4])).unwrap());
        let closed: Vec<_> = places.iter_mut().map(is_closed).collect();
        assert_eq!(closed, [false, true, true, false, false]);
        drop(places);
        assert!(admission.counts().connections.is_empty());
        assert!(admission.counts().of.is_empty() && admission.counts().waiting.is_empty());
    }

    #[test]
    fn nobody_gives_way_while_all_are_answered() {
        let admission = admission(1, 9);
        let _place = admission.admit(client("10.0.0.1:1")).unwrap();
        let answering = admission.begin(client("10.0.0.1:1"));
        assert!(admission.admit(client("10.0.0.2:1")).is_none());
        drop(answering);
        assert!(admission.admit(client("10.0.0.2:1")).is_some());
    }

    #[test]
    fn a_network_of_64_bits_is_one_address() {
        let admission = admission(9, 2);
        let places = ["[2001:db8::1]:1", "[2001:db8::ffff:2]:1", "[2001:db8:0:1::1]:1"]
            .map(|text| admission.admit(client(text)));
        assert!(places.iter().all(Option::is_some));
        assert!(admission.admit(client("[2001:db8::3]:1")).is_none());
    }
}
