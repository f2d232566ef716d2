//! The HTTP side of the admin API.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{Html, IntoResponse, Json, Response};
use axum::routing::{get, post};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::switchover::{Progress, Request as Switch};

use super::api::{Admin, SwitchoverRequest, duration};

/// Serves until `stop`.
///
/// # Errors
/// As the system says when the address cannot be served.
pub async fn serve(
    listener: crate::net::AdminListener,
    admin: Arc<Admin>,
    stop: CancellationToken,
) -> std::io::Result<()> {
    let router = Router::new()
        .route("/v1/status", get(status))
        .route("/v1/sessions", get(sessions))
        .route("/v1/flights", get(flights))
        .route("/v1/events", get(events))
        .route("/v1/switchover", post(switchover))
        .route("/v1/hold", post(hold))
        .route("/v1/release", post(release))
        .route("/v1/drain", post(drain))
        .route("/v1/reload", post(reload))
        .route_layer(middleware::from_fn_with_state(admin.clone(), authorized))
        .route("/livez", get(async || "ok\n"))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .route("/", get(page))
        .fallback(async || problem(StatusCode::NOT_FOUND, "no such path; see GET /v1/status"))
        .with_state(admin);
    axum::serve(listener.into_inner(), router).with_graceful_shutdown(stop.cancelled_owned()).await
}

fn problem(status: StatusCode, text: &str) -> Response {
    (status, Json(json!({ "error": text }))).into_response()
}

/// The bearer token, when one is set. Probes and metrics need none.
async fn authorized(State(admin): State<Arc<Admin>>, request: Request, next: Next) -> Response {
    if let Some(token) = &admin.token {
        let given = request.headers().get(header::AUTHORIZATION).and_then(|v| v.to_str().ok());
        let given = given.and_then(|v| v.strip_prefix("Bearer ")).unwrap_or_default();
        let same = aws_lc_rs::constant_time::verify_slices_are_equal(given.as_bytes(), token.as_bytes());
        if same.is_err() {
            return problem(StatusCode::UNAUTHORIZED, "a bearer token is needed (admin.token)");
        }
    }
    next.run(request).await
}

async fn readyz(State(admin): State<Arc<Admin>>) -> Response {
    if admin.is_ready() {
        return "ok\n".into_response();
    }
    let why = if admin.leaving.load(Ordering::Acquire) { "leaving\n" } else { "no primary was seen yet\n" };
    (StatusCode::SERVICE_UNAVAILABLE, why).into_response()
}

async fn metrics(State(admin): State<Arc<Admin>>) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], admin.metrics_text()).into_response()
}

async fn status(State(admin): State<Arc<Admin>>) -> Response {
    Json(admin.status()).into_response()
}

async fn sessions(State(admin): State<Arc<Admin>>) -> Response {
    Json(json!({ "sessions": admin.registry.views() })).into_response()
}

/// The last flights, the newest first.
async fn flights(State(admin): State<Arc<Admin>>) -> Response {
    Json(json!({ "flights": admin.flights.flights() })).into_response()
}

/// What happens from now on, as server-sent events. Who reads too slowly is cut off: the stream ends.
async fn events(State(admin): State<Arc<Admin>>) -> Response {
    let stopped = admin.leave.clone();
    let listener = admin.flights.events().listen();
    let stream = futures_util::stream::unfold((listener, stopped), async |(mut listener, stopped)| {
        let happening = tokio::select! {
            happening = listener.next() => happening?,
            () = stopped.cancelled() => return None,
        };
        let event = Event::default().id(happening.number.to_string()).event(happening.kind);
        let event = event.json_data(&happening).unwrap_or_default();
        Some((Ok::<_, Infallible>(event), (listener, stopped)))
    });
    Sse::new(stream).keep_alive(KeepAlive::default()).into_response()
}

async fn page() -> Html<&'static str> {
    Html(include_str!("page.html"))
}

