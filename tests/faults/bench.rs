//! A cluster with two proxies in front of it, one with the guard and one without, each behind relays of its own.

use tideover_sandbox::{
    faults::{Relay, relays},
    proxy::{Proxy, ProxyOptions, set_up},
    servers::{Cluster, ClusterOptions, Flavor},
};
use tokio::sync::SemaphorePermit;

use super::support;

pub(crate) struct Bench {
    // Dropped in this order.
    pub(crate) sides: [Side; 2],
    pub(crate) cluster: Cluster,
    _slot: SemaphorePermit<'static>,
}

/// One of the two proxies.
pub(crate) struct Side {
    pub(crate) guarded: bool,
    pub(crate) proxy: Proxy,
    /// One for each server, in the cluster's order.
    pub(crate) relays: Vec<Relay>,
}

impl Bench {
    /// Semi-synchronous replication: nothing that was answered is lost by the database itself.
    pub(crate) async fn start(flavor: Flavor) -> Self {
        let slot = support::slots(1).await.unwrap();
        let options = ClusterOptions { semi_sync: true, ..ClusterOptions::new(flavor) };
        let cluster = Cluster::start(options).await.unwrap();
        let sides = [Side::start(&cluster, true).await, Side::start(&cluster, false).await];
        Self { sides, cluster, _slot: slot }
    }

    /// The place of the primary in the cluster.
    pub(crate) fn primary_at(&self) -> usize {
        let port = self.cluster.primary().port;
        self.cluster.servers().iter().position(|server| server.port == port).unwrap()
    }

    /// A number from the primary, past the proxy.
    pub(crate) async fn number(&self, sql: &str) -> u64 {
        self.cluster.primary().query_one::<u64>(sql).await.unwrap().unwrap_or_default()
    }

    /// Runs a statement as root on the primary, past the proxy.
    pub(crate) async fn run(&self, sql: &str) {
        self.cluster.primary().run(&["USE app", sql]).await.unwrap();
    }
}

impl Side {
    async fn start(cluster: &Cluster, guarded: bool) -> Self {
        let mode = if guarded { "\"auto\"" } else { "\"off\"" };
        let options = ProxyOptions::new(support::program(), cluster).set("guard", "mode", mode);
        let (relays, options) = relays(cluster, options).await.unwrap();
        if guarded {
            let (printed, done) = set_up(&options).await.unwrap();
            assert!(done, "{printed}");
            cluster.wait_in_sync().await.unwrap();
        }
        let proxy = Proxy::start(&options).await.unwrap();
        Self { guarded, proxy, relays }
    }

    pub(crate) const fn name(&self) -> &'static str {
        if self.guarded { "guard auto" } else { "guard off" }
    }
}
