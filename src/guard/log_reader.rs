//! Reads a stretch of a server's binary log.

use bytes::Bytes;
use tideover_protocol::binlog::{
    BinlogError, DumpFlags, EventBody, EventDecoder, LoggedTransaction, SETUP, TransactionReader,
    dump_command,
};
use tideover_protocol::capability::Capabilities;
use tideover_protocol::packet::ErrPacket;
use tokio::time::{Duration, Instant};

use crate::backend::{Control, ControlError};
use crate::topology::BinlogPosition;

/// Largest packet of a dump, bytes: an event is at most 1 GiB.
const EVENT_PACKET: usize = 1 << 30;
/// What is kept of a statement's text, bytes: its tag stands in front.
const TEXT: usize = 16 * 1024;

/// Why a log could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(super) enum ReadError {
    /// The conversation broke.
    #[error("{0}")]
    Control(#[from] ControlError),
    /// The conversation broke amid the log.
    #[error("connection lost amid the binary log: {0}")]
    Lost(#[from] std::io::Error),
    /// The server will not give it: purged, or no right (REPLICATION SLAVE).
    #[error("the binary log cannot be read: error {} ({})", .0.code, String::from_utf8_lossy(&.0.message))]
    Refused(ErrPacket),
    /// It is not understood.
    #[error("{0}")]
    Log(#[from] BinlogError),
    /// It ended before the place where it was known to reach.
    #[error("the binary log ended early")]
    Short,
    /// It starts anew: what was its end before lies beyond its end now.
    #[error("the binary log was reset")]
    Reset,
    /// Positions beyond 4 GiB cannot be asked for.
    #[error("the binary log file is larger than 4 GiB")]
    TooFar,
}

impl ReadError {
    /// Whether trying again may help.
    pub(super) fn is_passing(&self) -> bool {
        match self {
            Self::Control(error) => error.is_fatal(),
            Self::Lost(_) | Self::Short => true,
            Self::Refused(_) | Self::Log(_) | Self::TooFar | Self::Reset => false,
        }
    }
}

/// Reads from `from` up to `to`, which must be the end of a transaction, and hands every transaction to `each`.
pub(super) async fn read(
    mut control: Control,
    (from, to): (&BinlogPosition, &BinlogPosition),
    deadline: Instant,
    mut each: impl FnMut(&LoggedTransaction),
) -> Result<(), ReadError> {
    if from == to {
        return Ok(());
    }
    if order(from) > order(to) {
        return Err(ReadError::Reset);
    }
    let position = u32::try_from(from.offset).map_err(|_| ReadError::TooFar)?;
    set_up(&mut control, deadline.saturating_duration_since(Instant::now())).await?;
    let flags = DumpFlags::NON_BLOCK | DumpFlags::SEND_ANNOTATE_ROWS;
    let mut io = control.into_io();
    let mut sequence = io.send_packet(&dump_command(from.file.as_bytes(), position, flags, 0), 0).await?;
    let mut decoder = EventDecoder::new();
    let mut transactions = TransactionReader::with_text_limit(TEXT);
    let mut place = Place { file: from.file.clone(), to };
    loop {
        let (packet, next) = io.read_packet(sequence, EVENT_PACKET).await?;
        sequence = next;
        match packet.first() {
            Some(0x00) => {}
            Some(0xfe) if packet.len() < 9 => return Err(ReadError::Short),
            _ => return Err(ReadError::Refused(refusal(&packet))),
        }
        let event = decoder.decode(&Bytes::from(packet))?;
        let there = place.passes(event.next_position, &event.body);
        if let Some(transaction) = transactions.event(event) {
            each(&transaction);
        }
        if there && !transactions.is_amid_transaction() {
            return Ok(());
        }
    }
}

/// What a dump needs to be told before: that checksums are understood, and GTIDs.
async fn set_up(control: &mut Control, within: Duration) -> Result<(), ControlError> {
    for sql in SETUP {
        control.query(sql, within).await?;
    }
    Ok(())
}

/// Files are numbered at the end of their names.
pub(super) fn order(position: &BinlogPosition) -> (u64, u64) {
    let number = position.file.rsplit_once('.').and_then(|(_, digits)| digits.parse().ok());
    (number.unwrap_or(u64::MAX), position.offset)
}

/// Whether the server lets us read its log: starts a dump at its end.
pub(super) async fn probe(
    mut control: Control,
    at: &BinlogPosition,
    within: Duration,
) -> Result<(), ReadError> {
    let position = u32::try_from(at.offset).map_err(|_| ReadError::TooFar)?;
    set_up(&mut control, within).await?;
    let mut io = control.into_io();
    let mut sequence =
        io.send_packet(&dump_command(at.file.as_bytes(), position, DumpFlags::NON_BLOCK, 0), 0).await?;
    loop {
        let (packet, next) = io.read_packet(sequence, EVENT_PACKET).await?;
        sequence = next;
        match packet.first() {
            Some(0x00) => {}
            Some(0xfe) if packet.len() < 9 => return Ok(()),
            _ => return Err(ReadError::Refused(refusal(&packet))),
        }
    }
}

/// Where in the log the reading is.
struct Place<'a> {
    file: String,
    to: &'a BinlogPosition,
}

impl Place<'_> {
    /// Whether the end is reached with this event.
    fn passes(&mut self, next_position: u32, body: &EventBody) -> bool {
        if let EventBody::Rotate { file, .. } = body {
            let file = String::from_utf8_lossy(file).into_owned();
            // The end was the last byte of a file, and the log goes on in the next one.
            let left = self.file == self.to.file && file != self.file;
            self.file = file;
            return left || self.to.offset <= 4 && self.file == self.to.file;
        }
        // Positions in events are modulo 2^32; events made for the dump have 0.
        let end = u64::from(next_position);
        self.file == self.to.file && end > 0 && end >= self.to.offset % (1 << 32) && self.to.offset < 1 << 32
    }
}

