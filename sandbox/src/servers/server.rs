use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    process::{Child, ExitStatus},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use mysql_async::{Conn, Opts, OptsBuilder, Row, prelude::FromValue, prelude::Queryable};
use rustix::process::Signal;
use tokio::time::{Instant, sleep, timeout};

use super::{Flavor, command_line::start_read_only};
use crate::{
    SandboxError, measure,
    process::{self, Keeper, Spawn},
};

/// How long a server may take to start, also after a crash, with one slow core.
const START_LIMIT: Duration = Duration::from_secs(60);
/// How long a server may take to stop after SIGTERM.
const STOP_LIMIT: Duration = Duration::from_secs(60);
/// How long a control statement may take. Waits that are meant to be long bring their own limit.
const STATEMENT_LIMIT: Duration = Duration::from_secs(60);
const CONNECT_LIMIT: Duration = Duration::from_secs(15);
/// How long a server's threads may take to notice that they are to stop.
const STOPS: Duration = Duration::from_secs(10);

/// One database server, a process of its own on 127.0.0.1.
#[derive(Debug)]
pub struct Server {
    /// The port it listens on; the same after a restart.
    pub port: u16,
    /// What kind of server it is.
    pub flavor: Flavor,
    directory: PathBuf,
    options: Vec<String>,
    process: Mutex<Option<Child>>,
    read_only_at_start: AtomicBool,
    /// How often it was made anew.
    generation: AtomicU32,
    keeper: Arc<Keeper>,
}

impl Server {
    /// A server that is not running yet; `directory` holds its data below `data`.
    pub(crate) fn new(
        flavor: Flavor,
        port: u16,
        directory: PathBuf,
        options: Vec<String>,
        keeper: Arc<Keeper>,
    ) -> Self {
        Self {
            port,
            flavor,
            directory,
            options,
            process: Mutex::new(None),
            read_only_at_start: AtomicBool::new(false),
            generation: AtomicU32::new(0),
            keeper,
        }
    }

