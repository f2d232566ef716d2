//! One of the sandbox's servers, for tests that block.

use tideover_sandbox::servers::{Cluster, ClusterOptions, Flavor};
use tokio::runtime::Runtime;

/// A server of its own for a test; ended and its data removed on drop.
pub(crate) struct Server {
    // Dropped in this order.
    _cluster: Cluster,
    _runtime: Runtime,
    pub(crate) port: u16,
    pub(crate) mariadb: bool,
}

impl Server {
    /// Starts one, and gets it first if it is not on this machine yet.
    pub(crate) fn start(flavor: Flavor) -> Self {
        let runtime = Runtime::new().unwrap();
        let options = ClusterOptions {
            replicas: 0,
            server_options: vec!["--log-bin-trust-function-creators=1".to_owned()],
            ..ClusterOptions::new(flavor)
        };
        let cluster = runtime.block_on(Cluster::start(options)).unwrap_or_else(|error| panic!("{error}"));
        let port = cluster.primary().port;
        Self { _cluster: cluster, _runtime: runtime, port, mariadb: flavor.is_mariadb() }
    }
}
