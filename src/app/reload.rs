//! Reads the configuration again while the proxy runs. Some keys count at once; of the others it is said that they need a
//! restart. All or nothing: one mistake, in the configuration or in a file that it names, and nothing changes.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use tideover_config::{Config, LogLevel, diff};

use crate::admin::Reloaded;
use crate::backend::{Account, Pools};
use crate::frontend::{AccountDirectory, SessionOptions};
use crate::gate::Gate;
use crate::net::{ClientTls, ServerTls};
use crate::switchover::{Coordinator, Holder};

use super::settings::Settings;

/// Where a configuration comes from.
pub struct Source {
    /// What the proxy is started with.
    pub config: Config,
    /// Reads it again; the error names every mistake.
    pub load: Box<dyn Fn() -> Result<Config, String> + Send + Sync>,
    /// Sets the level of the log.
    pub log_level: Box<dyn Fn(LogLevel) + Send + Sync>,
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source").finish_non_exhaustive()
    }
}

/// Delay and drain time of the shutdown.
pub(super) type ShutdownTimes = Arc<Mutex<(Duration, Duration)>>;

/// What can be changed while the proxy runs.
pub(super) struct Changeable {
    pub(super) sessions: Arc<ArcSwap<SessionOptions>>,
    pub(super) pools: Arc<Pools>,
    pub(super) gate: Arc<Gate>,
    /// The monitor's account.
    pub(super) control: Arc<Account>,
    pub(super) accounts: Arc<AccountDirectory>,
    pub(super) coordinator: Arc<Coordinator>,
    pub(super) holder: Arc<Holder>,
    /// The longest time to live of a hold.
    pub(super) max_ttl: Arc<Mutex<Duration>>,
    pub(super) shutdown: ShutdownTimes,
    pub(super) tls: Option<Arc<ServerTls>>,
    pub(super) server_tls: ClientTls,
}

/// Reads everything again.
pub(super) struct Reloader {
    source: Option<Source>,
    parts: Changeable,
    /// What the last reload brought; the start counts as one. Locked while one runs.
    applied: Mutex<Option<Config>>,
}

impl fmt::Debug for Reloader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reloader").field("source", &self.source).finish_non_exhaustive()
    }
}

impl Reloader {
    pub(super) fn new(source: Option<Source>, parts: Changeable) -> Arc<Self> {
        let applied = Mutex::new(source.as_ref().map(|source| source.config.clone()));
        Arc::new(Self { source, parts, applied })
    }

    /// Where the longest time to live of a hold stands.
    pub(super) fn max_ttl(&self) -> Arc<Mutex<Duration>> {
        self.parts.max_ttl.clone()
    }

    /// Reads configuration and certificates.
    ///
    /// # Errors
    /// Every mistake, a line each; nothing has changed then.
    pub(super) fn reload(&self) -> Result<Reloaded, String> {
        let mut applied = self.applied.lock();
        let config = self.source.as_ref().map(|source| (source.load)()).transpose()?;
        let parts = &self.parts;
        let ours = parts.tls.as_ref().map(|tls| tls.read_again()).transpose().map_err(|e| e.to_string())?;
        let theirs = parts.server_tls.read_again().map_err(|e| e.to_string())?;
        // Nothing can go wrong from here on.
        let mut done = Reloaded::default();
        if let (Some(tls), Some(read)) = (&parts.tls, ours) {
            tls.use_now(read);
        }
        parts.server_tls.use_now(theirs);
        done.reloaded.push("certificates".to_owned());
        if let (Some(source), Some(config), Some(applied)) = (&self.source, config, applied.as_mut()) {
            let since_start = diff(&source.config, &config);
            let keys = |wanted: bool, found: Vec<tideover_config::Difference>| {
                let found = found.into_iter().filter(|found| found.needs_restart == wanted);
                found.map(|found| found.key).collect::<Vec<_>>()
            };
            done.needs_restart = keys(true, since_start);
            done.changed = keys(false, diff(applied, &config));
            self.apply(source, &config);
            *applied = config;
            done.reloaded.push("configuration".to_owned());
        }
        tracing::info!(changed = ?done.changed, needs_restart = ?done.needs_restart, "reloaded");
        Ok(done)
    }

    /// Hands on what counts at once (`Applies::Live` in the configuration), and of the rest what the proxy was started with.
    fn apply(&self, source: &Source, config: &Config) {
        let (new, start, parts) = (Settings::from(config), Settings::from(&source.config), &self.parts);
        parts.sessions.store(Arc::new(SessionOptions {
            hold_timeout: new.session.hold_timeout,
            login_timeout: new.session.login_timeout,
            max_connections: new.session.max_connections,
            max_packet: new.session.max_packet,
            ..start.session
        }));
        // Another account needs a restart: its rights are looked at when the proxy starts.
        if new.monitor_user == start.monitor_user {
            parts.control.renew(new.monitor_secret());
        }
        parts.pools.set_limits(new.pool);
        parts.gate.set_pace(new.pace());
        if let Some(users) = new.users {
            parts.accounts.set_users(users);
        }
        parts.holder.set_drain_timeout(new.switchover.drain_timeout);
        parts.coordinator.set_options(new.switchover);
        *parts.max_ttl.lock() = new.hold_max_ttl;
        *parts.shutdown.lock() = (new.shutdown_delay, new.shutdown_drain);
        (source.log_level)(config.log.level);
    }
}