    /// Its address.
    pub const fn address(&self) -> SocketAddr {
        SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), self.port)
    }

    /// The process id, while it runs (frozen counts as running).
    pub fn pid(&self) -> Option<u32> {
        self.child().as_ref().map(Child::id)
    }

    /// CPU time that it has used so far, user and system; none while it does not run.
    pub fn cpu_time(&self) -> Result<Duration, SandboxError> {
        let used = self.pid().map_or(Ok(Duration::ZERO), measure::cpu_time);
        used.map_err(SandboxError::io("read the server's CPU time"))
    }

    /// Whether the process runs. Notices a server that ended by itself, for example after SQL `SHUTDOWN`.
    pub fn is_running(&self) -> bool {
        matches!(self.poll(), Ok(None))
    }

    /// Starts the process and waits until root can log in.
    pub(crate) async fn start(&self) -> Result<(), SandboxError> {
        let program = self.flavor.directory().join("bin/server");
        let mut options = self.options.clone();
        if self.read_only_at_start.load(Ordering::Relaxed) {
            options.push(start_read_only(self.flavor).to_owned());
        }
        let generation = self.generation.load(Ordering::Relaxed);
        if generation > 0 {
            options.push(format!("--server-id={}", u32::from(self.port) + 100_000 * generation));
        }
        let log = self.log_path();
        let spawn = Spawn { program: &program, arguments: &options, environment: &[], log: &log };
        let child = self.keeper.spawn(&spawn).map_err(SandboxError::path("start", &program))?;
        *self.child() = Some(child);

        let deadline = Instant::now() + START_LIMIT;
        loop {
            if !self.is_running() {
                return Err(self.failed("ended while it was starting"));
            }
            if self.connect().await.is_ok() {
                return Ok(());
            }
            if Instant::now() >= deadline {
                return Err(self.failed("did not start in time"));
            }
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// Starts it again after [`Self::stop`], [`Self::kill`] or its own end, with the same port and data.
    pub async fn start_again(&self) -> Result<(), SandboxError> {
        if self.is_running() {
            return Ok(());
        }
        self.start().await
    }

    /// From the next start on it has another `server_id`: a server ignores what comes to it by replication under its own, and
    /// one that was made anew must not ignore what it wrote in its former life.
    pub(crate) fn begin_anew(&self) {
        self.generation.fetch_add(1, Ordering::Relaxed);
    }

    /// Asks it to shut down (SIGTERM) and waits until it has, for up to 60 s.
    pub async fn stop(&self) -> Result<(), SandboxError> {
        self.thaw()?;
        self.signal(Signal::TERM)?;
        match process::wait_for_end(STOP_LIMIT, || self.poll()).await {
            Ok(Some(_)) => Ok(()),
            Ok(None) => Err(self.failed("did not stop after SIGTERM")),
            Err(source) => Err(SandboxError::io("wait for a server's end")(source)),
        }
    }

    /// Ends it as a crash does (SIGKILL) and waits until it is gone. A frozen server ends too.
    pub async fn kill(&self) -> Result<(), SandboxError> {
        self.signal(Signal::KILL)?;
        let ended = process::wait_for_end(STOP_LIMIT, || self.poll()).await;
        ended.map(|_| ()).map_err(SandboxError::io("wait for a server's end"))
    }

    /// Freezes it (SIGSTOP): its connections stay open and say nothing, as behind a broken network. When this returns, it has
    /// stopped: on a busy machine its threads go on for some milliseconds after the signal.
    pub fn freeze(&self) -> Result<(), SandboxError> {
        self.signal(Signal::STOP)?;
        let sent = Instant::now();
        while let Some(pid) = self.pid()
            && !measure::is_stopped(pid).map_err(SandboxError::io("look whether the server has stopped"))?
            && sent.elapsed() < STOPS
        {
            std::thread::yield_now();
        }
        Ok(())
    }

    /// Lets a frozen server go on (SIGCONT).
    pub fn thaw(&self) -> Result<(), SandboxError> {
        self.signal(Signal::CONT)
    }

    /// Whether the next start is with `read_only` on, as an operator's configuration file would have it. At first it
    /// is for replicas and is not for the primary; a promotion by hand changes it for both.
    pub fn set_read_only_at_start(&self, on: bool) {
        self.read_only_at_start.store(on, Ordering::Relaxed);
    }

    /// Opens a connection as root.
    pub async fn connect(&self) -> Result<Conn, SandboxError> {
        self.connect_as("root", "", None).await
    }

    /// Opens a connection with an account of one's choice.
    pub async fn connect_as(
        &self,
        user: &str,
        password: &str,
        database: Option<&str>,
    ) -> Result<Conn, SandboxError> {
        let what = || format!("connecting to port {} as {user}", self.port);
        let connecting = Conn::new(connection_options(self.address(), user, password, database));
        match timeout(CONNECT_LIMIT, connecting).await {
            Ok(result) => result.map_err(SandboxError::sql(self.port, &what())),
            Err(_) => Err(SandboxError::Timeout { what: what(), limit: CONNECT_LIMIT }),
        }
    }

    /// Runs a statement as root on a connection of its own and returns all rows. Gives up after 60 s.
    pub async fn query(&self, sql: &str) -> Result<Vec<Row>, SandboxError> {
        let mut connection = self.connect().await?;
        let rows = match timeout(STATEMENT_LIMIT, connection.query(sql)).await {
            Ok(rows) => rows.map_err(SandboxError::sql(self.port, sql))?,
            Err(_) => {
                let what = format!("port {}: {sql}", self.port);
                return Err(SandboxError::Timeout { what, limit: STATEMENT_LIMIT });
            }
        };
        let _ = connection.disconnect().await;
        Ok(rows)
    }

    /// The first column of the first row of a statement's answer, `None` for no row or NULL.
    pub async fn query_one<T: FromValue>(&self, sql: &str) -> Result<Option<T>, SandboxError> {
        let row = self.query(sql).await?.into_iter().next();
        let Some(value) = row.and_then(|mut row| row.take_opt::<Option<T>, _>(0)) else { return Ok(None) };
        value.map_err(|_| {
            SandboxError::Unexpected(format!("port {}: {sql}: a value of another type", self.port))
        })
    }

    /// Runs statements as root in order, on one connection.
    pub async fn run<S: AsRef<str>>(&self, statements: &[S]) -> Result<(), SandboxError> {
        let mut connection = self.connect().await?;
        for sql in statements.iter().map(AsRef::as_ref) {
            match timeout(STATEMENT_LIMIT, connection.query_drop(sql)).await {
                Ok(result) => result.map_err(SandboxError::sql(self.port, sql))?,
                Err(_) => {
                    let what = format!("port {}: {sql}", self.port);
                    return Err(SandboxError::Timeout { what, limit: STATEMENT_LIMIT });
                }
            }
        }
        let _ = connection.disconnect().await;
        Ok(())
    }

    /// Whether it refuses writes of ordinary accounts.
    pub async fn is_read_only(&self) -> Result<bool, SandboxError> {
        Ok(self.query_one::<bool>("SELECT @@GLOBAL.read_only").await?.unwrap_or_default())
    }

    /// The GTID position of all that it has committed.
    pub async fn position(&self) -> Result<String, SandboxError> {
        Ok(self.query_one::<String>(self.flavor.position()).await?.unwrap_or_default())
    }

    /// A column of its `SHOW REPLICA STATUS`; `None` if it replicates from nobody.
    pub async fn replica_status(&self, column: &str) -> Result<Option<String>, SandboxError> {
        let row = self.query("SHOW REPLICA STATUS").await?.into_iter().next();
        Ok(row.and_then(|mut row| row.take_opt::<Option<String>, _>(column)).and_then(Result::ok).flatten())
    }

    /// The end of its error log, for messages.
    pub fn log_tail(&self) -> String {
        let text = fs::read(self.log_path()).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<_> = text.lines().collect();
        lines[lines.len().saturating_sub(15)..].join("\n")
    }

    /// Ends the process without a runtime: for drop.
    pub(crate) fn end_now(&self) {
        if let Some(mut child) = self.child().take() {
            let _ = child.kill().and_then(|()| child.wait());
        }
    }

    fn log_path(&self) -> PathBuf {
        self.directory.join("server.log")
    }

    fn failed(&self, what: &str) -> SandboxError {
        SandboxError::Server { port: self.port, what: what.to_owned(), log: self.log_tail() }
    }

    fn signal(&self, signal: Signal) -> Result<(), SandboxError> {
        let child = self.child();
        let Some(child) = child.as_ref() else { return Ok(()) };
        process::signal(child, signal).map_err(SandboxError::io("send a signal to a server"))
    }

    /// The exit status once the process has ended; forgets the process then.
    fn poll(&self) -> std::io::Result<Option<ExitStatus>> {
        let mut child = self.child();
        let Some(running) = child.as_mut() else { return Ok(Some(ExitStatus::default())) };
        let status = running.try_wait()?;
        if status.is_some() {
            *child = None;
        }
        Ok(status)
    }

    fn child(&self) -> MutexGuard<'_, Option<Child>> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The directory with its data (`data`) and its error log.
    pub fn directory(&self) -> &Path {
        &self.directory
    }
}

/// Options of a plain TCP connection that asks the server nothing by itself.
pub(crate) fn connection_options(
    address: SocketAddr,
    user: &str,
    password: &str,
    database: Option<&str>,
) -> Opts {
    OptsBuilder::default()
        .ip_or_hostname(address.ip().to_string())
        .tcp_port(address.port())
        .user(Some(user))
        .pass(Some(password).filter(|password| !password.is_empty()))
        .db_name(database)
        .prefer_socket(false)
        .max_allowed_packet(Some(16 << 20))
        .wait_timeout(Some(28_800))
        .into()
}
