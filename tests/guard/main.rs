//! The guard against real servers: answers are lost on purpose, and every write must be done exactly once, with the answer
//! that the client would have got. A relay between proxy and servers cuts connections at chosen moments.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on stops where it is")]

mod alive;
mod dead;
mod marked;
mod odd;
mod relay;
#[path = "../support/mod.rs"]
mod support;

use std::net::SocketAddr;
use std::sync::Arc;

use mysql_async::Conn;
use parking_lot::Mutex;
use tideover_sandbox::faults::{Relay, relays};
use tideover_sandbox::proxy::{Proxy, ProxyOptions, set_up};
use tideover_sandbox::servers::{Cluster, ClusterOptions, Flavor, Server};
use tokio::sync::{Semaphore, SemaphorePermit};

/// How many clusters run at once.
static SLOTS: Semaphore = Semaphore::const_new(2);

/// A cluster, a relay in front of each server, and a proxy in front of those.
struct Bench {
    // Dropped in this order.
    proxy: Proxy,
    relays: Vec<Relay>,
    cluster: Cluster,
    /// The primary, if the cluster does not know.
    promoted: Mutex<Option<Arc<Server>>>,
    _slot: SemaphorePermit<'static>,
}

impl Bench {
    /// Semi-synchronous replication: nothing that was answered is lost by the database itself.
    async fn start(flavor: Flavor) -> Self {
        let options = ClusterOptions { semi_sync: true, ..ClusterOptions::new(flavor) };
        Self::start_with(options, |options| options).await
    }

    async fn start_with(
        options: ClusterOptions,
        configure: impl FnOnce(ProxyOptions) -> ProxyOptions,
    ) -> Self {
        let slot = SLOTS.acquire().await.unwrap();
        let cluster = Cluster::start(options).await.unwrap();
        let options = ProxyOptions::new(support::program(), &cluster);
        let (relays, options) = relays(&cluster, options).await.unwrap();
        let options = configure(options);
        let proxy = Proxy::start(&options).await.unwrap();
        Self { proxy, relays, cluster, promoted: Mutex::default(), _slot: slot }
    }

    /// With the commit marker installed.
    async fn start_marked(flavor: Flavor, mode: &str) -> Self {
        Self::start_marked_with(flavor, mode, |options| options).await
    }

    async fn start_marked_with(
        flavor: Flavor,
        mode: &str,
        configure: impl FnOnce(ProxyOptions) -> ProxyOptions,
    ) -> Self {
        let slot = SLOTS.acquire().await.unwrap();
        let options = ClusterOptions { semi_sync: true, ..ClusterOptions::new(flavor) };
        let cluster = Cluster::start(options).await.unwrap();
        let options = ProxyOptions::new(support::program(), &cluster);
        let (relays, options) = relays(&cluster, options).await.unwrap();
        let options = options.set("guard", "mode", format!("\"{mode}\"")).set("log", "level", "\"debug\"");
        // Running it again changes nothing.
        for _ in 0..2 {
            let (printed, done) = set_up(&options).await.unwrap();
            assert!(done, "{printed}");
            assert!(printed.contains("GRANT EXECUTE ON PROCEDURE tideover.mark"), "{printed}");
        }
        cluster.wait_in_sync().await.unwrap();
        let proxy = Proxy::start(&configure(options)).await.unwrap();
        Self { proxy, relays, cluster, promoted: Mutex::default(), _slot: slot }
    }

    /// A client's connection.
    async fn client(&self) -> Conn {
        let address: SocketAddr = self.proxy.address();
        match support::open(support::options(address, "app", "app")).await {
            Ok(client) => client,
            Err(error) => panic!("{error}\n{}", self.proxy.log()),
        }
    }

    /// The guard's part of `/v1/status`.
    async fn guard(&self) -> serde_json::Value {
        let status = self.proxy.admin().json("/v1/status").await.unwrap();
        status.get("guard").cloned().unwrap_or_default()
    }

    fn primary(&self) -> Arc<Server> {
        self.promoted.lock().clone().unwrap_or_else(|| self.cluster.primary().clone())
    }

    fn relay_of_primary(&self) -> &Relay {
        let port = self.primary().port;
        let at = self.cluster.servers().iter().position(|server| server.port == port);
        &self.relays[at.unwrap()]
    }

    /// Runs a statement as root on the primary, past the proxy.
    async fn run(&self, sql: &str) {
        self.primary().run(&["USE app", sql]).await.unwrap();
    }

    /// A number from the primary, past the proxy.
    async fn number(&self, sql: &str) -> u64 {
        self.primary().query_one::<u64>(sql).await.unwrap().unwrap_or_default()
    }
}
