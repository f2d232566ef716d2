//! The looking itself: one task per server, one judgement after each look.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::backend::{Account, Connector, Target};
use crate::topology::{ClusterState, Server, ServerId, Topology, TopologyStore, Unanswered};

use super::judge::{Memory, judge};
use super::observation::Observation;
use super::probe::Probe;

/// Between looks while there is no primary: whoever is held waits for this.
const HURRY: Duration = Duration::from_millis(20);

/// From `[monitor]`.
#[derive(Debug, Clone)]
pub struct MonitorOptions {
    /// Between looks (`monitor.interval`).
    pub interval: Duration,
    /// A look takes at most (`monitor.timeout`).
    pub timeout: Duration,
    /// Who looks.
    pub account: Arc<Account>,
}

/// A request for a look now; answered after the topology that contains it was published.
type Request = Option<oneshot::Sender<()>>;

/// The monitor's handle.
#[derive(Debug)]
pub struct Monitor {
    store: Arc<TopologyStore>,
    memory: Mutex<Memory>,
    requests: Vec<mpsc::UnboundedSender<Request>>,
    options: MonitorOptions,
    /// A switchover of ours is under way, so that for a moment there is no primary.
    switching: AtomicBool,
}

impl Monitor {
    /// Starts one task per server.
    pub fn start(
        store: Arc<TopologyStore>,
        connector: &Connector,
        targets: &[Target],
        options: MonitorOptions,
        (tasks, stop): (&TaskTracker, &CancellationToken),
    ) -> Arc<Self> {
        let (requests, receivers): (Vec<_>, Vec<_>) =
            targets.iter().map(|_| mpsc::unbounded_channel()).unzip();
        let monitor = Arc::new(Self {
            store,
            memory: Mutex::default(),
            requests,
            options,
            switching: AtomicBool::new(false),
        });
        for (at, (target, receiver)) in targets.iter().zip(receivers).enumerate() {
            let options = &monitor.options;
            let probe =
                Probe::new(connector.clone(), target.clone(), options.account.clone(), options.timeout);
            let task = watch(monitor.clone(), ServerId(at), probe, receiver);
            let stop = stop.clone();
            tasks.spawn(async move {
                tokio::select! {
                    () = task => {}
                    () = stop.cancelled() => {}
                }
            });
        }
        monitor
    }

    /// Asks for a look at every server now, without waiting: something on the data path did not go as expected.
    pub fn kick(&self) {
        for request in &self.requests {
            let _ = request.send(None);
        }
    }

    /// Looks at these servers now and waits until what was seen is published.
    pub async fn look(&self, servers: &[ServerId]) -> Arc<Topology> {
        let mut answers = Vec::new();
        for id in servers {
            let (sender, receiver) = oneshot::channel();
            if self.requests.get(id.0).is_some_and(|r| r.send(Some(sender)).is_ok()) {
                answers.push(receiver);
            }
        }
        for answer in answers {
            let _ = answer.await;
        }
        self.store.load()
    }

    /// Looks at all servers now.
    pub async fn look_at_all(&self) -> Arc<Topology> {
        let all: Vec<ServerId> = (0..self.requests.len()).map(ServerId).collect();
        self.look(&all).await
    }

    /// A switchover of ours has made `id` writable: it is the primary although its receiver still runs.
    pub fn promoted(&self, id: ServerId) {
        self.memory.lock().promoted(id);
    }

    /// A switchover of ours begins or ends: what it does to the servers is told by itself.
    pub fn set_switching(&self, switching: bool) {
        self.switching.store(switching, Ordering::Relaxed);
    }

    /// Whether `id` is the server that a switchover of ours made writable last.
    #[must_use]
    pub fn has_promoted(&self, id: ServerId) -> bool {
        self.memory.lock().has_promoted(id)
    }

    /// Where topologies are published.
    #[must_use]
    pub fn store(&self) -> &Arc<TopologyStore> {
        &self.store
    }

    fn publish(&self, look: Observation) {
        let mut memory = self.memory.lock();
        let previous = self.store.load();
        let (next_memory, next) = judge(&memory, &previous, &[look]);
        *memory = next_memory;
        let changed = next.state != previous.state;
        tell_servers(&previous, &next);
        if changed {
            tell(&previous, &next, self.switching.load(Ordering::Relaxed));
        }
        self.store.publish(next);
        drop(memory);
        if changed {
            self.kick();
        }
    }
}

async fn watch(
    monitor: Arc<Monitor>,
    id: ServerId,
    mut probe: Probe,
    mut requests: mpsc::UnboundedReceiver<Request>,
) {
    let mut askers = Vec::new();
    loop {
        // Everybody who asked before this look begins is answered by it.
        while let Ok(request) = requests.try_recv() {
            askers.extend(request);
        }
        let result = probe.look().await;
        monitor.publish(Observation { id, result });
        for asker in askers.drain(..) {
            let asker: oneshot::Sender<()> = asker;
            let _ = asker.send(());
        }
        let pause = match monitor.store.peek().state {
            ClusterState::None { .. } => HURRY.min(monitor.options.interval),
            _ => monitor.options.interval,
        };
        match tokio::time::timeout(pause, requests.recv()).await {
            Ok(Some(request)) => askers.extend(request),
            Ok(None) => return,
            Err(_) => {}
        }
    }
}

/// Servers that were lost, that refuse us, or that are back.
fn tell_servers(previous: &Topology, next: &Topology) {
    let refuses = |s: &Server| s.unanswered == Some(Unanswered::Denied);
    for (was, is) in previous.servers.iter().zip(&next.servers) {
        let unlooked = was.version.is_empty() && was.unanswered.is_none();
        match is {
            _ if refuses(is) && !refuses(was) => {
                tracing::warn!(server = %is.address, role = is.role.name(),
                    "refuses the monitor's account, and counts as what it was: {}", is.problem);
            }
            _ if !is.is_up() && is.unanswered.is_some() && (was.is_up() || unlooked) => {
                tracing::warn!(server = %is.address, "cannot be reached: {}", is.problem);
            }
            _ if is.unanswered.is_none() && (!was.is_up() || refuses(was)) && !unlooked => {
                tracing::info!(server = %is.address, role = is.role.name(), "can be looked at again");
            }
            _ => {}
        }
    }
}

fn tell(previous: &Topology, next: &Topology, switching: bool) {
    match (&next.state, next.primary()) {
        (ClusterState::None { why }, _) if switching => tracing::debug!("no primary for now: {why}"),
        (ClusterState::None { why }, _) => tracing::warn!(state = next.state.name(), "no primary: {why}"),
        (ClusterState::TwoWriters { others, .. }, Some(primary)) => {
            let others: Vec<&str> =
                others.iter().filter_map(|id| next.server(*id)).map(|s| &*s.address).collect();
            tracing::warn!(primary = %primary.address, others = others.join(", "), "several servers accept writes");
        }
        (_, Some(primary)) if next.epoch != previous.epoch => {
            tracing::info!(primary = %primary.address, epoch = next.epoch, "new primary");
        }
        (_, Some(primary)) => tracing::info!(primary = %primary.address, "primary is back"),
        _ => {}
    }
}
