//! What is noted of a unit while it runs, so that its outcome can be proven if its answer is lost.

use std::sync::Arc;

use crate::backend::Mark;
use crate::sql::{Effects, Kind};
use crate::topology::Topology;

use super::answer::Completion;
use super::doubt::may_write;
use super::work::Work;

/// What is noted of the open unit, so that its outcome can be proven.
#[derive(Debug, Default)]
pub(super) struct UnitTrace {
    /// Number of its first tagged text command on the server connection.
    pub(super) first: u64,
    /// Something has been changed, as far as answers tell.
    pub(super) changed: bool,
    /// Prepared statements that may write were sent.
    pub(super) prepared: bool,
    /// Why it proves nothing if no trace of it is found.
    pub(super) blind: Option<&'static str>,
    /// The mark that was sent with the end of the unit.
    pub(super) mark: Option<Mark>,
    /// The server would not take a mark of this unit.
    pub(super) unmarkable: bool,
    /// The topology before the end of the unit was sent.
    pub(super) bookmark: Option<Arc<Topology>>,
}

impl UnitTrace {
    /// Notes a command before it is sent. `fresh`: no transaction is open, so that a unit begins with it.
    pub(super) fn note(&mut self, work: &Work, blind: Option<&'static str>, (fresh, next): (bool, u64)) {
        if fresh {
            *self = Self { first: next, bookmark: self.bookmark.take(), ..Self::default() };
        }
        if may_write(&work.statement) {
            self.prepared |= work.prepared.is_some();
            self.blind = self.blind.or(blind);
        }
    }

    /// Keeps the log positions that are known before the end of the unit is sent.
    pub(super) fn mark(&mut self, topology: Arc<Topology>) {
        self.bookmark = Some(topology);
    }

    /// A command has ended. Says whether it may have committed something without the server's reporting its GTID, unless
    /// it did report one.
    pub(super) fn ended(&mut self, work: &Work, done: &Completion, (error, inside): (bool, bool)) -> bool {
        if may_write(&work.statement) {
            self.changed |= error || may_have_changed(work, done);
        }
        if error {
            // Errors carry no session tracking.
            return work.statement.any(MAY_COMMIT_AND_FAIL);
        }
        !inside && self.changed
    }

    /// The answer is there: nothing is in doubt.
    pub(super) fn answered(&mut self) {
        self.bookmark = None;
        self.mark = None;
    }
}

/// What may have committed something before it failed.
pub(super) const MAY_COMMIT_AND_FAIL: Effects = Effects::IMPLICIT_COMMIT
    .union(Effects::ENDS)
    .union(Effects::MULTI)
    .union(Effects::STORED_CODE)
    .union(Effects::SQL_EXECUTE)
    .union(Effects::UNSURE);

/// Whether a statement that ended without error may have changed anything.
fn may_have_changed(work: &Work, done: &Completion) -> bool {
    let counts = matches!(
        work.statement.kind,
        Kind::Insert | Kind::Update | Kind::Delete | Kind::Replace | Kind::Load
    );
    !counts || done.affected_rows > 0 || done.result_set || work.statement.any(MAY_COMMIT_AND_FAIL)
}
