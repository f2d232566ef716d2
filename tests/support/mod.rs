//! The proxy in front of a real cluster, for tests.

#![allow(dead_code, reason = "each test binary uses what it needs")]

pub(crate) mod authority;
pub(crate) mod command;

use std::{error::Error, net::SocketAddr, path::PathBuf, time::Duration};

use mysql_async::{Conn, Opts, OptsBuilder, prelude::Queryable};
use tideover_sandbox::{
    faults::{Relay, relays},
    proxy::{Proxy, ProxyOptions},
    servers::{Cluster, ClusterOptions, Flavor, Server},
    workload::{BooksReport, Report, Workload, WorkloadOptions},
};
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::{Instant, sleep},
};

/// What a test returns.
pub(crate) type TestResult<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

/// How many clusters run at once: three servers, a proxy and a load each.
const SLOTS: u32 = 2;
static FREE_SLOTS: Semaphore = Semaphore::const_new(SLOTS as usize);

/// Room for clusters, of which two run at once; with both slots the machine is one's own.
pub(crate) async fn slots(count: u32) -> TestResult<SemaphorePermit<'static>> {
    Ok(FREE_SLOTS.acquire_many(count).await?)
}

/// Whether the scenarios run in full length (`make soak`).
pub(crate) fn soak() -> bool {
    std::env::var_os("TIDEOVER_SOAK").is_some_and(|value| !value.is_empty() && value != "0")
}

/// `short` in `make test`, `full` in `make soak`.
pub(crate) fn length<T>(short: T, full: T) -> T {
    if soak() { full } else { short }
}

/// The binary under test: the one that cargo built with the tests, or the one that `TIDEOVER_PROGRAM` names.
pub(crate) fn program() -> PathBuf {
    std::env::var_os("TIDEOVER_PROGRAM").unwrap_or_else(|| env!("CARGO_BIN_EXE_tideover").into()).into()
}

/// A cluster with the proxy in front. When a test fails, the proxy's log is shown.
pub(crate) struct Scene {
    // Dropped in this order.
    pub proxy: Proxy,
    /// One in front of each server, in the cluster's order, if the proxy knows only them.
    pub relays: Vec<Relay>,
    pub cluster: Cluster,
    finished: bool,
    _slot: SemaphorePermit<'static>,
}

impl Scene {
    /// An ordinary cluster and an ordinary proxy.
    pub(crate) async fn start(flavor: Flavor) -> TestResult<Self> {
        Self::with(ClusterOptions::new(flavor), |options| options).await
    }

    /// With a configuration of one's own.
    pub(crate) async fn with(
        cluster: ClusterOptions,
        configure: impl FnOnce(ProxyOptions) -> ProxyOptions,
    ) -> TestResult<Self> {
        Self::around(cluster, |options, _| configure(options)).await
    }

    /// The same with the machine for itself, where times or memory are measured.
    pub(crate) async fn alone(
        cluster: ClusterOptions,
        configure: impl FnOnce(ProxyOptions) -> ProxyOptions,
    ) -> TestResult<Self> {
        let both = slots(SLOTS).await?;
        let cluster = Cluster::start(cluster).await?;
        let options = configure(ProxyOptions::new(program(), &cluster));
        Self::behind(both, cluster, (Vec::new(), options)).await
    }

    /// With a configuration that names the servers.
    pub(crate) async fn around(
        cluster: ClusterOptions,
        configure: impl FnOnce(ProxyOptions, &Cluster) -> ProxyOptions,
    ) -> TestResult<Self> {
        let slot = slots(1).await?;
        let cluster = Cluster::start(cluster).await?;
        let options = configure(ProxyOptions::new(program(), &cluster), &cluster);
        Self::behind(slot, cluster, (Vec::new(), options)).await
    }

