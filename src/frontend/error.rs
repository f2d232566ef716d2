//! The one place where the text of an error of ours is made. Names, numbers and states are a contract (README, "What a
//! client gets when nothing can be done").

use std::time::Duration;

use tideover_protocol::packet::ErrPacket;

use crate::backend::{AcquireError, ConnectFailure};
use crate::gate::EnterError;

use super::accounts::Unreadable;

/// ER_ACCESS_DENIED_ERROR.
pub(super) const ACCESS_DENIED: u16 = 1045;

/// An error of ours for a client, with the label of `tideover_client_errors_total{cause}`.
#[derive(Debug, Clone)]
pub(super) struct ClientError {
    pub(super) cause: &'static str,
    pub(super) packet: ErrPacket,
}

impl ClientError {
    /// Whether the client may take it that its command was not executed.
    pub(super) fn says_nothing_was_done(&self) -> bool {
        const OURS: [&str; 5] =
            ["hold_timeout", "hold_full", "pool_exhausted", "no_connection", "server_refused"];
        OURS.contains(&self.cause)
    }
}

fn error(cause: &'static str, code: u16, state: &str, text: &str) -> ClientError {
    ClientError { cause, packet: ErrPacket::new(code, state, text) }
}

/// A wait, in whole seconds where it is as long as that.
fn time(waited: Duration) -> String {
    match waited.as_secs() {
        0 => format!("{} ms", waited.as_millis()),
        seconds => format!("{seconds} s"),
    }
}

/// The gate did not let us in.
pub(super) fn held(failure: EnterError) -> ClientError {
    match failure {
        EnterError::TimedOut { waited, reasons } => {
            let held = match reasons.names().join(", ") {
                // The gate is open: there is a primary, which takes no connection.
                none if none.is_empty() => "it takes no connection".to_owned(),
                names => format!("held since then: {names}"),
            };
            let text = format!(
                "tideover: no writable primary for {} ({held}; hold.timeout); nothing was executed",
                time(waited),
            );
            error("hold_timeout", 1205, "HY000", &text)
        }
        EnterError::Full { .. } => {
            error("hold_full", 1205, "HY000", &format!("tideover: {failure}; nothing was executed"))
        }
    }
}

/// No server connection, after all waiting.
pub(super) fn no_connection(failure: &AcquireError) -> ClientError {
    match failure {
        AcquireError::Connect(ConnectFailure::Refused { error, .. }) => {
            ClientError { cause: "server_refused", packet: error.clone() }
        }
        // ER_NOT_SUPPORTED_AUTH_MODE: trying again does not help.
        AcquireError::Connect(ConnectFailure::Unable { problem, .. }) => error(
            "unsupported_login",
            1251,
            "08004",
            &format!("tideover: cannot log in to the server: {problem}"),
        ),
        AcquireError::Restore(error) => ClientError { cause: "session_restore", packet: error.clone() },
        AcquireError::Exhausted { .. } => {
            error("pool_exhausted", 1040, "08004", &format!("tideover: {failure}; nothing was executed"))
        }
        other => error("no_connection", 1205, "HY000", &format!("tideover: {other}; nothing was executed")),
    }
}

/// Who a client is cannot be known: no server lets its account be read. The same number as for everything that waits for
/// a server in vain; "access denied" would be a lie, and would make some clients give up for good.
pub(super) fn accounts_unreadable(why: &Unreadable) -> ErrPacket {
    let text = format!("tideover: the accounts cannot be read now ({why}); nothing was executed");
    ErrPacket::new(1205, "HY000", text)
}

/// No replica can serve a read, and the primary shall not.
pub(super) fn no_replica(waited: Option<Duration>) -> ClientError {
    let waited = waited.map(|waited| format!(" for {}", time(waited))).unwrap_or_default();
    let text = format!(
        "tideover: no replica can serve this read{waited}, and the primary shall not (routing.fallback); nothing was executed"
    );
    error("no_replica", 1205, "HY000", &text)
}

/// What the session read on a replica is not to be seen on the primary yet.
pub(super) fn not_shown(waited: Duration) -> ClientError {
    let text = format!(
        "tideover: the primary does not show yet what this session has read on a replica, after {} s: it waits for a \
         replica to confirm it; nothing was executed",
        waited.as_secs()
    );
    error("not_shown", 1205, "HY000", &text)
}

/// The open transaction is gone and cannot be done again.
pub(super) fn rolled_back(why: &str) -> ClientError {
    let text = format!("tideover: transaction rolled back: {why}; try restarting the transaction");
    error("rolled_back", 1213, "40001", &text)
}

/// It may have been done, or not.
pub(super) fn unknown_outcome(why: &str) -> ClientError {
    error("outcome_unknown", 1180, "HY000", &format!("tideover: outcome unknown: {why}"))
}

