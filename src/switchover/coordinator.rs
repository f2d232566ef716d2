//! Carries a switchover out: runs each phase's action, feeds the event back to the table, tells progress. One at a time.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;
use tokio::time::{Instant, timeout};

use crate::backend::{Account, Control, ControlError, Pools, Target};
use crate::gate::{Gate, Reasons};
use crate::monitor::Monitor;
use crate::topology::{Server, ServerId};

use super::fence::{end_doomed, fence};
use super::phase::{Action, Event, Phase, action, step};
use super::preflight::{Finding, Preflight, choose, from_servers, from_topology};
use super::repoint::{forget, repoint};
use super::report::{Outcome, PhaseTime, Progress, Report};
use super::statements::{self, Source};

/// Time for one short control statement.
const STATEMENT: Duration = Duration::from_secs(3);
/// Time that cut units get to leave before the fence ends their connections.
const CUT: Duration = Duration::from_secs(1);

/// From `[switchover]`.
#[derive(Debug, Clone)]
pub struct SwitchoverOptions {
    /// Units inside may take this long to finish (`switchover.drain_timeout`).
    pub drain_timeout: Duration,
    /// The target may take this long to get everything (`switchover.catch_up_timeout`).
    pub catch_up_timeout: Duration,
    /// Setting the old primary read-only may take this long (`switchover.fence_timeout`).
    pub fence_timeout: Duration,
    /// The target may be behind by this at preflight (`switchover.max_lag`).
    pub max_lag: Duration,
    /// Replication account for repointing (`switchover.replication_user`).
    pub replication_user: String,
    /// Its password.
    pub replication_password: String,
    /// Connections opened ahead of need, at most.
    pub warm: usize,
}

/// What the coordinator works with.
#[derive(Clone)]
pub struct CoordinatorParts {
    /// Holds and releases units.
    pub gate: Arc<Gate>,
    /// Sees the servers.
    pub monitor: Arc<Monitor>,
    /// Retires and warms connections.
    pub pools: Arc<Pools>,
    /// Who gives commands to the servers.
    pub account: Arc<Account>,
    /// Ends the units that are still inside; gives their number.
    pub cut: Arc<dyn Fn() -> usize + Send + Sync>,
}

/// One request.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// `host:port`, or the best replica.
    pub to: Option<String>,
    /// Only checks.
    pub dry_run: bool,
    /// In place of the configured one.
    pub drain_timeout: Option<Duration>,
}

/// Runs switchovers, one at a time.
pub struct Coordinator {
    parts: CoordinatorParts,
    options: SwitchoverOptions,
    running: tokio::sync::Mutex<()>,
}

impl std::fmt::Debug for Coordinator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Coordinator").field("options", &self.options.drain_timeout).finish_non_exhaustive()
    }
}

impl Coordinator {
    /// A coordinator.
    #[must_use]
    pub fn new(parts: CoordinatorParts, options: SwitchoverOptions) -> Arc<Self> {
        Arc::new(Self { parts, options, running: tokio::sync::Mutex::new(()) })
    }

    /// Runs one to its end, whoever listens or not.
    ///
    /// # Errors
    /// A sentence when another one is running.
    pub async fn run(
        &self,
        request: Request,
        progress: &UnboundedSender<Progress>,
    ) -> Result<Report, String> {
        let _one = self.running.try_lock().map_err(|_| "another switchover is running".to_owned())?;
        let mut run = Run {
            parts: &self.parts,
            options: &self.options,
            drain_timeout: request.drain_timeout.unwrap_or(self.options.drain_timeout),
            request,
            progress,
            started: Instant::now(),
            state: State::default(),
        };
        let report = run.run_to_end().await;
        let _ = progress.send(Progress::Report(Box::new(report.clone())));
        Ok(report)
    }
}

/// What one run gathers.
#[derive(Debug, Default)]
struct State {
    pair: Option<Preflight>,
    old: Option<Control>,
    old_helper: Option<Control>,
    new: Option<Control>,
    findings: Vec<Finding>,
    phases: Vec<PhaseTime>,
    problems: Vec<String>,
    held_sessions: usize,
    cut_units: usize,
    fenced: bool,
    stopped_target: bool,
    closed_at: Option<Instant>,
    held_ms: f64,
    detail: String,
}

struct Run<'a> {
    parts: &'a CoordinatorParts,
    options: &'a SwitchoverOptions,
    drain_timeout: Duration,
    request: Request,
    progress: &'a UnboundedSender<Progress>,
    started: Instant,
    state: State,
}

