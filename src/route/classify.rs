use crate::sql::{Effects, Kind, Statement};

use super::why::{Route, Why};

/// What must not happen on a replica whatever anybody asks for, with its reason, the most telling first.
const FORBIDDEN: &[(Effects, Why)] = &[
    (Effects::UNSURE, Why::Unsure),
    (Effects::MULTI, Why::Several),
    (Effects::LOCKING, Why::Locks),
    (Effects::TABLE_LOCK, Why::Locks),
    (Effects::SEQUENCE, Why::Sequence),
    (Effects::STORED_CODE.union(Effects::SQL_EXECUTE), Why::StoredCode),
    (Effects::USER_LOCK.union(Effects::RELEASES_USER_LOCK), Why::NamedLock),
    (Effects::OUTFILE, Why::File),
    (Effects::WRITES.union(Effects::SETS_GLOBAL), Why::Writes),
    (Effects::BEGINS.union(Effects::ENDS).union(Effects::XA), Why::Transaction),
    (Effects::IMPLICIT_COMMIT, Why::Writes),
    (Effects::READS_LAST_INSERT_ID.union(Effects::SETS_LAST_INSERT_ID), Why::LastInsertId),
    (Effects::SETS_USER_VARIABLE, Why::UserVariable),
    (SESSION, Why::Session),
    (LOOKS_BACK, Why::LooksBack),
    (Effects::READS_CONNECTION_ID, Why::ConnectionId),
    (Effects::HINT_PRIMARY, Why::HintPrimary),
];

const SESSION: Effects = Effects::SETS_SESSION
    .union(Effects::SETS_NEXT_TRANSACTION)
    .union(Effects::SETS_FOR_STATEMENT)
    .union(Effects::SETS_ROLE)
    .union(Effects::TEMPORARY_TABLE)
    .union(Effects::SQL_PREPARE)
    .union(Effects::HANDLER_OPEN)
    .union(Effects::HANDLER_CLOSE);

const LOOKS_BACK: Effects = Effects::READS_FOUND_ROWS
    .union(Effects::CALCULATES_FOUND_ROWS)
    .union(Effects::READS_ROW_COUNT)
    .union(Effects::READS_DIAGNOSTICS);

/// What another server would answer differently: for the primary, unless a hint says that this is as good.
const TASTE: &[(Effects, Why)] = &[
    (Effects::READS_SERVER_STATE, Why::ServerState),
    (Effects::VARIES, Why::Varies),
    (Effects::READS_CLOCK.union(Effects::READS_SYSDATE), Why::Clock),
    (Effects::READS_UUID, Why::UniqueId),
];

/// Where a statement goes, by what is known of its text. Never wrong on the dangerous side: what is not surely
/// a read that every server with the same data answers the same goes to the primary.
#[must_use]
pub fn route(statement: &Statement) -> Route {
    let effects = statement.effects;
    // One test for what nearly all reads are.
    if effects == Effects::READS_ONLY && matches!(statement.kind, Kind::Select | Kind::With | Kind::Show) {
        return Route::Replica(Why::Reads);
    }
    if let Some((_, why)) = FORBIDDEN.iter().find(|(some, _)| effects.intersects(*some)) {
        return Route::Primary(*why);
    }
    match statement.kind {
        Kind::Select | Kind::With | Kind::Show | Kind::Explain if effects.contains(Effects::READS_ONLY) => {}
        Kind::Savepoint | Kind::ReleaseSavepoint | Kind::RollbackTo => {
            return Route::Primary(Why::Transaction);
        }
        _ => return Route::Primary(Why::NotARead),
    }
    match TASTE.iter().find(|(some, _)| effects.intersects(*some)) {
        Some(_) if effects.contains(Effects::HINT_REPLICA) => Route::Replica(Why::HintReplica),
        Some((_, why)) => Route::Primary(*why),
        None if effects.contains(Effects::HINT_REPLICA) => Route::Replica(Why::HintReplica),
        None => Route::Replica(Why::Reads),
    }
}
