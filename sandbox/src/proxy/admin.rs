use std::{net::SocketAddr, time::Duration};

use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    time::timeout,
};

use super::{Answer, Progress, SwitchoverReport};
use crate::SandboxError;

/// How long an ordinary request may take.
const LIMIT: Duration = Duration::from_secs(10);
/// How long a switchover may take with all its time-outs.
const SWITCHOVER_LIMIT: Duration = Duration::from_secs(120);

/// A client of the admin API: HTTP/1.0, a connection for each request, so that the end of the connection is the end of
/// the body and there are no chunks to put together.
#[derive(Clone, Debug)]
pub struct Admin {
    address: SocketAddr,
}

impl Admin {
    /// A client of the API at `address`. Connects with the first request.
    pub const fn new(address: SocketAddr) -> Self {
        Self { address }
    }

    /// The API's address.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// `GET path`.
    pub async fn get(&self, path: &str) -> Result<Answer, SandboxError> {
        self.request("GET", path, "").await
    }

    /// `POST path` with a JSON body; an empty one is an empty object.
    pub async fn post(&self, path: &str, body: &str) -> Result<Answer, SandboxError> {
        self.request("POST", path, if body.is_empty() { "{}" } else { body }).await
    }

    /// `GET path`, which must answer 200 with JSON.
    pub async fn json(&self, path: &str) -> Result<Value, SandboxError> {
        let answer = self.get(path).await?;
        let value = if answer.status == 200 { serde_json::from_str(&answer.body).ok() } else { None };
        value.ok_or_else(|| {
            SandboxError::Unexpected(format!("GET {path} answered {}: {}", answer.status, answer.body))
        })
    }

    /// Whether `/readyz` says yes.
    pub async fn is_ready(&self) -> bool {
        self.get("/readyz").await.is_ok_and(|answer| answer.status == 200)
    }

    /// A switchover to `to` (the proxy chooses if it is `None`); `tell` gets every step.
    pub async fn switchover(
        &self,
        to: Option<SocketAddr>,
        tell: impl FnMut(&Progress),
    ) -> Result<SwitchoverReport, SandboxError> {
        let body = to.map_or_else(|| "{}".to_owned(), |to| format!(r#"{{"to":"{to}"}}"#));
        self.switchover_with(&body, tell).await
    }

    /// The same with a request body of one's own.
    pub async fn switchover_with(
        &self,
        body: &str,
        tell: impl FnMut(&Progress),
    ) -> Result<SwitchoverReport, SandboxError> {
        let what = "POST /v1/switchover".to_owned();
        timeout(SWITCHOVER_LIMIT, self.stream_switchover(body, tell))
            .await
            .unwrap_or(Err(SandboxError::Timeout { what, limit: SWITCHOVER_LIMIT }))
    }

    async fn stream_switchover(
        &self,
        body: &str,
        mut tell: impl FnMut(&Progress),
    ) -> Result<SwitchoverReport, SandboxError> {
        let failed = |what: &str| SandboxError::Unexpected(format!("POST /v1/switchover {what}"));
        let mut reader = self.send("POST", "/v1/switchover", body).await?;
        let status = read_head(&mut reader).await?;
        if status != 200 {
            let mut text = String::new();
            reader.read_to_string(&mut text).await.map_err(SandboxError::io("read an answer"))?;
            return Err(failed(&format!("answered {status}: {text}")));
        }
        // Server-sent events: the lines that count are `data: {…}`.
        let mut lines = reader.lines();
        while let Some(line) = lines.next_line().await.map_err(SandboxError::io("read progress"))? {
            let Some(data) = line.strip_prefix("data:") else { continue };
            let Ok(progress) = serde_json::from_str::<Progress>(data.trim()) else { continue };
            tell(&progress);
            if let Progress::Report(report) = progress {
                return Ok(*report);
            }
        }
        Err(failed("ended without a report"))
    }

    async fn request(&self, method: &str, path: &str, body: &str) -> Result<Answer, SandboxError> {
        let exchange = async {
            let mut reader = self.send(method, path, body).await?;
            let status = read_head(&mut reader).await?;
            let mut body = String::new();
            reader.read_to_string(&mut body).await.map_err(SandboxError::io("read an answer"))?;
            Ok(Answer { status, body })
        };
        let what = format!("{method} {path}");
        timeout(LIMIT, exchange).await.unwrap_or(Err(SandboxError::Timeout { what, limit: LIMIT }))
    }

    async fn send(&self, method: &str, path: &str, body: &str) -> Result<BufReader<TcpStream>, SandboxError> {
        let what = || format!("reach the admin API at {}", self.address);
        let mut stream = TcpStream::connect(self.address).await.map_err(SandboxError::io(what()))?;
        let request = format!(
            "{method} {path} HTTP/1.0\r\nhost: {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        );
        stream.write_all(request.as_bytes()).await.map_err(SandboxError::io(what()))?;
        Ok(BufReader::new(stream))
    }
}

/// Reads the status line and the headers; the body follows.
async fn read_head(reader: &mut BufReader<TcpStream>) -> Result<u16, SandboxError> {
    let mut status = None;
    loop {
        let mut line = String::new();
        let read = reader.read_line(&mut line).await.map_err(SandboxError::io("read an answer's head"))?;
        if status.is_none() {
            status = line.split_ascii_whitespace().nth(1).and_then(|code| code.parse().ok());
        }
        if read == 0 || line.trim_end().is_empty() {
            return status.ok_or_else(|| SandboxError::Unexpected("the answer is no HTTP".into()));
        }
    }
}
