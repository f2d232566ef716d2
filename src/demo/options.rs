use std::time::Duration;

use tideover_sandbox::servers::Flavor;

/// How the demo is run.
#[derive(Debug, Clone)]
pub struct DemoOptions {
    /// The kind of servers.
    pub flavor: Flavor,
    /// How long the load goes on.
    pub time: Duration,
    /// A switchover is begun this often.
    pub every: Duration,
    /// Clients of each group: through the proxy, and directly connected.
    pub clients: u16,
    /// Plain lines even if standard output is a terminal.
    pub plain: bool,
}

impl Default for DemoOptions {
    fn default() -> Self {
        Self {
            flavor: Flavor::MariaDb1011,
            time: Duration::from_secs(60),
            every: Duration::from_secs(5),
            clients: 32,
            plain: false,
        }
    }
}
