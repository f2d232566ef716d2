//! Looks at the control frames of an answer on their way to the client: notes what they say, and takes out what the
//! client did not ask for (our session tracking).

use std::sync::Arc;

use bytes::BytesMut;
use tideover_protocol::capability::Capabilities;
use tideover_protocol::frame::{FrameHeader, HEADER_LEN, MAX_PAYLOAD, write_frames};
use tideover_protocol::packet::{OkPacket, SessionTrack};
use tideover_protocol::response::Control;
use tideover_protocol::status::StatusFlags;

use crate::metrics::StatementKind;
use crate::relay::{Controls, Verdict};
use crate::replay::Results;
use crate::session::Change;
use crate::sql::{Effects, Statement};

use super::reports::{Reports, is_for_client};

/// What an answer said.
#[derive(Debug, Default)]
pub(super) struct Completion {
    /// Status flags of the last OK or EOF.
    pub(super) status: StatusFlags,
    /// Rows changed, of the last OK.
    pub(super) affected_rows: u64,
    /// Generated id of the last OK that had one.
    pub(super) last_insert_id: u64,
    /// Warnings of the last OK or EOF.
    pub(super) warnings: u16,
    /// The most that any of them had.
    pub(super) most_warnings: u16,
    /// Session-track items of all OKs, in order.
    pub(super) track: Vec<SessionTrack>,
    /// The error, as the whole frame: withheld from the client until somebody decides.
    pub(super) error: Option<Vec<u8>>,
    /// Parameters and columns of a prepared statement, and its id on the server.
    pub(super) prepared: Option<(u32, u16, u16)>,
    /// Rows of the last result set.
    pub(super) rows: u64,
    /// A result set came.
    pub(super) result_set: bool,
    /// The last OK or EOF packet was one's end.
    pub(super) ends_rows: bool,
    /// OK packets, and EOF packets, of which a result set has two.
    pub(super) ends: (usize, usize),
    /// Nothing has come behind the last answer that is whole.
    pub(super) whole: bool,
    /// At least one OK or EOF came.
    pub(super) any: bool,
    /// The last packet, kept back as whole frames, of a statement in a transaction of ours.
    pub(super) kept: Option<BytesMut>,
    /// What all OKs said, for the journal.
    pub(super) results: Results,
    /// Changes of the session that the client is to hear of with the next OK.
    pub(super) late: Vec<SessionTrack>,
    /// What the statement has kept the server from reporting is known, and it reports again.
    pub(super) is_reported: bool,
    /// All generated ids but the first, in order.
    pub(super) more_insert_ids: Vec<u64>,
}

impl Completion {
    /// Takes in what an OK packet says, but for its session tracking.
    pub(super) fn note_ok(&mut self, ok: &OkPacket) {
        self.any = true;
        self.ends.0 += 1;
        self.status = ok.status;
        self.affected_rows = ok.affected_rows;
        self.warnings = ok.warnings;
        self.most_warnings = self.most_warnings.max(ok.warnings);
        if ok.last_insert_id != 0 {
            self.last_insert_id = ok.last_insert_id;
            if self.results.first_insert_id != 0 {
                self.more_insert_ids.push(ok.last_insert_id);
            }
        }
        self.results.ok(ok.affected_rows, ok.last_insert_id);
    }

    /// Takes in an EOF packet's payload: 0xfe, warnings (2), status (2).
    pub(super) fn note_eof(&mut self, payload: &[u8]) {
        if let Some(&[w0, w1, s0, s1]) = payload.get(1..5) {
            (self.any, self.ends_rows) = (true, true);
            self.ends.1 += 1;
            self.status = StatusFlags::from_wire(u16::from_le_bytes([s0, s1]));
            self.warnings = u16::from_le_bytes([w0, w1]);
            self.most_warnings = self.most_warnings.max(self.warnings);
        }
    }
}

