//! Does an interrupted transaction again on the present primary and compares: every answer must be what the client was
//! given. Waits before everybody else at the gate, so that what the transaction had locked is as it was.

use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};

use crate::gate::Returning;
use crate::relay::Signals;
use crate::replay::Journal;
use crate::topology::ServerId;

use super::error::{self, ClientError};
use super::journaling::Recorded;
use super::rerun::{Rerun, Runner};
use super::session::{End, Session};
use super::turns::{Steps, Turn};
use super::unit::{Hold, Leased};

/// Why an attempt ends that takes too long.
const OVER: &str = "the time for it is over (hold.timeout)";
/// Between attempts that met a deadlock or a lock wait timeout: the first, and the longest.
const COLLIDED: (Duration, Duration) = (Duration::from_millis(3), Duration::from_millis(200));

/// What ends a replay.
const STOP: Signals =
    Signals::KILL.union(Signals::ABORT).union(Signals::SERVER_LOST).union(Signals::CUT).union(Signals::MOVED);

impl Session {
    /// The open transaction is gone: does it again on the present primary. `server`: where it was, if that server must be
    /// looked at first. `Err`: it cannot be done, and the client gets this.
    pub(super) async fn replay(
        &mut self,
        why: &'static str,
        server: Option<ServerId>,
        hold: &mut Hold,
    ) -> Result<Result<(), ClientError>, End> {
        let pins = self.tracker.pins().for_session();
        let Some(mut journal) = self.journal.take() else {
            self.take_pins();
            self.end_unit();
            return Ok(Err(error::rolled_back(why)));
        };
        let inside = self.in_transaction();
        // Before the pass is given up: a gate that opens must know of us.
        let kept = self.returning.take().or_else(|| self.handle.take_place());
        let returning = kept.unwrap_or_else(|| self.shared.gate.returning());
        self.leave_server().await;
        let began = Instant::now();
        let result = self.replay_until(&mut journal, (server, inside, returning), hold).await?;
        let statements = journal.entries().map_or(0, |entries| entries.len());
        let (label, outcome) = match &result {
            Ok(()) => ("done", Ok(())),
            Err(problem) => ("failed", Err(problem.as_str())),
        };
        tracing::debug!(session = self.handle.id, why, statements, ?result, "a transaction was done again");
        self.shared.metrics.replays.with_label_values(&[label]).inc();
        self.shared.flights.replayed(self.handle.id, statements, outcome);
        self.shared.metrics.hold_seconds.observe(began.elapsed().as_secs_f64());
        let Err(problem) = result else {
            self.journal = Some(journal);
            return Ok(Ok(()));
        };
        self.end_unit();
        // The client hears of all that is lost at once.
        self.take_pins();
        let names: Vec<&str> = pins.iter().map(|pin| pin.name()).collect();
        let lost =
            if names.is_empty() { String::new() } else { format!("; lost with it: {}", names.join(", ")) };
        Ok(Err(error::rolled_back(&format!("{why}, and it could not be done again: {problem}{lost}"))))
    }

    async fn replay_until(
        &mut self,
        journal: &mut Journal<Recorded>,
        (mut suspect, inside, mut returning): (Option<ServerId>, bool, Returning),
        hold: &mut Hold,
    ) -> Result<Result<(), String>, End> {
        if let Err(why) = journal.entries() {
            // The servers are looked at all the same: the client will begin again at once.
            let why = why.to_owned();
            if let Some(server) = suspect {
                let _ = self.after_failure(server, hold).await;
            }
            return Ok(Err(why));
        }
        let mut pause = COLLIDED.0;
        loop {
            if Instant::now() >= hold.deadline(self.shared.options().hold_timeout) {
                return Ok(Err(OVER.to_owned()));
            }
            if let Some(server) = suspect.take() {
                let tearing = self.shared.registry.torn.begin(&self.shared.registry, server);
                let looked = self.after_failure(server, hold).await;
                drop(tearing);
                if let Err(error) = looked {
                    return Ok(Err(text(&error)));
                }
            }
            if let Err(error) = self.enter_again(&returning, hold).await {
                return Ok(Err(text(&error)));
            }
            let Some(turn) = self.turn(hold).await? else {
                self.end_unit();
                continue;
            };
            let steps = Steps::default();
            let attempt = turn.spend(&steps, self.attempt_again((journal, &steps), inside, hold)).await?;
            let (rerun, server) = match attempt {
                Ok(Some(attempt)) => attempt,
                Ok(None) => continue,
                Err(error) => return Ok(Err(text(&error))),
            };
            match rerun {
                Rerun::Done => {
                    drop(returning);
                    match self.others_returned().await? {
                        None => return Ok(Ok(())),
                        Some(again) => returning = again,
                    }
                }
                Rerun::Differs(how) => return Ok(Err(how)),
                Rerun::Lost => {
                    self.break_lease();
                    suspect = server;
                }
                Rerun::Collided => {
                    self.end_unit();
                    sleep(pause).await;
                    pause = (pause * 2).min(COLLIDED.1);
                }
                Rerun::OwnValue => self.end_unit(),
            }
        }
    }

