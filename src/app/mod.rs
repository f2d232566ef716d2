//! The composition root: from settings to every part, wired and started. The only module that knows them all.

mod configured;
mod keeper;
mod readers;
mod reload;
mod settings;
mod shards;
mod unstick;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::admin::{self, Admin, Reloaded};
use crate::backend::{Account, Connector, Pools, Signature, Target};
use crate::flight::{Acknowledged, Flights};
use crate::frontend::{AccountDirectory, SessionOptions, SessionRegistry};
use crate::gate::{Gate, Limits, Reasons};
use crate::guard::{Guard, GuardMode, GuardParts};
use crate::metrics::Metrics;
use crate::monitor::{Monitor, MonitorOptions};
use crate::net::{AdminListener, Bound, BufferPool, ClientTls, ListenAddress, RsaKey, ServerTls};
use crate::relay::Signals;
use crate::replay::Budget;
use crate::route::Desk;
use crate::session::PinReason;
use crate::switchover::{Coordinator, CoordinatorParts, Failover, FailoverNote, Holder, Phase};
use crate::topology::{ServerId, Topology, TopologyStore};

pub use reload::Source;
use reload::{Changeable, Reloader, ShutdownTimes};
pub use settings::{ServerTlsSettings, Settings};
use shards::{ShardParts, Shards};

/// Why the proxy does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A socket cannot be had.
    #[error("cannot listen on {address}: {error}")]
    Listen {
        /// Where.
        address: String,
        /// Why.
        error: io::Error,
    },
    /// Certificates, keys.
    #[error("{0}")]
    Tls(String),
    /// Threads, metrics.
    #[error("{0}")]
    System(String),
}

/// A running proxy.
#[derive(Debug)]
pub struct App {
    /// Where clients are served, with the ports that the system chose.
    pub addresses: Vec<ListenAddress>,
    /// Where the admin API is served.
    pub admin: Option<SocketAddr>,
    leave: CancellationToken,
    leaving: Arc<AtomicBool>,
    registry: Arc<SessionRegistry>,
    shards: Shards,
    tasks: TaskTracker,
    stop: CancellationToken,
    shutdown: ShutdownTimes,
    reloader: Arc<Reloader>,
}

/// What everybody shares; made before anything runs.
struct Parts {
    gate: Arc<Gate>,
    store: Arc<TopologyStore>,
    pools: Arc<Pools>,
    monitor: Arc<Monitor>,
    guard: Arc<Guard>,
    flights: Arc<Flights>,
    acknowledged: Arc<Acknowledged>,
    hold_on_loss: bool,
    routing: Arc<Desk>,
    registry: Arc<SessionRegistry>,
    metrics: Arc<Metrics>,
    control: Arc<Account>,
    targets: Vec<Target>,
    connector: Connector,
    server_tls: ClientTls,
}

