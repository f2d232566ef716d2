//! Which server shall serve a read, by its text, the session and what it has seen: see `reading`.

use tideover_protocol::command::CommandKind;
use tideover_protocol::status::StatusFlags;

use crate::route::{Consistency, Why, route};
use crate::sql::Kind;
use crate::topology::{Flavor, ServerId, Topology};

use super::reading::{ALL_SERVERS, PATIENCE, Reading, bit};
use super::session::Session;
use super::shared::Shared;
use super::work::Work;

/// One in so many reads looks whether another replica would serve it better.
const MOVES: u32 = 64;
/// Schemas of the servers themselves.
const SYSTEM: [&[u8]; 4] = [b"information_schema", b"mysql", b"performance_schema", b"sys"];

/// A replica that shall serve, and whether its position must be waited for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Chosen {
    pub(super) server: ServerId,
    /// The life of the server that this holds for.
    pub(super) life: u64,
    pub(super) wait: bool,
}

/// Who shall serve a statement.
#[derive(Debug, Clone, Copy)]
pub(super) enum Reader {
    Replica(Chosen),
    Primary,
    /// A replica should, and there is none.
    Nobody,
    /// A replica could, if it were known how much the session has seen.
    Unbound,
}

impl Session {
    /// Who shall serve the statement, by its text, the session and what it has seen.
    pub(super) async fn choose_reader(&mut self, work: &Work) -> Reader {
        match self.choose_replica(work) {
            Reader::Unbound => Box::pin(self.choose_bounded(work)).await,
            reader => reader,
        }
    }

    /// The server that it read from last serves no more: others do, if they have all that it can have seen there.
    async fn choose_bounded(&mut self, work: &Work) -> Reader {
        if !self.learn_bound().await {
            return Reader::Primary;
        }
        match self.choose_replica(work) {
            Reader::Unbound => Reader::Primary,
            reader => reader,
        }
    }

    /// Learns what the session can have seen at most, so that it may leave its floor. `false`: nobody can tell now.
    pub(super) async fn learn_bound(&mut self) -> bool {
        let Some(floor) = self.reading.floor else { return true };
        let shared = self.shared.clone();
        let known = match shared.bounds.since(&shared, floor.at).await {
            Some(position) => self.reading.needs.bounded_by(&position),
            None => false,
        };
        if known {
            (self.reading.floor, self.reading.on_primary) = (None, 0);
        }
        known
    }

    /// A replica for the statement, if there is one at once.
    fn choose_replica(&mut self, work: &Work) -> Reader {
        if !self.is_plain(work) || self.reading.avoid == ALL_SERVERS {
            return Reader::Primary;
        }
        if work.statement.kind == Kind::StartTransactionReadOnly {
            return self.choose_for_transaction();
        }
        let decided = route(&work.statement);
        let first_try = !std::mem::replace(&mut self.reading.counted, true);
        if !decided.is_replica() || !self.is_free() {
            if first_try {
                let why = if decided.is_replica() { Why::Tied } else { decided.why() };
                self.shared.routing.count(why);
            }
            return Reader::Primary;
        }
        // A hint comes before all rules.
        let hinted = decided.why() == Why::HintReplica;
        let by_rule = if hinted { None } else { self.rule(work, first_try) };
        let wanted = hinted || by_rule.unwrap_or_else(|| self.shared.routing.options().replicas);
        if first_try {
            self.shared.routing.count(if by_rule.is_some() { Why::Rule } else { decided.why() });
        }
        if wanted { self.replica_with_all() } else { Reader::Primary }
    }

    /// Whether the command leaves nothing open on its server: a cursor would stay there.
    pub(super) fn is_plain(&self, work: &Work) -> bool {
        match work.kind {
            CommandKind::Query => true,
            CommandKind::StmtExecute => self.command.get(5).is_some_and(|flags| *flags == 0),
            _ => false,
        }
    }

    /// A READ ONLY transaction runs as a whole on one replica; it must be possible to do it again on the primary.
    fn choose_for_transaction(&mut self) -> Reader {
        let desk = &self.shared.routing;
        let by_default = desk.options().replicas && desk.options().rules.0.is_empty();
        let journaled = self.shared.journals.per_transaction > 0;
        if !by_default || !journaled || self.reading.has_left || !self.is_free() {
            return Reader::Primary;
        }
        let reader = self.replica_with_all();
        self.reading.transaction = matches!(reader, Reader::Replica(_));
        reader
    }

    fn rule(&self, work: &Work, first_try: bool) -> Option<bool> {
        let rules = &self.shared.routing.options().rules;
        if rules.0.is_empty() {
            return None;
        }
        let schema = self.tracker.state().schema().unwrap_or_default();
        rules.decide((self.account.user(), schema), work.text.of(&self.command), first_try)
    }

