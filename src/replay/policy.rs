//! Every failure is classed by what the server can have done, never by the look of the error; the class decides what
//! follows. PURE: the one table that every path goes through.

use crate::topology::Flavor;

/// How much of the command had left us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Sent {
    /// Nothing.
    Nothing,
    /// Something, possibly all.
    Something,
}

/// How it broke.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Broke {
    /// The server answered with this error.
    Answered(u16),
    /// The server refused because it is read-only (1290 with that text, 1836).
    ReadOnly,
    /// The server refused because it runs nothing now ([`is_not_ready`]).
    NotReady,
    /// The connection ended, or the server broke the protocol, without an answer.
    Lost,
    /// We ended the statement ourselves, and the server says so (1317).
    EndedByUs,
}

/// What the command was to the transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Place {
    /// Outside a transaction, and surely only reads.
    Read,
    /// Outside a transaction, may write or change state: committed by itself.
    Autocommit,
    /// Outside a transaction, code that is not in the text (CALL, EXECUTE): committed by itself, perhaps in several parts.
    Program,
    /// Outside a transaction, changes neither data nor anything that outlives the connection (SET, PREPARE, BEGIN).
    Session,
    /// For the client outside a transaction, but between a BEGIN and a COMMIT of ours, the latter not sent yet.
    Wrapped,
    /// Inside an open transaction, and not its end.
    Inside,
    /// Inside an open transaction, code that is not in the text (CALL, EXECUTE): it may commit.
    Code,
    /// The COMMIT of an open transaction, or a statement that commits it implicitly.
    Commit,
    /// The ROLLBACK of an open transaction.
    Rollback,
}

/// One failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Failure {
    /// How much had left us.
    pub sent: Sent,
    /// How it broke.
    pub broke: Broke,
    /// Whether the client was given a part of the answer.
    pub delivered: bool,
    /// What the command was.
    pub place: Place,
    /// The server's family.
    pub flavor: Flavor,
}

/// What the server can have done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OutcomeClass {
    /// Certainly nothing.
    NotExecuted,
    /// The transaction is certainly gone.
    RolledBack,
    /// It may have committed.
    Unknown,
    /// A read, of which the client has a part.
    PartlyDelivered,
    /// It did what the answer says.
    Executed,
}

/// What follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// Wait for a primary, then run the same command again.
    HoldAndRun,
    /// The transaction is done again from its journal, and then this command.
    Replay,
    /// Ask a binary log whether it happened.
    Ask,
    /// Run the read again and go on where the client stopped, if what it has agrees.
    Reread,
    /// The client gets the server's own answer.
    Surface,
    /// Answer OK: what was wanted is the case.
    Acknowledge,
}

/// ER_SERVER_SHUTDOWN: MySQL sends it to statements in flight when it stops.
const SHUTDOWN: u16 = 1053;

/// Whether an error is the refusal of a read-only server: ER_OPTION_PREVENTS_STATEMENT (1290) names the option, and
/// other options use the same number (`--secure-file-priv`). ER_READ_ONLY_MODE (1836) says only this.
#[must_use]
pub fn is_read_only_refusal(code: u16, message: &[u8]) -> bool {
    code == 1836
        || code == 1290
            && (memchr::memmem::find(message, b"read-only").is_some()
                || memchr::memmem::find(message, b"read_only").is_some())
}

/// Whether a server says that it did not run the statement at all and another server (or the same, later) may: a Galera
/// node that is not ready ("WSREP has not yet prepared node for application use"), by the number that otherwise means a
/// command that the server does not know; a refusal by Group Replication's hook (3100), which rolls back. 1040 and 1203 come
/// before any statement.
#[must_use]
pub fn is_not_ready(code: u16, message: &[u8]) -> bool {
    code == 3100 || code == 1047 && message.starts_with(b"WSREP")
}

