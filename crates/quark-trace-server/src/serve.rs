//! Listening, and going down without losing anything.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use axum_server::Handle;
use axum_server::tls_rustls::{RustlsAcceptor, RustlsConfig};
use quark_trace::clock::{Clock, SystemClock};
use quark_trace::store::Store;
use quark_trace::{Error, ErrorKind, Result};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

pub mod connections;

use crate::app::App;
use crate::indexing;
use crate::routes;
use crate::seals;
use crate::settings::{Settings, Tls};
use connections::Capped;

const OPERATION: &str = "start the server";

/// How often what others changed is taken up, and what was refused is written.
const TICK: Duration = Duration::from_secs(1);

/// A server that listens and does not answer yet.
#[derive(Debug)]
pub struct Server {
    app: Arc<App>,
    listener: TcpListener,
    tls: Option<RustlsConfig>,
}

impl Server {
    /// Opens the registry in a store and begins to listen.
    ///
    /// `secret` signs sessions; servers of one store share it, so that somebody who signed in at one
    /// is known at all.
    ///
    /// # Errors
    /// When the store cannot be read, the address is taken, the certificate does not fit, or the
    /// address is not of this machine and neither TLS nor `allow_plain` is set.
    pub fn bind(store: Arc<dyn Store>, settings: Settings, secret: [u8; 32]) -> Result<Self> {
        if settings.tls.is_none() && !settings.allow_plain && !settings.listen.ip().is_loopback() {
            let message = "keys and records would go over the network in the clear; give a \
                           certificate, or allow plain HTTP if a proxy in front ends TLS";
            return Err(Error::new(ErrorKind::InvalidInput, OPERATION, message)
                .on(settings.listen.to_string()));
        }
        let tls = settings.tls.as_ref().map(tls).transpose()?;
        let wrap = |error: io::Error| Error::io(OPERATION, settings.listen.to_string(), error);
        let listener = TcpListener::bind(settings.listen).map_err(wrap)?;
        listener.set_nonblocking(true).map_err(wrap)?;
        let app = Arc::new(App::new(store, settings, secret)?);
        Ok(Self { app, listener, tls })
    }

    /// Where it listens.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// What its requests share.
    pub fn app(&self) -> &Arc<App> {
        &self.app
    }

    /// Answers until `stop` is done. Then no more connections are taken, requests that are under way
    /// get their answers, and everything that was taken is written and sealed.
    pub async fn run(self, stop: impl Future<Output = ()> + Send + 'static) -> Result<()> {
        let Self { app, listener, tls } = self;
        let handle = Handle::new();
        let ending = tokio::spawn(end(Arc::clone(&app), handle.clone(), stop));
        let ticking = tokio::spawn(tick(Arc::clone(&app)));
        let signing = Arc::clone(&app);
        let signing = tokio::task::spawn_blocking(move || seals::sign_what_is_left(&signing));
        let indexing = tokio::spawn(indexing::run(Arc::clone(&app)));
        let service = routes::router(&app).into_make_service_with_connect_info::<SocketAddr>();
        let wrap = |error: io::Error| Error::io("answer requests", "the network", error);
        let mut server = axum_server::from_tcp(listener).map_err(wrap)?.handle(handle);
        set_limits(server.http_builder(), &app);
        // Who says nothing at all is not seen by the limits of the protocols.
        server = server.first_request_timeout(app.settings.limits.header_wait);
        let capped = Capped::new(Arc::clone(&app.admission));
        let served = match tls {
            None => server.acceptor(capped).serve(service).await,
            Some(config) => {
                let acceptor = RustlsAcceptor::new(config)
                    .handshake_timeout(app.settings.limits.header_wait)
                    .acceptor(capped);
                server.acceptor(acceptor).serve(service).await
            }
        };
        ending.abort();
        ticking.abort();
        app.end();
        // A failure of it is in the log.
        let _ = signing.await;
        indexing.abort();
        let closed = tokio::task::spawn_blocking(move || close(&app)).await;
        served.map_err(wrap)?;
        closed.unwrap_or_else(|_| {
            Err(Error::new(ErrorKind::Io, "close the server", "a thread failed"))
        })
    }
}

