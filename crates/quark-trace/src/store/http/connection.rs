//! Calls to one server: the connections that are kept, what every call carries, and what is read of
//! an answer.

use std::io::{ErrorKind as ErrorOfIo, Read};
use std::sync::{Arc, Mutex, PoisonError};

use rustls::crypto::ring;
use ureq::http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::unversioned::transport::DefaultConnector;
use ureq::{Agent, Body, Proxy};

use super::address::Address;
use super::fault::{self, Answered, Effect};
use super::names::{Names, Resolving};
use super::settings::HttpOptions;
use crate::error::{Error, ErrorKind, Result};

/// So many bytes are read of an answer that is no success.
const PROBLEM_LIMIT: u64 = 64 * 1024;
/// A body of more bytes is sent when the server has said that it takes it, or says nothing for a second.
const ASKED: usize = 64 * 1024;
/// Connections that are kept for threads that call at the same time.
const KEPT: usize = 4;

/// One call.
#[derive(Debug, Clone, Copy)]
pub(super) struct Call<'a> {
    /// What is done, as a verb phrase.
    pub operation: &'static str,
    pub effect: Effect,
    pub path: &'a [&'a str],
    pub query: &'a [(&'a str, &'a str)],
    pub accept: &'static str,
    /// Media type and bytes of what is sent.
    pub body: Option<(&'static str, &'a [u8])>,
    /// Whether the answer is read bit by bit, so that only the wait for its next bytes is bounded.
    pub streamed: bool,
}

