//! A client for the admin API.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::Value;

use super::arguments::AdminOptions;

/// Time for connecting to the admin API.
const CONNECT: Duration = Duration::from_secs(5);

/// Sends one request and gives the response with its body still to be read.
pub(super) async fn send(
    options: &AdminOptions,
    method: Method,
    path: &str,
    body: Option<&Value>,
) -> Result<Response<Incoming>, String> {
    let host = options
        .admin
        .trim_end_matches('/')
        .strip_prefix("http://")
        .ok_or_else(|| format!("--admin {}: must look like http://host:port", options.admin))?;
    let address = if host.contains(':') { host.to_owned() } else { format!("{host}:9307") };
    let unreachable =
        |e: &dyn std::fmt::Display| format!("no proxy answers at {}: {e} (--admin)", options.admin);
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
        .map_err(|e| e.to_string())?;
    sender.send_request(request).await.map_err(|e| unreachable(&e))
}

/// Sends one request and reads its JSON answer; an error answer is an error.
pub(super) async fn call(
    options: &AdminOptions,
    method: Method,
    path: &str,
    body: Option<&Value>,
) -> Result<Value, String> {
    let response = send(options, method, path, body).await?;
    let ok = response.status().is_success();
    let bytes = response.into_body().collect().await.map_err(|e| e.to_string())?.to_bytes();
    let value: Value = serde_json::from_slice(&bytes)
        .map_err(|_| format!("the answer is no JSON: {}", String::from_utf8_lossy(&bytes)))?;
    if ok {
        return Ok(value);
    }
    Err(value.get("error").and_then(Value::as_str).unwrap_or("the request was refused").to_owned())
}
