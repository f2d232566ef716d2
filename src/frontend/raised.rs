//! What a server would remember of commands that were answered in its place, and tell of with its next answers: errors for
//! SHOW WARNINGS and the like, the number of conditions (MySQL), changes of the session that no answer has told of yet.

use tideover_protocol::command::CommandKind;
use tideover_protocol::packet::{ErrPacket, OkPacket, SessionTrack};

use crate::backend::Swallow;
use crate::session::{Change, PinReason, SessionState};
use crate::sql::{Dialect, Effects, Kind, Statement};
use crate::topology::Flavor;

use super::ahead::names_no_table;
use super::answer::{Completion, change};
use super::error::ClientError;
use super::reports::is_for_client;
use super::session::{End, Session};
use super::staying::unless_lost;
use super::work::Work;

/// The servers take no longer message for a condition, in characters.
const LONGEST: usize = 128;

/// What the servers would tell with later answers.
#[derive(Debug, Default)]
pub(super) struct Untold {
    /// The error of a command that was refused in the server's place, until a statement clears it.
    raised: Option<Box<ErrPacket>>,
    /// Conditions that the last statement left: MySQL repeats their number with commands that are no statements.
    conditions: u16,
    /// Changes of the session that came with an answer to a question of ours.
    pub(super) late: Vec<SessionTrack>,
}

impl Session {
    /// Answers a command with the error that the server would have for it.
    pub(super) async fn refuse_as_server(&mut self, error: &ClientError) -> Result<(), End> {
        let starts = matches!(
            CommandKind::of(&self.command),
            CommandKind::StmtExecute | CommandKind::StmtFetch | CommandKind::StmtReset
        );
        self.untold.conditions = if starts { 1 } else { self.untold.conditions.saturating_add(1) };
        self.untold.raised = Some(Box::new(error.packet.clone()));
        self.wrap.aftermath = None;
        self.set_row_count(-1);
        self.tracker.unpin(PinReason::Warnings);
        let charset = self.tracker.state().variable("character_set_results").unwrap_or_default();
        if [b"ucs2".as_slice(), b"utf16", b"utf32"].contains(&charset) {
            // The servers convert a message and send it up to its first zero byte, which is the first one.
            let packet = ErrPacket { message: Vec::new(), ..error.packet.clone() };
            return self.refuse(&ClientError { packet, ..*error }).await;
        }
        self.refuse(error).await
    }

    /// A statement is about to be routed, see [`crate::session::Tracker::begin`].
    pub(super) fn begin_statement(&mut self, statement: &Statement, keeps_warnings: bool) {
        self.outlive_raised(statement, keeps_warnings);
        self.tracker.begin(statement, keeps_warnings);
    }

    /// A statement begins: the error of a command before it is gone, unless it asks for that or leaves it. `keeps`: the
    /// statement leaves warnings as they are.
    fn outlive_raised(&mut self, statement: &Statement, keeps: bool) {
        if !keeps && !statement.any(Effects::READS_DIAGNOSTICS) {
            self.untold.raised = None;
        }
    }

    /// A command that is answered in the server's place would have cleared the conditions.
    pub(super) const fn clear_conditions(&mut self) {
        self.untold.conditions = 0;
    }

    /// A statement is prepared: that clears MySQL's conditions.
    pub(super) fn outlive_preparation(&mut self, statement: &Statement, dialect: Dialect) {
        let text = self.command.get(1..).unwrap_or_default();
        if self.flavor() == Flavor::MySql || !names_no_table(statement, text, dialect) {
            self.untold.raised = None;
        }
    }

    /// Whether a command was refused in the server's place, and nothing has cleared its error.
    pub(super) const fn has_raised(&self) -> bool {
        self.untold.raised.is_some()
    }

