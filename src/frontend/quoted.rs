//! Syntax errors quote what comes next in a text, and with it the commit tags that the client did not write. Of a text with
//! several statements what is left is read by the server once more without tags, to be prepared and not to be run: it is
//! refused at its beginning, as before, and if it should not be, nothing has happened.

use bytes::BytesMut;
use tideover_protocol::frame::write_frames;

use crate::backend::Swallow;
use crate::sql::{Dialect, Effects, Kind, classify, details};

use super::answer::Completion;
use super::session::Session;
use super::staying::unless_lost;
use super::work::Work;

/// ER_PARSE_ERROR.
const PARSE_ERROR: u16 = 1064;
/// COM_STMT_PREPARE.
const PREPARE: u8 = 0x16;
/// What a tag begins with.
const OPENING: &[u8] = b"/*td:";

impl Session {
    /// The error that the client's own text would have got, as a frame, if `error` quotes a tag in it. The server's warnings say
    /// the same then.
    pub(super) async fn without_tags(
        &mut self,
        work: &Work,
        done: &Completion,
        error: &[u8],
    ) -> Option<Vec<u8>> {
        if work.tags.is_empty() {
            return None;
        }
        let packet = self.error_in(error);
        let patience = self.own_patience();
        let lease = self.lease.as_mut()?;
        let further = lease.commits.further_tags().iter().map(Vec::as_slice);
        let mut tags = further.chain([lease.commits.numbered_tag()]);
        let quotes = packet.code == PARSE_ERROR && tags.any(|tag| quotes_tag(&packet.message, tag));
        drop(tags);
        quotes.then_some(())?;
        let rest = refused(work.text.of(&self.command), work.dialect, done.ends.0 + done.ends.1 / 2)?;
        let command = [&[PREPARE], rest.as_slice()].concat();
        let packet = match unless_lost(&patience, lease.command(&command)).await {
            Ok(Swallow::Error(packet)) if packet.code == PARSE_ERROR => packet,
            Ok(Swallow::Error(_)) => return None,
            // Lost, or prepared.
            _ => {
                lease.broken = true;
                return None;
            }
        };
        let (mut payload, mut frame) = (BytesMut::new(), BytesMut::new());
        packet.encode(self.capabilities, &mut payload);
        write_frames(&mut frame, &payload, 1);
        Some(frame.to_vec())
    }
}

/// Whether a message has the tag in it, or the beginning of it where the quotation ends.
fn quotes_tag(message: &[u8], tag: &[u8]) -> bool {
    let starts = message.windows(OPENING.len()).enumerate().filter(|(_, piece)| *piece == OPENING);
    starts.map(|(at, _)| message.get(at..).unwrap_or_default()).any(|rest| {
        let same = rest.iter().zip(tag).take_while(|(a, b)| a == b).count();
        let behind = rest.get(same..).unwrap_or_default();
        same == tag.len() || behind.starts_with(b"'") || behind.starts_with(b"...")
    })
}

/// The text from the statement on that was refused when so many results had ended, in the line in which it stands. `None`:
/// which one it was, the answer does not tell.
fn refused(text: &[u8], dialect: Dialect, ended: usize) -> Option<Vec<u8>> {
    let pieces = details::pieces(text, dialect);
    for piece in pieces.get(..ended)? {
        let statement = classify(text.get(piece.clone())?, dialect);
        // A function gives no results of its own.
        let several = match statement.kind {
            Kind::Insert | Kind::Replace | Kind::Update | Kind::Delete | Kind::Select | Kind::Set => {
                Effects::SQL_EXECUTE | Effects::UNSURE
            }
            _ => Effects::STORED_CODE | Effects::SQL_EXECUTE | Effects::UNSURE,
        };
        (!statement.any(several)).then_some(())?;
    }
    // Behind the semicolon: an empty statement is what is refused there, and what follows it must not be executed.
    let at = match ended.checked_sub(1) {
        Some(last) => pieces.get(last)?.end + 1,
        None => 0,
    };
    let lines = text.get(..at)?.iter().filter(|byte| **byte == b'\n').count();
    let mut rest = vec![b'\n'; lines];
    rest.extend_from_slice(text.get(at..)?);
    Some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_refused_begins_behind_the_last_that_was_answered() {
        for (text, ended, rest) in [
            ("SELECT FROM x; DELETE FROM t", 0, Some("SELECT FROM x; DELETE FROM t")),
            ("SELECT 1; SELECT FROM x; DELETE FROM t", 1, Some(" SELECT FROM x; DELETE FROM t")),
            ("SELECT 1;\nSELECT 2;\nSELECT FROM x", 2, Some("\n\nSELECT FROM x")),
            // The empty ones are refused: what follows would be executed.
            (";; DELETE FROM t", 0, Some(";; DELETE FROM t")),
            ("SELECT 1;; DELETE FROM t", 1, Some("; DELETE FROM t")),
            ("INSERT INTO t VALUES (f()); ;; DELETE FROM t", 1, Some(" ;; DELETE FROM t")),
            ("CALL p(); SELECT FROM x", 1, None),
        ] {
            let found = refused(text.as_bytes(), Dialect::default(), ended);
            assert_eq!(found.as_deref(), rest.map(str::as_bytes), "{text}");
        }
    }

    #[test]
    fn quotations() {
        let tag = b"/*td:ab.1f.11*/";
        for (message, wanted) in [
            ("near 'x; /*td:ab.1f.11*/DELETE FROM t' at line 1", true),
            ("near 'xxxxxxxxxxxxxxxxxxx; /*td:ab.1' at line 1", true),
            ("near 'xxxxxxxxxxxxxxxx; /*td:ab....' at line 1", true),
            ("near 'x; /*td:ab.1f.12*/DELETE FROM t' at line 1", false),
            ("near '/* td */x; /*td:zz.1*/ /*td:ab.1f.11*/y' at line 1", true),
            ("near 'x' at line 1", false),
        ] {
            assert_eq!(quotes_tag(message.as_bytes(), tag), wanted, "{message}");
        }
    }
}
