//! What is the same for all routes: which names the server has, where forms may come from, headers
//! that browsers obey, an id for each request.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::body::{Body, HttpBody};
use axum::extract::{ConnectInfo, MatchedPath, Request};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, Version, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use http_body_util::BodyExt;
use tower_http::catch_panic::CatchPanicLayer;

use crate::app::App;
use crate::pages::fault;
use crate::problem::{Code, Problem};
use crate::serve::connections::Answering;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What browsers may do with our pages: load styles, images and the one script from here, send forms
/// here, and nothing else.
const CONTENT_POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; \
     script-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; \
     frame-ancestors 'none'; require-trusted-types-for 'script'";

const HEADERS: [(HeaderName, &str); 5] = [
    (header::CONTENT_SECURITY_POLICY, CONTENT_POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
];

/// Puts it round all routes.
pub fn around(app: &Arc<App>, router: Router) -> Router {
    let app = Arc::clone(app);
    router
        .layer(CatchPanicLayer::custom(|_| {
            Problem::new(Code::Internal, "the server failed; try again").unknown().into_response()
        }))
        .layer(from_fn(move |request, next| pass(Arc::clone(&app), request, next)))
}

async fn pass(app: Arc<App>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let client = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0);
    let answering = client.map(|client| app.admission.begin(client));
    let id = uuid::Uuid::new_v4().simple().to_string();
    let asked_method = request.method().clone();
    let method = name_of_method(&asked_method);
    // Where a length and chunks come together, somebody in between may have read another end. The
    // length is not shown to us, so whatever is behind a body in chunks is not read at all.
    let is_last = request.version() == Version::HTTP_11
        && request.headers().contains_key(header::TRANSFER_ENCODING);
    // The route, not the path: an id in it is somebody's.
    let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let route = route.unwrap_or_else(|| "none".to_owned());
    let page =
        fault::is_page(request.uri()).then(|| (request.uri().clone(), request.headers().clone()));
    let mut response = match refuse(&app, &request) {
        Some(problem) => problem.into_response(),
        None => next.run(request).await,
    };
    if let Some(mut problem) = response.extensions_mut().remove::<Problem>() {
        problem.request_id = Some(id.clone());
        problem.hide_keys();
        let headers = std::mem::take(response.headers_mut());
        response = match &page {
            None => problem.into_response(),
            Some((uri, asked)) => fault::answer(&app, &asked_method, uri, asked, problem)
                .unwrap_or_else(IntoResponse::into_response),
        };
        for (name, value) in &headers {
            let is_of_body = [header::CONTENT_LENGTH, header::CONTENT_TYPE].contains(name);
            if !is_of_body {
                response.headers_mut().insert(name, value.clone());
            }
        }
    }
    let status = response.status();
    let seconds = started.elapsed().as_secs_f64();
    tracing::info!(%id, method, route, status = status.as_u16(), seconds, "answered");
    let labels =
        [("method", method.to_owned()), ("route", route), ("status", status.as_u16().to_string())];
    metrics::histogram!("quark_trace_request_seconds", &labels).record(seconds);
    dress(&app, response.headers_mut(), &id);
    if is_last {
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(header::CONNECTION, close);
    }
    until_the_end(response, answering)
}

/// Adds what every answer has.
fn dress(app: &App, headers: &mut HeaderMap, id: &str) {
    for (name, value) in HEADERS {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    if app.settings.tls.is_some() {
        let year = HeaderValue::from_static("max-age=31536000");
        headers.insert(header::STRICT_TRANSPORT_SECURITY, year);
    }
    if let Ok(id) = HeaderValue::from_str(id) {
        headers.insert(REQUEST_ID, id);
    }
}

/// A long answer is under way until its last part was taken.
fn until_the_end(response: Response, answering: Option<Answering>) -> Response {
    if response.body().size_hint().exact().is_some() {
        return response;
    }
    response.map(|body| {
        Body::new(body.map_frame(move |frame| {
            let _held = &answering;
            frame
        }))
    })
}

/// The method, if it is one that is known: it is a label of the measurements, which would grow with
/// what somebody invents, and what is written to the log must be nobody's slip.
fn name_of_method(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PATCH" => "PATCH",
        "PUT" => "PUT",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => "other",
    }
}

/// Why a request is refused whatever it asks: it was meant for another host (a page elsewhere whose
/// name leads here would be ours to the browser), or a page elsewhere sends it to change something.
fn refuse(app: &App, request: &Request) -> Option<Problem> {
    let host = host_of(request.headers(), request.uri());
    let Some(host) = host else {
        return Some(Problem::new(Code::InvalidInput, "the request names no host"));
    };
    // Whoever watches over servers calls them by their addresses, and is told nothing but their state.
    let is_watched = matches!(request.uri().path(), "/health" | "/ready");
    if !is_ours(app, &host) && !is_watched {
        let detail = "this server does not go by that name; start it with --host";
        return Some(Problem::new(Code::Misdirected, detail));
    }
    if request.method().is_safe() {
        return None;
    }
    let origin = request.headers().get(header::ORIGIN)?;
    let same = origin.to_str().ok().and_then(|origin| origin.split_once("://"));
    if same.is_some_and(|(_, from)| from.eq_ignore_ascii_case(&host)) {
        return None;
    }
    Some(Problem::new(Code::Forbidden, "a page of another site sent this").not_written())
}

/// The host that a request names, with its port.
fn host_of(headers: &HeaderMap, uri: &Uri) -> Option<String> {
    if let Some(authority) = uri.authority() {
        return Some(authority.as_str().to_owned());
    }
    let mut named = headers.get_all(header::HOST).iter();
    match (named.next(), named.next()) {
        (Some(host), None) => host.to_str().ok().map(str::to_owned),
        _ => None,
    }
}

fn is_ours(app: &App, host: &str) -> bool {
    let Some(name) = name_of(host) else { return false };
    let is_address = name
        .parse::<IpAddr>()
        .is_ok_and(|address| address.is_loopback() || address == app.settings.listen.ip());
    is_address
        || name.eq_ignore_ascii_case("localhost")
        || app
            .settings
            .hosts
            .iter()
            .any(|known| known.eq_ignore_ascii_case(name) || known.eq_ignore_ascii_case(host))
}

/// The name in a host, without its port; `None` where it is more than these.
fn name_of(host: &str) -> Option<&str> {
    let (name, port) = match host.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?,
        None => host.split_at(host.find(':').unwrap_or(host.len())),
    };
    let is_port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit());
    (port.is_empty() || port.strip_prefix(':').is_some_and(is_port)).then_some(name)
}