/// What is written while it goes down, and the checkpoints over it.
fn close(app: &App) -> Result<()> {
    let noted = app.last_used.write(&app.registry, SystemClock.now_us(), true);
    let written = app.audit.write(app.registry.log());
    app.writer.end();
    app.store.close().and(written).and(noted)
}

async fn end(app: Arc<App>, handle: Handle<SocketAddr>, stop: impl Future<Output = ()>) {
    stop.await;
    tracing::info!("going down");
    app.end();
    handle.graceful_shutdown(Some(app.settings.limits.drain));
}

async fn tick(app: Arc<App>) {
    let mut failed_before = false;
    loop {
        tokio::time::sleep(TICK).await;
        let running = Arc::clone(&app);
        let ticked = tokio::task::spawn_blocking(move || {
            running.rates.forget();
            routes::forget_senders();
            routes::sum_up_metrics();
            running.seals.try_again(running.store.as_ref());
            running.seals.tell(running.store.as_ref());
            running.registry.refresh()?;
            let noted = running.last_used.write(&running.registry, SystemClock.now_us(), false);
            // What was refused is written also where that failed.
            running.audit.write(running.registry.log()).and(noted)
        });
        let failed = match ticked.await {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(error.to_string()),
            Err(panicked) => Some(panicked.to_string()),
        };
        if let Some(error) = &failed
            && !failed_before
        {
            tracing::error!(%error, "the registry cannot be brought up to date");
        }
        failed_before = failed.is_some();
    }
}

fn set_limits(
    builder: &mut hyper_util::server::conn::auto::Builder<hyper_util::rt::TokioExecutor>,
    app: &App,
) {
    let limits = &app.settings.limits;
    builder
        .http1()
        .timer(hyper_util::rt::TokioTimer::new())
        .header_read_timeout(limits.header_wait)
        .max_buf_size(limits.header)
        .keep_alive(true);
    builder
        .http2()
        .timer(hyper_util::rt::TokioTimer::new())
        .max_header_list_size(u32::try_from(limits.header).unwrap_or(u32::MAX))
        .max_concurrent_streams(64)
        .initial_stream_window_size(64 * 1024)
        .initial_connection_window_size(256 * 1024)
        .max_send_buf_size(64 * 1024)
        .keep_alive_interval(limits.idle)
        .keep_alive_timeout(limits.header_wait);
}

fn tls(files: &Tls) -> Result<RustlsConfig> {
    let refuse = |path: &std::path::Path, what: String| {
        Error::new(ErrorKind::InvalidInput, OPERATION, what).on(path.display().to_string())
    };
    let read = |path: &std::path::Path| {
        std::fs::read(path).map_err(|error| Error::io(OPERATION, path.display().to_string(), error))
    };
    let chain: std::result::Result<Vec<_>, _> =
        CertificateDer::pem_slice_iter(&read(&files.certificates)?).collect();
    let chain = chain.ok().filter(|chain| !chain.is_empty()).ok_or_else(|| {
        refuse(&files.certificates, "there is no certificate in PEM in it".into())
    })?;
    refuse_open(&files.key)?;
    let key = PrivateKeyDer::from_pem_slice(&read(&files.key)?)
        .map_err(|_| refuse(&files.key, "there is no private key in PEM in it".into()))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key));
    let mut config = config.map_err(|error| refuse(&files.certificates, error.to_string()))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(RustlsConfig::from_config(Arc::new(config)))
}

/// Refuses a private key that others than its owner can read.
#[cfg(unix)]
fn refuse_open(path: &std::path::Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let metadata = std::fs::metadata(path)
        .map_err(|error| Error::io(OPERATION, path.display().to_string(), error))?;
    if metadata.permissions().mode() & 0o077 == 0 {
        return Ok(());
    }
    let message = "others can read the private key; `chmod 600` it";
    Err(Error::new(ErrorKind::PermissionDenied, OPERATION, message).on(path.display().to_string()))
}

#[cfg(not(unix))]
fn refuse_open(_path: &std::path::Path) -> Result<()> {
    Ok(())
}
