//! The parts of a proxy, wired as `app` wires them, over streams within this process: no socket, no thread, and a clock
//! that a test can let run.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tideover::backend::{Account, Connector, Control, PoolLimits, Pools, Signature, Target};
use tideover::frontend::{
    AccountDirectory, AuthMode, FixedUser, SessionOptions, SessionRegistry, Shared, welcome,
};
use tideover::gate::{Gate, Limits, Reasons};
use tideover::guard::{Guard, GuardMode, GuardParts};
use tideover::metrics::Metrics;
use tideover::monitor::{Monitor, MonitorOptions};
use tideover::net::{Accepted, BufferPool, ClientTls, ClientTlsFiles, ClientTlsMode, Raw, RsaKey};
use tideover::relay::Signals;
use tideover::topology::{Topology, TopologyStore};
use tideover_protocol::handshake::Secret;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use zeroize::Zeroizing;

use crate::fake_server::FakeServer;

/// `hold.timeout` of all scenarios.
pub(crate) const HOLD: Duration = Duration::from_secs(30);
/// A client waits longer than the proxy holds it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// Two servers, `a` the primary, and a proxy in front of them.
pub(crate) struct Bench {
    pub(crate) a: Arc<FakeServer>,
    pub(crate) b: Arc<FakeServer>,
    pub(crate) gate: Arc<Gate>,
    /// One for each thread that would serve clients.
    shards: [Arc<Shared>; 2],
}

/// So many connections to each server at most.
pub(crate) fn pool_limits(per_server: usize) -> PoolLimits {
    PoolLimits {
        per_server,
        acquire: Duration::from_secs(10),
        connect: Duration::from_secs(5),
        idle: Duration::from_secs(300),
        lifetime: Duration::from_secs(3600),
        min_idle: 0,
    }
}

impl Bench {
    pub(crate) async fn start() -> Self {
        Self::with(10).await
    }

    /// With so many connections to each server at most.
    pub(crate) async fn with(per_server: usize) -> Self {
        let (a, b) = (FakeServer::new(1, None), FakeServer::new(2, Some(1)));
        let servers = [a.clone(), b.clone()];
        let connector = connector(move |address| servers[usize::from(address != "a:1")].dial());
        let addresses: Vec<Arc<str>> = vec!["a:1".into(), "b:1".into()];
        let targets: Vec<Target> = addresses.iter().map(|a| Target { address: a.clone() }).collect();
        let store = Arc::new(TopologyStore::new(Topology::unseen(&addresses)));
        let gate = Gate::new(Limits { waiting: 100, pace: 10 });
        gate.close(Reasons::NO_PRIMARY);
        let account = account("monitor");
        let pools = Pools::new(
            pool_limits(per_server),
            connector.clone(),
            &targets,
            Signature { instance: "test".to_owned(), tags: true },
        );
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let options = MonitorOptions {
            interval: Duration::from_millis(500),
            timeout: Duration::from_secs(1),
            account: account.clone(),
        };
        let monitor = Monitor::start(store.clone(), &connector, &targets, options, (&tasks, &stop));
        let guard = Guard::new(GuardParts {
            mode: GuardMode::Off,
            store: store.clone(),
            pools: pools.clone(),
            connector: connector.clone(),
            targets: targets.clone(),
            account: account.clone(),
        });
        let accounts = AccountDirectory::new(users(), store.clone(), targets, connector, account.clone());
        let first = Shared {
            shard: 0,
            live: Arc::new(arc_swap::ArcSwap::from_pointee(options_of_sessions())),
            gate: gate.clone(),
            store: store.clone(),
            pools,
            monitor: monitor.clone(),
            guard,
            journals: tideover::replay::Budget::new(1 << 20, 64 << 20),
            flights: tideover::flight::Flights::new(),
            acknowledged: Arc::default(),
            routing: Arc::new(tideover::route::Desk::new(routing())),
            registry: SessionRegistry::new(),
            accounts,
            control: account,
            metrics: Arc::new(Metrics::new().expect("metrics")),
            tls: None,
            rsa: Arc::new(RsaKey::generate().expect("a key")),
            bounds: Default::default(),
            visible: Default::default(),
            texts: Default::default(),
            states: Default::default(),
            buffers: BufferPool::new(),
        };
        monitor.look_at_all().await;
        tokio::spawn(keep(store, gate.clone(), first.registry.clone()));
        Self { a, b, gate, shards: with_second(first) }
    }

