use super::{Control, Next, ResponseShape, Scan, Violation};
use crate::capability::Capabilities;
use crate::frame::{FrameHeader, HEADER_LEN, MAX_PAYLOAD};
use crate::packet::PrepareOk;
use crate::status::StatusFlags;
use crate::wire::{DecodeError, Reader};

/// Longest frame that can announce a column count: 9 bytes of it, and a byte that says whether metadata follow.
const COLUMN_COUNT_MAX: usize = 10;

/// Follows one answer of a server and tells where it ends. Holds no bytes.
///
/// The end of rows: with DEPRECATE_EOF a frame that starts with 0xfe and has any length below 16 MiB - 1 (it carries
/// session-track items); without, one of at most 8 bytes. A row whose first column starts with 0xfe has more than
/// 16 MiB, so its first frame is a full one.
#[derive(Debug, Clone)]
pub struct ResponseScanner {
    state: State,
    shape: ResponseShape,
    caps: Capabilities,
    /// Sequence number of the next frame.
    sequence: u8,
    /// Bytes of the current frame that are still to be passed over.
    skip: usize,
    /// The next frame continues the packet before it.
    continued: bool,
    /// The current packet is a row.
    in_row: bool,
    first: bool,
    saw_result_set: bool,
    saw_rows: bool,
    /// Rows of the present result set that have begun.
    rows: u64,
    unsolicited: bool,
    /// The EOF after the metadata said that OUT parameters and then another result follow.
    out_params: bool,
}

/// What the next frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// First frame of a result.
    Head,
    /// Column definitions; then an EOF or rows.
    Columns { left: u64 },
    /// The EOF between metadata and rows.
    ColumnsEnd,
    /// Rows, or their end.
    Rows,
    /// The only frame of a simple answer.
    Simple,
    /// COM_STMT_PREPARE_OK.
    PrepareHead,
    /// Definitions and EOFs after it: this many frames.
    PrepareRest { left: u32 },
    /// Column definitions of a field list.
    Fields,
    /// The text of COM_STATISTICS.
    Statistics,
    /// Events of a binary log.
    Events,
    /// COM_CHANGE_USER.
    Auth,
    /// The client has the word: LOCAL INFILE data, or an authentication answer.
    Client,
    /// Nothing may come any more.
    Done,
}

/// What to do with a frame, once its first bytes are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// Pass it over.
    Opaque,
    /// It is needed whole, and decided by `ResponseScanner::control`.
    Whole,
}

impl ResponseScanner {
    /// Follows the answer to a command of the given shape on a connection with the given capabilities.
    /// `first_sequence` is the number of its first frame: one more than that of the command's last.
    pub fn new(shape: ResponseShape, caps: Capabilities, first_sequence: u8) -> Self {
        let state = match shape {
            ResponseShape::None => State::Done,
            ResponseShape::Simple => State::Simple,
            ResponseShape::ResultSets { .. } => State::Head,
            ResponseShape::Prepare => State::PrepareHead,
            ResponseShape::FieldList => State::Fields,
            ResponseShape::Fetch => State::Rows,
            ResponseShape::Statistics => State::Statistics,
            ResponseShape::BinlogStream => State::Events,
            ResponseShape::ChangeUser => State::Auth,
        };
        Self {
            state,
            shape,
            caps,
            sequence: first_sequence,
            skip: 0,
            continued: false,
            in_row: false,
            first: true,
            saw_result_set: false,
            saw_rows: false,
            rows: 0,
            unsolicited: false,
            out_params: false,
        }
    }

    /// Looks at `bytes`: everything received and not yet consumed. What the returned [`Scan`] names counts as consumed.
    /// A violation is final.
    pub fn scan(&mut self, bytes: &[u8]) -> Result<Scan, Violation> {
        let mut at = 0;
        let mut metadata = 0;
        loop {
            if !self.in_row {
                metadata = at;
            }
            at = self.pass_rows(bytes, at);
            let rest = bytes.get(at..).unwrap_or_default();
            if self.skip > 0 {
                let passed = self.skip.min(rest.len());
                self.skip -= passed;
                at += passed;
                metadata = if self.in_row { metadata } else { at };
                if self.skip > 0 {
                    return Ok(Scan { opaque: at, metadata, next: Next::More });
                }
                continue;
            }
            if rest.is_empty() {
                return Ok(Scan { opaque: at, metadata, next: Next::More });
            }
            if matches!(self.state, State::Done | State::Client) {
                return Err(Violation::AfterEnd);
            }
            let Some(header) = FrameHeader::parse(rest) else {
                return Ok(Scan { opaque: at, metadata, next: Next::More });
            };
            if self.continued {
                self.take(header)?;
                at += HEADER_LEN;
                continue;
            }
            // The first three payload bytes decide; a frame has them, or is shorter.
            let payload = rest.get(HEADER_LEN..).unwrap_or_default();
            let payload = payload.get(..header.payload_len).unwrap_or(payload);
            if payload.len() < header.payload_len.min(3) {
                return Ok(Scan { opaque: at, metadata, next: Next::More });
            }
            if self.verdict(header, payload)? == Verdict::Opaque {
                self.take(header)?;
                at += HEADER_LEN;
                continue;
            }
            self.check_sequence(header, payload)?;
            if payload.len() < header.payload_len {
                return Ok(Scan { opaque: at, metadata, next: Next::More });
            }
            self.sequence = header.sequence.wrapping_add(1);
            self.first = false;
            let len = HEADER_LEN + header.payload_len;
            match self.control(payload)? {
                None => {
                    at += len;
                    self.in_row = false;
                }
                Some(control) => {
                    return Ok(Scan { opaque: at, metadata, next: Next::Control { len, control } });
                }
            }
        }
    }