    /// Whether nothing of the session's ties it to the primary.
    fn is_free(&mut self) -> bool {
        if self.in_transaction()
            || !self.status.contains(StatusFlags::AUTOCOMMIT)
            || !self.tracker.pins().is_empty()
        {
            return false;
        }
        let state = self.tracker.state();
        let fingerprint = state.fingerprint();
        if let Some((of, free)) = self.reading.settings
            && of == fingerprint
        {
            return free;
        }
        let schema = state.schema().unwrap_or_default();
        let logs = state.variable("sql_log_bin").is_none_or(|value| !matches!(value, b"OFF" | b"0"));
        let free = logs
            && !SYSTEM.iter().any(|name| schema.eq_ignore_ascii_case(name))
            && state.variable("transaction_read_only").is_none()
            && state.variable("tx_read_only").is_none();
        self.reading.settings = Some((fingerprint, free));
        free
    }

    /// A replica that has, or soon has, all that the session must see.
    fn replica_with_all(&mut self) -> Reader {
        let shared = self.shared.clone();
        let (desk, topology) = (&shared.routing, shared.store.peek());
        let reading = &mut self.reading;
        let avoid = reading.avoid | reading.closed;
        let draw = next_draw(&mut reading.draw, self.handle.id);
        let chosen = |server, wait| Reader::Replica(Chosen { server, life: shared.life(server), wait });
        let any = |avoid| desk.choose(&topology, avoid, draw);
        if desk.options().consistency == Consistency::Eventual {
            return any(avoid).map_or(Reader::Nobody, |server| chosen(server, false));
        }
        let Some(floor) = reading.floor else {
            return self.replica_that_has(&topology, (avoid, draw));
        };
        if floor.life == shared.life(floor.server) && desk.may_serve(&topology, floor.server, avoid) {
            // Now and then, so that sessions leave a replica that has more to do than others.
            reading.capture = draw.is_multiple_of(MOVES)
                && desk.is_outdone(&topology, (floor.server, avoid), draw)
                && can_tell(&topology, floor.server);
            let wait = !reading.is_covered(&shared, (&topology, floor.server));
            return if wait && desk.is_behind(floor.server) {
                Reader::Nobody
            } else {
                chosen(floor.server, wait)
            };
        }
        if any(avoid).is_none() {
            return Reader::Nobody;
        }
        if let Some(position) = shared.bounds.known(&shared, floor.at)
            && reading.needs.bounded_by(&position)
        {
            (reading.floor, reading.on_primary) = (None, 0);
            return self.replica_that_has(&topology, (avoid, draw));
        }
        if topology.primary().is_none_or(|primary| primary.id != floor.server) {
            return Reader::Unbound;
        }
        // What reads on the primary for a reason may do so again, and need not ask each time.
        reading.on_primary += 1;
        reading.capture = reading.on_primary >= reading.patience.max(PATIENCE);
        Reader::Primary
    }

    /// A replica for a session that may read on any which has what it needs.
    fn replica_that_has(&mut self, topology: &Topology, (mut avoid, draw): (u64, u32)) -> Reader {
        let shared = self.shared.clone();
        for _ in 0..shared.routing.options().shares.len() {
            let Some(server) = shared.routing.choose(topology, avoid, draw) else { break };
            let wait = !self.reading.is_covered(&shared, (topology, server));
            if !wait || !shared.routing.is_behind(server) {
                return Reader::Replica(Chosen { server, life: shared.life(server), wait });
            }
            avoid |= bit(server);
        }
        Reader::Nobody
    }
}

impl Reading {
    /// Whether a server is known to have all that the session must see.
    fn is_covered(&mut self, shared: &Shared, (topology, server): (&Topology, ServerId)) -> bool {
        let life = shared.life(server);
        let now = (server, life, self.needs.version());
        if self.covered == Some(now) {
            return true;
        }
        let known = shared.routing.has_proven(server, life, &mut self.needs)
            || (shared.routing.was_looked_at(server)
                && topology.server(server).is_some_and(|known| self.needs.is_in(&known.gtid)));
        if known {
            self.covered = Some(now);
        }
        known
    }
}

/// Whether a replica's position is a bound for what it shows: MariaDB's applied position follows what can be seen, its
/// binary log precedes it.
fn can_tell(topology: &Topology, replica: ServerId) -> bool {
    topology.server(replica).is_some_and(|s| s.flavor == Flavor::MySql || s.logs_replica_updates)
}

fn next_draw(draw: &mut u32, seed: u32) -> u32 {
    if *draw == 0 {
        *draw = seed.wrapping_mul(0x9e37_79b9) | 1;
    }
    // Marsaglia's xorshift: the choice needs no better randomness.
    *draw ^= *draw << 13;
    *draw ^= *draw >> 17;
    *draw ^= *draw << 5;
    *draw
}
