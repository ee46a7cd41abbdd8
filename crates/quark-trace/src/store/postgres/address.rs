//! Which server, as whom, and how well protected on the way: what a URL says.
//!
//! `postgres://user:password@host:port/database?sslmode=verify-full&sslrootcert=root.crt`, as libpq
//! has it. A password is neither shown nor part of any error.

use std::error::Error as _;
use std::fmt;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use postgres::config::SslMode;
use postgres::error::DbError;
use postgres::{Client, Config};

use super::fault::{Fault, Moment};
use super::tls::{Protection, Tls};
use crate::error::{Error, ErrorKind, Outcome, Result};

const OPERATION: &str = "open the store";
/// A server that does not answer is given up after this time, unless the URL says otherwise.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);
/// What was sent and is not even acknowledged by the other machine after this time is lost.
const ACKNOWLEDGED_WITHIN: Duration = Duration::from_secs(30);

/// Where a server is and how to get in.
#[derive(Clone)]
pub(super) struct Address {
    config: Config,
    tls: Tls,
    prepares: bool,
    /// Without secrets.
    url: String,
}

impl Address {
    /// Reads a URL; no connection is made.
    pub fn parse(url: &str) -> Result<Self> {
        let parts = Parts::split(url)?;
        let mut tls = Tls::default();
        let mut prepares = true;
        let mut ours = String::new();
        for pair in parts.query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            match name {
                "sslmode" => tls.protection = Protection::parse(value)?,
                "sslrootcert" => tls.root = Some(unescaped(value)?),
                "prepare" => prepares = switch(value)?,
                _ => {
                    ours.push(if ours.is_empty() { '?' } else { '&' });
                    ours.push_str(pair);
                }
            }
        }
        let text = format!("postgres://{}{}{ours}", parts.authority, parts.database);
        // The driver's own error may quote what it could not read.
        let mut config: Config = text.parse().map_err(|_| malformed(
            "a part of it cannot be read; characters such as @ / : # ? in a password are written \
             with %, and options are those of libpq",
        ))?;
        config.ssl_mode(match tls.protection {
            Protection::Disable => SslMode::Disable,
            Protection::Prefer => SslMode::Prefer,
            _ => SslMode::Require,
        });
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT_WITHIN);
        }
        if config.get_tcp_user_timeout().is_none() {
            config.tcp_user_timeout(ACKNOWLEDGED_WITHIN);
        }
        if config.get_application_name().is_none() {
            config.application_name("quark-trace");
        }
        let host = parts.authority.rsplit_once('@').map_or(parts.authority, |(_, host)| host);
        let user = config.get_user().map_or(String::new(), |user| format!("{user}@"));
        let url = format!("postgres://{user}{host}{}", parts.database);
        Ok(Self { config, tls, prepares, url })
    }

    /// Uses this password where the URL names none.
    pub fn set_password(&mut self, password: &str) {
        if self.config.get_password().is_none() {
            self.config.password(password);
        }
    }

    /// The URL without secrets.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Whether statements are prepared once and kept by the server. Some poolers give each
    /// transaction another session, and forget them.
    pub fn prepares(&self) -> bool {
        self.prepares
    }

    /// Opens a connection.
    pub fn connect(
        &self,
        notice: impl Fn(DbError) + Send + Sync + 'static,
    ) -> Result<Client, Fault> {
        let mut config = self.config.clone();
        config.notice_callback(notice);
        let tls = self.tls.connector()?;
        let limit = self.limit();
        // The driver's own limit ends with the connection; the server's first word has none.
        let (sender, receiver) = mpsc::sync_channel(1);
        let connect = move || drop(sender.send(config.connect(tls)));
        let unreachable = |kind, why: String| {
            let message = format!("the server cannot be reached: {why}");
            Fault::new(kind, message, Outcome::NotWritten)
        };
        thread::Builder::new()
            .name("quark-trace connect".to_owned())
            .spawn(connect)
            .map_err(|error| unreachable(ErrorKind::Io, error.to_string()))?;
        match receiver.recv_timeout(limit) {
            Ok(Ok(client)) => Ok(client),
            Ok(Err(error)) if error.as_db_error().is_some() => {
                Err(Fault::of(&error, Moment::Before))
            }
            Ok(Err(error)) if self.config.get_password().is_none() && lacks_password(&error) => {
                let message = "the server asks for a password and none is given; the command and \
                               Python take it from PGPASSWORD";
                Err(Fault::new(ErrorKind::PermissionDenied, message, Outcome::NotWritten))
            }
            Ok(Err(error)) => {
                let fault = Fault::of(&error, Moment::Before);
                Err(unreachable(fault.kind, fault.message))
            }
            Err(_) => {
                let why = format!("it gave no answer within {} s", limit.as_secs());
                Err(unreachable(ErrorKind::Io, why))
            }
        }
    }

    /// How long connecting may take: each host its time, and once more to let us in.
    fn limit(&self) -> Duration {
        let hosts = u32::try_from(self.config.get_hosts().len()).unwrap_or(1);
        let each = self.config.get_connect_timeout().copied().unwrap_or(CONNECT_WITHIN);
        each.saturating_mul(hosts.saturating_add(1))
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Address").field(&self.url).finish()
    }
}

