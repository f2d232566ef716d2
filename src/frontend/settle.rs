//! Reads from the server connection what only the server knows of the session (values of user variables, LAST_INSERT_ID()
//! after a CALL), so that the session can leave it. Done while the client is silent, or before its next statement if what
//! the last one left (warnings) had to be kept until then; never where a journal is kept, which rebuilds it all.

use std::time::Duration;

use bytes::BytesMut;
use tideover_protocol::capability::Capabilities;
use tideover_protocol::command::CommandKind;
use tokio::time::timeout;

use crate::backend::Lease;
use crate::session::{PinReason, Pins, Unread, UserValue};
use crate::sql::{Effects, Kind, Statement, inserts_several, may_name_id};
use crate::topology::Flavor;

use super::aftermath::{Aftermath, show_warnings};
use super::journaling::LOOKS_BACK;
use super::session::Session;
use super::staying::unless_lost;
use super::work::{Text, Work};

/// Time for reading what is given up if it cannot be read.
const READ: Duration = Duration::from_secs(2);
/// The same where a switchover waits for it.
const READ_AT_ONCE: Duration = Duration::from_millis(200);

/// What a session can take along that has been silent for a while: what can be read back,
const READABLE: [PinReason; 3] = [PinReason::UserVariable, PinReason::LastInsertId, PinReason::CallResult];
/// and what the last statement left.
const LEFT: [PinReason; 3] = [PinReason::Warnings, PinReason::FoundRows, PinReason::RowCount];

impl Session {
    /// Gives the server connection back if nothing but what can be read keeps it. `at_once`: also if warnings or counts of
    /// the last statement get lost by it. `false`: the client left meanwhile.
    pub(super) async fn settle(&mut self, at_once: bool) -> bool {
        let inside = self.in_transaction() || self.journal.is_some();
        if self.lease.is_none() || self.tracker.pins().is_empty() || inside {
            return true;
        }
        Box::pin(self.read_unread(at_once)).await
    }

    async fn read_unread(&mut self, at_once: bool) -> bool {
        let Some(unread) = self.tracker.unread(at_once) else { return true };
        let patience = self.own_patience();
        let Some(lease) = &mut self.lease else { return true };
        self.here.found_rows = false;
        // A server that is only slow keeps what it has: whoever speaks to it directly waits too.
        let limit = if at_once { READ_AT_ONCE } else { self.shared.options().hold_timeout };
        let read = unless_lost(&patience, lease.read_session(&unread));
        let read = tokio::select! {
            read = timeout(limit, read) => Some(read),
            () = self.client.stream().hung_up() => None,
        };
        let Some(read) = read else {
            lease.broken = true;
            return false;
        };
        match read {
            Ok(Ok(Some((values, last_insert_id)))) => {
                self.tracker.learn(&unread, &values, last_insert_id);
                lease.insert_id = Some(last_insert_id);
                lease.state = self.tracker.state().clone();
            }
            Ok(Ok(None)) => self.tracker.cannot_learn(),
            Ok(Err(_)) | Err(_) => {
                lease.broken = true;
                self.lose_transaction("the connection to its server was lost");
                return true;
            }
        }
        self.handle.set_pins(self.tracker.pins());
        self.end_unit_if_over();
        true
    }

    /// Whether nothing keeps the server connection but what the last statement left for the next one to ask for, and that
    /// can be had without it.
    pub(super) fn could_leave(&self) -> bool {
        let pins = self.tracker.pins();
        let taken =
            |pin| LEFT.contains(&pin) || (READABLE.contains(&pin) && self.tracker.unread(true).is_some());
        self.lease.is_some()
            && self.pass.is_none()
            && self.journal.is_none()
            && !pins.is_empty()
            && pins.iter().all(taken)
    }

    /// Whether others wait for a server connection.
    pub(super) fn is_lease_wanted(&self) -> bool {
        self.lease.as_ref().is_some_and(|lease| lease.pool().is_wanted())
    }

