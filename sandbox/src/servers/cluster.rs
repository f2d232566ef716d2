use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    task::{JoinSet, spawn_blocking},
    time::{Instant, sleep},
};

use super::{DATABASE, Flavor, Server, accounts, command_line::server_options};
use crate::{
    SandboxError,
    ports::{Port, free_ports},
    process::Keeper,
    scratch::{Scratch, copy_directory},
};

/// How long replicas may take to catch up in [`Cluster::wait_in_sync`].
const SYNC_LIMIT: Duration = Duration::from_secs(300);

/// What a cluster is made of.
#[derive(Clone, Debug)]
pub struct ClusterOptions {
    /// The kind of server.
    pub flavor: Flavor,
    /// How many replicas follow the primary.
    pub replicas: usize,
    /// Semi-synchronous replication: a commit is acknowledged once a replica has it. Timeout 10 s.
    pub semi_sync: bool,
    /// Flush to disk at each commit. Without it a server survives SIGKILL but not a power cut, and is faster.
    pub durable: bool,
    /// More options for every server, such as `--innodb-buffer-pool-size=1G`; they win over the sandbox's own.
    pub server_options: Vec<String>,
    /// More options for one server alone, by its index (0 is the first primary); they win over all others.
    pub options_of_one: Vec<(usize, String)>,
}

impl ClusterOptions {
    /// A primary with two replicas, asynchronous, not durable.
    pub const fn new(flavor: Flavor) -> Self {
        Self {
            flavor,
            replicas: 2,
            semi_sync: false,
            durable: false,
            server_options: Vec::new(),
            options_of_one: Vec::new(),
        }
    }
}

/// A primary and its replicas, in GTID replication, with accounts root, `tideover`, `repl` and `app` and the database
/// `app`. Dropping it ends all processes and removes all files.
#[derive(Debug)]
pub struct Cluster {
    servers: Vec<Arc<Server>>,
    primary: AtomicUsize,
    flavor: Flavor,
    // After the servers: their files go, and their ports are let go, when they have ended.
    _scratch: Scratch,
    _ports: Vec<Port>,
}

impl Cluster {
    /// Gets the servers if they are not on this machine yet, starts them all at once and waits until every replica
    /// replicates.
    pub async fn start(options: ClusterOptions) -> Result<Self, SandboxError> {
        options.flavor.provision().await?;
        let scratch = Scratch::new()?;
        let keeper = Arc::new(Keeper::new().map_err(SandboxError::io("start a thread"))?);
        let ports = free_ports(options.replicas + 1)?;
        let mut servers = Vec::new();
        for (index, port) in ports.iter().map(Port::number).enumerate() {
            let directory = scratch.path().join(format!("{index}"));
            let line = server_options(&options, &directory.join("data"), index, port);
            servers.push(Arc::new(Server::new(options.flavor, port, directory, line, Arc::clone(&keeper))));
        }
        // From here on drop ends what was started.
        let cluster = Self {
            servers,
            primary: AtomicUsize::new(0),
            flavor: options.flavor,
            _scratch: scratch,
            _ports: ports,
        };
        cluster.start_servers().await?;
        cluster.primary().run(&[format!("CREATE DATABASE {DATABASE}")]).await?;
        cluster.start_replication().await?;
        Ok(cluster)
    }

    /// The server that the sandbox last made primary. A switchover by somebody else, the proxy included, shows after
    /// [`Self::find_primary`].
    pub fn primary(&self) -> &Arc<Server> {
        &self.servers[self.primary.load(Ordering::Relaxed)]
    }

    /// All others, whether they run or not.
    pub fn replicas(&self) -> Vec<&Arc<Server>> {
        let primary = self.primary.load(Ordering::Relaxed);
        self.servers
            .iter()
            .enumerate()
            .filter(|&(index, _)| index != primary)
            .map(|(_, server)| server)
            .collect()
    }

    /// All servers, in the order of their start: index 0 was the first primary.
    pub fn servers(&self) -> &[Arc<Server>] {
        &self.servers
    }