    /// With a relay in front of each server, so that the network between proxy and servers can break.
    pub(crate) async fn relayed(
        cluster: ClusterOptions,
        configure: impl FnOnce(ProxyOptions) -> ProxyOptions,
    ) -> TestResult<Self> {
        let slot = slots(1).await?;
        let cluster = Cluster::start(cluster).await?;
        // Relays read what goes over them.
        let options = ProxyOptions::new(program(), &cluster).set("server_tls", "mode", "\"off\"");
        let (relays, options) = relays(&cluster, options).await?;
        Self::behind(slot, cluster, (relays, configure(options))).await
    }

    async fn behind(
        slot: SemaphorePermit<'static>,
        cluster: Cluster,
        (relays, options): (Vec<Relay>, ProxyOptions),
    ) -> TestResult<Self> {
        let proxy = Proxy::start(&options).await?;
        Ok(Self { proxy, relays, cluster, finished: false, _slot: slot })
    }

    /// Where the proxy knows a server.
    pub(crate) fn address_of(&self, server: &Server) -> SocketAddr {
        let servers = self.cluster.servers();
        let at = servers.iter().position(|other| other.port == server.port);
        let relay = at.and_then(|at| self.relays.get(at));
        relay.map_or_else(|| server.address(), Relay::address)
    }

    /// The test's last line: without it the proxy's log is shown.
    pub(crate) fn finish(mut self) -> TestResult {
        self.finished = true;
        if !self.proxy.is_running() {
            self.finished = false;
            return Err("the proxy ended during the test".into());
        }
        Ok(())
    }

    /// The same where the proxy was ended on purpose.
    pub(crate) fn finish_ended(mut self) -> TestResult {
        self.finished = true;
        Ok(())
    }

    /// Opens a connection through the proxy as the application.
    pub(crate) async fn connect(&self) -> TestResult<Conn> {
        Ok(Conn::new(self.options("app", "app")).await?)
    }

    /// Options of a connection through the proxy.
    pub(crate) fn options(&self, user: &str, password: &str) -> OptsBuilder {
        options(self.proxy.address(), user, password)
    }

    /// The workload's defaults through the proxy.
    pub(crate) fn workload(&self) -> WorkloadOptions {
        WorkloadOptions::new(self.proxy.address())
    }

    /// A number of `/v1/status`, by JSON pointer.
    pub(crate) async fn status(&self, pointer: &str) -> TestResult<serde_json::Value> {
        let status = self.proxy.admin().json("/v1/status").await?;
        let value = status.pointer(pointer).cloned();
        value.ok_or_else(|| format!("/v1/status has no {pointer}: {status}").into())
    }

    /// Waits until `/v1/status` has `wanted` at `pointer`.
    pub(crate) async fn wait_status(
        &self,
        pointer: &str,
        wanted: serde_json::Value,
        limit: Duration,
    ) -> TestResult {
        let deadline = Instant::now() + limit;
        loop {
            let found = self.status(pointer).await?;
            if found == wanted {
                return Ok(());
            }
            if Instant::now() >= deadline {
                return Err(format!("{pointer} is still {found} and not {wanted} after {limit:?}").into());
            }
            sleep(Duration::from_millis(10)).await;
        }
    }

    /// Waits until the proxy has seen every server as the primary or as following it.
    pub(crate) async fn wait_roles(&self) -> TestResult {
        eventually("every server has its role", Duration::from_secs(20), || async {
            let servers = self.status("/servers").await?;
            let roles: Vec<_> =
                servers.as_array().into_iter().flatten().map(|server| server["role"].clone()).collect();
            Ok(roles.iter().all(|role| role == "primary" || role == "replica"))
        })
        .await
    }

    /// Stops a workload and compares its books with the present primary.
    pub(crate) async fn close(&self, workload: Workload) -> TestResult<(Report, BooksReport)> {
        let report = workload.stop().await;
        let primary = self.cluster.find_primary().await?;
        let mut connection = primary.connect_as("root", "", Some("app")).await?;
        let books = report.books.check(&mut connection).await?;
        Ok((report, books))
    }

