//! Packet frames of the MySQL protocol: three bytes of length, one of sequence, payload. PURE.

/// Commands that no answer follows: COM_STMT_SEND_LONG_DATA, COM_STMT_CLOSE.
const UNANSWERED: [u8; 2] = [0x18, 0x19];
/// Bytes before a payload.
const HEAD: usize = 4;

/// Bytes as they come in, cut into frames.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    bytes: Vec<u8>,
    at: usize,
}

impl Frames {
    /// Adds what was read.
    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        if self.at > 0 {
            self.bytes.drain(..self.at);
            self.at = 0;
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// The next whole frame, head included.
    pub(crate) fn next(&mut self) -> Option<Frame> {
        let rest = self.bytes.get(self.at..)?;
        let &[a, b, c, _] = rest.first_chunk::<HEAD>()?;
        let length = HEAD + (usize::from(a) | usize::from(b) << 8 | usize::from(c) << 16);
        let bytes = rest.get(..length)?.to_vec();
        self.at += length;
        Some(Frame { bytes })
    }
}

/// One frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Frame {
    /// Head and payload.
    pub(crate) bytes: Vec<u8>,
}

impl Frame {
    fn sequence(&self) -> u8 {
        self.bytes.get(HEAD - 1).copied().unwrap_or_default()
    }

    fn payload(&self) -> &[u8] {
        self.bytes.get(HEAD..).unwrap_or_default()
    }

    /// Whether a command begins with it.
    pub(crate) fn is_command(&self) -> bool {
        self.sequence() == 0
    }

    /// Whether the server answers to the command that begins with it.
    pub(crate) fn is_answered(&self) -> bool {
        self.is_command() && self.payload().first().is_none_or(|command| !UNANSWERED.contains(command))
    }

    /// Whether the answer to a command begins with it. The frames of long answers count beyond 255 and begin again, so
    /// that this is to be asked of short ones only.
    pub(crate) fn begins_answer(&self) -> bool {
        self.sequence() == 1
    }

    /// Whether the payload contains a text.
    pub(crate) fn contains(&self, needle: &[u8]) -> bool {
        self.payload().windows(needle.len().max(1)).any(|part| part == needle)
    }

    /// The account name, if this is the first packet of a login: after capabilities, packet size, character set and
    /// filler.
    pub(crate) fn account(&self) -> Option<&[u8]> {
        if self.is_command() {
            return None;
        }
        self.payload().get(32..)?.split(|&byte| byte == 0).next()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(sequence: u8, payload: &[u8]) -> Vec<u8> {
        let length = u8::try_from(payload.len()).unwrap();
        [&[length, 0, 0, sequence], payload].concat()
    }

    #[test]
    fn frames_do_not_depend_on_how_the_bytes_come() {
        let (first, second, empty) = (frame(0, b"\x03SELECT 1"), frame(1, b"abc"), frame(2, b""));
        let all = [first.clone(), second.clone(), empty.clone()].concat();
        for size in 1..=all.len() {
            let (mut frames, mut found) = (Frames::default(), Vec::new());
            for part in all.chunks(size) {
                frames.feed(part);
                while let Some(frame) = frames.next() {
                    found.push(frame.bytes);
                }
            }
            assert_eq!(found, [first.clone(), second.clone(), empty.clone()], "in parts of {size}");
        }
    }

    #[test]
    fn a_command_its_text_and_whether_it_is_answered() {
        let of = |sequence, payload: &[u8]| Frame { bytes: frame(sequence, payload) };
        assert!(of(0, b"\x03SELECT 'x7'").contains(b"x7"));
        assert!(!of(0, b"\x03SELECT 'x'").contains(b"x7"));
        assert!(!of(0, b"\x03").contains(b"SELECT 1"));
        assert!(of(0, b"\x03DO 1").is_answered());
        assert!(!of(0, b"\x19\x01\0\0\0").is_answered());
        assert!(!of(1, b"\0").is_command() && of(1, b"\0").begins_answer());
    }

    #[test]
    fn who_logs_in() {
        let login = [&[0; 32][..], b"app\0\x14scramble"].concat();
        assert_eq!(Frame { bytes: frame(1, &login) }.account(), Some(&b"app"[..]));
        assert_eq!(Frame { bytes: frame(1, b"short") }.account(), None);
        assert_eq!(Frame { bytes: frame(0, &login) }.account(), None);
    }
}
