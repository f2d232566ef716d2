//! The guard against real servers: answers are lost on purpose, and every write must be done exactly once, with the answer
//! that the client would have got. A relay between proxy and servers cuts connections at chosen moments.

mod alive;
mod proxy;
mod relay;

use tideover_sandbox::servers::{Cluster, ClusterOptions, Flavor};

use proxy::Proxy;
use relay::Relay;

/// A cluster, a relay in front of each server, and a proxy in front of those.
struct Bench {
    // Dropped in this order.
    proxy: Proxy,
    relays: Vec<Relay>,
    cluster: Cluster,
}

impl Bench {
    async fn start(flavor: Flavor, more: &str) -> Self {
        let options = ClusterOptions { semi_sync: true, ..ClusterOptions::new(flavor) };
        Self::start_with(options, more).await
    }

    async fn start_with(options: ClusterOptions, more: &str) -> Self {
        let cluster = Cluster::start(options).await.unwrap();
        let mut relays = Vec::new();
        for server in cluster.addresses() {
            relays.push(Relay::start(server).await);
        }
        let addresses: Vec<_> = relays.iter().map(Relay::address).collect();
        let proxy = Proxy::start(&addresses, more).await;
        Self { proxy, relays, cluster }
    }

    /// Runs a statement as root on the primary, past the proxy.
    async fn run(&self, sql: &str) {
        self.cluster.primary().run(&[format!("USE app"), sql.to_owned()]).await.unwrap();
    }

    /// A number from the primary, past the proxy.
    async fn number(&self, sql: &str) -> u64 {
        self.cluster.primary().query_one::<u64>(sql).await.unwrap().unwrap_or_default()
    }
}