impl App {
    /// Starts everything. Clients are served once the servers were looked at for the first time. `source`: where the settings
    /// come from, to be read again when somebody asks for it; without it only certificates are.
    ///
    /// # Errors
    /// [`StartError`], in one sentence.
    pub async fn start(settings: Settings, source: Option<Source>) -> Result<Self, StartError> {
        let bound = bind(&settings.listen)?;
        let (tasks, stop, leave) = (TaskTracker::new(), CancellationToken::new(), CancellationToken::new());
        let leaving = Arc::new(AtomicBool::new(false));
        let parts = Parts::new(&settings, (&tasks, &stop))?;
        let looked = parts.monitor.look_at_all();
        if timeout(settings.monitor_timeout * 2, looked).await.is_err() {
            tracing::warn!("not every server answered the first look");
        }
        start_guard(&parts, settings.monitor_timeout, (&tasks, &stop)).await;
        keeper::start(&parts, (&tasks, &stop));
        readers::start(&parts, (&tasks, &stop));
        unstick::start(&parts, (&tasks, &stop));
        let tls = settings.tls().map_err(StartError::Tls)?;
        let rsa = RsaKey::generate().map_err(StartError::System)?;
        let accounts = AccountDirectory::new(
            settings.auth_mode(),
            parts.store.clone(),
            parts.targets.clone(),
            parts.connector.clone(),
            parts.control.clone(),
        );
        let commands = Commands::new(&settings, &parts, (&tasks, &stop));
        let shutdown = Arc::new(Mutex::new((settings.shutdown_delay, settings.shutdown_drain)));
        let sessions = Arc::new(ArcSwap::from_pointee(settings.session.clone()));
        let live = (sessions.clone(), shutdown.clone());
        let reloader = Reloader::new(source, parts.changeable(&settings, live, &accounts, (&tls, &commands)));
        let admin =
            start_admin(&settings, &parts, commands, (&reloader, &leaving, &leave), (&tasks, &stop)).await?;
        let mut addresses = Vec::new();
        for listener in &bound {
            addresses.push(listener.address().map_err(|e| listen_error("a socket", e))?);
        }
        let shard_parts = parts.for_shards(&settings, sessions, accounts, (tls, rsa));
        let shards = Shards::start(settings.shards, settings.sched_batch, &bound, shard_parts)
            .map_err(|e| StartError::System(e.to_string()))?;
        for address in &addresses {
            tracing::info!(%address, "serving clients");
        }
        Ok(Self {
            addresses,
            admin,
            leave,
            leaving,
            registry: parts.registry,
            shards,
            tasks,
            stop,
            shutdown,
            reloader,
        })
    }

    /// Resolves when somebody asked the proxy to leave (`POST /v1/drain`).
    pub async fn asked_to_leave(&self) {
        self.leave.cancelled().await;
    }

    /// Reads configuration, users and certificates again.
    ///
    /// # Errors
    /// Every mistake, a line each; nothing has changed then.
    pub fn reload(&self) -> Result<Reloaded, String> {
        self.reloader.reload()
    }

    /// Leaves service: not ready at once, new clients still served for `shutdown.delay` (load balancers need time to
    /// notice), then no new clients, idle sessions end, units finish within `shutdown.drain_timeout`, the rest is ended.
    pub async fn shut_down(self) {
        let (delay, drain) = *self.shutdown.lock();
        self.leaving.store(true, Ordering::Release);
        tracing::info!(sessions = self.registry.len(), delay_ms = delay.as_millis(), "leaving");
        tokio::time::sleep(delay).await;
        self.shards.stop_accepting();
        self.registry.raise_all(Signals::LEAVE);
        let deadline = Instant::now() + drain;
        while !self.registry.is_empty() && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(10)).await;
            // Sessions that were logging in when the signal was raised.
            self.registry.raise_all(Signals::LEAVE);
        }
        if !self.registry.is_empty() {
            tracing::warn!(
                sessions = self.registry.len(),
                "units did not finish in time (shutdown.drain_timeout)"
            );
            self.registry.raise_all(Signals::ABORT);
        }
        self.stop.cancel();
        self.shards.join(Duration::from_secs(2)).await;
        self.tasks.close();
        let _ = timeout(Duration::from_secs(1), self.tasks.wait()).await;
        tracing::info!("left");
    }
}