/// A JSON body; an empty one counts as `{}`. Errors say what was expected.
fn body<T: Default + for<'a> Deserialize<'a>>(bytes: &Bytes) -> Result<T, Box<Response>> {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Ok(T::default());
    }
    serde_json::from_slice(bytes)
        .map_err(|e| Box::new(problem(StatusCode::BAD_REQUEST, &format!("the body is not as expected: {e}"))))
}

/// Streams progress as server-sent events; the last one is the report. The switchover runs to its end whoever listens.
async fn switchover(State(admin): State<Arc<Admin>>, bytes: Bytes) -> Response {
    let request: SwitchoverRequest = match body(&bytes) {
        Ok(request) => request,
        Err(response) => return *response,
    };
    let drain_timeout = match &request.drain_timeout {
        None => None,
        Some(value) => match duration(value) {
            Some(timeout) => Some(timeout),
            None => {
                let text = "drain_timeout must be seconds or text like \"5s\"";
                return problem(StatusCode::BAD_REQUEST, text);
            }
        },
    };
    let (sender, mut receiver) = mpsc::unbounded_channel();
    let runner = admin.clone();
    let request = Switch { to: request.to, dry_run: request.dry_run, drain_timeout };
    let task = tokio::spawn(async move {
        let result = runner.coordinator.run(request, &sender).await;
        if let Ok(report) = &result {
            runner.count(report);
        }
        result.map(drop)
    });
    let first = receiver.recv().await;
    let Some(first) = first else {
        let text = match task.await {
            Ok(Err(text)) => text,
            _ => "the switchover ended without a report".to_owned(),
        };
        return problem(StatusCode::CONFLICT, &text);
    };
    let events = async_stream(first, receiver);
    Sse::new(events).into_response()
}

fn async_stream(
    first: Progress,
    receiver: mpsc::UnboundedReceiver<Progress>,
) -> impl futures_core::Stream<Item = Result<Event, Infallible>> {
    futures_util::stream::unfold((Some(first), receiver), async |(first, mut receiver)| {
        let progress = match first {
            Some(progress) => progress,
            None => receiver.recv().await?,
        };
        let name = match &progress {
            Progress::Phase { .. } => "phase",
            Progress::PhaseEnd(_) => "phase_end",
            Progress::Report(_) => "report",
        };
        let event = Event::default().event(name).json_data(&progress).unwrap_or_default();
        Some((Ok(event), (None, receiver)))
    })
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct HoldRequest {
    #[serde(default)]
    ttl: Option<serde_json::Value>,
}

/// `{"ttl": 30}` in seconds, or `{"ttl": "30s"}`.
async fn hold(State(admin): State<Arc<Admin>>, bytes: Bytes) -> Response {
    let request: HoldRequest = match body(&bytes) {
        Ok(request) => request,
        Err(response) => return *response,
    };
    let ttl = request.ttl.as_ref().map_or(Some(Duration::from_secs(30)), duration);
    let max_ttl = *admin.max_ttl.lock();
    let Some(ttl) = ttl.filter(|t| !t.is_zero() && *t <= max_ttl) else {
        let text =
            format!("ttl must be above 0 and at most {} s, like \"30s\" (hold.max_ttl)", max_ttl.as_secs());
        return problem(StatusCode::BAD_REQUEST, &text);
    };
    Json(admin.holder.hold(ttl).await).into_response()
}

async fn release(State(admin): State<Arc<Admin>>) -> Response {
    Json(admin.holder.release().await).into_response()
}

/// Leaves service: not ready from now on; the process ends when its units have.
async fn drain(State(admin): State<Arc<Admin>>) -> Response {
    admin.leaving.store(true, Ordering::Release);
    admin.leave.cancel();
    Json(json!({ "leaving": true, "sessions": admin.registry.len() })).into_response()
}

async fn reload(State(admin): State<Arc<Admin>>) -> Response {
    match (admin.reload.0)() {
        Ok(done) => Json(done).into_response(),
        Err(text) => problem(StatusCode::UNPROCESSABLE_ENTITY, &text),
    }
}
