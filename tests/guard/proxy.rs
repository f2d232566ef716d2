//! The proxy as a process, and connections through it.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use mysql_async::{Conn, OptsBuilder};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, sleep};

/// A running `tideover run`, ended when dropped.
#[derive(Debug)]
pub(crate) struct Proxy {
    child: Child,
    port: u16,
    admin: u16,
    directory: std::path::PathBuf,
}

fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

impl Proxy {
    /// Starts one in front of these servers, with `more` at the end of its configuration.
    pub(crate) async fn start(servers: &[SocketAddr], more: &str) -> Self {
        let (port, admin) = (free_port(), free_port());
        let directory = std::env::temp_dir().join(format!("tideover-guard-{}-{port}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let servers: Vec<String> = servers.iter().map(|s| format!("\"{s}\"")).collect();
        let text = format!(
            "listen = [\"127.0.0.1:{port}\"]\n[cluster]\nservers = [{}]\n[monitor]\nuser = \"tideover\"\n\
             password = \"tideover\"\n[admin]\nlisten = \"127.0.0.1:{admin}\"\n{more}\n",
            servers.join(", ")
        );
        let file = directory.join("tideover.toml");
        std::fs::write(&file, text).unwrap();
        let log = std::fs::File::create(directory.join("log")).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_tideover"))
            .args(["run", "-c"])
            .arg(&file)
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let proxy = Self { child, port, admin, directory };
        let deadline = Instant::now() + Duration::from_secs(20);
        while !proxy.get("/readyz").await.starts_with("HTTP/1.1 200") {
            assert!(Instant::now() < deadline, "the proxy is not ready: {}", proxy.log());
            sleep(Duration::from_millis(50)).await;
        }
        proxy
    }

    /// What it logged.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.directory.join("log")).unwrap_or_default()
    }

    /// A client's connection.
    pub(crate) async fn client(&self) -> Conn {
        let options = OptsBuilder::default()
            .ip_or_hostname("127.0.0.1")
            .tcp_port(self.port)
            .user(Some("app"))
            .pass(Some("app"))
            .db_name(Some("app"))
            .prefer_socket(false)
            .max_allowed_packet(Some(16 << 20))
            .wait_timeout(Some(28_800));
        match Conn::new(options).await {
            Ok(client) => client,
            Err(error) => panic!("{error}: {}", self.log()),
        }
    }

    /// An answer of the admin API, head included.
    pub(crate) async fn get(&self, path: &str) -> String {
        let Ok(mut stream) = tokio::net::TcpStream::connect((Ipv4Addr::LOCALHOST, self.admin)).await else {
            return String::new();
        };
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        let mut answer = String::new();
        if stream.write_all(request.as_bytes()).await.is_ok() {
            let _ = stream.read_to_string(&mut answer).await;
        }
        answer
    }

    /// `tideover_in_doubt_total{outcome}`.
    pub(crate) async fn in_doubt(&self, outcome: &str) -> u64 {
        let name = format!("tideover_in_doubt_total{{outcome=\"{outcome}\"}} ");
        let metrics = self.get("/metrics").await;
        let value = metrics.lines().find_map(|line| line.strip_prefix(name.as_str()));
        value.map_or(0, |value| value.trim().parse().unwrap())
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}
