//! Frames: a 3-byte payload length, a 1-byte sequence number, the payload. A packet of 16 MiB - 1 bytes or more is a
//! chain of frames of which all but the last are full; a packet of an exact multiple ends with an empty frame.

use bytes::{BufMut, Bytes, BytesMut};

/// Bytes of a frame header.
pub const HEADER_LEN: usize = 4;

/// The longest payload of one frame, in bytes. A frame of this length is continued by the next.
pub const MAX_PAYLOAD: usize = 0xff_ffff;

/// The head of one frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameHeader {
    /// Payload bytes that follow the header, 0 to [`MAX_PAYLOAD`].
    pub payload_len: usize,
    /// Sequence number within the current command; wraps at 255.
    pub sequence: u8,
}

impl FrameHeader {
    /// Reads a header from the first bytes of `bytes`; `None` when there are fewer than [`HEADER_LEN`].
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let &[a, b, c, sequence] = bytes.first_chunk::<HEADER_LEN>()?;
        let payload_len = usize::from(a) | (usize::from(b) << 8) | (usize::from(c) << 16);
        Some(Self { payload_len, sequence })
    }

    /// The header as bytes. A length over [`MAX_PAYLOAD`] is cut to its low 24 bits; [`write_frames`] never has one.
    pub fn to_bytes(self) -> [u8; HEADER_LEN] {
        let [a, b, c, ..] = self.payload_len.to_le_bytes();
        [a, b, c, self.sequence]
    }

    /// True when the next frame continues this packet.
    pub fn is_continued(self) -> bool {
        self.payload_len == MAX_PAYLOAD
    }
}

/// Appends `payload` as one packet, in as many frames as it needs, the first with number `sequence`. Returns the number
/// that the next frame of the conversation has.
pub fn write_frames(out: &mut BytesMut, payload: &[u8], sequence: u8) -> u8 {
    out.reserve(payload.len() + HEADER_LEN * (payload.len() / MAX_PAYLOAD + 1));
    let mut sequence = sequence;
    let mut rest = payload;
    loop {
        let (head, tail) = rest.split_at(rest.len().min(MAX_PAYLOAD));
        let header = FrameHeader { payload_len: head.len(), sequence };
        out.put_slice(&header.to_bytes());
        out.put_slice(head);
        sequence = sequence.wrapping_add(1);
        rest = tail;
        if !header.is_continued() {
            return sequence;
        }
    }
}

/// One whole packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet {
    /// The payload, joined when it came in several frames.
    pub payload: Bytes,
    /// Sequence number of its last frame. The answer starts one higher.
    pub sequence: u8,
}

/// What a peer did wrong on the level of frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// A frame is out of order (server error 1156).
    #[error("packet out of order: expected sequence number {expected}, got {got}")]
    Sequence {
        /// The number that had to come.
        expected: u8,
        /// The number that came.
        got: u8,
    },
    /// A packet is larger than allowed (server error 1153).
    #[error("packet of at least {got} bytes, {limit} are allowed")]
    TooLarge {
        /// Payload bytes allowed.
        limit: usize,
        /// Payload bytes announced so far.
        got: usize,
    },
}

/// Cuts packets out of a byte stream. A packet in one frame is handed out without copying.
///
/// An error is final: the stream has lost its frame boundaries.
#[derive(Debug)]
pub struct Deframer {
    max_payload: usize,
    expected: u8,
    joined: BytesMut,
}

impl Deframer {
    /// `max_payload` bounds a packet's payload, in bytes, over all its frames. The first frame must have number 0.
    pub fn new(max_payload: usize) -> Self {
        Self { max_payload, expected: 0, joined: BytesMut::new() }
    }

    /// Changes the bound, for example after login. Counts from the next frame on.
    pub fn set_max_payload(&mut self, max_payload: usize) {
        self.max_payload = max_payload;
    }

    /// Says which number the next frame must have: 0 before each command, otherwise one more than our own last frame.
    /// Without a call it is one more than the last frame received.
    pub fn expect(&mut self, sequence: u8) {
        self.expected = sequence;
    }

    /// True between the frames of a packet that came in part.
    pub fn is_amid_packet(&self) -> bool {
        !self.joined.is_empty()
    }

    /// Takes the next whole packet off the front of `buf`; `None` when more bytes are needed.
    pub fn next(&mut self, buf: &mut BytesMut) -> Result<Option<Packet>, FrameError> {
        while let Some(header) = FrameHeader::parse(buf) {
            if header.sequence != self.expected {
                return Err(FrameError::Sequence { expected: self.expected, got: header.sequence });
            }
            let total = self.joined.len() + header.payload_len;
            if total > self.max_payload {
                return Err(FrameError::TooLarge { limit: self.max_payload, got: total });
            }
            if buf.len() < HEADER_LEN + header.payload_len {
                return Ok(None);
            }
            let mut frame = buf.split_to(HEADER_LEN + header.payload_len);
            let body = frame.split_off(HEADER_LEN);
            self.expected = header.sequence.wrapping_add(1);
            if header.is_continued() || !self.joined.is_empty() {
                self.joined.extend_from_slice(&body);
            }
            if header.is_continued() {
                continue;
            }
            let payload = if self.joined.is_empty() { body } else { std::mem::take(&mut self.joined) };
            return Ok(Some(Packet { payload: payload.freeze(), sequence: header.sequence }));
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(payload: &[u8], sequence: u8) -> (BytesMut, u8) {
        let mut out = BytesMut::new();
        let next = write_frames(&mut out, payload, sequence);
        (out, next)
    }

    #[test]
    fn packets_around_the_frame_limit_come_back() {
        for (length, count) in [
            (0, 1),
            (1, 1),
            (MAX_PAYLOAD - 1, 1),
            (MAX_PAYLOAD, 2),
            (MAX_PAYLOAD + 1, 2),
            (2 * MAX_PAYLOAD, 3),
        ] {
            let payload = vec![7_u8; length];
            let (mut bytes, next) = frames(&payload, 254);
            assert_eq!(next, 254_u8.wrapping_add(count), "{length}");
            assert_eq!(bytes.len(), length + usize::from(count) * HEADER_LEN);
            let mut deframer = Deframer::new(usize::MAX);
            deframer.expect(254);
            let packet = deframer.next(&mut bytes).unwrap().unwrap();
            assert_eq!(packet.payload, payload);
            assert_eq!(packet.sequence, next.wrapping_sub(1));
            assert!(bytes.is_empty() && !deframer.is_amid_packet());
        }
    }

    #[test]
    fn wrong_order_and_size_are_named() {
        let (mut bytes, _) = frames(b"abc", 3);
        assert_eq!(Deframer::new(100).next(&mut bytes), Err(FrameError::Sequence { expected: 0, got: 3 }),);
        let (mut bytes, _) = frames(&[0; 101], 0);
        bytes.truncate(4);
        assert_eq!(Deframer::new(100).next(&mut bytes), Err(FrameError::TooLarge { limit: 100, got: 101 }));
    }
}