    /// Gives the server connection to those who wait for one, and keeps what the last statement has left there. `false`:
    /// the client left meanwhile.
    pub(super) async fn leave(&mut self) -> bool {
        let (pins, unread) = (self.tracker.pins(), self.tracker.unread(true));
        let Some(lease) = &mut self.lease else { return true };
        let left = taken_along(lease, (pins, unread.as_ref()), self.capabilities);
        let left = tokio::select! {
            left = timeout(READ, left) => left.ok().flatten(),
            () = self.client.stream().hung_up() => {
                lease.broken = true;
                return false;
            }
        };
        let Some(Left { warnings, found_rows, read }) = left else {
            self.break_lease();
            self.lose_transaction("the connection to its server was lost");
            return true;
        };
        if let Some(rows) = found_rows {
            self.tracker.learn_found_rows(rows);
        }
        let any_warnings = pins.contains(PinReason::Warnings);
        // Others can be had on any connection.
        let row_count = Some(self.tracker.row_count()).filter(|rows| *rows > 1);
        if any_warnings || row_count.is_some() {
            self.wrap.aftermath = Some(Aftermath { row_count, warnings, any_warnings, outlived: false });
        }
        for pin in LEFT {
            self.tracker.unpin(pin);
        }
        match (&unread, read) {
            (Some(unread), Some((values, last_insert_id))) => {
                self.tracker.learn(unread, &values, last_insert_id);
                lease.insert_id = Some(last_insert_id);
                lease.state = self.tracker.state().clone();
            }
            (Some(_), None) => self.tracker.cannot_learn(),
            (None, _) => {}
        }
        self.handle.set_pins(self.tracker.pins());
        self.end_unit_if_over();
        true
    }

    /// Whether an INSERT that reports this id may have named it itself.
    pub(super) fn may_name_id(&self, work: &Work, id: u64) -> bool {
        /// Where parameters can begin in COM_STMT_EXECUTE: behind command, statement, flags and count.
        const PARAMETERS: usize = 10;
        if !matches!(work.statement.kind, Kind::Insert | Kind::Replace | Kind::Multi) {
            return false;
        }
        let among_parameters = || {
            let values = self.command.get(PARAMETERS..).unwrap_or_default();
            let (number, digits) = (id.to_le_bytes(), id.to_string());
            // Integers have four or eight bytes in nearly all drivers.
            let number = number.get(..if id > u64::from(u32::MAX) { 8 } else { 4 }).unwrap_or_default();
            let real = (id as f64).to_le_bytes();
            values.windows(number.len()).any(|piece| piece == number)
                || values.windows(real.len()).any(|piece| piece == real)
                || values.windows(digits.len()).any(|piece| piece == digits.as_bytes())
        };
        may_name_id(work.text.of(&self.command), work.dialect, id, self.tracker.asks_insert_id())
            || (matches!(work.text, Text::Prepared(_)) && among_parameters())
    }

    /// Whether LAST_INSERT_ID() on the leased connection is the session's.
    pub(super) fn has_insert_id(&self) -> bool {
        let id = Some(self.tracker.last_insert_id());
        self.here.insert_id || self.lease.as_ref().is_some_and(|lease| lease.insert_id == id)
    }

    /// Whether it inserts several rows, or may. Only looked at where it matters.
    pub(super) fn inserts_several(&self, work: &Work) -> bool {
        !self.has_insert_id()
            && matches!(work.statement.kind, Kind::Insert | Kind::Replace | Kind::Load)
            && (work.kind == CommandKind::StmtBulkExecute
                || inserts_several(work.text.of(&self.command), work.dialect))
    }

    /// What LAST_INSERT_ID() is on the connection behind a statement.
    pub(super) fn note_insert_id(&mut self, work: &Work, failed: bool) {
        let Some(lease) = &mut self.lease else { return };
        let unclear =
            Effects::WRITES | Effects::STORED_CODE | Effects::SQL_EXECUTE | Effects::SETS_LAST_INSERT_ID;
        lease.insert_id = if self.tracker.is_insert_id_open() || self.tracker.is_insert_id_there() {
            None
        } else if self.here.insert_id {
            Some(self.tracker.last_insert_id())
        } else {
            lease.insert_id.filter(|_| !(failed && work.statement.any(unclear)))
        };
    }

