//! One answer, as bytes and as lines that can be compared and read.

use std::fmt::Write;

use tideover_protocol::capability::Capabilities;
use tideover_protocol::frame::{FrameHeader, HEADER_LEN};
use tideover_protocol::packet::{ErrPacket, OkPacket, SessionTrack};
use tideover_protocol::response::Control;
use tideover_protocol::status::StatusFlags;

/// A piece of an answer.
#[derive(Debug, Clone)]
pub(crate) enum Part {
    /// Metadata and rows: whole or partial frames, joined.
    Opaque(Vec<u8>),
    /// A control frame with its header.
    Control(Control, Vec<u8>),
}

/// An answer.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    capabilities: Capabilities,
    pub(crate) parts: Vec<Part>,
}

impl Answer {
    pub(crate) fn new(capabilities: Capabilities) -> Self {
        Self { capabilities, parts: Vec::new() }
    }

    pub(crate) fn opaque(&mut self, bytes: &[u8]) {
        match self.parts.last_mut() {
            _ if bytes.is_empty() => {}
            Some(Part::Opaque(before)) => before.extend_from_slice(bytes),
            _ => self.parts.push(Part::Opaque(bytes.to_vec())),
        }
    }

    /// The error at its end.
    pub(crate) fn error(&self) -> Option<(u16, String)> {
        let Some(Part::Control(Control::Err, frame)) = self.parts.last() else { return None };
        let error = ErrPacket::decode(&frame[HEADER_LEN..], self.capabilities).ok()?;
        Some((error.code, String::from_utf8_lossy(&error.message).into_owned()))
    }

    /// The statement's id, of COM_STMT_PREPARE.
    pub(crate) fn statement(&self) -> Option<u32> {
        let Some(Part::Control(Control::PrepareOk { .. }, frame)) = self.parts.first() else { return None };
        frame.get(5..9)?.try_into().ok().map(u32::from_le_bytes)
    }

    /// Whether it ended with an open cursor.
    pub(crate) fn opened_cursor(&self) -> bool {
        self.status().contains(StatusFlags::CURSOR_EXISTS)
    }

    /// The status flags at its end.
    pub(crate) fn status(&self) -> StatusFlags {
        let Some(Part::Control(control, frame)) = self.parts.last() else { return StatusFlags::empty() };
        let payload = &frame[HEADER_LEN..];
        match control {
            Control::Ok { .. } => {
                OkPacket::decode(payload, self.capabilities).map(|ok| ok.status).unwrap_or_default()
            }
            Control::Eof { .. } => StatusFlags::from_wire(u16::from_le_bytes([payload[3], payload[4]])),
            _ => StatusFlags::empty(),
        }
    }

    /// The first value of a text result's last row, if it is short.
    pub(crate) fn value(&self) -> Option<String> {
        let mut last = None;
        for part in &self.parts {
            let Part::Opaque(bytes) = part else { continue };
            let mut rest = bytes.as_slice();
            while let Some(header) = FrameHeader::parse(rest) {
                let (frame, tail) = rest.split_at((HEADER_LEN + header.payload_len).min(rest.len()));
                last = Some(&frame[HEADER_LEN..]);
                rest = tail;
            }
        }
        let (length, value) = last?.split_first()?;
        value.get(..usize::from(*length)).map(|value| String::from_utf8_lossy(value).into_owned())
    }

    /// One line for each frame, with all that must be the same. `shape_only`: rows, counts and texts may differ.
    pub(crate) fn lines(&self, shape_only: bool) -> Vec<String> {
        let mut lines = Vec::new();
        for part in &self.parts {
            match part {
                Part::Opaque(bytes) => {
                    let mut rest = bytes.as_slice();
                    while let Some(header) = FrameHeader::parse(rest) {
                        let end = (HEADER_LEN + header.payload_len).min(rest.len());
                        let payload = &rest[HEADER_LEN..end];
                        if !shape_only {
                            lines.push(format!("{:02x} {}", header.sequence, escaped(payload)));
                        } else if is_metadata(payload) {
                            lines.push("column".to_owned());
                        }
                        rest = &rest[end..];
                    }
                }
                Part::Control(control, frame) => lines.push(self.control(*control, frame, shape_only)),
            }
        }
        lines
    }

