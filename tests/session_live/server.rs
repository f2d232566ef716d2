//! Starts one of the provisioned servers (`scripts/servers`) on a free port.

use std::fs;
use std::io::{ErrorKind, Read};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// A server of its own for a test; ended and its data removed on drop.
pub(crate) struct Server {
    process: Child,
    folder: PathBuf,
    pub(crate) port: u16,
    pub(crate) mariadb: bool,
}

impl Server {
    /// `None` if that server was not provisioned.
    pub(crate) fn start(name: &str) -> Option<Self> {
        let provisioned = std::env::var_os("TIDEOVER_SERVERS_DIR")
            .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("target/servers"), PathBuf::from)
            .join(name);
        if !provisioned.join("stamp").exists() {
            return None;
        }
        static STARTED: AtomicUsize = AtomicUsize::new(0);
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let folder = format!("tideover-session-{name}-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(folder);
        copy(&provisioned.join("template"), &folder.join("data"));
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let option = |name: &str, path: &str| format!("--{name}={}", folder.join(path).display());
        let process = Command::new(provisioned.join("bin/server"))
            .args([option("datadir", "data"), option("socket", "s"), option("pid-file", "pid")])
            .args([format!("--port={port}"), "--bind-address=127.0.0.1".into(), "--skip-name-resolve".into()])
            .args(["--server-id=1", "--log-bin", "--innodb-buffer-pool-size=32M", "--sync-binlog=0"])
            .args(["--innodb-flush-log-at-trx-commit=2", "--log-bin-trust-function-creators=1"])
            .args((name == "mysql-9").then_some("--mysqlx=OFF"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let server = Self { process, folder, port, mariadb: name.starts_with("mariadb") };
        let deadline = Instant::now() + Duration::from_secs(60);
        while !greets(port) {
            assert!(Instant::now() < deadline, "{name} did not start");
            std::thread::sleep(Duration::from_millis(50));
        }
        Some(server)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn greets(port: u16) -> bool {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else { return false };
    stream.read_exact(&mut [0; 5]).is_ok()
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap() {
            kind if kind.is_dir() => copy(&entry.path(), &target),
            _ => match fs::copy(entry.path(), target) {
                Err(error) if error.kind() != ErrorKind::NotFound => panic!("{error}"),
                _ => {}
            },
        }
    }
}