    /// The addresses of all servers, in the same order.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.servers.iter().map(|server| server.address()).collect()
    }

    /// The kind of server.
    pub const fn flavor(&self) -> Flavor {
        self.flavor
    }

    /// Looks which running server is writable and replicates from nobody, and takes that for the primary from now on.
    /// Fails if there is none or more than one.
    pub async fn find_primary(&self) -> Result<&Arc<Server>, SandboxError> {
        let mut found = Vec::new();
        for (index, server) in self.servers.iter().enumerate().filter(|(_, server)| server.is_running()) {
            let follows = !server.query("SHOW REPLICA STATUS").await?.is_empty();
            if !follows && !server.is_read_only().await? {
                found.push(index);
            }
        }
        match found.as_slice() {
            &[index] => {
                self.set_primary(index);
                Ok(self.primary())
            }
            _ => Err(SandboxError::Unexpected(format!(
                "{} servers are writable primaries, not one",
                found.len()
            ))),
        }
    }

    /// Waits until every running replica of the primary has applied all that the primary has committed by now.
    pub async fn wait_in_sync(&self) -> Result<(), SandboxError> {
        let position = self.primary().position().await?;
        for replica in self.replicas() {
            if replica.is_running()
                && replica.replica_status(self.flavor.running_columns()[1]).await?.is_some()
            {
                self.wait_applied(replica, &position, SYNC_LIMIT).await?;
            }
        }
        Ok(())
    }

    /// Waits until the primary has a semi-synchronous replica again, and all are in sync: until then it commits alone, and
    /// what is lost with it is lost.
    pub async fn wait_semi_sync(&self) -> Result<(), SandboxError> {
        let deadline = Instant::now() + SYNC_LIMIT;
        let sql = "SHOW GLOBAL STATUS LIKE 'Rpl_semi_sync_%_clients'";
        loop {
            // Perhaps somebody else's switchover, the proxy's for one, is just ending.
            if let Ok(primary) = self.find_primary().await {
                let rows = primary.query(sql).await?;
                let mut clients = rows.into_iter().filter_map(|mut row| row.take::<String, _>(1));
                if clients.any(|count| count != "0") {
                    return self.wait_in_sync().await;
                }
            }
            if Instant::now() >= deadline {
                let what = format!("port {}: finding a replica", self.primary().port);
                return Err(SandboxError::Timeout { what, limit: SYNC_LIMIT });
            }
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// Makes `server` follow `source`, from wherever it stands. What it wrote itself as a primary counts as applied; if
    /// `source` lacks such a transaction, replication stops with an error, as it should.
    pub async fn repoint(&self, server: &Server, source: &Server) -> Result<(), SandboxError> {
        let mut statements = vec!["STOP REPLICA".to_owned()];
        let follows = !server.query("SHOW REPLICA STATUS").await?.is_empty();
        if follows {
            // MariaDB forgets with RESET … ALL what it has not applied, and fetches it anew.
            statements.push("RESET REPLICA ALL".to_owned());
        } else {
            statements.clear();
            statements.extend(self.flavor.adopt_own_position().map(str::to_owned));
        }
        statements.extend(self.flavor.follow(source.port));
        server.run(&statements).await
    }

    /// Starts a server that had ended and makes it a read-only replica of the primary.
    pub async fn rejoin(&self, server: &Server) -> Result<(), SandboxError> {
        server.set_read_only_at_start(true);
        server.start_again().await?;
        server.run(&self.flavor.read_only(true)).await?;
        self.repoint(server, self.primary()).await
    }

    /// The same, and if it holds transactions that the primary lacks (a crash between its log and its replicas leaves such,
    /// with semi-synchronous replication too), it is made anew, for it could never follow. Gives whether that was so.
    pub async fn rejoin_or_rebuild(&self, server: &Server) -> Result<bool, SandboxError> {
        server.set_read_only_at_start(true);
        server.start_again().await?;
        let known = self.primary().query_one::<String>(self.flavor.history()).await?.unwrap_or_default();
        let own = server.query_one::<String>(&self.flavor.unknown_history(&known)).await?.unwrap_or_default();
        let too_much = self.flavor.has_more(&own, &known);
        if too_much {
            self.rebuild(server).await?;
        } else {
            server.run(&self.flavor.read_only(true)).await?;
            self.repoint(server, self.primary()).await?;
        }
        self.wait_applied(server, &self.primary().position().await?, SYNC_LIMIT).await?;
        Ok(too_much)
    }

    /// Throws a server's data away and makes it a new read-only replica of the primary.
    pub async fn rebuild(&self, server: &Server) -> Result<(), SandboxError> {
        server.kill().await?;
        let (template, data) = (self.flavor.directory().join("template"), server.directory().join("data"));
        let copied = spawn_blocking(move || {
            std::fs::remove_dir_all(&data).map_err(SandboxError::path("remove", &data))?;
            copy_directory(&template, &data)
        });
        copied.await.map_err(|error| SandboxError::Unexpected(error.to_string()))??;
        server.begin_anew();
        // The accounts are made while it is writable.
        server.set_read_only_at_start(false);
        server.start_again().await?;
        server.run(&accounts::setup(server.flavor)).await?;
        server.set_read_only_at_start(true);
        server.run(&self.flavor.read_only(true)).await?;
        server.run(&self.flavor.follow(self.primary().port)).await?;
        wait_replicating(server).await
    }

    /// Waits until `server` has applied `position`.
    pub(crate) async fn wait_applied(
        &self,
        server: &Server,
        position: &str,
        limit: Duration,
    ) -> Result<(), SandboxError> {
        let deadline = Instant::now() + limit;
        loop {
            // The limit of a statement is above this, in whole seconds.
            let left = deadline.saturating_duration_since(Instant::now());
            let wait = self.flavor.wait_for(position, left.as_secs().clamp(1, 20));
            if server.query_one::<i64>(&wait).await? == Some(0) {
                return Ok(());
            }
            let error = server.replica_status("Last_SQL_Error").await?.unwrap_or_default();
            // A server that is made anew applies all that was ever written.
            if Instant::now() >= deadline || !error.is_empty() {
                let what =
                    format!("port {}: applying {position} ({error}) {}", server.port, server.log_tail());
                return Err(SandboxError::Timeout { what, limit });
            }
        }
    }

    pub(crate) fn set_primary(&self, index: usize) {
        self.primary.store(index, Ordering::Relaxed);
    }

    /// Copies the data, starts every server, makes the accounts: all servers at once.
    async fn start_servers(&self) -> Result<(), SandboxError> {
        let mut starting = JoinSet::new();
        for server in self.servers.iter().cloned() {
            let template = self.flavor.directory().join("template");
            starting.spawn(async move {
                let data = server.directory().join("data");
                let directory: PathBuf = server.directory().to_owned();
                let copied = spawn_blocking(move || {
                    std::fs::create_dir(&directory).map_err(SandboxError::path("make", &directory))?;
                    copy_directory(&template, &data)
                });
                copied.await.map_err(|error| SandboxError::Unexpected(error.to_string()))??;
                server.start().await?;
                server.run(&accounts::setup(server.flavor)).await
            });
        }
        all(starting).await
    }

    /// Makes the others follow the primary and waits until they do.
    async fn start_replication(&self) -> Result<(), SandboxError> {
        let port = self.primary().port;
        let mut starting = JoinSet::new();
        for server in self.replicas().into_iter().cloned() {
            starting.spawn(async move {
                server.set_read_only_at_start(true);
                server.run(&server.flavor.follow(port)).await?;
                server.run(&server.flavor.read_only(true)).await?;
                wait_replicating(&server).await
            });
        }
        all(starting).await?;
        self.wait_in_sync().await
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for server in &self.servers {
            server.end_now();
        }
    }
}

/// Waits until both halves of a server's replication run.
pub(crate) async fn wait_replicating(server: &Server) -> Result<(), SandboxError> {
    let limit = Duration::from_secs(30);
    let deadline = Instant::now() + limit;
    loop {
        let mut running = true;
        for column in server.flavor.running_columns() {
            running &= server.replica_status(column).await?.as_deref() == Some("Yes");
        }
        if running {
            return Ok(());
        }
        if Instant::now() >= deadline {
            let mut what = format!("port {}: starting replication", server.port);
            for column in ["Last_IO_Error", "Last_SQL_Error"] {
                what += &format!(" {}", server.replica_status(column).await?.unwrap_or_default());
            }
            return Err(SandboxError::Timeout { what, limit });
        }
        sleep(Duration::from_millis(20)).await;
    }
}

/// The first error of all, after all have ended.
async fn all(mut tasks: JoinSet<Result<(), SandboxError>>) -> Result<(), SandboxError> {
    let mut result = Ok(());
    while let Some(outcome) = tasks.join_next().await {
        let outcome = outcome.unwrap_or_else(|error| Err(SandboxError::Unexpected(error.to_string())));
        result = result.and(outcome);
    }
    result
}
