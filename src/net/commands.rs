//! How a client cuts what it sends into compressed packets.

use tideover_protocol::frame::{FrameHeader, HEADER_LEN};

/// Where commands begin in what a client sends.
#[derive(Debug, Default)]
pub(super) struct Commands {
    /// Bytes that wait to be sent: fewer than the head of a frame has, between writes.
    pub(super) held: Vec<u8>,
    /// Bytes of the present frame that were not sent yet.
    left: usize,
    /// Number of the last frame, and whether the server has said anything since.
    last: Option<(u8, bool)>,
}

impl Commands {
    /// The server has said something.
    pub(super) fn answered(&mut self) {
        if let Some((_, answered)) = &mut self.last {
            *answered = true;
        }
    }

    /// How much of what is held goes into the next packet, and whether it begins a command. A packet holds nothing of two
    /// commands: the server counts anew with each.
    pub(super) fn next_packet(&mut self) -> (usize, bool) {
        let mut at = self.left.min(self.held.len());
        self.left -= at;
        let mut begins = false;
        while let Some(header) = self.held.get(at..).and_then(FrameHeader::parse) {
            // The frames of a long packet, or of a file, are numbered on, and come to 0 after 255.
            let goes_on = header.sequence != 0 || self.last == Some((u8::MAX, false));
            if !goes_on && at > 0 {
                break;
            }
            begins |= !goes_on;
            self.last = Some((header.sequence, false));
            let end = at + HEADER_LEN + header.payload_len;
            let here = end.min(self.held.len());
            self.left = end - here;
            at = here;
        }
        (at, begins)
    }
}
