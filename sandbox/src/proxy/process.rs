use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    process::{Child, ExitStatus},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rustix::process::Signal;
use tokio::time::{Instant, sleep};

use super::{Admin, ProxyOptions};
use crate::{
    SandboxError, measure,
    ports::{Port, free_ports},
    process::{self, Keeper, Spawn},
    scratch::Scratch,
};

/// How long the proxy may take until it is ready: it must have found the primary.
const READY_LIMIT: Duration = Duration::from_secs(30);

/// The proxy, a process of its own. Dropping it ends the process and removes its files.
#[derive(Debug)]
pub struct Proxy {
    child: Mutex<Option<Child>>,
    pid: u32,
    address: SocketAddr,
    admin: Admin,
    scratch: Scratch,
    _keeper: Keeper,
    _ports: Vec<Port>,
}

impl Proxy {
    /// Starts it on free ports and waits until it is ready.
    pub async fn start(options: &ProxyOptions) -> Result<Self, SandboxError> {
        let proxy = Self::spawn(options)?;
        let deadline = Instant::now() + READY_LIMIT;
        while !proxy.admin.is_ready().await {
            if proxy.poll()?.is_some() {
                return Err(proxy.failed("ended while it was starting"));
            }
            if Instant::now() >= deadline {
                return Err(proxy.failed("was not ready in time"));
            }
            sleep(Duration::from_millis(10)).await;
        }
        Ok(proxy)
    }

    /// Starts it on free ports and waits for nothing.
    pub fn spawn(options: &ProxyOptions) -> Result<Self, SandboxError> {
        let scratch = Scratch::new()?;
        let keeper = Keeper::new().map_err(SandboxError::io("start a thread"))?;
        let ports = free_ports(2)?;
        let local = |index: usize| SocketAddr::from((Ipv4Addr::LOCALHOST, ports[index].number()));
        let (address, admin) = (local(0), local(1));
        let file = scratch.path().join("tideover.toml");
        fs::write(&file, options.file(address, admin)).map_err(SandboxError::path("write", &file))?;
        let arguments = ["run".to_owned(), "-c".to_owned(), file.display().to_string()];
        let spawn = Spawn {
            program: &options.program,
            arguments: &arguments,
            environment: &options.environment,
            log: &scratch.path().join("tideover.log"),
        };
        let child = keeper.spawn(&spawn).map_err(SandboxError::path("start", &options.program))?;
        let pid = child.id();
        let admin = Admin::new(admin);
        Ok(Self {
            child: Mutex::new(Some(child)),
            pid,
            address,
            admin,
            scratch,
            _keeper: keeper,
            _ports: ports,
        })
    }

    /// Where clients connect.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its admin API.
    pub const fn admin(&self) -> &Admin {
        &self.admin
    }

    /// Its process id, also after its end.
    pub const fn pid(&self) -> u32 {
        self.pid
    }

    /// The folder with its configuration (`tideover.toml`) and its log (`tideover.log`).
    pub fn directory(&self) -> &Path {
        self.scratch.path()
    }

    /// Its configuration file.
    pub fn config_path(&self) -> PathBuf {
        self.scratch.path().join("tideover.toml")
    }

    /// All that it has logged.
    pub fn log(&self) -> String {
        let text = fs::read(self.scratch.path().join("tideover.log")).unwrap_or_default();
        String::from_utf8_lossy(&text).into_owned()
    }

    /// Whether the process runs.
    pub fn is_running(&self) -> bool {
        matches!(self.poll(), Ok(None))
    }

    /// Its resident memory in bytes.
    pub fn resident(&self) -> Result<u64, SandboxError> {
        measure::resident(self.pid).map_err(SandboxError::io("read the proxy's memory"))
    }

    /// The names of its threads.
    pub fn threads(&self) -> Result<Vec<String>, SandboxError> {
        measure::threads(self.pid).map_err(SandboxError::io("read the proxy's threads"))
    }

    /// CPU time that it has used so far, user and system.
    pub fn cpu_time(&self) -> Result<Duration, SandboxError> {
        measure::cpu_time(self.pid).map_err(SandboxError::io("read the proxy's CPU time"))
    }

    /// Sends SIGTERM: it finishes what is open and ends.
    pub fn terminate(&self) -> Result<(), SandboxError> {
        self.signal(Signal::TERM)
    }

    /// Sends SIGHUP: it reads its configuration again.
    pub fn hang_up(&self) -> Result<(), SandboxError> {
        self.signal(Signal::HUP)
    }

    /// Sends SIGKILL.
    pub fn kill(&self) -> Result<(), SandboxError> {
        self.signal(Signal::KILL)
    }

    /// Waits for its end; `None` if it still runs after `limit`.
    pub async fn wait_end(&self, limit: Duration) -> Result<Option<ExitStatus>, SandboxError> {
        process::wait_for_end(limit, || self.poll_io()).await.map_err(SandboxError::io("wait for the proxy"))
    }

    /// SIGTERM, `limit` of patience, then SIGKILL.
    pub async fn stop(&self, limit: Duration) -> Result<(), SandboxError> {
        self.terminate()?;
        if self.wait_end(limit).await?.is_none() {
            self.kill()?;
            self.wait_end(limit).await?;
        }
        Ok(())
    }

    fn signal(&self, signal: Signal) -> Result<(), SandboxError> {
        let child = self.child();
        let Some(child) = child.as_ref() else { return Ok(()) };
        process::signal(child, signal).map_err(SandboxError::io("send a signal to the proxy"))
    }

    fn poll(&self) -> Result<Option<ExitStatus>, SandboxError> {
        self.poll_io().map_err(SandboxError::io("look after the proxy"))
    }

    fn poll_io(&self) -> std::io::Result<Option<ExitStatus>> {
        let mut child = self.child();
        let Some(running) = child.as_mut() else { return Ok(Some(ExitStatus::default())) };
        running.try_wait()
    }

    fn child(&self) -> MutexGuard<'_, Option<Child>> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn failed(&self, what: &str) -> SandboxError {
        let log = self.log();
        let lines: Vec<_> = log.lines().collect();
        let tail = lines[lines.len().saturating_sub(20)..].join("\n");
        SandboxError::Unexpected(format!("the proxy {what}; the end of its log:\n{tail}"))
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if let Some(mut child) = self.child().take() {
            let _ = child.kill().and_then(|()| child.wait());
        }
    }
}
