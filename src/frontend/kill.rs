//! KILL: clients name sessions by the ids that we gave them; servers know their own.

use std::sync::Arc;
use std::time::Duration;

use tideover_protocol::command::CommandKind;
use tideover_protocol::packet::ErrPacket;

use crate::backend::{Account, Control, ControlError};
use crate::relay::Signals;
use crate::sql::{Effects, Kind, killed_user};
use crate::topology::{Flavor, ServerId};

use super::command::plain;
use super::error::{self, ClientError};
use super::registry::{FIRST_ID, SessionHandle};
use super::session::{End, Session};
use super::shared::Shared;
use super::unit::{Hold, Leased};
use super::work::Work;

/// Time for ending a statement from another connection.
const KILL: Duration = Duration::from_secs(2);
/// ER_NO_SUCH_THREAD.
const NO_SUCH_THREAD: u16 = 1094;
/// ER_KILL_DENIED_ERROR.
const NOT_OWNER: u16 = 1095;

/// Counts the privileges of the account that let it kill others: MySQL's and MariaDB's names.
const MAY_KILL: &str = "SELECT COUNT(*) FROM information_schema.USER_PRIVILEGES WHERE PRIVILEGE_TYPE IN \
    ('SUPER','CONNECTION_ADMIN','CONNECTION ADMIN') AND \
    GRANTEE=CONCAT(CHAR(39),REPLACE(CURRENT_USER(),'@',CONCAT(CHAR(39),'@',CHAR(39))),CHAR(39))";

/// Whether we gave this id to a session.
const fn is_ours(id: u64) -> bool {
    id >= FIRST_ID as u64
}

/// Ends a statement, or a connection, of `own` on a server, in a task of its own.
pub(super) fn spawn(
    shared: &Arc<Shared>,
    killed: &Arc<SessionHandle>,
    own: &Arc<Account>,
    server: (ServerId, u32),
    connection: bool,
) {
    let (shared, kill, own) = (shared.clone(), killed.kill(), own.clone());
    tokio::spawn(async move {
        if let Err(problem) = end(&shared, &own, server, connection).await {
            tracing::debug!(%problem, "a statement could not be ended");
        }
        drop(kill);
    });
}

/// With the monitor's account; what that may not end (MySQL keeps accounts with SYSTEM_USER from all others), with
/// `account`, the one that wants it or whose connection it is. A server that is no longer there has nothing to end.
async fn end(
    shared: &Shared,
    account: &Account,
    (server, thread): (ServerId, u32),
    connection: bool,
) -> Result<(), ControlError> {
    let Some(target) = shared.pools.target(server) else { return Ok(()) };
    let sql = if connection { format!("KILL {thread}") } else { format!("KILL QUERY {thread}") };
    let as_account = async |account: &Account| {
        let connector = shared.pools.connector();
        let mut control = Control::connect(connector, target, account, KILL).await?;
        control.query(&sql, KILL).await.map(drop)
    };
    match as_account(&shared.control).await {
        Err(error) if error.code() == Some(NOT_OWNER) => as_account(account).await,
        ended => ended,
    }
}

impl Session {
    /// Has the running statement (or the whole connection) ended on the server, from another connection.
    pub(super) fn kill_statement(&self, connection: bool) {
        if let Some(lease) = &self.lease {
            let server = (lease.server, lease.thread);
            spawn(&self.shared, &self.handle, &self.account, server, connection);
        }
    }

    /// KILL as a text. Ids that are none of ours are the server's, as its PROCESSLIST shows them: it gets those itself, and
    /// everything that we cannot read.
    pub(super) async fn kill_text(
        &mut self,
        work: &Work,
        id: Option<u64>,
        connection: bool,
    ) -> Result<(), End> {
        let text = work.text.of(&self.command);
        match id {
            Some(id) if is_ours(id) => self.kill(id, connection).await,
            None if work.dialect.mariadb => match killed_user(text, work.dialect) {
                Some(user) => self.kill_user(&user, connection).await,
                None => self.perform(work).await,
            },
            _ => self.perform(work).await,
        }
    }

