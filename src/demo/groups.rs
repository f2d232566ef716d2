use std::{net::SocketAddr, time::Duration};

use tideover_sandbox::{
    SandboxError,
    servers::{APP_USER, Cluster, Server},
    workload::{Books, BooksReport, Snapshot, Workload, WorkloadOptions},
};
use tokio::sync::watch;

/// The database of the directly connected clients: of their own, so that neither group waits for the other's locks.
const DIRECT_DATABASE: &str = "direct";
/// How long clients may take to finish what they are at.
const STOP_LIMIT: Duration = Duration::from_secs(35);

/// The two groups of clients.
#[derive(Debug)]
pub(super) struct Groups {
    proxied: Workload,
    direct: Workload,
}

/// What one group came to.
#[derive(Debug)]
pub(super) struct GroupReport {
    pub(super) snapshot: Snapshot,
    pub(super) books: BooksReport,
}

impl Groups {
    /// Starts both: the same clients with the same mix, one group through the proxy, one directly on the primary.
    pub(super) async fn start(
        cluster: &Cluster,
        proxy: SocketAddr,
        primary: watch::Receiver<SocketAddr>,
        clients: u16,
    ) -> Result<Self, SandboxError> {
        let server = cluster.primary();
        let setup = [
            format!("CREATE DATABASE {DIRECT_DATABASE}"),
            format!("GRANT ALL PRIVILEGES ON {DIRECT_DATABASE}.* TO {APP_USER}@'%'"),
        ];
        server.run(&setup).await?;
        let options = |address| WorkloadOptions {
            clients,
            transaction_hold: Duration::ZERO..Duration::from_millis(10),
            ..WorkloadOptions::new(address)
        };
        let direct = WorkloadOptions {
            database: DIRECT_DATABASE.into(),
            follow: Some(primary),
            ..options(server.address())
        };
        let proxied = Workload::start(options(proxy)).await?;
        Ok(Self { proxied, direct: Workload::start(direct).await? })
    }

    /// How it goes so far: through the proxy, and directly.
    pub(super) fn snapshots(&self) -> [Snapshot; 2] {
        [self.proxied.snapshot(), self.direct.snapshot()]
    }

    /// Lets both finish, and compares their books with what `primary` holds.
    pub(super) async fn stop(self, cluster: &Cluster) -> Result<[GroupReport; 2], SandboxError> {
        let (proxied, direct) =
            tokio::join!(self.proxied.stop_within(STOP_LIMIT), self.direct.stop_within(STOP_LIMIT));
        let primary = cluster.find_primary().await?;
        let database = WorkloadOptions::new(primary.address()).database;
        Ok([
            GroupReport {
                books: check(primary, &proxied.books, &database).await?,
                snapshot: proxied.snapshot,
            },
            GroupReport {
                books: check(primary, &direct.books, DIRECT_DATABASE).await?,
                snapshot: direct.snapshot,
            },
        ])
    }
}

async fn check(primary: &Server, books: &Books, database: &str) -> Result<BooksReport, SandboxError> {
    let mut connection = primary.connect_as("root", "", Some(database)).await?;
    books.check(&mut connection).await
}