    fn control(&self, control: Control, frame: &[u8], shape_only: bool) -> String {
        let (sequence, payload) = (frame[3], &frame[HEADER_LEN..]);
        let head = if shape_only { String::new() } else { format!("{sequence:02x} ") };
        match control {
            Control::Ok { .. } => match OkPacket::decode(payload, self.capabilities) {
                Ok(ok) if shape_only => {
                    format!("OK {:?}", told(ok.status) - StatusFlags::SESSION_STATE_CHANGED)
                }
                Ok(ok) => format!(
                    "{head}OK affected={} id={} status={:?} warnings={} info={} track={:?}",
                    ok.affected_rows,
                    ok.last_insert_id,
                    told(ok.status) - StatusFlags::SESSION_STATE_CHANGED,
                    ok.warnings,
                    escaped(&ok.info),
                    sorted(&ok.track)
                ),
                Err(_) => format!("{head}malformed OK {}", escaped(payload)),
            },
            Control::Eof { .. } => {
                let status = StatusFlags::from_wire(u16::from_le_bytes([payload[3], payload[4]]));
                format!(
                    "{head}EOF status={:?} warnings={}",
                    told(status) - StatusFlags::SESSION_STATE_CHANGED - StatusFlags::NO_INDEX_USED,
                    if shape_only { 0 } else { payload[1] }
                )
            }
            Control::Err if shape_only => format!("ERR {}", u16::from_le_bytes([payload[1], payload[2]])),
            // Behind the id, which is each side's own.
            Control::PrepareOk { .. } => format!("{head}prepared {}", escaped(&payload[5..])),
            // New each time.
            Control::Auth => format!("{head}authentication"),
            _ if shape_only => format!("{control:?}"),
            Control::Err => format!("{head}{control:?} {}", without_row(&escaped(payload))),
            _ => format!("{head}{control:?} {}", escaped(payload)),
        }
    }
}

/// Session items: variables come in no order of their own.
fn sorted(track: &[SessionTrack]) -> Vec<String> {
    // A server that was told to say nothing of transactions (its default) says where one begins and ends nevertheless
    // (MySQL 9.7); the proxy's connections are told otherwise.
    let told = track.iter().filter(|item| !matches!(item, SessionTrack::TransactionState(_)));
    let mut items: Vec<String> = told
        .map(|item| match item {
            SessionTrack::SystemVariable { name, value } => format!("{}={}", escaped(name), escaped(value)),
            other => format!("{other:?}"),
        })
        .collect();
    items.sort();
    items
}

/// Flags that say something of the session or the answer. Not: how fast the server was, and whether this connection of
/// the server has prepared a statement anew.
fn told(status: StatusFlags) -> StatusFlags {
    status
        - StatusFlags::QUERY_WAS_SLOW
        - StatusFlags::METADATA_CHANGED
        - StatusFlags::NO_INDEX_USED
        - StatusFlags::NO_GOOD_INDEX_USED
}

/// An error about the value of a stored program's variable names a row of MariaDB 11.8, and that is the number of rows of
/// whatever the connection has executed before (directly, the same CALL in two sessions says `row 0` and `row 6`).
fn without_row(error: &str) -> String {
    match error.split_once(" for column ``.``.") {
        Some((head, tail)) => format!("{head} for column {}", tail.split(" at row ").next().unwrap_or(tail)),
        None => error.to_owned(),
    }
}

/// A column definition: catalog `def`.
fn is_metadata(payload: &[u8]) -> bool {
    payload.starts_with(b"\x03def") || payload.len() == 1
}

fn escaped(bytes: &[u8]) -> String {
    let mut text = String::new();
    for &byte in bytes {
        match byte {
            b'\\' => text.push_str("\\\\"),
            b' '..=b'~' => text.push(char::from(byte)),
            _ => {
                let _ = write!(text, "\\{byte:02x}");
            }
        }
    }
    text
}