    /// KILL of a session of ours, or COM_PROCESS_KILL.
    async fn kill(&mut self, id: u64, connection: bool) -> Result<(), End> {
        let victim = u32::try_from(id).ok().and_then(|id| self.shared.registry.find(id));
        let Some(victim) = victim else {
            return self.refuse(&error::unknown_thread(id)).await;
        };
        if victim.user() != self.handle.user() && !self.may_kill_others().await {
            return self.refuse(&error::not_owner(&id.to_string())).await;
        }
        let ended = self.end_session(&victim, connection).await;
        // A session that is to go goes, whatever became of its statement.
        match ended.as_ref().map_err(|error| (error.code(), error)) {
            Ok(()) | Err((Some(NO_SUCH_THREAD), _)) => {}
            Err(_) if connection => {}
            Err((Some(NOT_OWNER), _)) => return self.refuse(&error::not_owner(&id.to_string())).await,
            Err((_, problem)) => return self.refuse(&error::not_ended(&problem.to_string())).await,
        }
        if id == u64::from(self.handle.id) {
            let packet = ErrPacket::new(1317, "70100", "Query execution was interrupted");
            return self.refuse(&ClientError { cause: "killed", packet }).await;
        }
        self.acknowledge().await
    }

    /// Every session of an account's name. Those of other proxies and of nobody's stay.
    async fn kill_user(&mut self, user: &str, connection: bool) -> Result<(), End> {
        if user != self.handle.user() && !self.may_kill_others().await {
            return self.refuse(&error::not_owner(user)).await;
        }
        let own = self.handle.id;
        let victims = self.shared.registry.of_user(user);
        for victim in victims.iter().filter(|victim| victim.id != own) {
            let _ = self.end_session(victim, connection).await;
        }
        let Some(sequence) = self.answer_at else { return Err(End::Client) };
        self.say_ok_for((victims.len() as u64, 0), sequence);
        self.flush().await?;
        if victims.iter().any(|victim| victim.id == own) && connection {
            return Err(End::Told);
        }
        Ok(())
    }

    /// Ends the victim's statement on its server, and the session itself if so asked.
    async fn end_session(&self, victim: &Arc<SessionHandle>, connection: bool) -> Result<(), ControlError> {
        // From here on the victim's server connection goes to nobody else.
        let kill = victim.kill();
        let ended = match victim.server() {
            Some(server) => end(&self.shared, &self.account, server, false).await,
            None => Ok(()),
        };
        drop(kill);
        if let Err(problem) = &ended {
            tracing::debug!(%problem, "a statement could not be ended");
        }
        if connection {
            victim.signal.raise(Signals::KILL);
        }
        ended
    }

    /// Whether the server lets this account kill others' connections.
    async fn may_kill_others(&mut self) -> bool {
        let mut hold = Hold::default();
        if self.enter(&mut hold).await.is_err()
            || !matches!(self.lease(true, &mut hold).await, Ok(Leased::Ready))
        {
            return false;
        }
        let Some(lease) = &mut self.lease else { return false };
        let answer = lease.query_row(MAY_KILL, 1).await;
        lease.broken |= answer.is_err();
        let may = answer.is_ok_and(|row| row.first().is_some_and(|count| count != b"0"));
        self.end_unit_if_over();
        may
    }

    /// COM_PROCESS_KILL: one byte, four bytes of id.
    pub(super) async fn process_kill(&mut self) -> Result<(), End> {
        let Some(&[a, b, c, d]) = self.command.get(1..5) else {
            let mysql = self.flavor() == Flavor::MySql;
            let refused = if mysql { error::unknown_command() } else { error::unknown_thread(0) };
            return self.refuse(&refused).await;
        };
        let id = u64::from(u32::from_le_bytes([a, b, c, d]));
        if is_ours(id) {
            return self.kill(id, true).await;
        }
        let kill = Kind::Kill { connection: true, id: Some(id) };
        self.run_plain(CommandKind::ProcessKill, plain(kill, Effects::empty())).await
    }
}