    /// The next server in the ring after the primary.
    pub(crate) async fn next_primary(&self) -> TestResult<SocketAddr> {
        let primary = self.cluster.find_primary().await?.address();
        let addresses = self.cluster.addresses();
        let at = addresses.iter().position(|&address| address == primary).unwrap_or_default();
        Ok(addresses[(at + 1) % addresses.len()])
    }

    /// A switchover that must succeed, to the next server in the ring. A busy machine's replicas may lag more than
    /// `switchover.max_lag`: then it is refused before anything happens, and tried again.
    pub(crate) async fn switch(&self) -> TestResult<tideover_sandbox::proxy::SwitchoverReport> {
        let target = self.next_primary().await?;
        let servers = self.cluster.servers();
        let known_as = servers.iter().find(|server| server.address() == target);
        let known_as = known_as.map(|server| self.address_of(server));
        let mut tries = 0;
        let report = loop {
            let report = self.proxy.admin().switchover(known_as, |_| {}).await?;
            tries += 1;
            let lags = report.problems.iter().any(|problem| problem.contains("switchover.max_lag"));
            if report.is_done() {
                break report;
            } else if !lags || tries == 10 {
                return Err(
                    format!("the switchover ended as {}: {:?}", report.outcome, report.problems).into()
                );
            }
            self.cluster.wait_in_sync().await?;
        };
        if self.cluster.find_primary().await?.address() != target {
            return Err(format!("{target} is not the primary after a switchover to it").into());
        }
        Ok(report)
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        if !self.finished {
            let log = self.proxy.log();
            let lines: Vec<_> = log.lines().collect();
            let tail = lines[lines.len().saturating_sub(60)..].join("\n");
            eprintln!("--- the proxy's log\n{tail}\n--- its configuration\n{}", config(&self.proxy));
        }
    }
}

fn config(proxy: &Proxy) -> String {
    std::fs::read_to_string(proxy.config_path()).unwrap_or_default()
}

/// Options of a plain TCP connection that asks the server nothing by itself.
pub(crate) fn options(address: SocketAddr, user: &str, password: &str) -> OptsBuilder {
    OptsBuilder::default()
        .ip_or_hostname(address.ip().to_string())
        .tcp_port(address.port())
        .user(Some(user))
        .pass(Some(password))
        .db_name(Some("app"))
        .prefer_socket(false)
        .max_allowed_packet(Some(16 << 20))
        .wait_timeout(Some(28_800))
}

/// Opens a connection with options of one's own.
pub(crate) async fn open(options: OptsBuilder) -> mysql_async::Result<Conn> {
    Conn::new(Opts::from(options)).await
}

/// The server's error number and message; a connection that broke is number 0.
pub(crate) fn code(error: &mysql_async::Error) -> (u16, String) {
    match error {
        mysql_async::Error::Server(error) => (error.code, error.message.clone()),
        other => (0, other.to_string()),
    }
}

/// Runs a statement that must be refused, and gives number and message.
pub(crate) async fn refused(connection: &mut Conn, sql: &str) -> TestResult<(u16, String)> {
    match connection.query_drop(sql).await {
        Ok(()) => Err(format!("{sql}: was not refused").into()),
        Err(error) => Ok(code(&error)),
    }
}

/// Waits until `check` says yes.
pub(crate) async fn eventually<F>(what: &str, limit: Duration, mut check: impl FnMut() -> F) -> TestResult
where
    F: Future<Output = TestResult<bool>>,
{
    let deadline = Instant::now() + limit;
    while !check().await? {
        if Instant::now() >= deadline {
            return Err(format!("{what}: not within {limit:?}").into());
        }
        sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

/// How many transactions are open on a server. InnoDB shows what it showed before to whoever asks again within 100 ms, so
/// this pauses first.
pub(crate) async fn open_transactions(server: &Server) -> TestResult<i64> {
    sleep(Duration::from_millis(150)).await;
    let sql = "SELECT COUNT(*) FROM information_schema.innodb_trx WHERE trx_mysql_thread_id <> 0";
    Ok(server.query_one::<i64>(sql).await?.unwrap_or_default())
}
