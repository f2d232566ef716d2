//! The metrics of the contract, as resolved handles. Names are a contract: tests and dashboards use them.

use std::fmt;

use prometheus::core::Collector;
use prometheus::{
    Encoder, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts,
    Registry, TextEncoder,
};

/// What a statement was, for `tideover_statements_total{kind}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatementKind {
    /// Only reads.
    Read = 0,
    /// May write.
    Write = 1,
    /// Begins or ends a transaction.
    Transaction = 2,
    /// Everything else.
    Other = 3,
}

/// Causes of the errors that README promises; others show once they have occurred.
const CAUSES: [&str; 9] = [
    "hold_timeout",
    "hold_full",
    "rolled_back",
    "outcome_unknown",
    "state_lost",
    "pool_exhausted",
    "no_replica",
    "max_connections",
    "malformed_packet",
];

const KINDS: [&str; 4] = ["read", "write", "transaction", "other"];

/// Handles of all metrics.
pub struct Metrics {
    registry: Registry,
    /// `tideover_client_connections`.
    pub client_connections: IntGauge,
    /// `tideover_server_connections{server,state}`.
    pub server_connections: IntGaugeVec,
    statements: [[IntCounter; 4]; 2],
    /// `tideover_proxy_seconds`: from a command's arrival to its leaving for the server; held ones are not counted.
    pub proxy_seconds: Histogram,
    /// `tideover_held_sessions`.
    pub held_sessions: IntGauge,
    /// `tideover_hold_seconds`.
    pub hold_seconds: Histogram,
    /// `tideover_switchovers_total{cause,result}`.
    pub switchovers: IntCounterVec,
    /// `tideover_switchover_phase_seconds{phase}`.
    pub switchover_phase_seconds: HistogramVec,
    /// `tideover_replays_total{result}`.
    pub replays: IntCounterVec,
    /// `tideover_in_doubt_total{outcome}`.
    pub in_doubt: IntCounterVec,
    /// `tideover_marks_total{result}`: units that tags cannot prove.
    pub marks: IntCounterVec,
    /// `tideover_lost_transactions_total`: acknowledged, and missing on a new primary.
    pub lost_transactions: IntCounter,
    /// `tideover_client_errors_total{cause}`: errors that the proxy itself gave to clients.
    pub client_errors: IntCounterVec,
    /// `tideover_pins_total{reason}`.
    pub pins: IntCounterVec,
    /// `tideover_server_up{server,role}`.
    pub server_up: IntGaugeVec,
    /// `tideover_replica_lag_seconds{server}`.
    pub replica_lag_seconds: prometheus::GaugeVec,
    /// `tideover_gate_state`: 0 open, 1 draining, 2 held.
    pub gate_state: IntGauge,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Metrics {
    /// All metrics, registered in a registry of their own.
    ///
    /// # Errors
    /// Never for the names below; the library checks them.
    pub fn new() -> Result<Self, prometheus::Error> {
        let r = Registry::new();
        let statements = counters(&r, STATEMENTS, &["kind", "role"])?;
        Ok(Self {
            client_connections: gauge(&r, CLIENT_CONNECTIONS)?,
            server_connections: gauges(&r, SERVER_CONNECTIONS, &["server", "state"])?,
            statements: ["primary", "replica"]
                .map(|role| KINDS.map(|kind| statements.with_label_values(&[kind, role]))),
            proxy_seconds: histogram(&r, PROXY_SECONDS, FINE)?,
            held_sessions: gauge(&r, HELD_SESSIONS)?,
            hold_seconds: histogram(&r, HOLD_SECONDS, COARSE)?,
            switchovers: counters(&r, SWITCHOVERS, &["cause", "result"])?,
            switchover_phase_seconds: registered(
                &r,
                HistogramVec::new(
                    HistogramOpts::new(SWITCHOVER_PHASE_SECONDS.0, SWITCHOVER_PHASE_SECONDS.1)
                        .buckets(COARSE.to_vec()),
                    &["phase"],
                )?,
            )?,
            replays: counters(&r, REPLAYS, &["result"])?,
            in_doubt: counters(&r, IN_DOUBT, &["outcome"])?,
            marks: counters(&r, MARKS, &["result"])?,
            lost_transactions: registered(&r, IntCounter::new(LOST_TRANSACTIONS.0, LOST_TRANSACTIONS.1)?)?,
            client_errors: counters(&r, CLIENT_ERRORS, &["cause"])?,
            pins: counters(&r, PINS, &["reason"])?,
            server_up: gauges(&r, SERVER_UP, &["server", "role"])?,
            replica_lag_seconds: registered(
                &r,
                prometheus::GaugeVec::new(
                    Opts::new(REPLICA_LAG_SECONDS.0, REPLICA_LAG_SECONDS.1),
                    &["server"],
                )?,
            )?,
            gate_state: gauge(&r, GATE_STATE)?,
            registry: r,
        })
    }

    /// Series that dashboards and alerts name are there from the start, at zero.
    pub fn announce(&self, phases: &[&str], pins: &[&str]) {
        for cause in ["command", "external", "failover"] {
            for result in ["done", "failed", "stuck"] {
                self.switchovers.with_label_values(&[cause, result]);
            }
        }
        for phase in phases {
            self.switchover_phase_seconds.with_label_values(&[phase]);
        }
        for result in ["done", "failed"] {
            self.replays.with_label_values(&[result]);
        }
        for outcome in ["committed", "not_committed", "unknown"] {
            self.in_doubt.with_label_values(&[outcome]);
        }
        for result in ["left", "refused", "none"] {
            self.marks.with_label_values(&[result]);
        }
        for cause in CAUSES {
            self.client_errors.with_label_values(&[cause]);
        }
        for reason in pins {
            self.pins.with_label_values(&[reason]);
        }
    }

    /// Counts a statement that ran on the primary, or on a replica.
    pub fn statement(&self, kind: StatementKind, on_replica: bool) {
        if let Some(counter) = self.statements.get(usize::from(on_replica)).and_then(|s| s.get(kind as usize))
        {
            counter.inc();
        }
    }

    /// Everything in the text format.
    #[must_use]
    pub fn render(&self) -> String {
        let mut out = Vec::new();
        if TextEncoder::new().encode(&self.registry.gather(), &mut out).is_err() {
            out.clear();
        }
        String::from_utf8_lossy(&out).into_owned()
    }
}

/// Name and help of a metric.
type Text = (&'static str, &'static str);

const STATEMENTS: Text =
    ("tideover_statements_total", "Statements by kind and by the role of the server that ran them.");
const CLIENT_CONNECTIONS: Text = ("tideover_client_connections", "Clients connected.");
const SERVER_CONNECTIONS: Text = ("tideover_server_connections", "Server connections by state.");
const PROXY_SECONDS: Text =
    ("tideover_proxy_seconds", "From a command's arrival to its leaving for the server, holds not counted.");
const HELD_SESSIONS: Text = ("tideover_held_sessions", "Sessions that wait at the gate.");
const HOLD_SECONDS: Text = ("tideover_hold_seconds", "Time that units waited at the gate.");
const SWITCHOVERS: Text = ("tideover_switchovers_total", "Switchovers by cause and result.");
const SWITCHOVER_PHASE_SECONDS: Text = ("tideover_switchover_phase_seconds", "Time of each phase.");
const REPLAYS: Text = ("tideover_replays_total", "Transactions replayed, by result.");
const IN_DOUBT: Text = ("tideover_in_doubt_total", "Units whose answer was lost, by what became of them.");
const MARKS: Text = (
    "tideover_marks_total",
    "Units whose commit tags would not prove their outcome, by what became of their commit marker.",
);
const LOST_TRANSACTIONS: Text = (
    "tideover_lost_transactions_total",
    "Transactions that were acknowledged and are missing on a new primary.",
);
const CLIENT_ERRORS: Text = ("tideover_client_errors_total", "Errors that the proxy itself gave to clients.");
const PINS: Text = ("tideover_pins_total", "Sessions pinned to a server connection, by reason.");
const SERVER_UP: Text = ("tideover_server_up", "1 for the role that each server has.");
const REPLICA_LAG_SECONDS: Text = ("tideover_replica_lag_seconds", "Lag as the replica reports it.");
const GATE_STATE: Text = ("tideover_gate_state", "0 open, 1 draining, 2 held.");

const FINE: &[f64] =
    &[5e-6, 10e-6, 20e-6, 50e-6, 100e-6, 200e-6, 500e-6, 1e-3, 2e-3, 5e-3, 10e-3, 50e-3, 0.2, 1.0];
const COARSE: &[f64] = &[1e-3, 2e-3, 5e-3, 10e-3, 20e-3, 50e-3, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0];

fn registered<C: Collector + Clone + 'static>(
    registry: &Registry,
    collector: C,
) -> Result<C, prometheus::Error> {
    registry.register(Box::new(collector.clone()))?;
    Ok(collector)
}

fn gauge(registry: &Registry, (name, help): Text) -> Result<IntGauge, prometheus::Error> {
    registered(registry, IntGauge::new(name, help)?)
}

fn gauges(
    registry: &Registry,
    (name, help): Text,
    labels: &[&str],
) -> Result<IntGaugeVec, prometheus::Error> {
    registered(registry, IntGaugeVec::new(Opts::new(name, help), labels)?)
}

fn counters(
    registry: &Registry,
    (name, help): Text,
    labels: &[&str],
) -> Result<IntCounterVec, prometheus::Error> {
    registered(registry, IntCounterVec::new(Opts::new(name, help), labels)?)
}

fn histogram(
    registry: &Registry,
    (name, help): Text,
    buckets: &[f64],
) -> Result<Histogram, prometheus::Error> {
    registered(registry, Histogram::with_opts(HistogramOpts::new(name, help).buckets(buckets.to_vec()))?)
}
