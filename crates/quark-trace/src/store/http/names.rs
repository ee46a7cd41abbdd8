//! Finding a server's addresses.
//!
//! Every call asks for them, also one that takes a kept connection, and asking the system takes a
//! thread, which has to end within a time. So that a call costs none, an address is taken as it is
//! and a name is asked for now and then.

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use ureq::Error;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

/// How long what was found for a name is used.
const FRESH: Duration = Duration::from_secs(30);
/// Most addresses of one name.
const ADDRESSES: usize = 16;
/// Most names: a server, and a proxy.
const NAMES: usize = 4;

/// What was found for the names that calls go to.
#[derive(Debug, Default)]
pub(super) struct Names(Mutex<Vec<Found>>);

#[derive(Debug)]
struct Found {
    name: String,
    at: Instant,
    addresses: Vec<SocketAddr>,
}

impl Names {
    /// Forgets all names: a server that cannot be reached may have another address by now.
    pub fn forget(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// The addresses of a name and port; `ask` is asked where none are known.
    fn find(
        &self,
        (name, port): (&str, u16),
        now: Instant,
        ask: impl FnOnce(String) -> Result<Vec<SocketAddr>, Error>,
    ) -> Result<Vec<SocketAddr>, Error> {
        let bare = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
        if let Ok(address) = bare.parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(address, port)]);
        }
        let name = format!("{name}:{port}");
        let is_fresh = |found: &Found| now.saturating_duration_since(found.at) < FRESH;
        {
            let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(found) = known.iter().find(|found| found.name == name && is_fresh(found)) {
                return Ok(found.addresses.clone());
            }
        }
        let addresses = ask(name.clone())?;
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|found| found.name != name && is_fresh(found));
        known.truncate(NAMES - 1);
        known.push(Found { name, at: now, addresses: addresses.clone() });
        Ok(addresses)
    }
}

/// [`Names`] as the HTTP client asks them.
#[derive(Debug)]
pub(super) struct Resolving(pub std::sync::Arc<Names>);

impl Resolver for Resolving {
    fn resolve(
        &self,
        uri: &Uri,
        _: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, Error> {
        let standard = match uri.scheme_str() {
            Some("https") => 443,
            _ => 80,
        };
        let name = uri.host().ok_or(Error::HostNotFound)?;
        let port = uri.port_u16().unwrap_or(standard);
        let ask = |name| ask_system(name, timeout);
        let addresses = self.0.find((name, port), Instant::now(), ask)?;
        let mut found = self.empty();
        addresses.into_iter().take(ADDRESSES).for_each(|address| found.push(address));
        if found.is_empty() { Err(Error::HostNotFound) } else { Ok(found) }
    }
}

/// Asks the system for the addresses of `name:port`, which may take it minutes, and no longer than a
/// call may take.
fn ask_system(name: String, timeout: NextTimeout) -> Result<Vec<SocketAddr>, Error> {
    if timeout.after.is_not_happening() {
        return Ok(name.to_socket_addrs()?.collect());
    }
    let (sender, receiver) = sync_channel(1);
    let asking = thread::Builder::new().name("quark-trace-names".to_owned());
    asking.spawn(move || {
        // Nobody waits any more when it took too long.
        let _ = sender.send(name.to_socket_addrs().map(Vec::from_iter));
    })?;
    match receiver.recv_timeout(*timeout.after) {
        Ok(found) => Ok(found?),
        Err(RecvTimeoutError::Timeout) => Err(Error::Timeout(timeout.reason)),
        Err(RecvTimeoutError::Disconnected) => {
            Err(io::Error::other("the thread that asks for addresses ended").into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn never(_: String) -> Result<Vec<SocketAddr>, Error> {
        Err(Error::HostNotFound)
    }

    #[test]
    fn an_address_is_not_asked_for() {
        let names = Names::default();
        for (name, address) in [("127.0.0.1", "127.0.0.1:80"), ("[::1]", "[::1]:80")] {
            let found = names.find((name, 80), Instant::now(), never).unwrap();
            assert_eq!(found, [address.parse().unwrap()]);
        }
    }

    #[test]
    fn a_name_is_asked_for_now_and_then_and_again_when_it_was_forgotten() {
        let (names, start) = (Names::default(), Instant::now());
        let one: Vec<SocketAddr> = vec!["192.0.2.1:80".parse().unwrap()];
        let asked = |found: &[SocketAddr]| {
            let found = found.to_vec();
            move |name: String| {
                assert_eq!(name, "h.example:80");
                Ok(found)
            }
        };
        let name = ("h.example", 80);
        assert_eq!(names.find(name, start, asked(&one)).unwrap(), one);
        assert_eq!(names.find(name, start + FRESH / 2, never).unwrap(), one);
        assert!(names.find(name, start + FRESH, never).is_err());
        assert_eq!(names.find(name, start + FRESH, asked(&one)).unwrap(), one);
        names.forget();
        assert!(names.find(name, start + FRESH, never).is_err());
    }

    #[test]
    fn names_of_many_servers_do_not_pile_up() {
        let (names, now) = (Names::default(), Instant::now());
        for number in 0..20 {
            names.find((&format!("h{number}"), 80), now, |_| Ok(Vec::new())).unwrap();
        }
        assert!(names.0.lock().unwrap().len() <= NAMES);
    }
}
