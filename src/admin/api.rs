//! What the admin API can do, apart from HTTP.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::backend::Pools;
use crate::flight::Flights;
use crate::frontend::SessionRegistry;
use crate::gate::Gate;
use crate::guard::Guard;
use crate::metrics::Metrics;
use crate::route::{Consistency, Desk, Rule};
use crate::switchover::{Coordinator, FailoverNote, Holder, Outcome};
use crate::topology::{ClusterState, Flavor, Server, Topology, TopologyStore};

use super::status::{
    FailoverView, GateView, GuardView, ReaderView, RoutingView, ServerView, SessionsView, Status,
};

/// Body of `POST /v1/switchover`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SwitchoverRequest {
    /// `host:port`; the best replica if absent.
    #[serde(default)]
    pub to: Option<String>,
    /// Only checks.
    #[serde(default)]
    pub dry_run: bool,
    /// In place of the configured drain time: seconds as a number, or text like `5s`.
    #[serde(default)]
    pub drain_timeout: Option<serde_json::Value>,
}

/// What the API works with, handed in by `app`.
#[derive(Debug)]
pub struct Admin {
    /// The gate.
    pub gate: Arc<Gate>,
    /// The topology.
    pub store: Arc<TopologyStore>,
    /// Server connections.
    pub pools: Arc<Pools>,
    /// Proves outcomes.
    pub guard: Arc<Guard>,
    /// The flight record and the events.
    pub flights: Arc<Flights>,
    /// Who serves reads.
    pub routing: Arc<Desk>,
    /// Sessions.
    pub registry: Arc<SessionRegistry>,
    /// Switchovers.
    pub coordinator: Arc<Coordinator>,
    /// Holds.
    pub holder: Arc<Holder>,
    /// What failovers of our own wait for; `None` if somebody else promotes.
    pub failover: Option<FailoverNote>,
    /// Metrics.
    pub metrics: Arc<Metrics>,
    /// Set when the proxy leaves service.
    pub leaving: Arc<AtomicBool>,
    /// Makes the proxy leave.
    pub leave: CancellationToken,
    /// Bearer token, if one is demanded.
    pub token: Option<String>,
    /// Longest time to live of a hold.
    pub max_ttl: Arc<Mutex<Duration>>,
    /// Held while the metrics are put together.
    pub scrape: Mutex<()>,
    /// When the proxy started.
    pub started: Instant,
    /// Reads configuration, users and certificates again; the error says what is wrong.
    pub reload: Reload,
}

/// Reloads what can be reloaded.
pub struct Reload(pub Box<dyn Fn() -> Result<Reloaded, String> + Send + Sync>);

/// What a reload did; the answer to `POST /v1/reload`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Reloaded {
    /// What was read again: `configuration`, `certificates`.
    pub reloaded: Vec<String>,
    /// Keys whose new values count from now on.
    pub changed: Vec<String>,
    /// Keys whose new values count after a restart only.
    pub needs_restart: Vec<String>,
}

impl std::fmt::Debug for Reload {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Reload")
    }
}