    /// Gives the frames in `bytes`, which is what [`scan`](Self::scan) is called with next, the numbers that are due. Inside
    /// compressed packets servers number them otherwise: after each flush they go on from the number of the compressed packet.
    pub fn renumber(&self, bytes: &mut [u8]) {
        let mut at = self.skip;
        let mut due = self.sequence;
        let mut first = self.first;
        while let Some(rest) = bytes.get_mut(at..)
            && let Some(header) = FrameHeader::parse(rest)
        {
            // A goodbye that no command has asked for keeps its 0.
            let goodbye = first && header.sequence == 0 && rest.get(HEADER_LEN) == Some(&0xff);
            if let Some(number) = rest.get_mut(HEADER_LEN - 1).filter(|_| !goodbye) {
                *number = due;
            }
            due = due.wrapping_add(1);
            first = false;
            at += HEADER_LEN + header.payload_len;
        }
    }

    /// Goes on after the client's file was sent to the server. `next_sequence` is one more than the number of the file's
    /// last (empty) frame.
    pub fn resume_after_infile(&mut self, next_sequence: u8) {
        self.resume(next_sequence);
    }

    /// Goes on after the client sent what [`Control::LocalInfile`] or [`Control::Auth`] asked for.
    pub fn resume(&mut self, next_sequence: u8) {
        self.sequence = next_sequence;
        if self.state == State::Client {
            self.state = State::Head;
        }
    }

    /// True once a result set has begun.
    pub fn saw_result_set(&self) -> bool {
        self.saw_result_set
    }

    /// True once a row has begun.
    pub fn saw_rows(&self) -> bool {
        self.saw_rows
    }

    /// True when the next frame is the first of a result: in front of the answer, and between two results.
    pub fn is_at_head(&self) -> bool {
        matches!(self.state, State::Head) && !self.is_amid_frame()
    }

    /// How many rows of the last result set have begun.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// True once the last frame has been handed out.
    pub fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// True if the answer is an ERR with sequence number 0: the server said goodbye before it read the command (idle
    /// timeout, shutdown), which was not executed. The frame's number is not the one that the client waits for.
    pub fn is_unsolicited(&self) -> bool {
        self.unsolicited
    }

    /// True if a frame that may be forwarded has begun and has not ended: a receiver of what was forwarded so far cannot
    /// be sent anything else.
    pub fn is_amid_frame(&self) -> bool {
        self.skip > 0 || self.continued
    }

    /// The sequence number of the next frame.
    pub fn next_sequence(&self) -> u8 {
        self.sequence
    }

    /// True if a part of a packet was passed over and its rest has not arrived: nothing else can be said to a client that
    /// was given that part.
    pub fn is_amid_packet(&self) -> bool {
        self.skip > 0 || self.continued
    }

    /// Passes over rows that are there as a whole and can be nothing else, which is nearly all that is ever scanned. Gives
    /// where the first frame stands that must be looked at.
    fn pass_rows(&mut self, bytes: &[u8], from: usize) -> usize {
        if self.state != State::Rows || self.skip > 0 || self.continued {
            return from;
        }
        let (mut at, mut rows) = (from, 0);
        while let Some(&[a, b, c, sequence, head]) = bytes.get(at..).and_then(<[u8]>::first_chunk) {
            let length = usize::from(a) | (usize::from(b) << 8) | (usize::from(c) << 16);
            let end = at + HEADER_LEN + length;
            // An end, an error, a report of progress, a part of a row.
            let special = head >= 0xfe || length == 0 || length == MAX_PAYLOAD;
            if special || sequence != self.sequence || end > bytes.len() {
                break;
            }
            self.sequence = sequence.wrapping_add(1);
            rows += 1;
            at = end;
        }
        if rows > 0 {
            self.rows += rows;
            (self.in_row, self.saw_rows, self.first) = (true, true, false);
        }
        at
    }

