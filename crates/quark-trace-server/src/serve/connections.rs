//! How many connections there may be, of all and of one address.

use std::collections::HashMap;
use std::future::{Ready, ready};
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use axum_server::accept::Accept;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

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
    all: usize,
    of: HashMap<IpAddr, usize>,
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

    /// A place for a connection from an address, if there is one.
    fn admit(self: &Arc<Self>, address: IpAddr) -> Option<Place> {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let of_one = counts.of.get(&address).copied().unwrap_or_default();
        if counts.all >= self.most || of_one >= self.most_of_one {
            return None;
        }
        counts.all += 1;
        counts.of.insert(address, of_one + 1);
        metrics::gauge!("quark_trace_connections").set(counts.all as f64);
        Some(Place { admission: Arc::clone(self), address })
    }
}

/// The place of a connection, given back when it is dropped.
#[derive(Debug)]
pub struct Place {
    admission: Arc<Admission>,
    address: IpAddr,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.admission.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.all -= 1;
        metrics::gauge!("quark_trace_connections").set(counts.all as f64);
        let left = counts.of.get(&self.address).map_or(0, |count| count - 1);
        match left {
            0 => drop(counts.of.remove(&self.address)),
            left => drop(counts.of.insert(self.address, left)),
        }
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
        let admitted = stream.peer_addr().map(|address| self.0.admit(address.ip()));
        ready(match admitted {
            Ok(Some(place)) => {
                // Small answers must not wait for more.
                let _ = stream.set_nodelay(true);
                Ok((Counted { stream, _place: place }, service))
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
    _place: Place,
}

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
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
