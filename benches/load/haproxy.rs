use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    process::Stdio,
    time::Duration,
};

use tideover_sandbox::ports::{Port, free_ports};
use tokio::{
    net::TcpStream,
    process::{Child, Command},
    time::sleep,
};

use crate::{Outcome, sysbench::tool};

/// HAProxy as a plain relay of TCP, with two threads. Ends with the value.
pub(crate) struct Haproxy {
    address: SocketAddr,
    pid: u32,
    file: PathBuf,
    _process: Child,
    _port: Port,
}

impl Haproxy {
    pub(crate) async fn start(server: SocketAddr) -> Outcome<Self> {
        let port = free_ports(1)?.pop().ok_or("no free port")?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port.number()));
        let file = std::env::temp_dir().join(format!("tideover-bench-haproxy-{}.cfg", std::process::id()));
        let text = format!(
            "global\n  nbthread 2\n  maxconn 2000\ndefaults\n  mode tcp\n  timeout connect 5s\n  timeout client 1h\n  \
             timeout server 1h\nlisten mysql\n  bind {address}\n  server one {server}\n"
        );
        fs::write(&file, text)?;
        let process = Command::new(tool("haproxy"))
            .arg("-db")
            .arg("-f")
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        let pid = process.id().ok_or("HAProxy ended at once")?;
        let started = Self { address, pid, file, _process: process, _port: port };
        for _ in 0..200 {
            if TcpStream::connect(address).await.is_ok() {
                return Ok(started);
            }
            sleep(Duration::from_millis(20)).await;
        }
        Err("HAProxy does not listen".into())
    }

    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) const fn pid(&self) -> u32 {
        self.pid
    }
}

impl Drop for Haproxy {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.file);
    }
}
