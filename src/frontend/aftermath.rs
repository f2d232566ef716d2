//! What the servers remember of a statement for the one after it, warnings and row count, where a COMMIT of ours in between
//! has made the server forget, or the session had to leave its server connection to others.

use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;

use bytes::BytesMut;
use tideover_protocol::capability::Capabilities;
use tideover_protocol::command::CommandKind;
use tideover_protocol::packet::ErrPacket;
use tideover_protocol::response::ResponseShape;

use crate::backend::Lease;
use crate::relay::{Controls, Verdict};
use crate::replay::Place;
use crate::session::{PinReason, Prepared};
use crate::sql::{Effects, Kind, classify, details, with_row_count};
use crate::topology::Flavor;

use super::ahead::names_no_table;
use super::answer::{AnswerControls, Completion};
use super::error::forgotten;
use super::journaling::LOOKS_BACK;
use super::session::{End, Session};
use super::staying::unless_lost;
use super::work::{Text, Work};

/// The answer to SHOW WARNINGS that is kept, bytes at most. The servers keep 64 warnings or 1024.
const KEPT: usize = 256 * 1024;

/// The cursor type in the flags of COM_STMT_EXECUTE.
const FLAGS_AT: usize = 5;

/// What the server would say.
#[derive(Debug)]
pub(super) struct Aftermath {
    /// ROW_COUNT(), if the server would not say so.
    pub(super) row_count: Option<i64>,
    /// The whole answer to SHOW WARNINGS; empty if there is nothing to show, or too much.
    pub(super) warnings: BytesMut,
    /// There were warnings or an error.
    pub(super) any_warnings: bool,
    /// Statements came since.
    pub(super) outlived: bool,
}

impl Session {
    /// What is to be remembered of a statement before our COMMIT; `None` if the COMMIT changes nothing about it.
    pub(super) async fn aftermath(&mut self, done: &Completion, error: Option<u16>) -> Option<Aftermath> {
        let any_warnings = done.warnings > 0 || error.is_some();
        let row_count = match error {
            Some(_) => -1,
            None => i64::try_from(done.affected_rows).unwrap_or(i64::MAX),
        };
        if !any_warnings && row_count == 0 {
            return None;
        }
        let mut warnings = BytesMut::new();
        if any_warnings {
            let patience = self.patience_for(Place::Wrapped);
            let (lease, client) = (self.lease.as_mut()?, self.capabilities);
            let shown =
                async { show_warnings(lease, client).await.ok_or_else(|| io::ErrorKind::InvalidData.into()) };
            warnings = unless_lost(&patience, shown).await.unwrap_or_default();
        }
        Some(Aftermath { row_count: Some(row_count), warnings, any_warnings, outlived: false })
    }

    /// What is to be run in place of a statement that asks for what the one before has left, if another text. `Break`: it is
    /// answered.
    pub(super) async fn in_place_of(&mut self, work: &Work) -> Result<ControlFlow<(), Option<Work>>, End> {
        let counted = self.with_row_count(work);
        if self.wrap.aftermath.is_none() {
            return Ok(ControlFlow::Continue(counted));
        }
        let told = self.told_from_aftermath(counted.as_ref().unwrap_or(work)).await?;
        Ok(told.map_or(ControlFlow::Break(()), |other| ControlFlow::Continue(Some(other))))
    }

    /// A statement that asks for ROW_COUNT(), with the number in its place: where the session's connection has another one, or
    /// what goes in front of the statement would change it. `None`: it does not ask, is where the number is, or holds it where
    /// it cannot be replaced.
    fn with_row_count(&mut self, work: &Work) -> Option<Work> {
        let statement = &work.statement;
        let text = work.text.of(&self.command);
        let wanted = statement.any(Effects::READS_ROW_COUNT)
            && work.kind != CommandKind::StmtPrepare
            && (self.lease.is_none()
                || self.here.no_row_count
                || (!self.has_insert_id() && self.tracker.wants_insert_id(statement, false))
                || (!self.here.found_rows && self.tracker.wants_found_rows(statement, text, work.dialect)));
        wanted.then_some(())?;
        let text = with_row_count(text, work.dialect, self.tracker.row_count())?;
        let mut instead = match &work.text {
            Text::Command(_) => self.instead(work, &text),
            Text::Prepared(prepared) if self.command.get(FLAGS_AT) == Some(&0) => {
                let statement = classify(&text, work.dialect);
                let key = Arc::new(prepared.key.with_text(text.into()));
                let prepared =
                    Prepared { key, statement: statement.clone(), untyped: None, ..(**prepared).clone() };
                Work { statement, text: Text::Prepared(Arc::new(prepared)), ..work.clone() }
            }
            _ => return None,
        };
        instead.statement.effects -= Effects::READS_ROW_COUNT;
        Some(instead)
    }

