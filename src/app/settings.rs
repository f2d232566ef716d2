//! What the parts are started with, resolved from the configuration.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use thread_priority::{ThreadPriority, ThreadPriorityValue};
use tideover_protocol::handshake::Secret;
use zeroize::Zeroizing;

use crate::backend::{Account, Manner, PoolLimits, Wire};
use crate::frontend::{AuthMode, SessionOptions, Users};
use crate::guard::GuardMode;
use crate::net::{ClientTls, ClientTlsFiles, ClientTlsMode, ListenAddress, ServerTls};
use crate::route::RoutingOptions;
use crate::switchover::{FailoverOptions, SwitchoverOptions};

/// TLS towards clients.
#[derive(Debug, Clone)]
pub enum ServerTlsSettings {
    /// Not offered.
    Off,
    /// With a certificate made at start.
    SelfSigned,
    /// With these files.
    Files {
        /// Certificate chain, PEM.
        certificate: PathBuf,
        /// Private key, PEM.
        key: PathBuf,
    },
}

/// Everything.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where clients are served.
    pub listen: Vec<ListenAddress>,
    /// `host:port` of each server.
    pub servers: Vec<String>,
    /// Name of the monitor account.
    pub monitor_user: String,
    /// Its password.
    pub monitor_password: Zeroizing<String>,
    /// Between looks at a server.
    pub monitor_interval: Duration,
    /// A look takes at most.
    pub monitor_timeout: Duration,
    /// Where the admin API is served; `None` for nowhere.
    pub admin: Option<SocketAddr>,
    /// Its bearer token.
    pub admin_token: Option<String>,
    /// Fixed users; `None` for the database's own accounts.
    pub users: Option<Users>,
    /// TLS towards clients.
    pub tls: ServerTlsSettings,
    /// Whose certificates clients may show, PEM.
    pub client_ca: Option<PathBuf>,
    /// TLS towards servers.
    pub server_tls: (ClientTlsMode, ClientTlsFiles),
    /// Compression and PROXY headers towards servers.
    pub wire: Wire,
    /// Bounds of the pools.
    pub pool: PoolLimits,
    /// Sessions that may wait at the gate.
    pub hold_sessions: usize,
    /// Longest time to live of a hold.
    pub hold_max_ttl: Duration,
    /// Bounds of sessions.
    pub session: SessionOptions,
    /// Who serves reads.
    pub routing: RoutingOptions,
    /// How outcomes of units in doubt are proven.
    pub guard: GuardMode,
    /// Bytes of one transaction's journal (0: none are kept), and of all.
    pub journals: (usize, usize),
    /// Switchovers.
    pub switchover: SwitchoverOptions,
    /// Failovers of our own; `None` if somebody else promotes.
    pub failover: Option<FailoverOptions>,
    /// Whether traffic is held when the new primary lacks acknowledged transactions.
    pub hold_on_loss: bool,
    /// Serve on for this long after being asked to leave.
    pub shutdown_delay: Duration,
    /// Units may finish within.
    pub shutdown_drain: Duration,
    /// Threads that serve clients.
    pub shards: usize,
    /// Whether these threads ask for `SCHED_BATCH`.
    pub sched_batch: bool,
}

impl Settings {
    /// How many of the held are let in at once: as many as the pool serves.
    pub(super) fn pace(&self) -> u64 {
        self.pool.per_server as u64
    }

    pub(super) fn monitor_secret(&self) -> Secret {
        let password = Zeroizing::new(self.monitor_password.as_bytes().to_vec());
        if password.is_empty() { Secret::Empty } else { Secret::Password(password) }
    }

    pub(crate) fn monitor_account(&self) -> Arc<Account> {
        // Its right to log in may hang on a certificate (`REQUIRE X509`).
        let certificate = self.server_tls.1.certificate.is_some();
        let manner = Manner { tls: certificate, certificate, client: None };
        Account::with(self.monitor_user.as_bytes(), self.monitor_secret(), manner)
    }

    pub(super) fn auth_mode(&self) -> AuthMode {
        self.users.clone().map_or(AuthMode::Database, AuthMode::Users)
    }

    pub(super) fn tls(&self) -> Result<Option<Arc<ServerTls>>, String> {
        let tls = match &self.tls {
            ServerTlsSettings::Off => return Ok(None),
            ServerTlsSettings::SelfSigned => ServerTls::self_signed(self.client_ca.as_deref()),
            ServerTlsSettings::Files { certificate, key } => {
                ServerTls::from_files(certificate, key, self.client_ca.as_deref())
            }
        };
        tls.map(|tls| Some(Arc::new(tls))).map_err(|e| e.to_string())
    }

    /// Whether certificates and keys can be read.
    pub(crate) fn check_files(&self) -> Result<(), String> {
        self.tls()?;
        self.server_tls().map(drop)
    }

    pub(crate) fn server_tls(&self) -> Result<ClientTls, String> {
        let (mode, files) = &self.server_tls;
        ClientTls::new(*mode, files.clone()).map_err(|e| e.to_string())
    }
}

/// Asks the kernel to treat this thread as a batch job: its waking up interrupts nobody, so it does more each time it runs.
/// Its niceness stays what it is: as a nice program it would get no time at all beside busy ones.
pub(super) fn use_batch_scheduling() {
    use thread_priority::unix::{
        NormalThreadSchedulePolicy, ThreadSchedulePolicy, set_thread_priority_and_policy, thread_native_id,
    };
    let nice = rustix::process::getpriority_process(None).unwrap_or(0);
    let policy = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Batch);
    if let Err(error) = set_thread_priority_and_policy(thread_native_id(), priority_of(nice), policy) {
        tracing::warn!(?error, "the kernel refuses SCHED_BATCH (runtime.sched_batch)");
    }
}

/// The crate's name for a niceness (-20 to 19): it counts from 0 to 99, and upwards.
fn priority_of(nice: i32) -> ThreadPriority {
    let share = (f64::from(nice) + 20.5) / 39.0;
    let value = (99.0 * (1.0 - share)).round().clamp(0.0, 99.0);
    // In range after the clamp.
    ThreadPriorityValue::try_from(value as u8).map_or(ThreadPriority::Min, ThreadPriority::Crossplatform)
}

#[cfg(test)]
mod tests {
    use thread_priority::unix::{NormalThreadSchedulePolicy, ThreadSchedulePolicy};

    use super::*;

    #[test]
    fn batch_scheduling_leaves_the_niceness_alone() {
        let batch = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Batch);
        for nice in -20..=19 {
            assert_eq!(priority_of(nice).to_posix(batch).ok(), Some(nice));
        }
        let (before, after) = std::thread::spawn(|| {
            let before = rustix::process::getpriority_process(None).ok();
            use_batch_scheduling();
            (before, rustix::process::getpriority_process(None).ok())
        })
        .join()
        .expect("thread");
        assert_eq!(before, after);
    }
}