    /// Waits for the turn to do it again. `None`: it must not be done now.
    async fn turn(&mut self, hold: &mut Hold) -> Result<Option<Turn>, End> {
        let registry = self.shared.registry.clone();
        let until = hold.deadline(self.shared.options().hold_timeout);
        let signals = tokio::select! {
            biased;
            turn = registry.turns.next() => return Ok(Some(turn)),
            signals = self.handle.signal.wait(STOP) => signals,
            () = self.client.stream().hung_up() => return Err(End::Client),
            () = sleep_until(until) => Signals::empty(),
        };
        if signals.intersects(Signals::KILL | Signals::ABORT) { Err(End::Told) } else { Ok(None) }
    }

    /// One attempt, and on which server. `None`: there was no connection to be had yet.
    async fn attempt_again(
        &mut self,
        (journal, steps): (&mut Journal<Recorded>, &Steps),
        inside: bool,
        hold: &mut Hold,
    ) -> Result<Result<Option<(Rerun, Option<ServerId>)>, ClientError>, End> {
        match self.lease_as((journal.start(), true), hold).await {
            Ok(Leased::Ready) => {}
            Ok(Leased::Again | Leased::Lost(_)) => return Ok(Ok(None)),
            Err(error) => return Ok(Err(error)),
        }
        let server = self.lease.as_ref().map(|lease| lease.server);
        let rerun = self.rerun((journal, steps), inside, hold).await?;
        Ok(Ok(Some((rerun, server))))
    }

    /// The open transaction leaves its server, for another one or for the same.
    async fn leave_server(&mut self) {
        if self.handle.signal.raised().contains(Signals::CUT) {
            if let Some(pass) = &self.pass {
                // What it has locked is given up only when nobody else can take it any more.
                self.shared.gate.stop_together(pass).await;
            }
            if let Some(lease) = self.let_go() {
                // Gone from its server before the pass is given up: what a rollback and the end of temporary tables
                // write there must come before a switchover goes on.
                lease.scrubbed().await;
            }
        }
        self.end_unit();
    }

    /// Waits until all others were done again too. `Some`: meanwhile this one was lost once more.
    async fn others_returned(&mut self) -> Result<Option<Returning>, End> {
        let gate = self.shared.gate.clone();
        let signals = tokio::select! {
            biased;
            signals = self.handle.signal.wait(STOP) => signals,
            () = gate.all_returned() => return Ok(None),
        };
        if signals.intersects(Signals::KILL | Signals::ABORT) {
            return Err(End::Told);
        }
        let returning = self.handle.take_place().unwrap_or_else(|| gate.returning());
        if signals.contains(Signals::SERVER_LOST) {
            self.break_lease();
        }
        self.leave_server().await;
        Ok(Some(returning))
    }

    /// One attempt. The client's departure, signals and the deadline end it.
    async fn rerun(
        &mut self,
        (journal, steps): (&mut Journal<Recorded>, &Steps),
        inside: bool,
        hold: &mut Hold,
    ) -> Result<Rerun, End> {
        let deadline = hold.deadline(self.shared.options().hold_timeout);
        let Self { lease, unit, tracker, client, handle, shared, status, .. } = self;
        let Some(lease) = lease.as_mut() else { return Ok(Rerun::OwnValue) };
        let ended = {
            let (store, gate) = (&shared.store, &*shared.gate);
            let runner = Runner { lease: &mut *lease, unit, state: tracker.state(), store, gate, steps };
            let run = runner.run(journal, inside);
            tokio::select! {
                biased;
                rerun = run => Ok(rerun),
                signals = handle.signal.wait(STOP) => Err(Some(signals)),
                () = client.stream().hung_up() => Err(None),
                () = sleep_until(deadline) => Ok(Rerun::Differs(OVER.to_owned())),
            }
        };
        match ended {
            Ok(rerun) => {
                lease.insert_id = None;
                if matches!(rerun, Rerun::Done) {
                    *status = lease.status;
                    handle.set_in_transaction(inside);
                    (self.here.fresh, self.here.insert_id) = (false, true);
                } else {
                    // What is still to be read, or the rest of the transaction, is nobody's.
                    lease.broken |= !lease.io.input().is_empty() || matches!(rerun, Rerun::Differs(_));
                }
                Ok(rerun)
            }
            Err(None) => {
                lease.broken = true;
                Err(End::Client)
            }
            Err(Some(signals)) if signals.intersects(Signals::KILL | Signals::ABORT) => {
                lease.broken = true;
                Err(End::Told)
            }
            Err(Some(_)) => Ok(Rerun::Lost),
        }
    }
}

fn text(error: &ClientError) -> String {
    String::from_utf8_lossy(&error.packet.message).into_owned()
}
