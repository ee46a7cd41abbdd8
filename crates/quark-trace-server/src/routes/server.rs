//! What the server says of itself.

use std::sync::{Arc, OnceLock};

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use serde::Serialize;

use crate::app::App;
use crate::problem::{Code, Problem};
use crate::registry::ledger;

static METRICS: OnceLock<PrometheusHandle> = OnceLock::new();

/// Has the measurements of this process collected; the second time nothing.
pub fn install_metrics() {
    const SECONDS: [f64; 12] =
        [0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0];
    METRICS.get_or_init(|| {
        let builder = PrometheusBuilder::new();
        let builder = builder.set_buckets(&SECONDS).unwrap_or_else(|_| PrometheusBuilder::new());
        let recorder = builder.build_recorder();
        let handle = recorder.handle();
        // Another recorder of this process keeps what it has.
        let _ = metrics::set_global_recorder(recorder);
        handle
    });
}

/// Sums up what was measured since the last time. Single measurements are kept until then, or until
/// somebody asks for them, which on many servers nobody ever does.
pub fn sum_up_metrics() {
    if let Some(handle) = METRICS.get() {
        handle.run_upkeep();
    }
}

/// Says whether the process answers.
#[utoipa::path(
    get,
    path = "/health",
    tag = "Server",
    operation_id = "readHealth",
    responses((status = 200, description = "It does.", body = ref("#/components/schemas/Health")))
)]
pub async fn health() -> Json<serde_json::Value> {
    Json(serde_json::json!({"status": "ok"}))
}

/// Says whether requests should be sent here.
#[utoipa::path(
    get,
    path = "/ready",
    tag = "Server",
    operation_id = "readReadiness",
    description = "They should while the store can be read, what is written can be signed, and the \
                   server is not going down.",
    responses((status = 200, description = "Yes.", body = ref("#/components/schemas/Health")))
)]
pub async fn ready(State(app): State<Arc<App>>) -> Result<Json<serde_json::Value>, Problem> {
    if app.is_ending() {
        return Err(Problem::new(Code::Unavailable, "the server is going down"));
    }
    if !app.writer.is_well() {
        return Err(Problem::new(Code::Unavailable, "a thread that writes has ended"));
    }
    let store = Arc::clone(&app.store);
    let unsigned = app.blocking(move || {
        store.head(&ledger()?)?;
        Ok(store.unsigned().len())
    });
    match unsigned.await? {
        0 => {}
        // Which ones is for the server's log: anybody may ask here.
        1 => return Err(unsigned_logs("1 log")),
        count => return Err(unsigned_logs(&format!("{count} logs"))),
    }
    Ok(Json(serde_json::json!({"status": "ready"})))
}

fn unsigned_logs(which: &str) -> Problem {
    let detail = format!(
        "{which} cannot be signed; what is sent is kept all the same, and the server's log says why"
    );
    Problem::new(Code::Unavailable, detail)
}

/// What a server says of itself.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct About {
    name: &'static str,
    version: &'static str,
    api: &'static str,
}

/// Says what this is.
#[utoipa::path(
    get,
    path = "/about",
    tag = "Server",
    operation_id = "readAbout",
    responses((status = 200, description = "Name and versions.", body = About))
)]
pub async fn about() -> Json<About> {
    let version = env!("CARGO_PKG_VERSION");
    Json(About { name: "quark-trace", version, api: "1" })
}

/// The measurements, for Prometheus.
#[utoipa::path(
    get,
    path = "/metrics",
    tag = "Server",
    operation_id = "readMetrics",
    responses((status = 200, description = "In Prometheus' text format.",
               body = String, content_type = "text/plain"))
)]
pub async fn metrics() -> impl IntoResponse {
    let text = METRICS.get().map(PrometheusHandle::render).unwrap_or_default();
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text)
}
