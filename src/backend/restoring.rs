//! Bringing a server connection to the state of a session: in a round trip of its own, or in the same write as the statement
//! that needs it.

use std::io;

use tideover_protocol::capability::Capabilities;
use tideover_protocol::packet::ErrPacket;
use tideover_protocol::response::ResponseShape;

use crate::session::{SessionState, Step, plan};
use crate::topology::Flavor;

use super::{ServerConnection, Swallow};

/// Bars the session from writing until the restoring statement lifts it.
const BAR: &str = "SET SESSION TRANSACTION READ ONLY";

/// Answers that come before those to what was sent behind a restoring.
#[derive(Debug, Clone, Default)]
pub struct Restoring {
    steps: Vec<Expected>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Expected {
    /// A refusal means that the session is in no known state.
    Success,
    /// A statement cannot be prepared again while its table is gone: its name, in lower case.
    Either(String),
    /// The bar: a refusal means that what follows may have been executed whatever the others say.
    Bar,
}

impl Restoring {
    /// Whether there was nothing to do.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }
}

/// Why a session could not be restored. The connection is in no known state and must not be used again.
#[derive(Debug)]
pub struct NotRestored {
    /// The server's refusal.
    pub refused: ErrPacket,
    /// The bar was refused too: what was sent behind it may have been executed, in the wrong state.
    pub open: bool,
}

impl ServerConnection {
    /// Whether [`restore`](Self::restore) can reach `wanted` from here.
    #[must_use]
    pub fn can_become(&self, wanted: &SessionState) -> bool {
        self.state.fingerprint() == wanted.fingerprint()
            || !plan(&self.state, wanted, &self.base).needs_fresh_connection
    }

    /// Brings the server's session to `wanted` in one round trip; none if it is there already. If a step is refused (schema
    /// dropped, right revoked), what follows must not run: see [`queue_restore`](Self::queue_restore).
    ///
    /// # Errors
    /// The socket's; the server's refusal comes as the inner error.
    pub async fn restore(&mut self, wanted: &SessionState) -> io::Result<Result<(), ErrPacket>> {
        if self.state.fingerprint() == wanted.fingerprint() {
            return Ok(Ok(()));
        }
        let steps = self.queue_restore(wanted);
        self.io.flush().await?;
        Ok(self.after_restore(&steps, wanted).await?.map_err(|not| not.refused))
    }

    /// Queues what brings the server's session to `wanted`. The answers are for [`after_restore`](Self::after_restore),
    /// before those to what is sent behind it: which the server executes even if a step is refused.
    pub fn queue_restore(&mut self, wanted: &SessionState) -> Restoring {
        let mut restoring = Restoring::default();
        if self.state.fingerprint() == wanted.fingerprint() {
            return restoring;
        }
        self.unprepared.clear();
        for step in plan(&self.state, wanted, &self.base).steps {
            match &step {
                Step::InitDb(schema) => {
                    self.io.queue_parts(&[&[0x02], schema], 0);
                }
                Step::Query(text) => self.queue_text(text),
            }
            restoring.steps.push(step.may_be_refused().map_or(Expected::Success, Expected::Either));
        }
        restoring
    }

    /// Queues the same such that a write behind it is refused unless every step has succeeded: the session is made
    /// read-only first, and the one statement that restores it also ends that. `None`, and nothing queued, if the steps
    /// do not fit into one.
    pub fn queue_restore_barred(&mut self, wanted: &SessionState) -> Option<Restoring> {
        let text = self.barred_text(wanted)?;
        self.queue_query(BAR);
        self.queue_text(&text);
        Some(Restoring { steps: vec![Expected::Bar, Expected::Success] })
    }

    /// Whether [`queue_restore_barred`](Self::queue_restore_barred) can do it.
    #[must_use]
    pub fn can_restore_barred(&self, wanted: &SessionState) -> bool {
        self.barred_text(wanted).is_some()
    }

    fn barred_text(&self, wanted: &SessionState) -> Option<Vec<u8>> {
        let on = |name: &str| wanted.variable(name).is_some_and(|value| !matches!(value, b"OFF" | b"0"));
        if on("tx_read_only") || on("transaction_read_only") {
            return None;
        }
        // Its name since MySQL 5.7 and MariaDB 11.1; MariaDB keeps the old one, MySQL has dropped it.
        let lift = match self.flavor {
            Flavor::MariaDb => "tx_read_only=DEFAULT",
            Flavor::MySql => "transaction_read_only=DEFAULT",
        };
        plan(&self.state, wanted, &self.base).as_one(lift, self.takes_several())
    }

    /// Reads the answers to what [`queue_restore`](Self::queue_restore) queued and the caller sent. With an inner error
    /// the connection is in neither state and must not be used again.
    ///
    /// # Errors
    /// The socket's; the server's first refusal comes as the inner error.
    pub async fn after_restore(
        &mut self,
        restoring: &Restoring,
        wanted: &SessionState,
    ) -> io::Result<Result<(), NotRestored>> {
        let mut open = false;
        for expected in &restoring.steps {
            let shape = ResponseShape::ResultSets { cursor: false };
            let Swallow::Error(refused) = self.swallow(shape).await? else { continue };
            match expected {
                // It is not quite in that state, and must not be taken for it by the next session.
                Expected::Either(name) => {
                    self.dirty = true;
                    self.unprepared.push((name.clone(), refused));
                }
                Expected::Bar => open = true,
                Expected::Success => {
                    self.broken = true;
                    return Ok(Err(NotRestored { refused, open }));
                }
            }
        }
        self.follow(wanted);
        Ok(Ok(()))
    }

    /// The session on the connection is in the state `wanted`, but for what the server would not prepare: that is tried again
    /// with the next statement.
    pub fn follow(&mut self, wanted: &SessionState) {
        self.state = wanted.clone();
        for (name, _) in &self.unprepared {
            self.state.forget_prepared(name);
        }
    }

    fn queue_text(&mut self, text: &[u8]) {
        let attributes: &[u8] =
            if self.capabilities.contains(Capabilities::QUERY_ATTRIBUTES) { &[0, 1] } else { &[] };
        self.io.queue_parts(&[&[0x03], attributes, text], 0);
    }
}
