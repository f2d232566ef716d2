//! A client for the admin API.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};

use super::arguments::AdminOptions;
use super::{print, tell};

/// Time for connecting to the admin API.
const CONNECT: Duration = Duration::from_secs(5);

/// Why a command came to nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    /// What is wrong, in a sentence.
    pub(super) text: String,
    /// The command's exit code: 1 failed, 2 it was asked for in a wrong way, 3 a person must look.
    pub(super) code: u8,
    /// The proxy may have begun with it: the request had left, and no answer came.
    pub(super) sent: bool,
}

impl Failure {
    /// What was given to the command is wrong.
    pub(super) fn usage(text: impl Into<String>) -> Self {
        Self { text: text.into(), code: 2, sent: false }
    }

    /// It could not be done, and nothing has changed.
    fn failed(text: impl Into<String>) -> Self {
        Self { text: text.into(), code: 1, sent: false }
    }

    /// The API's own word. Its status says whose fault it is.
    fn refused(status: StatusCode, body: &[u8]) -> Self {
        let value: Value = serde_json::from_slice(body).unwrap_or_default();
        let text = value.get("error").and_then(Value::as_str).unwrap_or("the request was refused");
        match status {
            StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED => Self::usage(text),
            _ => Self::failed(text),
        }
    }

    /// Tells it, with `json` on standard output as well, and gives the exit code.
    pub(super) fn told(&self, json: bool) -> u8 {
        tell(&self.text);
        if json {
            print(&json!({ "error": self.text }).to_string());
        }
        self.code
    }
}

/// Sends one request and gives the response with its body still to be read; an error answer is an error.
pub(super) async fn send(
    options: &AdminOptions,
    method: Method,
    path: &str,
    body: Option<&Value>,
) -> Result<Response<Incoming>, Failure> {
    let host = options.admin.trim_end_matches('/').strip_prefix("http://").ok_or_else(|| {
        Failure::usage(format!("--admin {}: must look like http://host:port", options.admin))
    })?;
    let address = if host.contains(':') { host.to_owned() } else { format!("{host}:9307") };
    let unreachable = |e: &dyn std::fmt::Display| {
        Failure::failed(format!("no proxy answers at {}: {e} (--admin)", options.admin))
    };
    let stream = tokio::time::timeout(CONNECT, crate::net::dial_plain(&address))
        .await
        .map_err(|_| unreachable(&"timed out"))?
        .map_err(|e| unreachable(&e))?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|e| unreachable(&e))?;
    tokio::spawn(connection);
    let mut request = Request::builder().method(method).uri(path).header("host", host);
    if let Some(token) = &options.token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let body = body.map(Value::to_string).unwrap_or_default();
    let request = request
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from(body)))
        .map_err(|e| Failure::usage(format!("--admin or --token: {e}")))?;
    let lost = |e| Failure { sent: true, ..unreachable(&e) };
    let response = sender.send_request(request).await.map_err(lost)?;
    if response.status().is_success() {
        return Ok(response);
    }
    let status = response.status();
    let body = response.into_body().collect().await.map(|b| b.to_bytes()).unwrap_or_default();
    Err(Failure::refused(status, &body))
}

/// Sends one request and reads its JSON answer; an error answer is an error.
pub(super) async fn call(
    options: &AdminOptions,
    method: Method,
    path: &str,
    body: Option<&Value>,
) -> Result<Value, Failure> {
    let response = send(options, method, path, body).await?;
    let bytes = response.into_body().collect().await.map_err(|e| Failure::failed(e.to_string()))?.to_bytes();
    serde_json::from_slice(&bytes)
        .map_err(|_| Failure::failed(format!("the answer is no JSON: {}", String::from_utf8_lossy(&bytes))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whose_fault_a_refusal_is() {
        let of = |status, body: &str| Failure::refused(status, body.as_bytes());
        let (usage, failed) = (StatusCode::BAD_REQUEST, StatusCode::CONFLICT);
        assert_eq!(of(usage, r#"{"error": "ttl"}"#), Failure::usage("ttl"));
        assert_eq!(of(StatusCode::UNAUTHORIZED, r#"{"error": "token"}"#), Failure::usage("token"));
        assert_eq!(of(failed, r#"{"error": "running"}"#), Failure::failed("running"));
        assert_eq!(of(failed, "<html>"), Failure::failed("the request was refused"));
    }
}