/// Watches one answer.
pub(super) struct AnswerControls {
    server: Capabilities,
    client: Capabilities,
    /// The client's number for a statement being prepared.
    pub(super) statement_id: Option<u32>,
    /// The statement stands in a transaction of ours, of which the client must not hear; the last packet is kept until
    /// that is committed.
    pub(super) wrapped: bool,
    /// The server is a MariaDB from 11 on, which reports two variables under one name.
    pub(super) renames: bool,
    /// The number of warnings that the client is told of, in place of the connection's.
    pub(super) repeated: Option<u16>,
    /// What the client has chosen to be told of its session.
    pub(super) reports: Option<Arc<Reports>>,
    /// What was said so far.
    pub(super) done: Completion,
}

impl AnswerControls {
    pub(super) fn new(server: Capabilities, client: Capabilities) -> Self {
        Self {
            server,
            client,
            statement_id: None,
            wrapped: false,
            renames: false,
            repeated: None,
            reports: None,
            done: Completion::default(),
        }
    }

    fn ok(&mut self, frame: &mut [u8]) -> Verdict {
        let payload = frame.get(HEADER_LEN..).unwrap_or_default();
        let Ok(mut ok) = OkPacket::decode(payload, self.server) else { return Verdict::Forward };
        let ends_rows = payload.first() == Some(&0xfe);
        let done = &mut self.done;
        done.note_ok(&ok);
        done.ends_rows = ends_rows;
        let client_tracks = self.client.contains(Capabilities::SESSION_TRACK);
        if !self.wrapped
            && ok.track.is_empty()
            && done.late.is_empty()
            && self.repeated.is_none_or(|repeated| repeated == ok.warnings)
            && !ok.status.contains(StatusFlags::SESSION_STATE_CHANGED)
            && (client_tracks || ok.info.is_empty())
        {
            return Verdict::Forward;
        }
        let mine = std::mem::take(&mut ok.track);
        if client_tracks {
            ok.track =
                mine.iter().filter(|item| is_for_client(item, self.reports.as_deref())).cloned().collect();
            ok.track.extend(unreported_charset(&mine, self.renames));
            let late = std::mem::take(&mut done.late);
            ok.track.extend(late.into_iter().filter(|item| !mine.iter().any(|other| is_same(item, other))));
        }
        ok.warnings = self.repeated.unwrap_or(ok.warnings);
        done.track.extend(mine);
        let changed = !ok.track.is_empty();
        ok.status.set(StatusFlags::SESSION_STATE_CHANGED, changed);
        if self.wrapped {
            ok.status.remove(StatusFlags::IN_TRANS);
        }
        let sequence = FrameHeader::parse(frame).map_or(0, |h| h.sequence);
        Verdict::Replace(whole_frame(frame.len(), sequence, |out| {
            if ends_rows {
                ok.encode_as_end(self.client, out);
            } else {
                ok.encode(self.client, out);
            }
        }))
    }

    /// An EOF packet.
    fn eof(&mut self, frame: &mut [u8]) -> Verdict {
        self.done.note_eof(frame.get(HEADER_LEN..).unwrap_or_default());
        if let (Some([w0, w1]), Some(repeated)) =
            (frame.get_mut(HEADER_LEN + 1..HEADER_LEN + 3), self.repeated)
        {
            [*w0, *w1] = repeated.to_le_bytes();
        }
        if let Some([s0, s1]) = frame.get_mut(HEADER_LEN + 3..HEADER_LEN + 5) {
            let mut status = self.done.status;
            status.remove(StatusFlags::SESSION_STATE_CHANGED);
            if self.wrapped {
                status.remove(StatusFlags::IN_TRANS);
            }
            [*s0, *s1] = status.bits().to_le_bytes();
        }
        Verdict::Forward
    }

    /// PREPARE_OK: 0x00, statement id (4), columns (2), parameters (2), filler (1), warnings (2). The id becomes the client's.
    fn prepare_ok(&mut self, frame: &mut [u8]) -> Verdict {
        if let Some(&[w0, w1]) = frame.get(HEADER_LEN + 10..HEADER_LEN + 12) {
            self.done.warnings = u16::from_le_bytes([w0, w1]);
            self.done.most_warnings = self.done.warnings;
        }
        let Some([i0, i1, i2, i3, c0, c1, p0, p1]) = frame.get_mut(HEADER_LEN + 1..HEADER_LEN + 9) else {
            return Verdict::Forward;
        };
        let id = u32::from_le_bytes([*i0, *i1, *i2, *i3]);
        self.done.prepared = Some((id, u16::from_le_bytes([*p0, *p1]), u16::from_le_bytes([*c0, *c1])));
        if let Some(mine) = self.statement_id {
            [*i0, *i1, *i2, *i3] = mine.to_le_bytes();
        }
        Verdict::Forward
    }
}