    /// Looks at both servers; gives what is published then.
    pub(crate) async fn look(&self) -> Arc<Topology> {
        self.shards[0].monitor.look_at_all().await
    }

    /// A client that has logged in.
    pub(crate) async fn client(&self) -> Control {
        self.client_of(0).await
    }

    /// The same, served by one of two threads.
    pub(crate) async fn client_of(&self, shard: usize) -> Control {
        let shared = self.shards[shard].clone();
        let connector = connector(move |_| {
            let (ours, theirs) = tokio::io::duplex(1 << 16);
            tokio::spawn(welcome(shared.clone(), Accepted { raw: Raw::Memory(theirs), peer: None }));
            Ok(Raw::Memory(ours))
        });
        let target = Target { address: "proxy:1".into() };
        Control::connect(&connector, &target, &account("app"), PATIENCE).await.expect("a login")
    }
}

/// And what another thread has: its own number, and all else that `app` gives to every thread.
fn with_second(first: Shared) -> [Arc<Shared>; 2] {
    let second = Shared {
        shard: 1,
        live: first.live.clone(),
        gate: first.gate.clone(),
        store: first.store.clone(),
        pools: first.pools.clone(),
        monitor: first.monitor.clone(),
        guard: first.guard.clone(),
        journals: first.journals.clone(),
        flights: first.flights.clone(),
        acknowledged: first.acknowledged.clone(),
        routing: first.routing.clone(),
        registry: first.registry.clone(),
        accounts: first.accounts.clone(),
        control: first.control.clone(),
        metrics: first.metrics.clone(),
        tls: None,
        rsa: first.rsa.clone(),
        bounds: Default::default(),
        visible: Default::default(),
        texts: Default::default(),
        states: Default::default(),
        buffers: BufferPool::new(),
    };
    [first, second].map(Arc::new)
}

fn users() -> AuthMode {
    let user = FixedUser::Password(Zeroizing::new(b"app".to_vec()));
    AuthMode::Users(HashMap::from([(b"app".to_vec(), user)]))
}

/// The primary serves everything.
fn routing() -> tideover::route::RoutingOptions {
    tideover::route::RoutingOptions {
        replicas: false,
        consistency: tideover::route::Consistency::Session,
        max_lag: Duration::from_secs(10),
        wait: Duration::from_millis(10),
        fallback: tideover::route::Fallback::Primary,
        slow_start: Duration::ZERO,
        shares: Vec::new(),
        rules: tideover::route::Rules::default(),
    }
}

/// What `app::keeper` does for the gate, and for the sessions of a server that is down.
async fn keep(store: Arc<TopologyStore>, gate: Arc<Gate>, registry: Arc<SessionRegistry>) {
    let mut now = store.load();
    loop {
        for server in now.servers.iter().filter(|server| !server.is_up()) {
            registry.tell(server.id, Signals::SERVER_LOST);
        }
        if now.primary().is_some() {
            gate.open(Reasons::NO_PRIMARY);
        } else {
            gate.close(Reasons::NO_PRIMARY);
        }
        now = store.newer_than(now.version).await;
    }
}

pub(crate) fn connector(dial: impl Fn(&str) -> io::Result<Raw> + Send + Sync + 'static) -> Connector {
    let tls = ClientTls::new(ClientTlsMode::Off, ClientTlsFiles::default()).expect("no TLS");
    Connector::new(tls, BufferPool::new()).dialing(Arc::new(dial))
}

pub(crate) fn account(name: &str) -> Arc<Account> {
    Account::new(name.as_bytes(), Secret::Password(Zeroizing::new(name.as_bytes().to_vec())))
}

fn options_of_sessions() -> SessionOptions {
    SessionOptions {
        hold_timeout: HOLD,
        login_timeout: Duration::from_secs(10),
        max_connections: 100,
        max_packet: 1 << 24,
        tls_like_servers: false,
        tls_required: false,
        keeps_connection: false,
        waits_for_primary: false,
        proxy_networks: Arc::new([]),
        tells_address: false,
    }
}