fn refusal(packet: &[u8]) -> ErrPacket {
    ErrPacket::decode(packet, Capabilities::PROTOCOL_41)
        .unwrap_or_else(|_| ErrPacket::new(2027, "HY000", "malformed packet in a binary log"))
}

/// The end of a server's binary log now.
pub(super) async fn end(control: &mut Control, within: Duration) -> Result<LogEnd, ControlError> {
    let mut last = None;
    for sql in ["SHOW MASTER STATUS", "SHOW BINARY LOG STATUS"] {
        match control.query(sql, within).await {
            Ok(rows) => {
                let row = rows.first();
                let text = |name: &str| row.and_then(|r| r.text(name)).unwrap_or_default();
                let offset = text("Position").parse().ok();
                let position = offset.map(|offset| BinlogPosition { file: text("File"), offset });
                let filtered = !text("Binlog_Do_DB").is_empty() || !text("Binlog_Ignore_DB").is_empty();
                return Ok(LogEnd { position, filtered });
            }
            Err(error) if error.is_fatal() => return Err(error),
            Err(error) => last = Some(error),
        }
    }
    last.map_or(Ok(LogEnd { position: None, filtered: false }), Err)
}

/// What a server says of its binary log.
#[derive(Debug, Clone)]
pub(super) struct LogEnd {
    /// Its end; `None` without a log.
    pub(super) position: Option<BinlogPosition>,
    /// Some databases are left out.
    pub(super) filtered: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rotate(file: &str) -> EventBody {
        EventBody::Rotate { file: Bytes::copy_from_slice(file.as_bytes()), position: 4 }
    }

    #[test]
    fn the_end_is_reached_once() {
        let to = BinlogPosition { file: "b.2".to_owned(), offset: 100 };
        let mut place = Place { file: "b.1".to_owned(), to: &to };
        assert!(!place.passes(0, &rotate("b.1")));
        assert!(!place.passes(500, &EventBody::Heartbeat));
        assert!(!place.passes(0, &rotate("b.2")));
        assert!(!place.passes(0, &EventBody::Heartbeat));
        assert!(!place.passes(99, &EventBody::Heartbeat));
        assert!(place.passes(100, &EventBody::Heartbeat));
        assert!(place.passes(0, &rotate("b.3")));
        let fresh = BinlogPosition { file: "b.3".to_owned(), offset: 4 };
        let mut place = Place { file: "b.2".to_owned(), to: &fresh };
        assert!(place.passes(0, &rotate("b.3")));
    }
}