impl<'a> Call<'a> {
    pub fn read(operation: &'static str, path: &'a [&'a str]) -> Self {
        let (effect, accept) = (Effect::Read, "application/json");
        Self { operation, effect, path, query: &[], accept, body: None, streamed: false }
    }

    pub fn write(operation: &'static str, path: &'a [&'a str]) -> Self {
        Self {
            effect: Effect::Write,
            body: Some(("application/json", b"")),
            ..Self::read(operation, path)
        }
    }
}

/// The way to a server.
#[derive(Debug)]
pub(super) struct Connection {
    address: Address,
    options: HttpOptions,
    /// Made with the first call: reading the certificates of the system takes a while.
    agent: Mutex<Option<Arc<Agent>>>,
    names: Arc<Names>,
}

impl Connection {
    pub fn new(url: &str, options: HttpOptions) -> Result<Self> {
        let address = Address::parse(url)?;
        options.check_key()?;
        proxy(&options)?;
        if address.is_exposed() && !options.allow_plain {
            let message = "the key would cross the network in the clear; give a URL that begins \
                           with https://, or allow it";
            return Err(
                Error::new(ErrorKind::InvalidInput, "open the store", message).on(address.as_str())
            );
        }
        Ok(Self { address, options, agent: Mutex::new(None), names: Arc::default() })
    }

    pub fn url(&self) -> &str {
        self.address.as_str()
    }

    pub fn options(&self) -> &HttpOptions {
        &self.options
    }

    /// Closes what is kept; the next call connects anew.
    pub fn close(&self) {
        drop(self.agent.lock().unwrap_or_else(PoisonError::into_inner).take());
    }

    /// The whole answer, as far as it is a success.
    pub fn call(&self, call: &Call<'_>) -> Result<Vec<u8>> {
        let answer = self.open(call)?;
        let limit = self.options.answer_limit;
        let mut bytes = Vec::new();
        let mut reader = answer.into_body().into_with_config().limit(u64::MAX).reader();
        let read = reader.by_ref().take(limit + 1).read_to_end(&mut bytes);
        read.map_err(|error| self.unanswered(call, ureq::Error::from(error)))?;
        if bytes.len() as u64 > limit {
            let what = format!("it is larger than {limit} bytes");
            return Err(fault::malformed(call.operation, what).on(self.url()));
        }
        Ok(bytes)
    }

    /// An answer that is a success, to be read bit by bit.
    pub fn open(&self, call: &Call<'_>) -> Result<Response<Body>> {
        let agent = self.agent()?;
        let mut sent = self.send(&agent, call);
        // A connection that was kept and that the server closed meanwhile; reading is harmless.
        if call.effect == Effect::Read && sent.as_ref().is_err_and(was_cut) {
            sent = self.send(&agent, call);
        }
        let answer = sent.map_err(|source| self.unanswered(call, source))?;
        let status = answer.status().as_u16();
        if (200..300).contains(&status) {
            return Ok(answer);
        }
        let said = answered(status, answer.headers());
        let mut body = Vec::new();
        let reader = answer.into_body().into_with_config().limit(u64::MAX).reader();
        // Without a reason the status has to do.
        let _ = reader.take(PROBLEM_LIMIT).read_to_end(&mut body);
        Err(fault::answered(call.operation, call.effect, said, &body).on(self.url()))
    }

    fn send(&self, agent: &Agent, call: &Call<'_>) -> Result<Response<Body>, ureq::Error> {
        let url = self.address.of(call.path, call.query);
        let method = if call.body.is_some() { "POST" } else { "GET" };
        let mut request = Request::builder().method(method).uri(url).header("accept", call.accept);
        if let Some(key) = &self.options.api_key
            && let Ok(mut value) = HeaderValue::from_str(key.reveal())
        {
            value.set_sensitive(true);
            request = request.header("x-api-key", value);
        }
        let Some((media_type, body)) = call.body else {
            let deadline = if call.streamed { None } else { Some(self.options.deadline) };
            let request = agent.configure_request(request.body(())?);
            return agent.run(request.timeout_global(deadline).build());
        };
        let request = request.header("content-type", media_type).body(body)?;
        if body.len() <= ASKED {
            return agent.run(request);
        }
        // Otherwise a refusal that comes while the body is sent looks like a connection that broke.
        let mut asking = request.clone();
        asking.headers_mut().insert("expect", HeaderValue::from_static("100-continue"));
        match agent.run(asking)? {
            // Somebody in between does not know that.
            answer if answer.status() == StatusCode::EXPECTATION_FAILED => agent.run(request),
            answer => Ok(answer),
        }
    }

    fn agent(&self) -> Result<Arc<Agent>> {
        let mut kept = self.agent.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(agent) = kept.as_ref() {
            return Ok(Arc::clone(agent));
        }
        let agent = Arc::new(self.make_agent()?);
        *kept = Some(Arc::clone(&agent));
        Ok(agent)
    }

    fn make_agent(&self) -> Result<Agent> {
        let options = &self.options;
        let tls = TlsConfig::builder()
            .root_certs(self.roots()?)
            .unversioned_rustls_crypto_provider(Arc::new(ring::default_provider()))
            .build();
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(proxy(options)?)
            .user_agent(concat!("quark-trace/", env!("CARGO_PKG_VERSION")))
            .tls_config(tls)
            .max_idle_connections(KEPT)
            .max_idle_connections_per_host(KEPT)
            .timeout_resolve(Some(options.connect_timeout))
            .timeout_connect(Some(options.connect_timeout))
            .timeout_recv_response(Some(options.read_timeout))
            .timeout_per_read(Some(options.read_timeout))
            .timeout_per_write(Some(options.read_timeout))
            .timeout_global(Some(options.deadline))
            .build();
        let names = Resolving(Arc::clone(&self.names));
        Ok(Agent::with_parts(config, DefaultConnector::default(), names))
    }

    fn roots(&self) -> Result<RootCerts> {
        if !self.address.as_str().starts_with("https") {
            return Ok(RootCerts::new_with_certs(&[]));
        }
        let Some(path) = &self.options.roots else {
            let found = rustls_native_certs::load_native_certs().certs;
            let found: Vec<_> =
                found.iter().map(|der| Certificate::from_der(der).to_owned()).collect();
            return Ok(RootCerts::new_with_certs(&found));
        };
        let text = std::fs::read(path).map_err(|error| {
            Error::io("read the certificates", path.display().to_string(), error)
        })?;
        let found = parse_pem(&text).filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        });
        let found: Vec<_> = found.collect();
        if found.is_empty() {
            return Err(refused("there is no certificate in the file of root certificates"));
        }
        Ok(RootCerts::new_with_certs(&found))
    }

    fn unanswered(&self, call: &Call<'_>, source: ureq::Error) -> Error {
        self.names.forget();
        fault::unanswered(call.operation, call.effect, source).on(self.url())
    }
}

fn proxy(options: &HttpOptions) -> Result<Option<Proxy>> {
    let proxy = options.proxy.as_deref().map(Proxy::new).transpose();
    proxy.map_err(|_| refused("the proxy must be like http://host:8080"))
}

/// Whether the connection ended before an answer.
fn was_cut(source: &ureq::Error) -> bool {
    matches!(source, ureq::Error::Protocol(_))
        || matches!(source, ureq::Error::Io(error) if error.kind() != ErrorOfIo::ConnectionRefused)
}

fn refused(message: &str) -> Error {
    Error::new(ErrorKind::InvalidInput, "open the store", message)
}

fn answered(status: u16, headers: &HeaderMap) -> Answered {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let request_id = text("x-request-id").filter(|id| id.len() <= 80).map(ToOwned::to_owned);
    let retry_after_s = text("retry-after").and_then(|seconds| seconds.parse().ok());
    Answered { status, request_id, retry_after_s, is_told: false }
}