/// What a statement asks for is gone with our COMMIT, or with the server connection that the session had to leave.
pub(super) fn forgotten() -> ClientError {
    let text = "tideover: warnings and ROW_COUNT() of the statement before are known only to SHOW WARNINGS and SELECT \
                ROW_COUNT(), since it left a commit marker (guard.mode = \"tag\" leaves none), or its server connection \
                to others (pool.max_per_server)";
    error("forgotten", 1235, "42000", text)
}

/// State that existed only on a server that is gone.
pub(super) fn state_lost(pins: &[&str]) -> ClientError {
    let text = format!("tideover: session state lost with its server: {}", pins.join(", "));
    error("state_lost", 1927, "70100", &text)
}

/// A part of a result was delivered and the rest is lost.
pub(super) fn result_broken() -> ClientError {
    error(
        "result_broken",
        1205,
        "HY000",
        "tideover: the server was lost amid a result; run the statement again",
    )
}

/// A command that we do not know.
pub(super) fn unknown_command() -> ClientError {
    error("unknown_command", 1047, "08S01", "Unknown command")
}

/// A prepared statement that this session does not have.
pub(super) fn unknown_statement(id: u32, what: &str) -> ClientError {
    let text = format!("Unknown prepared statement handler ({id}) given to {what}");
    error("unknown_statement", 1243, "HY000", &text)
}

/// A fetch without a cursor; the texts of the two families differ in their full stop.
pub(super) fn no_cursor(id: u32, mariadb: bool) -> ClientError {
    let stop = if mariadb { "" } else { "." };
    error("no_cursor", 1421, "HY000", &format!("The statement ({id}) has no open cursor{stop}"))
}

/// An execution, or data sent ahead of it, that does not fit its statement.
pub(super) fn wrong_arguments(what: &str) -> ClientError {
    error("wrong_arguments", 1210, "HY000", &format!("Incorrect arguments to {what}"))
}

/// Parameter data sent ahead of an execution was too much.
pub(super) fn long_data(id: u32, limit: usize) -> ClientError {
    let text = format!(
        "tideover: more than {limit} bytes of long data for prepared statements ({id}); nothing was executed"
    );
    error("long_data", 1153, "08S01", &text)
}

/// A command larger than we take.
pub(super) fn too_large(limit: usize) -> ClientError {
    let text = format!("tideover: Got a packet bigger than {limit} bytes (max_packet)");
    error("packet_too_large", 1153, "08S01", &text)
}

/// A malformed command, in the words of the family.
pub(super) fn malformed(mariadb: bool) -> ClientError {
    let stop = if mariadb { "" } else { "." };
    error("malformed_packet", 1835, "HY000", &format!("Malformed communication packet{stop}"))
}

/// The session was killed.
pub(super) fn killed() -> ClientError {
    error("killed", 1927, "70100", "Connection was killed")
}

/// A session, or the sessions of an account, that this one may not end.
pub(super) fn not_owner(whose: &str) -> ClientError {
    error("not_owner", 1095, "HY000", &format!("You are not owner of thread {whose}"))
}

/// A statement that somebody wanted to end goes on, for all that is known.
pub(super) fn not_ended(problem: &str) -> ClientError {
    error("not_ended", 1205, "HY000", &format!("tideover: the statement could not be ended: {problem}"))
}

/// No such session.
pub(super) fn unknown_thread(id: u64) -> ClientError {
    error("unknown_thread", 1094, "HY000", &format!("Unknown thread id: {id}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::Reasons;

    /// Numbers, states and words of the contract.
    #[test]
    fn what_a_held_client_is_told() {
        let timed_out = |waited| held(EnterError::TimedOut { waited, reasons: Reasons::HOLD }).packet;
        let error = timed_out(Duration::from_millis(30_004));
        assert_eq!((error.code, error.state.as_slice()), (1205, &b"HY000"[..]));
        let text = "tideover: no writable primary for 30 s (held since then: hold; hold.timeout); nothing was executed";
        assert_eq!(String::from_utf8_lossy(&error.message), text);
        let short = timed_out(Duration::from_millis(300)).message;
        assert!(String::from_utf8_lossy(&short).contains("for 300 ms (held"));
        let full = held(EnterError::Full { limit: 2, reasons: Reasons::SWITCHOVER | Reasons::NO_PRIMARY });
        let text = "tideover: 2 sessions are held already (hold.max_sessions = 2; switchover, no_primary); nothing was \
                    executed";
        assert_eq!((full.cause, full.packet.code), ("hold_full", 1205));
        assert_eq!(String::from_utf8_lossy(&full.packet.message), text);
    }
}
