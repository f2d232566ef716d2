//! What the servers remember of a statement for the one after it, warnings and row count, where a COMMIT of ours in between
//! has made the server forget.

use std::io;

use bytes::BytesMut;
use tideover_protocol::packet::ErrPacket;
use tideover_protocol::response::{Next, ResponseScanner, ResponseShape};

use crate::relay::{Controls, Verdict};
use crate::sql::{Effects, Kind, classify, details};

use super::answer::{AnswerControls, Completion};
use super::error::forgotten;
use super::journaling::LOOKS_BACK;
use super::marking::unless_lost;
use super::session::{End, Session};
use super::work::{Text, Work};

/// The answer to SHOW WARNINGS that is kept, bytes at most. The servers keep 64 warnings or 1024.
const KEPT: usize = 256 * 1024;

/// What the server would say.
#[derive(Debug)]
pub(super) struct Aftermath {
    /// ROW_COUNT().
    row_count: i64,
    /// The whole answer to SHOW WARNINGS; empty if there is nothing to show, or too much.
    warnings: BytesMut,
    /// There were warnings or an error.
    any_warnings: bool,
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
            let handle = self.handle.clone();
            let shown = async { self.show_warnings().await.ok_or_else(|| io::ErrorKind::InvalidData.into()) };
            warnings = unless_lost(&handle.signal, shown).await.unwrap_or_default();
        }
        Some(Aftermath { row_count, warnings, any_warnings })
    }

    async fn show_warnings(&mut self) -> Option<BytesMut> {
        let client = self.capabilities;
        let lease = self.lease.as_mut()?;
        let mut controls = AnswerControls::new(lease.capabilities, client);
        controls.wrapped = true;
        lease.queue_query("SHOW WARNINGS");
        lease.io.flush().await.ok()?;
        let shape = ResponseShape::ResultSets { cursor: false };
        let mut scanner = ResponseScanner::new(shape, lease.capabilities, 1);
        let mut answer = BytesMut::new();
        loop {
            let scan = lease.io.scan(&mut scanner, 0).ok()?;
            answer.extend_from_slice(lease.io.input().get(..scan.opaque)?);
            lease.io.consume(scan.opaque);
            let Next::Control { len, control } = scan.next else {
                lease.io.fill_some().await.ok()?;
                continue;
            };
            let verdict = controls.control(&control, lease.io.input_mut().get_mut(..len)?, true);
            match verdict {
                Verdict::Forward => answer.extend_from_slice(lease.io.input().get(..len)?),
                Verdict::Replace(bytes) => answer.extend_from_slice(&bytes),
                Verdict::Swallow | Verdict::Withhold => {}
            }
            lease.io.consume(len);
            if control.is_last() {
                answer.extend_from_slice(&controls.done.kept?);
                return (answer.len() <= KEPT).then_some(answer);
            }
        }
    }

    /// A statement asks for what our COMMIT has made the server forget: says it ourselves. `Ok(None)`: it does not ask.
    pub(super) async fn told_from_aftermath(&mut self, work: &Work) -> Result<Option<Work>, End> {
        let Some(aftermath) = &self.wrap.aftermath else { return Ok(Some(work.clone())) };
        let asks = self.asks(work);
        if asks.is_empty() || (asks == Effects::READS_DIAGNOSTICS && !aftermath.any_warnings) {
            if asks.is_empty() {
                self.wrap.aftermath = None;
            }
            return Ok(Some(work.clone()));
        }
        let text = plain(work.text.of(&self.command));
        let text_command = matches!(work.text, Text::Command(_));
        if text_command && text == "showwarnings" && !aftermath.warnings.is_empty() {
            self.client.queue(&aftermath.warnings);
            self.flush().await?;
            return Ok(None);
        }
        if text_command && text == "selectrow_count()" && work.statement.kind == Kind::Select {
            let sql = format!("SELECT {} AS `ROW_COUNT()`", aftermath.row_count);
            self.wrap.aftermath = None;
            return Ok(Some(self.instead(work, &sql)));
        }
        self.refuse(&forgotten()).await?;
        Ok(None)
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
    fn instead(&mut self, work: &Work, sql: &str) -> Work {
        let Text::Command(range) = &work.text else { return work.clone() };
        self.command.truncate(range.start);
        self.command.extend_from_slice(sql.as_bytes());
        let statement = classify(sql.as_bytes(), work.dialect);
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