/// Classes a failure.
#[must_use]
pub fn class(failure: &Failure) -> OutcomeClass {
    use OutcomeClass::{Executed, NotExecuted, PartlyDelivered, RolledBack, Unknown};
    let inside = matches!(failure.place, Place::Inside | Place::Code | Place::Commit | Place::Rollback);
    let class = match failure.broke {
        // Something was answered before: of a multi-statement or a CALL, parts ran.
        Broke::ReadOnly | Broke::EndedByUs
            if failure.delivered && !inside && failure.place != Place::Wrapped =>
        {
            Executed
        }
        Broke::ReadOnly if inside => RolledBack,
        // Of a program, what came before the refused or ended statement may be committed.
        Broke::ReadOnly | Broke::EndedByUs if failure.place == Place::Program => Unknown,
        Broke::ReadOnly => NotExecuted,
        Broke::EndedByUs if inside => RolledBack,
        Broke::EndedByUs => NotExecuted,
        Broke::NotReady if !failure.delivered => match failure.place {
            _ if inside => RolledBack,
            Place::Program => Unknown,
            _ => NotExecuted,
        },
        Broke::Answered(SHUTDOWN) | Broke::Lost => lost(failure),
        Broke::NotReady | Broke::Answered(_) => Executed,
    };
    // A part of the answer at the client changes what "run it again" would mean.
    match (class, failure.place) {
        (NotExecuted, Place::Read | Place::Session | Place::Wrapped) if failure.delivered => PartlyDelivered,
        (NotExecuted, Place::Autocommit | Place::Program) if failure.delivered => Unknown,
        (class, _) => class,
    }
}

/// The connection is gone, or about to be.
fn lost(failure: &Failure) -> OutcomeClass {
    match (failure.place, failure.sent) {
        // Inside a transaction nothing is durable before the COMMIT; a lost connection rolls back.
        (Place::Inside | Place::Rollback, _) | (Place::Commit | Place::Code, Sent::Nothing) => {
            OutcomeClass::RolledBack
        }
        (_, Sent::Nothing) => OutcomeClass::NotExecuted,
        (Place::Commit | Place::Code | Place::Autocommit | Place::Program, Sent::Something) => {
            OutcomeClass::Unknown
        }
        (Place::Read | Place::Session | Place::Wrapped, Sent::Something) => OutcomeClass::NotExecuted,
    }
}

/// What follows a failure.
#[must_use]
pub fn decide(failure: &Failure) -> Verdict {
    match (class(failure), failure.place) {
        (OutcomeClass::NotExecuted, _) => Verdict::HoldAndRun,
        (OutcomeClass::RolledBack, Place::Rollback) => Verdict::Acknowledge,
        (OutcomeClass::RolledBack, _) => Verdict::Replay,
        (OutcomeClass::Unknown, _) => Verdict::Ask,
        (OutcomeClass::PartlyDelivered, _) => Verdict::Reread,
        (OutcomeClass::Executed, _) => Verdict::Surface,
    }
}

/// ER_LOCK_DEADLOCK.
const DEADLOCK: u16 = 1213;
/// ER_LOCK_WAIT_TIMEOUT, which `innodb_rollback_on_timeout` makes a rollback, and ER_CHECKREAD, of which MariaDB's
/// `innodb_snapshot_isolation` makes one.
const MAY_ROLL_BACK: [u16; 2] = [1205, 1020];