    /// Accepts an opaque frame whose header has been read.
    fn take(&mut self, header: FrameHeader) -> Result<(), Violation> {
        if header.sequence != self.sequence {
            return Err(Violation::Sequence { expected: self.sequence, got: header.sequence });
        }
        self.sequence = header.sequence.wrapping_add(1);
        self.first = false;
        self.skip = header.payload_len;
        self.continued = header.is_continued();
        Ok(())
    }

    fn check_sequence(&mut self, header: FrameHeader, payload: &[u8]) -> Result<(), Violation> {
        if header.sequence == self.sequence {
            return Ok(());
        }
        if self.first && header.sequence == 0 && payload.first() == Some(&0xff) {
            self.unsolicited = true;
            return Ok(());
        }
        Err(Violation::Sequence { expected: self.sequence, got: header.sequence })
    }

    /// Decides about a frame by its head. `payload` has at least its first three bytes. Changes nothing unless the
    /// frame is opaque, since a frame that is needed whole may be looked at several times.
    fn verdict(&mut self, header: FrameHeader, payload: &[u8]) -> Result<Verdict, Violation> {
        let len = header.payload_len;
        let Some(&first) = payload.first() else {
            return Err(self.unexpected(payload, len));
        };
        if first == 0xff {
            let progress =
                self.caps.contains(Capabilities::PROGRESS) && payload.get(1..3) == Some(&[0xff, 0xff]);
            if !progress {
                return self.whole(header, payload);
            }
            self.in_row = false;
            return Ok(Verdict::Opaque);
        }
        self.in_row = self.state == State::Rows;
        match self.state {
            State::Columns { left } => self.state = self.columns_left(left.saturating_sub(1)),
            State::PrepareRest { left } if left > 1 => self.state = State::PrepareRest { left: left - 1 },
            State::Rows if !self.is_end(first, len) => {
                self.saw_rows = true;
                self.rows += 1;
            }
            State::Fields | State::Events if !self.is_end(first, len) => {}
            _ => return self.whole(header, payload),
        }
        Ok(Verdict::Opaque)
    }

    /// A frame that carries status must not be continued, and a column count is short.
    fn whole(&self, header: FrameHeader, payload: &[u8]) -> Result<Verdict, Violation> {
        let is_count =
            self.state == State::Head && !matches!(payload.first(), Some(0x00 | 0xfb | 0xfe | 0xff));
        let limit = if is_count { COLUMN_COUNT_MAX } else { MAX_PAYLOAD - 1 };
        if header.payload_len > limit {
            Err(self.unexpected(payload, header.payload_len))
        } else {
            Ok(Verdict::Whole)
        }
    }

    /// Takes a whole frame. `None`: it is opaque after all.
    fn control(&mut self, payload: &[u8]) -> Result<Option<Control>, Violation> {
        let first = payload.first().copied().unwrap_or_default();
        if first == 0xff {
            self.state = State::Done;
            return Ok(Some(Control::Err));
        }
        let control = match (self.state, first) {
            (State::Head, 0x00) => self.end_of_result(payload, false)?,
            (State::Head | State::ColumnsEnd | State::Rows, 0xfe) => self.end_of_result(payload, true)?,
            (State::Head, 0xfb) => {
                self.state = State::Client;
                Control::LocalInfile
            }
            (State::Head, _) => {
                self.begin_result_set(payload)?;
                return Ok(None);
            }
            (State::Simple | State::Auth, 0x00) => self.finish(Control::Ok { last: true }),
            (State::Simple | State::Fields, 0xfe) => self.finish(self.end_control(payload, true)),
            (State::Events, 0xfe) => self.finish(Control::Eof { last: true }),
            (State::Auth, 0x01 | 0xfe) => Control::Auth,
            (State::PrepareHead, 0x00) => self.begin_prepare(payload)?,
            (State::PrepareRest { .. } | State::Statistics, _) => self.finish(Control::End),
            _ => return Err(self.unexpected(payload, payload.len())),
        };
        Ok(Some(control))
    }