impl Admin {
    /// Whether new clients should come here: there is a primary (or a hold that will end), and the proxy stays.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        !self.leaving.load(Ordering::Acquire) && self.store.peek().epoch > 0
    }

    /// The whole state.
    #[must_use]
    pub fn status(&self) -> Status {
        let topology = self.store.load();
        let closed = self.gate.closed_at().map(|at| at.elapsed()).unwrap_or_default();
        Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            uptime_s: self.started.elapsed().as_secs(),
            state: topology.state.name().to_owned(),
            problem: problem(&topology),
            primary: topology.primary().map(|p| p.address.to_string()),
            epoch: topology.epoch,
            gate: GateView {
                state: format!("{:?}", self.gate.state()).to_lowercase(),
                reasons: self.gate.reasons().names().into_iter().map(str::to_owned).collect(),
                inside: self.gate.inside(),
                held: self.gate.held(),
                closed_ms: u64::try_from(closed.as_millis()).unwrap_or(u64::MAX),
            },
            servers: topology.servers.iter().map(|s| self.server(s)).collect(),
            sessions: SessionsView {
                clients: self.registry.len(),
                pinned: self.registry.pins().into_iter().map(|(k, v)| (k.to_owned(), v)).collect(),
            },
            guard: self.guard(),
            routing: self.routing(&topology),
            failover: FailoverView {
                mode: if self.failover.is_some() { "auto" } else { "external" }.to_owned(),
                note: self
                    .failover
                    .as_ref()
                    .filter(|_| topology.primary().is_none())
                    .map(FailoverNote::text)
                    .unwrap_or_default(),
            },
            ready: self.is_ready(),
        }
    }

    fn guard(&self) -> GuardView {
        let why_not = self.guard.why_not();
        let why_no_marker = self.guard.why_no_marker();
        GuardView {
            mode: self.guard.mode().name().to_owned(),
            guarded: why_not.is_empty(),
            why_not,
            why_no_marker,
        }
    }

    fn routing(&self, topology: &Topology) -> RoutingView {
        let options = self.routing.options();
        let address = |id| topology.server(id).map(|s| s.address.to_string()).unwrap_or_default();
        let reader = |view: crate::route::ReaderView| ReaderView {
            address: address(view.id),
            fit: view.fit,
            running: view.running,
            latency_ms: f64::from(view.latency) / 1000.0,
            reads: view.reads,
        };
        RoutingView {
            on: self.routing.is_on(),
            consistency: match options.consistency {
                Consistency::Session => "session".to_owned(),
                Consistency::Eventual => "eventual".to_owned(),
                Consistency::Strong => "strong".to_owned(),
            },
            reasons: self.routing.hits().into_iter().map(|(name, hits)| (name.to_owned(), hits)).collect(),
            rules: options.rules.0.iter().map(Rule::hits).collect(),
            readers: self.routing.readers(topology).into_iter().map(reader).collect(),
        }
    }

    fn server(&self, server: &Server) -> ServerView {
        let stats = self.pools.stats(server.id);
        ServerView {
            address: server.address.to_string(),
            role: server.role.name().to_owned(),
            problem: server.problem.clone(),
            flavor: match server.flavor {
                Flavor::MariaDb => "mariadb".to_owned(),
                Flavor::MySql => "mysql".to_owned(),
            },
            version: server.version.clone(),
            read_only: server.read_only,
            source: server.replication.as_ref().map(|r| format!("{}:{}", r.source_host, r.source_port)),
            lag_s: server.replication.as_ref().and_then(|r| r.lag).map(|l| l.as_secs_f64()),
            gtid: server.gtid.clone(),
            leased: stats.leased,
            idle: stats.idle,
        }
    }

    /// All metrics as text. Gauges that are read from elsewhere are set first.
    #[must_use]
    pub fn metrics_text(&self) -> String {
        let m = &self.metrics;
        // One at a time: another scrape must not find the gauges reset and not set yet.
        let _one = self.scrape.lock();
        m.gate_state.set(self.gate.state().number());
        m.server_up.reset();
        // Who follows nobody any more has no lag.
        m.replica_lag_seconds.reset();
        let topology = self.store.load();
        for server in &topology.servers {
            let up = i64::from(server.is_up());
            m.server_up.with_label_values(&[&*server.address, server.role.name()]).set(up);
            if let Some(lag) = server.replication.as_ref().and_then(|r| r.lag) {
                m.replica_lag_seconds.with_label_values(&[&*server.address]).set(lag.as_secs_f64());
            }
            let stats = self.pools.stats(server.id);
            for (state, count) in [("idle", stats.idle), ("leased", stats.leased)] {
                let gauge = m.server_connections.with_label_values(&[&*server.address, state]);
                gauge.set(i64::try_from(count).unwrap_or(i64::MAX));
            }
        }
        m.render()
    }

    /// Counts a finished switchover.
    pub(super) fn count(&self, report: &crate::switchover::Report) {
        let result = match report.outcome {
            Outcome::Done => "done",
            Outcome::DryRun => return,
            Outcome::Failed => "failed",
            Outcome::Stuck => "stuck",
        };
        self.metrics.switchovers.with_label_values(&["command", result]).inc();
        for phase in &report.phases {
            let seconds = self.metrics.switchover_phase_seconds.with_label_values(&[&phase.phase]);
            seconds.observe(phase.took_ms / 1e3);
        }
    }
}

fn problem(topology: &Topology) -> String {
    match &topology.state {
        ClusterState::Ok { .. } => String::new(),
        ClusterState::None { why } => why.to_string(),
        ClusterState::TwoWriters { others, .. } => {
            let others: Vec<&str> =
                others.iter().filter_map(|id| topology.server(*id)).map(|s| &*s.address).collect();
            format!("accept writes beside the primary: {}", others.join(", "))
        }
    }
}

/// A duration in a JSON body: seconds as a number, or text like `30s`.
pub(super) fn duration(value: &serde_json::Value) -> Option<Duration> {
    match value {
        serde_json::Value::Number(n) => n.as_f64().and_then(|s| Duration::try_from_secs_f64(s).ok()),
        serde_json::Value::String(text) => parse_ttl(text),
        _ => None,
    }
}

/// `30s`, `500ms`, `2m` or plain seconds.
pub(crate) fn parse_ttl(text: &str) -> Option<Duration> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: f64 = number.parse().ok()?;
    let seconds = match unit.trim() {
        "" | "s" => number,
        "ms" => number / 1e3,
        "m" | "min" => number * 60.0,
        _ => return None,
    };
    Duration::try_from_secs_f64(seconds).ok()
}