/// A payload of about `length` bytes in its frame, put together in one piece of memory.
fn whole_frame(length: usize, sequence: u8, encode: impl FnOnce(&mut BytesMut)) -> BytesMut {
    let mut out = BytesMut::with_capacity(length + HEADER_LEN);
    out.extend_from_slice(&[0; HEADER_LEN]);
    encode(&mut out);
    let payload_len = out.len().saturating_sub(HEADER_LEN);
    if payload_len >= MAX_PAYLOAD {
        let mut frames = BytesMut::new();
        write_frames(&mut frames, out.get(HEADER_LEN..).unwrap_or_default(), sequence);
        return frames;
    }
    if let Some(header) = out.get_mut(..HEADER_LEN) {
        header.copy_from_slice(&FrameHeader { payload_len, sequence }.to_bytes());
    }
    out
}

/// From 11 on MariaDB reports `character_set_connection` under the name of its collation, which our tracking names first; the
/// client's would have named it. Before, SET NAMES and SET CHARACTER SET alone told of it.
fn unreported_charset(track: &[SessionTrack], renames: bool) -> Option<SessionTrack> {
    let value = |wanted: &[u8]| {
        track.iter().find_map(|item| match item {
            SessionTrack::SystemVariable { name, value } if name == wanted => Some(value.as_slice()),
            _ => None,
        })
    };
    let collation = value(b"collation_connection")?;
    let tells = renames || value(b"character_set_client").is_some();
    (tells && value(b"character_set_connection").is_none()).then_some(())?;
    let charset = collation.split(|byte| *byte == b'_').next()?.to_vec();
    Some(SessionTrack::SystemVariable { name: b"character_set_connection".to_vec(), value: charset })
}

/// Whether two reports are of the same thing.
fn is_same(one: &SessionTrack, other: &SessionTrack) -> bool {
    match (one, other) {
        (SessionTrack::SystemVariable { name: a, .. }, SessionTrack::SystemVariable { name: b, .. }) => {
            a == b
        }
        _ => std::mem::discriminant(one) == std::mem::discriminant(other),
    }
}

impl Controls for AnswerControls {
    fn control(&mut self, control: &Control, frame: &mut [u8], _delivered: bool) -> Verdict {
        match control {
            Control::Ok { .. } | Control::Eof { .. } => {
                let verdict = match control {
                    Control::Ok { .. } => self.ok(frame),
                    _ => self.eof(frame),
                };
                if !self.wrapped || !control.is_last() {
                    return verdict;
                }
                self.done.kept = Some(match verdict {
                    Verdict::Replace(bytes) => bytes,
                    _ => BytesMut::from(&*frame),
                });
                Verdict::Withhold
            }
            Control::Err => {
                self.done.error = Some(frame.to_vec());
                Verdict::Withhold
            }
            Control::PrepareOk { .. } => self.prepare_ok(frame),
            Control::LocalInfile | Control::End | Control::Auth => Verdict::Forward,
        }
    }
}

/// What a tracker's report says of the session.
pub(super) fn change(item: &SessionTrack) -> Option<Change<'_>> {
    Some(match item {
        SessionTrack::SystemVariable { name, value } => Change::Variable { name, value },
        SessionTrack::Schema(name) => Change::Schema(name),
        SessionTrack::StateChange(true) => Change::State,
        SessionTrack::TransactionCharacteristics(text) => Change::Characteristics(text),
        _ => return None,
    })
}

/// What a statement counts as.
pub(super) fn metric_kind(statement: &Statement) -> StatementKind {
    if statement.any(Effects::READS_ONLY) {
        StatementKind::Read
    } else if statement.any(Effects::WRITES) {
        StatementKind::Write
    } else if statement.any(Effects::BEGINS | Effects::ENDS) {
        StatementKind::Transaction
    } else {
        StatementKind::Other
    }
}