impl Parts {
    fn new(settings: &Settings, tasks: (&TaskTracker, &CancellationToken)) -> Result<Self, StartError> {
        let targets: Vec<Target> =
            settings.servers.iter().map(|a| Target { address: a.as_str().into() }).collect();
        let addresses: Vec<Arc<str>> = targets.iter().map(|t| t.address.clone()).collect();
        let store = Arc::new(TopologyStore::new(Topology::unseen(&addresses)));
        let metrics = Arc::new(Metrics::new().map_err(|e| StartError::System(e.to_string()))?);
        let phases = Phase::WORK.map(Phase::name);
        metrics.announce(&phases, &PinReason::ALL.map(PinReason::name));
        let gate = Gate::new(Limits { waiting: settings.hold_sessions, pace: settings.pace() });
        gate.close(Reasons::NO_PRIMARY);
        let tls = settings.server_tls().map_err(StartError::Tls)?;
        let connector = Connector::new(tls.clone(), BufferPool::new()).over(settings.wire);
        let control = settings.monitor_account();
        let signature = Signature { instance: instance()?, tags: settings.guard.tags() };
        let pools = Pools::new(settings.pool, connector.clone(), &targets, signature);
        let options = MonitorOptions {
            interval: settings.monitor_interval,
            timeout: settings.monitor_timeout,
            account: control.clone(),
        };
        let monitor = Monitor::start(store.clone(), &connector, &targets, options, tasks);
        let guard = Guard::new(GuardParts {
            mode: settings.guard,
            store: store.clone(),
            pools: pools.clone(),
            connector: connector.clone(),
            targets: targets.clone(),
            account: control.clone(),
        });
        let (registry, flights) = (SessionRegistry::new(), Flights::new());
        let routing = Arc::new(Desk::new(settings.routing.clone()));
        let (acknowledged, hold_on_loss) = (Arc::default(), settings.hold_on_loss);
        Ok(Self {
            gate,
            store,
            pools,
            monitor,
            guard,
            flights,
            acknowledged,
            hold_on_loss,
            routing,
            registry,
            metrics,
            control,
            targets,
            connector,
            server_tls: tls,
        })
    }

    /// What a reload can change.
    fn changeable(
        &self,
        settings: &Settings,
        (sessions, shutdown): (Arc<ArcSwap<SessionOptions>>, ShutdownTimes),
        accounts: &Arc<AccountDirectory>,
        (tls, commands): (&Option<Arc<ServerTls>>, &Commands),
    ) -> Changeable {
        Changeable {
            sessions,
            pools: self.pools.clone(),
            gate: self.gate.clone(),
            control: self.control.clone(),
            accounts: accounts.clone(),
            coordinator: commands.coordinator.clone(),
            holder: commands.holder.clone(),
            max_ttl: Arc::new(Mutex::new(settings.hold_max_ttl)),
            shutdown,
            tls: tls.clone(),
            server_tls: self.server_tls.clone(),
        }
    }

    fn for_shards(
        &self,
        settings: &Settings,
        live: Arc<ArcSwap<SessionOptions>>,
        accounts: Arc<AccountDirectory>,
        (tls, rsa): (Option<Arc<ServerTls>>, RsaKey),
    ) -> ShardParts {
        ShardParts {
            live,
            gate: self.gate.clone(),
            store: self.store.clone(),
            pools: self.pools.clone(),
            monitor: self.monitor.clone(),
            guard: self.guard.clone(),
            journals: Budget::new(settings.journals.0, settings.journals.1),
            flights: self.flights.clone(),
            acknowledged: self.acknowledged.clone(),
            routing: self.routing.clone(),
            registry: self.registry.clone(),
            accounts,
            control: self.control.clone(),
            metrics: self.metrics.clone(),
            tls,
            rsa: Arc::new(rsa),
        }
    }
}

/// Servers must log the texts of statements before the first connection for clients is opened.
async fn start_guard(parts: &Parts, within: Duration, (tasks, stop): (&TaskTracker, &CancellationToken)) {
    if parts.guard.mode() == GuardMode::Off {
        return;
    }
    if timeout(within * 2, parts.guard.inspect_all()).await.is_err() {
        tracing::warn!("not every server told in time what it logs");
    }
    let (guard, stopped) = (parts.guard.clone(), stop.clone());
    tasks.spawn(async move {
        tokio::select! {
            () = guard.watch() => {}
            () = stopped.cancelled() => {}
        }
    });
}

/// Random text of this process, part of every commit tag and marker.
fn instance() -> Result<String, StartError> {
    let mut bytes = [0u8; 6];
    aws_lc_rs::rand::fill(&mut bytes)
        .map_err(|_| StartError::System("no randomness to be had".to_owned()))?;
    Ok(bytes.iter().map(|b| format!("{b:02x}")).collect())
}

fn listen_error(address: &str, error: io::Error) -> StartError {
    StartError::Listen { address: address.to_owned(), error }
}

fn bind(listen: &[ListenAddress]) -> Result<Vec<Bound>, StartError> {
    listen.iter().map(|a| Bound::bind(a).map_err(|e| listen_error(&a.to_string(), e))).collect()
}