    /// Before a statement that may read or change LAST_INSERT_ID(), in the transaction of an INSERT that may have named its
    /// id itself: asks the connection.
    pub(super) async fn close_insert_id(&mut self, work: &Work) {
        let statement = &work.statement;
        let code = Effects::STORED_CODE | Effects::SQL_EXECUTE;
        if statement.any(LOOKS_BACK)
            || !statement.any(code | Effects::READS_LAST_INSERT_ID | Effects::SETS_LAST_INSERT_ID)
        {
            return;
        }
        let patience = self.own_patience();
        let Some(lease) = &mut self.lease else { return };
        // The question takes its place there.
        let counted = self.tracker.pins().contains(PinReason::FoundRows);
        let asked = lease.query_row("SELECT LAST_INSERT_ID(), FOUND_ROWS() LIMIT 1", 2);
        if let Ok(row) = unless_lost(&patience, asked).await {
            let number = |at: usize| row.get(at).and_then(|number| str::from_utf8(number).ok()?.parse().ok());
            let id = number(0);
            lease.insert_id = id;
            self.here.insert_id |= id.is_some_and(|id| self.tracker.learn_insert_id(id));
            if counted && let Some(rows) = number(1) {
                self.tracker.learn_found_rows(rows);
            }
            (self.here.found_rows, self.here.no_row_count) = (false, true);
        } else {
            // The answer may still come: the transaction goes on elsewhere, or on another connection.
            lease.broken = true;
        }
    }

    /// Before a statement that assigns user variables is prepared on the leased connection, which changes them there (MariaDB, see
    /// [`Tracker::prepared`](crate::session::Tracker::prepared)): reads those that only the server knows. `false`:
    /// the server did not say, and its answer may still come.
    pub(super) async fn read_before_prepared(&mut self, statement: &Statement) -> bool {
        let unread = Unread { names: self.tracker.state().unread().map(str::to_owned).collect() };
        if unread.names.is_empty() || self.journal.is_some() || statement.any(LOOKS_BACK) {
            return true;
        }
        let patience = self.own_patience();
        let Some(lease) = self.lease.as_mut().filter(|lease| lease.flavor == Flavor::MariaDb) else {
            return true;
        };
        match unless_lost(&patience, lease.read_session(&unread)).await {
            Ok(Some((values, last_insert_id))) => {
                self.tracker.learn(&unread, &values, last_insert_id);
                lease.insert_id = Some(last_insert_id);
                lease.state = self.tracker.state().clone();
                (self.here.found_rows, self.here.no_row_count) = (false, true);
            }
            Ok(None) => {}
            Err(_) => {
                lease.broken = true;
                return false;
            }
        }
        true
    }

    /// Takes the lease away. What the session holds on it must not be seen by anybody else.
    pub(super) fn let_go(&mut self) -> Option<Lease> {
        self.stain();
        self.handle.set_server(None);
        let mut lease = self.lease.take()?;
        // A KILL that is on its way must not meet somebody else's statement.
        lease.broken |= self.handle.is_being_killed();
        Some(lease)
    }

    /// Has the connection reset before anybody else gets it, if the session has something there.
    pub(super) fn stain(&mut self) {
        let stained = !self.tracker.pins().for_session().is_empty();
        if let Some(lease) = &mut self.lease {
            lease.dirty |= stained;
        }
    }
}

/// What a session takes along.
struct Left {
    /// The answer to SHOW WARNINGS; empty if there were none.
    warnings: BytesMut,
    /// FOUND_ROWS(), if only the server knew.
    found_rows: Option<u64>,
    /// Values of user variables and LAST_INSERT_ID(); `None` if nothing was to be read or it cannot be.
    read: Option<(Vec<UserValue>, u64)>,
}

/// What the last statement has left on a connection, as far as `pins` say that there is something, and what is `unread`. `None`:
/// the connection does not give it.
///
/// In an order in which nothing is lost: SHOW WARNINGS leaves FOUND_ROWS() as it is (seen on all three), while any query takes
/// MySQL's warnings away.
async fn taken_along(
    lease: &mut Lease,
    (pins, unread): (Pins, Option<&Unread>),
    client: Capabilities,
) -> Option<Left> {
    let mut left = Left { warnings: BytesMut::new(), found_rows: None, read: None };
    if pins.contains(PinReason::Warnings) {
        left.warnings = show_warnings(lease, client).await?;
    }
    if pins.contains(PinReason::FoundRows) {
        let row = lease.query_row("SELECT FOUND_ROWS() LIMIT 1", 1).await.ok()?;
        left.found_rows = Some(String::from_utf8_lossy(row.first()?).parse().ok()?);
    }
    if let Some(unread) = unread {
        left.read = lease.read_session(unread).await.ok()?;
    }
    Some(left)
}