    /// An OK, or an EOF in either form: ends the result, or the metadata, and perhaps the answer.
    fn end_of_result(&mut self, payload: &[u8], is_end: bool) -> Result<Control, Violation> {
        let classic = is_end && self.is_classic_eof(payload);
        let status = read_status(payload, classic)?;
        if self.state == State::ColumnsEnd && !self.opened_cursor(status) {
            // MySQL says so here and not again at the end of the rows (its bug 11746626).
            self.out_params = status.contains(StatusFlags::PS_OUT_PARAMS | StatusFlags::MORE_RESULTS);
            self.state = State::Rows;
            return Ok(Control::Eof { last: false });
        }
        let promised = std::mem::take(&mut self.out_params);
        let more = promised || status.contains(StatusFlags::MORE_RESULTS);
        let last = !more || self.shape == ResponseShape::Fetch;
        self.state = if last { State::Done } else { State::Head };
        Ok(if classic { Control::Eof { last } } else { Control::Ok { last } })
    }

    /// Whether the metadata is all that comes of a result set. Cursors of stored programs set the flag too (MariaDB's
    /// `FOR … IN (SELECT …)`, a procedure that opens one), and rows follow: whose client asked for none has none, and where
    /// more results come it is not the client's.
    fn opened_cursor(&self, status: StatusFlags) -> bool {
        self.shape == ResponseShape::ResultSets { cursor: true }
            && status.contains(StatusFlags::CURSOR_EXISTS)
            && !status.contains(StatusFlags::MORE_RESULTS)
    }

    fn begin_result_set(&mut self, payload: &[u8]) -> Result<(), Violation> {
        let mut reader = Reader::new(payload);
        let columns = reader.lenenc_int()?;
        let flagged =
            self.caps.intersects(Capabilities::OPTIONAL_RESULTSET_METADATA | Capabilities::CACHE_METADATA);
        let metadata_follows = !flagged || reader.is_empty() || reader.u8()? != 0;
        if !reader.is_empty() {
            return Err(Violation::Malformed(DecodeError::Invalid("bytes after a column count")));
        }
        self.saw_result_set = true;
        self.rows = 0;
        self.state = self.columns_left(if metadata_follows { columns } else { 0 });
        Ok(())
    }

    fn begin_prepare(&mut self, payload: &[u8]) -> Result<Control, Violation> {
        let head = PrepareOk::decode(payload, self.caps)?;
        let eof = u32::from(!self.deprecates_eof());
        let part = |count: u16| match (count, head.metadata_follows) {
            (0, _) => 0,
            (_, false) => eof,
            (count, true) => u32::from(count) + eof,
        };
        let left = part(head.params) + part(head.columns);
        self.state = if left == 0 { State::Done } else { State::PrepareRest { left } };
        Ok(Control::PrepareOk { last: left == 0 })
    }

    fn finish(&mut self, control: Control) -> Control {
        self.state = State::Done;
        control
    }

    /// The state with `left` column definitions to come.
    fn columns_left(&self, left: u64) -> State {
        match left {
            0 if self.deprecates_eof() => State::Rows,
            0 => State::ColumnsEnd,
            left => State::Columns { left },
        }
    }

    fn end_control(&self, payload: &[u8], last: bool) -> Control {
        if self.is_classic_eof(payload) { Control::Eof { last } } else { Control::Ok { last } }
    }

    /// With DEPRECATE_EOF a packet that starts with 0xfe is an OK. Its 7 bytes at least tell it from an EOF of 5, which
    /// some servers and proxies still send for the simple commands.
    fn is_classic_eof(&self, payload: &[u8]) -> bool {
        !self.deprecates_eof() || payload.len() < 7
    }

    fn is_end(&self, first: u8, len: usize) -> bool {
        first == 0xfe && len < if self.deprecates_eof() { MAX_PAYLOAD } else { 9 }
    }

    fn deprecates_eof(&self) -> bool {
        self.caps.contains(Capabilities::DEPRECATE_EOF)
    }

    fn unexpected(&self, payload: &[u8], len: usize) -> Violation {
        let place = match self.state {
            State::Head | State::Simple => "at the head of a result",
            State::Columns { .. } | State::ColumnsEnd => "in metadata",
            State::Rows => "among rows",
            State::PrepareHead | State::PrepareRest { .. } => "in the answer to a preparation",
            State::Fields => "in a field list",
            State::Statistics => "in the answer to COM_STATISTICS",
            State::Events => "among binary log events",
            State::Auth => "in authentication",
            State::Client | State::Done => "after the end",
        };
        Violation::Unexpected { place, first: payload.first().copied().unwrap_or_default(), len }
    }
}

/// The status flags of an EOF (`classic`) or an OK packet.
fn read_status(payload: &[u8], classic: bool) -> Result<StatusFlags, DecodeError> {
    let mut reader = Reader::new(payload);
    reader.u8()?;
    if classic {
        if reader.is_empty() {
            return Ok(StatusFlags::empty());
        }
        reader.u16()?;
    } else {
        reader.lenenc_int()?;
        reader.lenenc_int()?;
    }
    reader.u16().map(StatusFlags::from_wire)
}