/// What commands are given to.
struct Commands {
    coordinator: Arc<Coordinator>,
    holder: Arc<Holder>,
    failover: Option<FailoverNote>,
}

impl Commands {
    fn new(settings: &Settings, parts: &Parts, (tasks, stop): (&TaskTracker, &CancellationToken)) -> Self {
        let registry = parts.registry.clone();
        let cut: Arc<dyn Fn() -> usize + Send + Sync> = Arc::new(move || registry.raise_all(Signals::CUT));
        let registry = parts.registry.clone();
        let movable: Arc<dyn Fn() -> bool + Send + Sync> = Arc::new(move || registry.all_movable());
        let registry = parts.registry.clone();
        let part: Arc<dyn Fn(ServerId) -> usize + Send + Sync> = Arc::new(move |server| {
            registry.tell(server, Signals::PART);
            registry.on(server)
        });
        let commanded = CoordinatorParts {
            gate: parts.gate.clone(),
            monitor: parts.monitor.clone(),
            pools: parts.pools.clone(),
            account: parts.control.clone(),
            flights: parts.flights.clone(),
            cut: cut.clone(),
            movable,
            part,
            commanded: Default::default(),
        };
        let coordinator = Coordinator::new(commanded.clone(), settings.switchover.clone());
        let failover =
            start_failover(settings, (commanded, coordinator.clone()), parts.metrics.clone(), (tasks, stop));
        let drain = (settings.switchover.drain_timeout, parts.flights.clone());
        let holder = Holder::new(parts.gate.clone(), parts.monitor.clone(), cut, drain);
        Self { coordinator, holder, failover }
    }
}

async fn start_admin(
    settings: &Settings,
    parts: &Parts,
    commands: Commands,
    (reloader, leaving, leave): (&Arc<Reloader>, &Arc<AtomicBool>, &CancellationToken),
    (tasks, stop): (&TaskTracker, &CancellationToken),
) -> Result<Option<SocketAddr>, StartError> {
    let Some(address) = settings.admin else { return Ok(None) };
    let listener = AdminListener::bind(address).await.map_err(|e| listen_error(&address.to_string(), e))?;
    let bound = listener.address().map_err(|e| listen_error(&address.to_string(), e))?;
    let reload = reloader.clone();
    let admin = Arc::new(Admin {
        gate: parts.gate.clone(),
        store: parts.store.clone(),
        pools: parts.pools.clone(),
        guard: parts.guard.clone(),
        flights: parts.flights.clone(),
        routing: parts.routing.clone(),
        registry: parts.registry.clone(),
        coordinator: commands.coordinator,
        holder: commands.holder,
        failover: commands.failover,
        metrics: parts.metrics.clone(),
        leaving: leaving.clone(),
        leave: leave.clone(),
        token: settings.admin_token.clone(),
        max_ttl: reloader.max_ttl(),
        scrape: Mutex::default(),
        started: Instant::now(),
        reload: admin::Reload(Box::new(move || reload.reload())),
    });
    let stop = stop.clone();
    tasks.spawn(async move {
        if let Err(error) = admin::serve(listener, admin, stop).await {
            tracing::error!(%error, "the admin API ended");
        }
    });
    tracing::info!(address = %bound, "serving the admin API");
    Ok(Some(bound))
}

/// Promotes by itself, if it is told to.
fn start_failover(
    settings: &Settings,
    (parts, coordinator): (CoordinatorParts, Arc<Coordinator>),
    metrics: Arc<Metrics>,
    (tasks, stop): (&TaskTracker, &CancellationToken),
) -> Option<FailoverNote> {
    let options = settings.failover.clone()?;
    let count = Arc::new(move |result: &'static str| {
        metrics.switchovers.with_label_values(&["failover", result]).inc()
    });
    let note = FailoverNote::default();
    let failover = Failover::new(parts, options, coordinator, (count, note.clone()));
    let stopped = stop.clone();
    tasks.spawn(async move {
        tokio::select! {
            () = failover.run() => {}
            () = stopped.cancelled() => {}
        }
    });
    Some(note)
}