    /// A statement asks for what our COMMIT has made the server forget: says it ourselves. `Ok(None)`: it does not ask.
    async fn told_from_aftermath(&mut self, work: &Work) -> Result<Option<Work>, End> {
        let Some(aftermath) = &self.wrap.aftermath else { return Ok(Some(work.clone())) };
        let asks = self.asks(work);
        let known = if aftermath.any_warnings { Effects::READS_DIAGNOSTICS } else { Effects::empty() };
        let known = if aftermath.row_count.is_some() { known | Effects::READS_ROW_COUNT } else { known };
        if asks.is_empty() {
            self.outlive_aftermath(work);
            return Ok(Some(work.clone()));
        }
        if (asks & known).is_empty() {
            return Ok(Some(work.clone()));
        }
        let text = plain(work.text.of(&self.command));
        let text_command = matches!(work.text, Text::Command(_));
        if text_command && text == "showwarnings" && !aftermath.warnings.is_empty() {
            self.client.queue(&aftermath.warnings);
            self.flush().await?;
            return Ok(None);
        }
        if text_command
            && text == "selectrow_count()"
            && work.statement.kind == Kind::Select
            && let Some(rows) = aftermath.row_count
        {
            let sql = format!("SELECT {rows} AS `ROW_COUNT()`");
            self.wrap.aftermath = None;
            return Ok(Some(self.instead(work, sql.as_bytes())));
        }
        self.refuse(&forgotten()).await?;
        Ok(None)
    }

    /// A statement that asks for nothing ends it, but for the warnings where that leaves them.
    fn outlive_aftermath(&mut self, work: &Work) {
        let text = work.text.of(&self.command);
        let keeps = self.flavor() == Flavor::MariaDb && names_no_table(&work.statement, text, work.dialect);
        match &mut self.wrap.aftermath {
            Some(aftermath) if keeps && aftermath.any_warnings => {
                (aftermath.row_count, aftermath.outlived) = (None, true);
            }
            aftermath => *aftermath = None,
        }
    }

    /// A statement behind it is over: it ends with the next warnings.
    pub(super) fn renew_aftermath(&mut self) {
        let newer = self.tracker.pins().contains(PinReason::Warnings);
        self.wrap.aftermath.take_if(|aftermath| newer && aftermath.outlived);
    }

    /// What it asks for of the statement before. Of several statements only the first can.
    fn asks(&self, work: &Work) -> Effects {
        let text = work.text.of(&self.command);
        let effects = match work.statement.kind {
            Kind::Multi => {
                let first = details::pieces(text, work.dialect).into_iter().next();
                let first = first.and_then(|range| text.get(range)).unwrap_or(text);
                classify(first, work.dialect).effects
            }
            _ => work.statement.effects,
        };
        effects & LOOKS_BACK & !Effects::READS_FOUND_ROWS
    }

    /// Another text in place of the client's.
    fn instead(&mut self, work: &Work, sql: &[u8]) -> Work {
        let Text::Command(range) = &work.text else { return work.clone() };
        self.command.truncate(range.start);
        self.command.extend_from_slice(sql);
        let statement = classify(sql, work.dialect);
        let text = Text::Command(range.start..self.command.len());
        Work { tags: statement.tags.clone(), statement, text, ..work.clone() }
    }

    pub(super) fn error_in(&self, frame: &[u8]) -> ErrPacket {
        let payload = frame.get(tideover_protocol::frame::HEADER_LEN..).unwrap_or_default();
        ErrPacket::decode(payload, self.capabilities)
            .unwrap_or_else(|_| ErrPacket::new(2027, "HY000", "malformed error packet"))
    }
}

/// A text without blanks and a semicolon at its end, in lower case.
fn plain(text: &[u8]) -> String {
    let text = text.trim_ascii();
    let text = text.strip_suffix(b";").unwrap_or(text);
    let kept = text.iter().filter(|byte| !byte.is_ascii_whitespace());
    String::from_utf8_lossy(&kept.map(u8::to_ascii_lowercase).collect::<Vec<_>>()).into_owned()
}

/// The whole answer to SHOW WARNINGS, for this client. `None`: it is not to be had.
pub(super) async fn show_warnings(lease: &mut Lease, client: Capabilities) -> Option<BytesMut> {
    let mut controls = AnswerControls::new(lease.capabilities, client);
    controls.wrapped = true;
    lease.queue_query("SHOW WARNINGS");
    lease.io.flush().await.ok()?;
    let mut scanner = lease.scanner(ResponseShape::ResultSets { cursor: false });
    let mut answer = BytesMut::new();
    loop {
        let kept = |piece: &[u8], _| answer.extend_from_slice(piece);
        let (control, mut frame) = lease.next_control(&mut scanner, kept).await.ok()?;
        match controls.control(&control, &mut frame, true) {
            Verdict::Forward => answer.extend_from_slice(&frame),
            Verdict::Replace(bytes) => answer.extend_from_slice(&bytes),
            Verdict::Swallow | Verdict::Withhold => {}
        }
        if control.is_last() {
            answer.extend_from_slice(&controls.done.kept?);
            return (answer.len() <= KEPT).then_some(answer);
        }
    }
}
