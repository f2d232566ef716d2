//! Reading from a server connection what only the server knows of the session on it.

use std::io;

use tideover_protocol::frame::{FrameHeader, HEADER_LEN, MAX_PAYLOAD};
use tideover_protocol::packet::ColumnDefinition;
use tideover_protocol::response::{Control, ResponseShape};
use tideover_protocol::wire::{DecodeError, Reader};

use crate::session::{Unread, UserValue};

use super::ServerConnection;
use super::answers::payload_of;

/// UNSIGNED_FLAG of a column.
const UNSIGNED: u16 = 0x20;
/// Columns for each variable.
const COLUMNS: usize = 3;

impl ServerConnection {
    /// The values of a session's user variables and LAST_INSERT_ID(). `None`: the server would not tell, or not in a form
    /// that is understood.
    ///
    /// # Errors
    /// The socket's.
    pub async fn read_session(&mut self, unread: &Unread) -> io::Result<Option<(Vec<UserValue>, u64)>> {
        let mut sql = "SELECT LAST_INSERT_ID()".to_owned();
        for name in &unread.names {
            sql += &format!(",@`{name}`,HEX(@`{name}`),COLLATION(@`{name}`)");
        }
        // Whatever the session's `sql_select_limit`.
        sql += " LIMIT 1";
        self.queue_query(&sql);
        self.io.flush().await?;
        let Some(frames) = self.frames().await? else { return Ok(None) };
        let columns = 1 + COLUMNS * unread.names.len();
        let (Some(definitions), Some(row), true) =
            (frames.get(1..=columns), frames.get(columns + 1), frames.len() == columns + 2)
        else {
            return Ok(None);
        };
        Ok(self.values(definitions, row).ok().flatten())
    }

    fn values(
        &self,
        definitions: &[Vec<u8>],
        row: &[u8],
    ) -> Result<Option<(Vec<UserValue>, u64)>, DecodeError> {
        let mut reader = Reader::new(row);
        let mut cell = || -> Result<Option<Vec<u8>>, DecodeError> {
            match reader.rest().first() {
                Some(0xfb) => reader.u8().map(|_| None),
                _ => reader.lenenc_bytes().map(|value| Some(value.to_vec())),
            }
        };
        let id = cell()?.and_then(|id| String::from_utf8(id).ok()).and_then(|id| id.parse().ok());
        let Some(id) = id else { return Ok(None) };
        let mut values = Vec::new();
        for definition in definitions.get(1..).unwrap_or_default().chunks(COLUMNS) {
            let column =
                ColumnDefinition::decode(definition.first().map_or(&[], Vec::as_slice), self.capabilities)?;
            values.push(UserValue {
                kind: column.kind,
                unsigned: column.flags & UNSIGNED != 0,
                length: column.length,
                text: cell()?,
                hex: cell()?.unwrap_or_default(),
                collation: cell()?.unwrap_or_default(),
            });
        }
        Ok(Some((values, id)))
    }

    /// The payloads of metadata and rows of one answer, each in one frame. `None` if it is an error or has larger ones.
    pub(super) async fn frames(&mut self) -> io::Result<Option<Vec<Vec<u8>>>> {
        let mut scanner = self.scanner(ResponseShape::ResultSets { cursor: false });
        let mut opaque = Vec::new();
        let ended = loop {
            let (control, frame) =
                self.next_control(&mut scanner, |piece, _| opaque.extend_from_slice(piece)).await?;
            if control.is_last() {
                self.take_in(payload_of(&frame));
                break !matches!(control, Control::Err);
            }
        };
        let mut frames = Vec::new();
        let mut rest = opaque.as_slice();
        while let Some(header) = FrameHeader::parse(rest) {
            let Some(payload) = rest.get(HEADER_LEN..HEADER_LEN + header.payload_len) else {
                return Ok(None);
            };
            if header.payload_len == MAX_PAYLOAD {
                return Ok(None);
            }
            frames.push(payload.to_vec());
            rest = rest.get(HEADER_LEN + header.payload_len..).unwrap_or_default();
        }
        Ok(ended.then_some(frames))
    }
}
