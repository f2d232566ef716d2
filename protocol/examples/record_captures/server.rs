//! One of the provisioned servers (`scripts/servers`).

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use crate::Result;

/// How long a server may take to start.
const START: Duration = Duration::from_secs(60);

/// A server of its own on a copy of its template.
pub(crate) struct Server {
    child: Child,
    pub(crate) socket: PathBuf,
    folder: PathBuf,
}

impl Server {
    pub(crate) fn start(home: &Path) -> Result<Self> {
        let folder = std::env::temp_dir().join(format!("tideover-record-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder)?;
        let data = folder.join("data");
        run(Command::new("cp").arg("-r").arg(home.join("template")).arg(&data))?;
        let socket = folder.join("s");
        let mut command = Command::new(home.join("bin/server"));
        command
            .arg(format!("--datadir={}", data.display()))
            .arg(format!("--socket={}", socket.display()))
            .args([
                "--skip-networking",
                "--log-bin=binlog",
                "--server-id=1",
                "--local-infile=1",
                "--skip-name-resolve",
            ])
            .args(["--innodb-flush-log-at-trx-commit=2", "--sync-binlog=0", "--innodb-buffer-pool-size=32M"]);
        if home.ends_with("mysql-9") {
            command.args(["--gtid-mode=ON", "--enforce-gtid-consistency=ON", "--mysqlx=OFF"]);
            command.arg("--binlog-rows-query-log-events=ON");
        } else {
            command.args(["--binlog-format=ROW", "--binlog-annotate-row-events=ON"]);
        }
        let log = File::create(folder.join("log"))?;
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
        let ready = child.stderr.take().map(|lines| keep_log(lines, log)).ok_or("no standard error")?;
        let mut server = Self { child, socket, folder };
        if ready.recv_timeout(START).is_err() {
            let message = format!("{} does not start, see {}", home.display(), server.folder.display());
            let _ = server.child.kill();
            let _ = server.child.wait();
            return Err(message.into());
        }
        Ok(server)
    }

    pub(crate) fn stop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Writes what a server says to a file, until its end; tells when it says that it is ready.
fn keep_log(lines: impl Read + Send + 'static, mut log: File) -> mpsc::Receiver<()> {
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(lines).split(b'\n').map_while(std::result::Result::ok) {
            let _ = log.write_all(&line).and_then(|()| log.write_all(b"\n"));
            if String::from_utf8_lossy(&line).contains("ready for connections") {
                let _ = tell.send(());
            }
        }
    });
    told
}

fn run(command: &mut Command) -> Result<()> {
    let status = command.status()?;
    if status.success() { Ok(()) } else { Err(format!("{command:?}: {status}").into()) }
}