/// Whether a transaction is open after a statement has failed, where the server cannot say so any more; `begins`: the command
/// may have begun one before it failed. `None`: it may be or not.
#[must_use]
pub fn is_open_after(code: u16, place: Place, begins: bool) -> Option<bool> {
    match place {
        _ if code == DEADLOCK => Some(false),
        Place::Inside if !begins && !MAY_ROLL_BACK.contains(&code) => Some(true),
        Place::Read | Place::Session | Place::Autocommit | Place::Wrapped if !begins => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACES: [Place; 9] = [
        Place::Wrapped,
        Place::Read,
        Place::Autocommit,
        Place::Program,
        Place::Session,
        Place::Inside,
        Place::Code,
        Place::Commit,
        Place::Rollback,
    ];

    fn failure(place: Place, sent: Sent, broke: Broke, delivered: bool) -> Failure {
        Failure { sent, broke, delivered, place, flavor: Flavor::MariaDb }
    }

    /// The table of DESIGN, line by line.
    #[test]
    fn the_table() {
        use Broke::{Answered, EndedByUs, Lost, NotReady, ReadOnly};
        use Sent::{Nothing, Something};
        let rows = [
            (Place::Autocommit, Nothing, Lost, Verdict::HoldAndRun),
            (Place::Autocommit, Something, Lost, Verdict::Ask),
            (Place::Autocommit, Something, ReadOnly, Verdict::HoldAndRun),
            (Place::Autocommit, Something, Answered(1053), Verdict::Ask),
            (Place::Autocommit, Something, NotReady, Verdict::HoldAndRun),
            (Place::Autocommit, Something, Answered(1047), Verdict::Surface),
            (Place::Autocommit, Something, Answered(1062), Verdict::Surface),
            (Place::Autocommit, Something, EndedByUs, Verdict::HoldAndRun),
            (Place::Program, Nothing, Lost, Verdict::HoldAndRun),
            (Place::Program, Something, Lost, Verdict::Ask),
            (Place::Program, Something, ReadOnly, Verdict::Ask),
            (Place::Program, Something, EndedByUs, Verdict::Ask),
            (Place::Program, Something, NotReady, Verdict::Ask),
            (Place::Wrapped, Something, Lost, Verdict::HoldAndRun),
            (Place::Wrapped, Something, ReadOnly, Verdict::HoldAndRun),
            (Place::Wrapped, Something, EndedByUs, Verdict::HoldAndRun),
            (Place::Wrapped, Something, Answered(1062), Verdict::Surface),
            (Place::Read, Something, Lost, Verdict::HoldAndRun),
            (Place::Read, Something, Answered(1053), Verdict::HoldAndRun),
            (Place::Session, Something, Lost, Verdict::HoldAndRun),
            (Place::Inside, Something, Lost, Verdict::Replay),
            (Place::Inside, Something, ReadOnly, Verdict::Replay),
            (Place::Inside, Something, EndedByUs, Verdict::Replay),
            (Place::Inside, Something, Answered(1213), Verdict::Surface),
            (Place::Code, Nothing, Lost, Verdict::Replay),
            (Place::Code, Something, Lost, Verdict::Ask),
            (Place::Code, Something, ReadOnly, Verdict::Replay),
            (Place::Commit, Nothing, Lost, Verdict::Replay),
            (Place::Commit, Something, Lost, Verdict::Ask),
            (Place::Commit, Something, ReadOnly, Verdict::Replay),
            (Place::Commit, Something, Answered(1053), Verdict::Ask),
            (Place::Rollback, Something, Lost, Verdict::Acknowledge),
        ];
        for (place, sent, broke, verdict) in rows {
            let failure = failure(place, sent, broke, false);
            assert_eq!(decide(&failure), verdict, "{failure:?}");
        }
    }

    /// Whatever may have committed is never run again without asking.
    #[test]
    fn never_twice() {
        for place in [Place::Autocommit, Place::Program, Place::Code, Place::Commit] {
            for delivered in [false, true] {
                let failure = failure(place, Sent::Something, Broke::Lost, delivered);
                assert_eq!(decide(&failure), Verdict::Ask, "{failure:?}");
            }
        }
    }

    /// What the client already has a part of is never started again from the beginning.
    #[test]
    fn nothing_is_delivered_twice() {
        for place in PLACES {
            for broke in [Broke::Lost, Broke::ReadOnly, Broke::EndedByUs, Broke::Answered(1053)] {
                let failure = failure(place, Sent::Something, broke, true);
                assert_ne!(decide(&failure), Verdict::HoldAndRun, "{failure:?}");
            }
        }
    }

    #[test]
    fn what_is_open_behind_an_error() {
        for (code, place, begins, open) in [
            (1062, Place::Inside, false, Some(true)),
            (1213, Place::Inside, false, Some(false)),
            (1213, Place::Commit, false, Some(false)),
            (1205, Place::Inside, false, None),
            (1020, Place::Inside, false, None),
            (1062, Place::Inside, true, None),
            (1062, Place::Code, false, None),
            (1180, Place::Commit, false, None),
            (1062, Place::Session, false, Some(false)),
            (1062, Place::Autocommit, true, None),
            (1062, Place::Program, false, None),
        ] {
            assert_eq!(is_open_after(code, place, begins), open, "{code} {place:?} {begins}");
        }
    }

    #[test]
    fn a_read_only_refusal_is_known_by_its_text() {
        let mariadb =
            b"The MariaDB server is running with the --read-only option so it cannot execute this statement";
        let mysql = b"The MySQL server is running with the --super-read-only option so it cannot execute this statement";
        let other = b"The MySQL server is running with the --secure-file-priv option so it cannot execute this statement";
        assert!(is_read_only_refusal(1290, mariadb));
        assert!(is_read_only_refusal(1290, mysql));
        assert!(!is_read_only_refusal(1290, other));
        assert!(is_read_only_refusal(1836, b""));
    }
}
