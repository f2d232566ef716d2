//! Carries a switchover out: runs each phase's action, feeds the event back to the table, tells progress. One at a time.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::{Instant, timeout, timeout_at};

use crate::backend::{Control, ControlError, Target};
use crate::flight::{Cause, FlightId};
use crate::gate::Reasons;
use crate::topology::{Server, ServerId};

use super::fence::{end_doomed, fence};
use super::options::{CoordinatorParts, Request, SwitchoverOptions};
use super::phase::{Action, Event, Phase, action, step};
use super::preflight::{Finding, Preflight, choose, from_servers, from_topology};
use super::repoint::{forget, repoint, source_of};
use super::report::{Outcome, PhaseTime, Progress, Report};
use super::statements;

/// Time for one short control statement.
pub(super) const STATEMENT: Duration = Duration::from_secs(3);
/// Cut units leave, or at least one of them does within this time, before the fence ends their connections.
const CUT: Duration = Duration::from_secs(1);
/// All of them within this.
const LONGEST_CUT: Duration = Duration::from_secs(10);
/// The target was promoted: the monitor sees it within this time, on a machine that does hardly anything else too (seen:
/// more than 3 s there).
const PUBLISH: Duration = Duration::from_secs(10);
/// How often a target is told to accept writes while connections to it break.
const PROMOTIONS: usize = 3;
/// Between looks whether all units inside could be done again.
const MOVABLE: Duration = Duration::from_millis(5);
/// Time for sessions to give up what only the old primary has for them.
const PART: Duration = Duration::from_millis(250);

/// Runs switchovers, one at a time.
pub struct Coordinator {
    parts: CoordinatorParts,
    options: ArcSwap<SwitchoverOptions>,
    running: tokio::sync::Mutex<()>,
}

impl std::fmt::Debug for Coordinator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Coordinator").field("options", &self.options().drain_timeout).finish_non_exhaustive()
    }
}

impl Coordinator {
    /// A coordinator.
    #[must_use]
    pub fn new(parts: CoordinatorParts, options: SwitchoverOptions) -> Arc<Self> {
        Arc::new(Self {
            parts,
            options: ArcSwap::from_pointee(options),
            running: tokio::sync::Mutex::new(()),
        })
    }

    /// What the next switchover goes by.
    #[must_use]
    pub fn options(&self) -> Arc<SwitchoverOptions> {
        self.options.load_full()
    }

    /// Other options, for switchovers that begin from here on.
    pub fn set_options(&self, options: SwitchoverOptions) {
        self.options.store(Arc::new(options));
    }

    /// Keeps switchovers from being begun while it is held; `None` while one runs.
    pub(super) fn exclusive(&self) -> Option<tokio::sync::MutexGuard<'_, ()>> {
        self.running.try_lock().ok()
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
        let options = self.options();
        let mut run = Run {
            parts: &self.parts,
            options: &options,
            drain_timeout: request.drain_timeout.unwrap_or(options.drain_timeout),
            request,
            progress,
            started: Instant::now(),
            state: State::default(),
            flight: None,
        };
        let report = run.run_to_end().await;
        let _ = progress.send(Progress::Report(Box::new(report.clone())));
        Ok(report)
    }
}

/// What one run gathers.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) pair: Option<Preflight>,
    pub(super) old: Option<Control>,
    pub(super) old_helper: Option<Control>,
    pub(super) new: Option<Control>,
    pub(super) findings: Vec<Finding>,
    pub(super) phases: Vec<PhaseTime>,
    pub(super) problems: Vec<String>,
    pub(super) held_sessions: usize,
    pub(super) cut_units: usize,
    pub(super) fenced: bool,
    pub(super) promoting: bool,
    pub(super) closed_at: Option<Instant>,
    pub(super) held_ms: f64,
    pub(super) detail: String,
}

