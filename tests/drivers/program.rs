//! One driver's program as a process: `step NAME` lines while it does its first part, `ready`, and once its input closes
//! `done COUNT`.

use std::{collections::VecDeque, net::SocketAddr, path::PathBuf, process::Stdio, sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, BufReader, Lines},
    process::{Child, ChildStdout, Command},
    task::JoinHandle,
    time::timeout,
};

use crate::{catalogue::Driver, support::TestResult};

/// The first part takes seconds; on a machine with much else to do it may take longer.
const PATIENCE: Duration = Duration::from_secs(240);
/// Lines kept of what it said, to show when it fails.
const KEPT: usize = 40;

/// Where things are, told to every program by its environment.
pub(crate) struct Place {
    pub proxy: SocketAddr,
    pub direct: SocketAddr,
    pub authority: PathBuf,
    pub mysql: bool,
}

/// A program that has done its first part.
pub(crate) struct Program {
    driver: Driver,
    child: Child,
    output: Lines<BufReader<ChildStdout>>,
    said: Arc<Mutex<VecDeque<String>>>,
    errors: JoinHandle<()>,
}

impl Program {
    /// Starts one and waits until it is ready for switchovers.
    pub(crate) async fn start(driver: Driver, place: &Place) -> TestResult<Self> {
        let mut command = Command::new(&driver.command[0]);
        command.args(&driver.command[1..]).envs(driver.environment.iter().map(|(k, v)| (k, v)));
        let mut child = command
            .env("TIDEOVER_HOST", place.proxy.ip().to_string())
            .env("TIDEOVER_PORT", place.proxy.port().to_string())
            .env("TIDEOVER_DIRECT_PORT", place.direct.port().to_string())
            .env("TIDEOVER_USER", "app")
            .env("TIDEOVER_PASSWORD", "app")
            .env("TIDEOVER_SCHEMA", "app")
            .env("TIDEOVER_CA", &place.authority)
            .env("TIDEOVER_LONG", driver.long_value().to_string())
            .env("TIDEOVER_FAMILY", if place.mysql { "mysql" } else { "mariadb" })
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| format!("{}: {:?}: {error}", driver.name, driver.command))?;
        let output = child.stdout.take().ok_or("no standard output")?;
        let errors = child.stderr.take().ok_or("no standard error")?;
        let said = Arc::default();
        let errors = tokio::spawn(note_all(errors, Arc::clone(&said)));
        let output = BufReader::new(output).lines();
        let mut program = Self { driver, child, output, said, errors };
        match program.until("ready").await {
            Some(_) => Ok(program),
            None => Err(program.failed().await.into()),
        }
    }

    pub(crate) fn name(&self) -> &'static str {
        self.driver.name
    }

    /// Closes its input and waits for its count.
    pub(crate) async fn finish(mut self) -> TestResult<u64> {
        drop(self.child.stdin.take());
        let Some(line) = self.until("done").await else { return Err(self.failed().await.into()) };
        let count = line.trim_start_matches("done").trim().parse()?;
        let status = timeout(PATIENCE, self.child.wait()).await??;
        if status.success() && count > 0 { Ok(count) } else { Err(self.failed().await.into()) }
    }

    /// Its next line that begins so; `None` if it ends or hangs before.
    async fn until(&mut self, wanted: &str) -> Option<String> {
        let read = async {
            while let Ok(Some(line)) = self.output.next_line().await {
                note(&self.said, line.clone());
                if line.starts_with(wanted) {
                    return Some(line);
                }
            }
            None
        };
        timeout(PATIENCE, read).await.ok().flatten()
    }

    /// What it said last.
    async fn failed(mut self) -> String {
        let _ = self.child.start_kill();
        let _ = timeout(Duration::from_secs(2), &mut self.errors).await;
        let said: Vec<_> = self.said.lock().iter().cloned().collect();
        format!("{} failed:\n  {}", self.driver.name, said.join("\n  "))
    }
}

async fn note_all(stream: impl AsyncRead + Unpin, said: Arc<Mutex<VecDeque<String>>>) {
    let mut lines = BufReader::new(stream).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        note(&said, line);
    }
}

fn note(said: &Mutex<VecDeque<String>>, line: String) {
    let mut said = said.lock();
    said.push_back(line);
    if said.len() > KEPT {
        said.pop_front();
    }
}
