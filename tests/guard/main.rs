//! The guard against real servers: answers are lost on purpose, and every write must be done exactly once, with the answer
//! that the client would have got. A relay between proxy and servers cuts connections at chosen moments.
#![allow(clippy::unwrap_used, reason = "a failing helper fails its test")]
#![allow(
    clippy::disallowed_types,
    clippy::print_stdout,
    reason = "a relay is sockets; what was seen is for people"
)]

mod alive;
mod dead;
mod odd;
mod relay;
#[path = "../support/mod.rs"]
mod support;

use std::net::SocketAddr;

use mysql_async::Conn;
use tideover_sandbox::proxy::{Proxy, ProxyOptions};
use tideover_sandbox::servers::{Cluster, ClusterOptions, Flavor};
use tokio::sync::{Semaphore, SemaphorePermit};

use relay::Relay;

/// How many clusters run at once.
static SLOTS: Semaphore = Semaphore::const_new(2);

/// A cluster, a relay in front of each server, and a proxy in front of those.
struct Bench {
    // Dropped in this order.
    proxy: Proxy,
    relays: Vec<Relay>,
    cluster: Cluster,
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
        let mut relays = Vec::new();
        for server in cluster.addresses() {
            relays.push(Relay::start(server).await);
        }
        let addresses: Vec<_> = relays.iter().map(|relay| format!("\"{}\"", relay.address())).collect();
        let options = ProxyOptions::new(support::program(), &cluster);
        let options = options.set("cluster", "servers", format!("[{}]", addresses.join(", ")));
        let proxy = Proxy::start(&configure(options)).await.unwrap();
        Self { proxy, relays, cluster, _slot: slot }
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

    /// Runs a statement as root on the primary, past the proxy.
    async fn run(&self, sql: &str) {
        self.cluster.primary().run(&["USE app", sql]).await.unwrap();
    }

    /// A number from the primary, past the proxy.
    async fn number(&self, sql: &str) -> u64 {
        self.cluster.primary().query_one::<u64>(sql).await.unwrap().unwrap_or_default()
    }
}