pub(super) struct Run<'a> {
    pub(super) parts: &'a CoordinatorParts,
    pub(super) options: &'a SwitchoverOptions,
    pub(super) drain_timeout: Duration,
    pub(super) request: Request,
    pub(super) progress: &'a UnboundedSender<Progress>,
    pub(super) started: Instant,
    pub(super) state: State,
    /// Unless it is only a check.
    pub(super) flight: Option<FlightId>,
}

async fn accept_writes(new: &mut Control) -> Result<(), ControlError> {
    for sql in statements::accept_writes(new.flavor()) {
        new.query(sql, STATEMENT).await?;
    }
    Ok(())
}

fn ms(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e5).round() / 100.0
}

impl Run<'_> {
    async fn run_to_end(&mut self) -> Report {
        let mut phase = Phase::Preflight;
        self.begin_flight();
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
            self.note_phase(&time, begun.elapsed());
            self.state.phases.push(time);
            phase = step(phase, event);
        }
        self.report(phase)
    }

    fn begin_flight(&mut self) {
        let store = self.parts.monitor.store().load();
        let from = store.primary().map(|p| p.address.clone()).unwrap_or_default();
        self.flight = (!self.request.dry_run).then(|| self.parts.flights.begin(Cause::Command, &from));
    }

    fn note_phase(&self, time: &PhaseTime, took: Duration) {
        if let Some(id) = self.flight {
            self.parts.flights.step(id, &time.phase, &time.detail, Some(took));
        }
    }

    fn end_flight(&self, outcome: Outcome, to: &str) {
        let Some(id) = self.flight else { return };
        let result = match outcome {
            Outcome::Done | Outcome::DryRun => "done",
            Outcome::Failed => "failed",
            Outcome::Stuck => "stuck",
        };
        // One that was refused at once has held nobody.
        self.parts.flights.release(id);
        self.parts.flights.end(id, result, if outcome == Outcome::Done { to } else { "" });
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
        self.end_flight(outcome, &to);
        self.parts.monitor.set_switching(false);
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

    pub(super) async fn control(&self, id: ServerId) -> Result<Control, ControlError> {
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
        let gate = &self.parts.gate;
        let started = Instant::now();
        let mut next = self.options.move_after.min(self.drain_timeout);
        loop {
            if timeout_at(started + next, gate.drained()).await.is_ok() {
                return Event::Done;
            }
            if next >= self.drain_timeout || (self.parts.movable)() {
                self.state.detail = format!("{} units are still inside", gate.inside());
                return Event::TimedOut;
            }
            next = (next + MOVABLE).min(self.drain_timeout);
        }
    }

    async fn cut(&mut self) -> Event {
        self.state.cut_units = (self.parts.cut)();
        self.state.detail = format!("{} units ended", self.state.cut_units);
        let gate = &self.parts.gate;
        let latest = Instant::now() + LONGEST_CUT;
        loop {
            let before = gate.inside();
            if timeout(CUT, gate.drained()).await.is_ok() {
                return Event::Done;
            }
            if gate.inside() >= before || Instant::now() >= latest {
                return Event::TimedOut;
            }
        }
    }

    /// What ends with a session (temporary tables) is written to the binary log: that must come before the fence, or the
    /// old primary would have something that the new one lacks.
    async fn part(&self) {
        let Some(from) = self.state.pair.as_ref().map(|pair| pair.from.id) else { return };
        let deadline = Instant::now() + PART;
        while (self.parts.part)(from) > 0 && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    async fn fence(&mut self) -> Event {
        self.parts.monitor.set_switching(true);
        self.part().await;
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

    /// Only makes the target writable. Its receiver is stopped after the release: that can take a second (seen: 1.5 s on
    /// MariaDB), and from a fenced and drained source nothing can come any more.
    async fn promote(&mut self) -> Event {
        self.state.promoting = true;
        let Some(mut new) = self.state.new.take() else { return Event::Failed };
        let mut tries = PROMOTIONS;
        while let Err(error) = accept_writes(&mut new).await {
            tries -= 1;
            // A refusal says nothing of what came before on a connection that broke.
            let certain = error.code().is_some() && tries + 1 == PROMOTIONS;
            if error.code().is_some() {
                tries = 0;
            }
            if certain || tries == 0 {
                self.state.problems.push(format!("could not make the target writable: {error}"));
                return if certain { Event::Failed } else { Event::Uncertain };
            }
            // The connection broke, and it is not known whether the target has heard. Saying it again does no harm: nobody
            // else can write meanwhile.
            let Some(to) = self.state.pair.as_ref().map(|pair| pair.to.id) else { return Event::Failed };
            if let Ok(anew) = self.control(to).await {
                new = anew;
            }
        }
        self.state.new = Some(new);
        if let Some(pair) = &self.state.pair {
            self.parts.monitor.promoted(pair.to.id);
        }
        Event::Done
    }

    async fn publish(&mut self) -> Event {
        let Some(pair) = &self.state.pair else { return Event::Failed };
        let (old, new) = (pair.from.id, pair.to.id);
        self.parts.commanded.note(Some(new));
        let deadline = Instant::now() + PUBLISH;
        while Instant::now() < deadline {
            let topology = self.parts.monitor.look(&[old, new]).await;
            if topology.primary().is_some_and(|p| p.id == new) {
                self.parts.pools.retire(old);
                return Event::Done;
            }
        }
        self.fail("the target is writable, but the monitor does not see it as the primary".to_owned())
    }

    pub(super) fn open(&mut self) -> Event {
        self.state.held_sessions = self.parts.gate.held();
        self.state.held_ms = self.state.closed_at.map(|at| ms(at.elapsed())).unwrap_or_default();
        self.parts.gate.open(Reasons::SWITCHOVER);
        self.flight.iter().for_each(|id| self.parts.flights.release(*id));
        self.state.detail = format!("{} sessions were held", self.state.held_sessions);
        Event::Done
    }

    async fn repoint(&mut self) -> Event {
        let Some(pair) = self.state.pair.clone() else { return Event::Failed };
        // First of all the new primary stops following the old one, or the two would follow each other.
        let mut event = Event::Done;
        if let Some(new) = &mut self.state.new
            && let Err(problem) = forget(new).await
        {
            self.state.problems.push(format!("the new primary still follows the old one: {problem}"));
            event = Event::Failed;
        }
        let topology = self.parts.monitor.store().load();
        let followed = |s: &&Server| {
            s.id == pair.from.id
                || s.id != pair.to.id
                    && s.replication.as_ref().is_some_and(|r| r.source_number == pair.from.number)
        };
        // At once: each waits for its own server's disk.
        let work = topology.servers.iter().filter(followed).map(|server| self.repoint_one(server, &pair));
        let done = futures_util::future::join_all(work).await;
        let problems: Vec<String> = done.into_iter().filter_map(Result::err).collect();
        self.parts.monitor.kick();
        if !problems.is_empty() {
            self.state.problems.extend(problems);
            event = Event::Failed;
        }
        event
    }

    async fn repoint_one(&self, server: &Server, pair: &Preflight) -> Result<(), String> {
        let named =
            |problem: String| format!("{} does not follow the new primary: {problem}", server.address);
        let done = self.repoint_server(server, &pair.to, server.id == pair.from.id).await;
        done.map_err(named)
    }

    async fn repoint_server(&self, server: &Server, primary: &Server, fenced: bool) -> Result<(), String> {
        let mut control = self.control(server.id).await.map_err(|e| e.to_string())?;
        repoint(&mut control, &source_of(primary, self.options)?).await?;
        if fenced {
            let account = String::from_utf8_lossy(self.parts.account.user()).into_owned();
            end_doomed(&mut control, &account).await.map_err(|e| e.to_string())?;
        }
        Ok(())
    }

    fn fail(&mut self, problem: String) -> Event {
        self.state.problems.push(problem);
        Event::Failed
    }
}