/// A URL taken apart, its parts still escaped.
struct Parts<'a> {
    authority: &'a str,
    /// With its slash; empty where none is named.
    database: &'a str,
    query: &'a str,
}

impl<'a> Parts<'a> {
    fn split(url: &'a str) -> Result<Self> {
        let (_, rest) = url
            .split_once("://")
            .filter(|(scheme, _)| {
                ["postgres", "postgresql"].iter().any(|known| scheme.eq_ignore_ascii_case(known))
            })
            .ok_or_else(|| malformed("it does not begin with postgres://"))?;
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, database) = place.split_at(place.find('/').unwrap_or(place.len()));
        // A password with such a character would be taken apart, and part of it for the host.
        let cut = database.contains(['@', ':'])
            || authority.matches('@').count() > 1
            || (query.contains('@') && !authority.contains('@'));
        if cut || place.contains('#') || database.matches('/').count() > 1 {
            return Err(malformed(
                "characters such as @ / : # ? in a password are written with %: %40 %2F %3A %23 %3F",
            ));
        }
        Ok(Self { authority, database, query })
    }
}

pub(super) fn malformed(why: &str) -> Error {
    let message = format!("this is no URL of a PostgreSQL database: {why}");
    Error::new(ErrorKind::InvalidInput, OPERATION, message).with_outcome(Outcome::NotWritten)
}

/// Whether the driver had no password to give. It has no other sign of that than these words of its
/// own, which a test holds it to.
fn lacks_password(error: &postgres::Error) -> bool {
    error.source().is_some_and(|source| source.to_string() == "password missing")
}

fn switch(value: &str) -> Result<bool> {
    match value {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err(malformed("prepare is on or off")),
    }
}

fn unescaped(value: &str) -> Result<String> {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        rest = after;
        if first == b'%' {
            let digits = after.get(..2).and_then(|two| std::str::from_utf8(two).ok());
            let byte = digits.and_then(|two| u8::from_str_radix(two, 16).ok());
            bytes.push(byte.ok_or_else(|| malformed("a % is not followed by two digits"))?);
            rest = &after[2..];
        } else {
            bytes.push(first);
        }
    }
    String::from_utf8(bytes).map_err(|_| malformed("a value is not UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_never_shown() {
        for url in [
            "postgres://me:geheim@db.example.org:5433/traces?sslmode=require",
            "postgresql://me@db.example.org:5433/traces?password=geheim",
            "postgres://db.example.org:5433/traces?user=me&password=geheim&sslmode=disable",
        ] {
            let address = Address::parse(url).unwrap();
            assert_eq!(address.url(), "postgres://me@db.example.org:5433/traces");
            assert!(!format!("{address:?}").contains("geheim"));
        }
    }

    #[test]
    fn what_cannot_be_read_is_refused_without_quoting_it() {
        for url in [
            "postgres://me:ge/heim@host/db",
            "postgres://me:geheim@host:port/db",
            "postgres://me:ge#heim@host/db",
            "postgres://me:ge?heim@host/db",
            "postgres://me:ge@heim@host/db",
            "postgres://me:geheim@host/db?sslmode=maybe",
            "postgres://me:geheim@host/db?no_such_option=geheim",
            "postgres://me:geheim@host/db?prepare=perhaps",
            "postgres://me:geheim@host/db?sslrootcert=%zz",
            "mysql://me:geheim@host/db",
        ] {
            let error = Address::parse(url).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{url}");
            assert!(!error.to_string().contains("heim"), "{error}");
            assert!(!format!("{error:?}").contains("heim"), "{error:?}");
        }
    }

    #[test]
    fn several_hosts_may_be_named() {
        let url = "postgres://me@one:5432,two:5433/db?target_session_attrs=read-write";
        assert_eq!(Address::parse(url).unwrap().url(), "postgres://me@one:5432,two:5433/db");
    }
}
