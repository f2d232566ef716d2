//! The threads that serve clients: each with a runtime of its own, one task per client. Fewer threads that do not share
//! work cost less per query than a work-stealing pool (measured, DESIGN section 5).

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::backend::{Account, Pools};
use crate::flight::{Acknowledged, Flights};
use crate::frontend::{AccountDirectory, SessionOptions, SessionRegistry, Shared, serve};
use crate::gate::Gate;
use crate::guard::Guard;
use crate::metrics::Metrics;
use crate::monitor::Monitor;
use crate::net::{Bound, BufferPool, RsaKey, ServerTls};
use crate::replay::Budget;
use crate::route::Desk;
use crate::topology::TopologyStore;

/// What every shard gets.
#[derive(Clone)]
pub(super) struct ShardParts {
    pub(super) live: Arc<ArcSwap<SessionOptions>>,
    pub(super) gate: Arc<Gate>,
    pub(super) store: Arc<TopologyStore>,
    pub(super) pools: Arc<Pools>,
    pub(super) monitor: Arc<Monitor>,
    pub(super) guard: Arc<Guard>,
    pub(super) journals: Arc<Budget>,
    pub(super) flights: Arc<Flights>,
    pub(super) acknowledged: Arc<Acknowledged>,
    pub(super) routing: Arc<Desk>,
    pub(super) registry: Arc<SessionRegistry>,
    pub(super) accounts: Arc<AccountDirectory>,
    pub(super) control: Arc<Account>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) tls: Option<Arc<ServerTls>>,
    pub(super) rsa: Arc<RsaKey>,
}

/// The running threads.
#[derive(Debug)]
pub(super) struct Shards {
    threads: Vec<JoinHandle<()>>,
    accepting: CancellationToken,
    stop: CancellationToken,
}

impl Shards {
    /// Starts `count` threads that all accept from the same sockets.
    pub(super) fn start(count: usize, batch: bool, bound: &[Bound], parts: ShardParts) -> io::Result<Self> {
        let (accepting, stop) = (CancellationToken::new(), CancellationToken::new());
        let mut threads = Vec::new();
        for shard in 0..count {
            let sockets: io::Result<Vec<Bound>> = bound.iter().map(Bound::try_clone).collect();
            let (sockets, parts) = (sockets?, parts.clone());
            let (accepting, stop) = (accepting.clone(), stop.clone());
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let thread = std::thread::Builder::new().name(format!("shard-{shard}"));
            threads.push(thread.spawn(move || {
                if batch {
                    super::settings::use_batch_scheduling();
                }
                let served = runtime.block_on(serve_shard(shard, sockets, parts, (accepting, stop)));
                if let Err(error) = served {
                    tracing::error!(shard, %error, "a shard cannot accept");
                }
            })?);
        }
        Ok(Self { threads, accepting, stop })
    }

    /// No new clients from now on.
    pub(super) fn stop_accepting(&self) {
        self.accepting.cancel();
    }

    /// Ends the threads, waiting `within` at most.
    pub(super) async fn join(self, within: Duration) {
        self.accepting.cancel();
        self.stop.cancel();
        let threads = self.threads;
        let joined = tokio::task::spawn_blocking(move || threads.into_iter().for_each(|t| drop(t.join())));
        let _ = tokio::time::timeout(within, joined).await;
    }
}

async fn serve_shard(
    shard: usize,
    sockets: Vec<Bound>,
    parts: ShardParts,
    (accepting, stop): (CancellationToken, CancellationToken),
) -> io::Result<()> {
    let shared = Arc::new(Shared {
        shard,
        live: parts.live,
        gate: parts.gate,
        store: parts.store,
        pools: parts.pools,
        monitor: parts.monitor,
        guard: parts.guard,
        journals: parts.journals,
        flights: parts.flights,
        acknowledged: parts.acknowledged,
        routing: parts.routing,
        registry: parts.registry,
        accounts: parts.accounts,
        control: parts.control,
        metrics: parts.metrics,
        tls: parts.tls,
        rsa: parts.rsa,
        bounds: Default::default(),
        visible: Default::default(),
        texts: Default::default(),
        states: Default::default(),
        buffers: BufferPool::new(),
    });
    let tasks = TaskTracker::new();
    for socket in sockets {
        let listener = socket.into_listener()?;
        tokio::spawn(serve(listener, shared.clone(), tasks.clone(), accepting.clone()));
    }
    stop.cancelled().await;
    tasks.close();
    let _ = tokio::time::timeout(Duration::from_secs(1), tasks.wait()).await;
    Ok(())
}