fn ms(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e5).round() / 100.0
}

impl Run<'_> {
    async fn run_to_end(&mut self) -> Report {
        let mut phase = Phase::Preflight;
        while let Some(action) = action(phase) {
            let begun = Instant::now();
            let at_ms = ms(begun - self.started);
            let _ = self.progress.send(Progress::Phase { phase: phase.name().to_owned(), at_ms });
            self.state.detail.clear();
            let event = self.carry_out(action).await;
            let detail = std::mem::take(&mut self.state.detail);
            let time =
                PhaseTime { phase: phase.name().to_owned(), at_ms, took_ms: ms(begun.elapsed()), detail };
            tracing::info!(phase = phase.name(), ms = time.took_ms, detail = %time.detail, "switchover: {event:?}");
            let _ = self.progress.send(Progress::PhaseEnd(time.clone()));
            self.state.phases.push(time);
            phase = step(phase, event);
        }
        self.report(phase)
    }

    fn report(&mut self, end: Phase) -> Report {
        let state = std::mem::take(&mut self.state);
        let outcome = match end {
            Phase::Done if self.request.dry_run => Outcome::DryRun,
            Phase::Done => Outcome::Done,
            Phase::Failed => Outcome::Failed,
            _ => Outcome::Stuck,
        };
        let switch = ["fence", "catch_up", "promote"];
        let switch_ms =
            state.phases.iter().filter(|p| switch.contains(&p.phase.as_str())).map(|p| p.took_ms).sum();
        let (from, to) = state
            .pair
            .as_ref()
            .map(|p| (p.from.address.to_string(), p.to.address.to_string()))
            .unwrap_or_else(|| (String::new(), self.request.to.clone().unwrap_or_default()));
        tracing::info!(%from, %to, ?outcome, problems = state.problems.join("; "), "switchover ended");
        Report {
            outcome,
            from,
            to,
            preflight: state.findings,
            phases: state.phases,
            total_ms: ms(self.started.elapsed()),
            switch_ms,
            held_ms: state.held_ms,
            held_sessions: state.held_sessions,
            cut_units: state.cut_units,
            problems: state.problems,
        }
    }

    async fn carry_out(&mut self, action: Action) -> Event {
        match action {
            Action::Check => self.check().await,
            Action::WarmPool => self.warm().await,
            Action::CloseAndDrain => self.close_and_drain().await,
            Action::CutUnits => self.cut().await,
            Action::FenceOld => self.fence().await,
            Action::CatchUpTarget => self.catch_up().await,
            Action::PromoteTarget => self.promote().await,
            Action::PublishTopology => self.publish().await,
            Action::OpenGate => self.open(),
            Action::RepointOthers => self.repoint().await,
            Action::PutBack => self.put_back().await,
        }
    }

    async fn check(&mut self) -> Event {
        let topology = self.parts.monitor.look_at_all().await;
        let pair = match choose(&topology, self.request.to.as_deref()) {
            Ok(pair) => pair,
            Err(finding) => {
                self.state.problems.push(finding.message.clone());
                self.state.findings.push(finding);
                return Event::Failed;
            }
        };
        self.state.findings.extend(from_topology(&pair));
        let passed = match self.connect(&pair).await {
            Ok(()) => {
                if let (Some(old), Some(new)) = (&mut self.state.old, &mut self.state.new) {
                    let more = from_servers(&pair, old, new, self.options.max_lag).await;
                    self.state.findings.extend(more);
                }
                self.state.findings.iter().all(|f| f.ok)
            }
            Err(error) => {
                self.state.findings.push(Finding::new("connections", false, error.to_string()));
                false
            }
        };
        let bad = self.state.findings.iter().filter(|f| !f.ok).map(|f| f.message.clone());
        self.state.problems.extend(bad);
        self.state.detail = format!("{} -> {}", pair.from.address, pair.to.address);
        self.state.pair = Some(pair);
        match (passed, self.request.dry_run) {
            (false, _) => Event::Failed,
            (true, true) => Event::CheckedOnly,
            (true, false) => Event::Done,
        }
    }

    /// All control connections are opened before anything is held.
    async fn connect(&mut self, pair: &Preflight) -> Result<(), ControlError> {
        self.state.old = Some(self.control(pair.from.id).await?);
        self.state.old_helper = Some(self.control(pair.from.id).await?);
        self.state.new = Some(self.control(pair.to.id).await?);
        Ok(())
    }

    async fn control(&self, id: ServerId) -> Result<Control, ControlError> {
        let pools = &self.parts.pools;
        let target = pools.target(id).cloned().unwrap_or_else(|| Target { address: "?".into() });
        Control::connect(pools.connector(), &target, &self.parts.account, STATEMENT).await
    }

    async fn warm(&mut self) -> Event {
        let Some(pair) = &self.state.pair else { return Event::Failed };
        let made = self.parts.pools.warm(pair.from.id, pair.to.id, self.options.warm).await;
        self.state.detail = format!("{made} connections opened");
        Event::Done
    }

    async fn close_and_drain(&mut self) -> Event {
        self.state.closed_at = Some(Instant::now());
        self.parts.gate.close(Reasons::SWITCHOVER);
        match timeout(self.drain_timeout, self.parts.gate.drained()).await {
            Ok(()) => Event::Done,
            Err(_) => {
                self.state.detail = format!("{} units are still inside", self.parts.gate.inside());
                Event::TimedOut
            }
        }
    }

    async fn cut(&mut self) -> Event {
        self.state.cut_units = (self.parts.cut)();
        self.state.detail = format!("{} units ended", self.state.cut_units);
        match timeout(CUT, self.parts.gate.drained()).await {
            Ok(()) => Event::Done,
            Err(_) => Event::TimedOut,
        }
    }

    async fn fence(&mut self) -> Event {
        let (Some(old), Some(helper)) = (&mut self.state.old, &mut self.state.old_helper) else {
            return Event::Failed;
        };
        // From here on it may have been set, whatever comes back.
        self.state.fenced = true;
        let account = String::from_utf8_lossy(self.parts.account.user()).into_owned();
        match fence(old, helper, &account, self.options.fence_timeout).await {
            Ok(fenced) => {
                self.state.detail = format!("{} ended, {} stray writers", fenced.ended, fenced.strays);
                Event::Done
            }
            Err(problem) => self.fail(problem),
        }
    }

    /// The position is read again after the wait: a writer that slipped through the fence must not be left behind.
    async fn catch_up(&mut self) -> Event {
        let deadline = Instant::now() + self.options.catch_up_timeout;
        let mut reached = String::new();
        loop {
            match self.catch_up_once(deadline, &reached).await {
                Ok(None) => return Event::Done,
                Ok(Some(position)) => reached = position,
                Err(problem) => return self.fail(problem),
            }
        }
    }

    /// `None` when the old primary's position is `reached` already; otherwise the position that the target has now.
    async fn catch_up_once(&mut self, deadline: Instant, reached: &str) -> Result<Option<String>, String> {
        let (Some(old), Some(new)) = (&mut self.state.old, &mut self.state.new) else {
            return Err("no control connection".to_owned());
        };
        let rows =
            old.query(statements::position(old.flavor()), STATEMENT).await.map_err(|e| e.to_string())?;
        let position = rows.scalar().unwrap_or_default();
        if position == reached {
            return Ok(None);
        }
        let left = deadline.saturating_duration_since(Instant::now());
        let wait = statements::wait_for(new.flavor(), &position, left.as_secs_f64());
        let rows = new.query(&wait, left + STATEMENT).await.map_err(|e| e.to_string())?;
        if rows.scalar().as_deref() == Some("0") {
            return Ok(Some(position));
        }
        let ms = self.options.catch_up_timeout.as_millis();
        Err(format!("the target did not catch up within {ms} ms (switchover.catch_up_timeout)"))
    }

    async fn promote(&mut self) -> Event {
        let Some(new) = &mut self.state.new else { return Event::Failed };
        let flavor = new.flavor();
        self.state.stopped_target = true;
        if let Err(error) = new.query(statements::stop_replica(flavor), STATEMENT).await {
            return self.fail(format!("could not stop the target's replication: {error}"));
        }
        for sql in statements::accept_writes(flavor) {
            if let Err(error) = new.query(sql, STATEMENT).await {
                let certain = error.code().is_some();
                self.state.problems.push(format!("could not make the target writable: {error}"));
                return if certain { Event::Failed } else { Event::Uncertain };
            }
        }
        Event::Done
    }

    async fn publish(&mut self) -> Event {
        let Some(pair) = &self.state.pair else { return Event::Failed };
        let (old, new) = (pair.from.id, pair.to.id);
        let deadline = Instant::now() + STATEMENT;
        while Instant::now() < deadline {
            let topology = self.parts.monitor.look(&[old, new]).await;
            if topology.primary().is_some_and(|p| p.id == new) {
                self.parts.pools.retire(old);
                return Event::Done;
            }
        }
        self.fail("the target is writable, but the monitor does not see it as the primary".to_owned())
    }

    fn open(&mut self) -> Event {
        self.state.held_sessions = self.parts.gate.held();
        self.state.held_ms = self.state.closed_at.map(|at| ms(at.elapsed())).unwrap_or_default();
        self.parts.gate.open(Reasons::SWITCHOVER);
        self.state.detail = format!("{} sessions were held", self.state.held_sessions);
        Event::Done
    }

    async fn repoint(&mut self) -> Event {
        let Some(pair) = self.state.pair.clone() else { return Event::Failed };
        let new = self.state.new.take();
        let tidy = async {
            match new {
                Some(mut new) => forget(&mut new).await.err(),
                None => None,
            }
        };
        let topology = self.parts.monitor.store().load();
        let followed = |s: &&Server| {
            s.id == pair.from.id
                || s.id != pair.to.id
                    && s.replication.as_ref().is_some_and(|r| r.source_number == pair.from.number)
        };
        // At once: each waits for its own server's disk.
        let work = topology.servers.iter().filter(followed).map(|server| self.repoint_one(server, &pair));
        let (untidy, done) = futures_util::future::join(tidy, futures_util::future::join_all(work)).await;
        let problems: Vec<String> = done.into_iter().filter_map(Result::err).collect();
        self.state.problems.extend(untidy);
        self.parts.monitor.kick();
        if problems.is_empty() {
            return Event::Done;
        }
        self.state.problems.extend(problems);
        Event::Failed
    }

    async fn repoint_one(&self, server: &Server, pair: &Preflight) -> Result<(), String> {
        let named =
            |problem: String| format!("{} does not follow the new primary: {problem}", server.address);
        let done = self.repoint_server(server, &pair.to, server.id == pair.from.id).await;
        done.map_err(named)
    }

    async fn repoint_server(&self, server: &Server, primary: &Server, fenced: bool) -> Result<(), String> {
        let (host, port) = primary.address.rsplit_once(':').ok_or("the new primary's address has no port")?;
        let source = Source {
            host,
            port: port.parse().map_err(|_| "the new primary's port is no number".to_owned())?,
            user: &self.options.replication_user,
            password: &self.options.replication_password,
        };
        let mut control = self.control(server.id).await.map_err(|e| e.to_string())?;
        repoint(&mut control, &source).await?;
        if fenced {
            let account = String::from_utf8_lossy(self.parts.account.user()).into_owned();
            end_doomed(&mut control, &account).await.map_err(|e| e.to_string())?;
        }
        Ok(())
    }

    async fn put_back(&mut self) -> Event {
        let mut event = Event::Done;
        if self.state.stopped_target
            && let Err(problem) = self.restart_target().await
        {
            self.state.problems.push(problem);
            event = Event::Failed;
        }
        if self.state.fenced
            && let Err(problem) = self.unfence().await
        {
            self.state.problems.push(problem);
            event = Event::Failed;
        }
        let servers = self.state.pair.as_ref().map(|p| vec![p.from.id, p.to.id]).unwrap_or_default();
        self.parts.monitor.look(&servers).await;
        self.open();
        event
    }

    async fn restart_target(&self) -> Result<(), String> {
        let Some(pair) = &self.state.pair else { return Ok(()) };
        let mut control = self.control(pair.to.id).await.map_err(|e| e.to_string())?;
        let sql = statements::start_replica(control.flavor());
        control
            .query(sql, STATEMENT)
            .await
            .map(drop)
            .map_err(|e| format!("the target does not replicate: {e}"))
    }

    /// On a new connection: the one that set the fence may be stuck in it.
    async fn unfence(&self) -> Result<(), String> {
        let Some(pair) = &self.state.pair else { return Ok(()) };
        let undone = |e: ControlError| format!("the old primary may still be read-only: {e}");
        let mut control = self.control(pair.from.id).await.map_err(undone)?;
        if let Some(stuck) = &self.state.old {
            // A SET that still waits would take effect later.
            let _ = control.query(&format!("KILL {}", stuck.thread()), STATEMENT).await;
        }
        for sql in statements::accept_writes(control.flavor()) {
            control.query(sql, STATEMENT).await.map_err(undone)?;
        }
        Ok(())
    }

    fn fail(&mut self, problem: String) -> Event {
        self.state.problems.push(problem);
        Event::Failed
    }
}