    /// A statement that raises the error of the command that was refused, for one that asks for it.
    pub(super) fn raise(&mut self, statement: &Statement) -> Option<String> {
        statement.any(Effects::READS_DIAGNOSTICS).then_some(())?;
        let error = self.untold.raised.take()?;
        let state =
            str::from_utf8(&error.state).ok().filter(|s| s.bytes().all(|b| b.is_ascii_alphanumeric()))?;
        let message: String = String::from_utf8_lossy(&error.message).chars().take(LONGEST).collect();
        // A backslash means itself or not by sql_mode.
        let plain = message.bytes().all(|byte| (b' '..0x7f).contains(&byte) && byte != b'\\');
        plain.then(|| {
            let text = message.replace('\'', "''");
            format!("SIGNAL SQLSTATE '{state}' SET MYSQL_ERRNO={},MESSAGE_TEXT='{text}'", error.code)
        })
    }

    /// A statement has ended: the conditions that it left, one at least if it failed.
    pub(super) fn note_conditions(&mut self, work: &Work, done: &Completion, failed: bool) {
        self.untold.late.extend_from_slice(&done.late);
        self.untold.conditions = match work.kind {
            CommandKind::Statistics => return,
            // They add theirs to those of the statement before.
            CommandKind::InitDb | CommandKind::SetOption | CommandKind::Debug | CommandKind::ProcessInfo => {
                self.untold.conditions.saturating_add(u16::from(failed))
            }
            _ if failed => 1,
            _ => done.warnings,
        };
        if failed || done.warnings > 0 {
            self.untold.raised = None;
        }
    }

    /// The number of warnings in the server's answer to a command that is no statement.
    pub(super) fn repeated_conditions(&self) -> u16 {
        if self.flavor() == Flavor::MySql { self.untold.conditions } else { 0 }
    }

    /// Asks the server for its status flags behind an error, by a command that changes neither those nor ROW_COUNT() nor the
    /// warnings.
    pub(super) async fn ask_for_status(&mut self, work: &Work, code: u16) {
        let patience = self.own_patience();
        let Some(lease) = &mut self.lease else { return };
        let ask = [0x1b, u8::from(!lease.takes_several()), 0];
        let start = self.journal.is_some().then(|| lease.state.clone());
        match unless_lost(&patience, lease.command(&ask)).await {
            Ok(Swallow::Done(answer)) => {
                self.status = lease.status;
                self.hear_late(&answer, start.as_ref());
            }
            Ok(Swallow::Error(_)) => self.status = lease.status,
            Err(_) => {
                lease.broken = true;
                self.guess_status(work, code);
            }
        }
    }

    /// Takes in the answer to a question of ours behind an error: the server tells with it of what the failed statement
    /// changed, and the client would have heard of it with its next statement.
    fn hear_late(&mut self, answer: &[u8], start: Option<&SessionState>) {
        let Some(lease) = &mut self.lease else { return };
        if let &[0xfe, w0, w1, _, _] = answer {
            // An EOF packet, which tells of nothing else.
            self.untold.conditions = self.untold.conditions.max(u16::from_le_bytes([w0, w1]));
            return;
        }
        let Ok(ok) = OkPacket::decode(answer, lease.capabilities) else { return };
        // MySQL says here how many there are.
        self.untold.conditions = self.untold.conditions.max(ok.warnings);
        let changes: Vec<Change<'_>> = ok.track.iter().filter_map(change).collect();
        if changes.is_empty() {
            return;
        }
        if let (Some(journal), Some(start)) = (&mut self.journal, start) {
            journal.keep_start(start);
        }
        self.tracker.apply(&changes);
        lease.follow(self.tracker.state());
        let chosen = self.reports.as_deref();
        self.untold.late.extend(ok.track.iter().filter(|item| is_for_client(item, chosen)).cloned());
    }
}

/// Whether it is a command that is no statement, with which MySQL repeats the number of conditions.
pub(super) const fn repeats_conditions(work: &Work) -> bool {
    matches!(work.kind, CommandKind::InitDb | CommandKind::SetOption)
}

/// Whether it leaves ROW_COUNT() as it is, as GET DIAGNOSTICS does (seen on all three).
pub(super) fn keeps_row_count(statement: &Statement) -> bool {
    statement.kind == Kind::Other && statement.any(Effects::READS_DIAGNOSTICS)
}
