//! Reading the answers to commands of ours: one loop for all who do.

use std::io;

use tideover_protocol::frame::HEADER_LEN;
use tideover_protocol::packet::ErrPacket;
use tideover_protocol::response::{Control, Next, ResponseScanner, ResponseShape};

use super::ServerConnection;

/// The answer to a command of ours.
#[derive(Debug)]
pub enum Swallow {
    /// OK, EOF or a result: the first control frame's payload.
    Done(Vec<u8>),
    /// The server's error.
    Error(ErrPacket),
}

impl ServerConnection {
    /// A scanner for the answer to a command of this shape.
    #[must_use]
    pub fn scanner(&self, shape: ResponseShape) -> ResponseScanner {
        ResponseScanner::new(shape, self.capabilities, 1)
    }

    /// Reads up to the next control frame of an answer: what it is, and the whole frame with its header. What comes before it
    /// goes to `opaque`, in pieces as they arrive, with how many bytes of each are not rows.
    ///
    /// # Errors
    /// The socket's; `InvalidData` if the server breaks the protocol.
    pub async fn next_control(
        &mut self,
        scanner: &mut ResponseScanner,
        mut opaque: impl FnMut(&[u8], usize),
    ) -> io::Result<(Control, Vec<u8>)> {
        loop {
            let scan = self
                .io
                .scan(scanner, (0, false))
                .map_err(|v| io::Error::new(io::ErrorKind::InvalidData, v.to_string()))?;
            opaque(self.io.input().get(..scan.opaque).unwrap_or_default(), scan.metadata);
            self.io.consume(scan.opaque);
            let Next::Control { len, control } = scan.next else {
                self.io.fill_some().await?;
                continue;
            };
            let frame = self.io.input().get(..len).unwrap_or_default().to_vec();
            self.io.consume(len);
            return Ok((control, frame));
        }
    }

    /// What an ERR packet's payload says.
    #[must_use]
    pub fn error_in(&self, payload: &[u8]) -> ErrPacket {
        ErrPacket::decode(payload, self.capabilities)
            .unwrap_or_else(|_| ErrPacket::new(2027, "HY000", "malformed error packet"))
    }

    /// Reads an answer that no client waits for.
    ///
    /// # Errors
    /// As [`next_control`](Self::next_control).
    pub async fn swallow(&mut self, shape: ResponseShape) -> io::Result<Swallow> {
        let mut scanner = self.scanner(shape);
        let mut first: Option<Vec<u8>> = None;
        loop {
            let (control, frame) = self.next_control(&mut scanner, |_, _| ()).await?;
            let payload = payload_of(&frame);
            if payload.first() == Some(&0xff) {
                return Ok(Swallow::Error(self.error_in(payload)));
            }
            self.take_in(payload);
            let first = first.get_or_insert_with(|| payload.to_vec());
            if control.is_last() {
                return Ok(Swallow::Done(std::mem::take(first)));
            }
        }
    }

    /// The OK packets of an answer without rows, and the error at its end.
    ///
    /// # Errors
    /// As [`next_control`](Self::next_control); `InvalidData` also if there are rows.
    pub(super) async fn each_answer(&mut self) -> io::Result<(Vec<Vec<u8>>, Option<ErrPacket>)> {
        let mut scanner = self.scanner(ResponseShape::ResultSets { cursor: false });
        let mut answers = Vec::new();
        loop {
            let (control, frame) = self.next_control(&mut scanner, |_, _| ()).await?;
            let payload = payload_of(&frame);
            match control {
                Control::Err => return Ok((answers, Some(self.error_in(payload)))),
                Control::Ok { last } => {
                    self.take_in(payload);
                    answers.push(payload.to_vec());
                    if last {
                        return Ok((answers, None));
                    }
                }
                _ => return Err(io::ErrorKind::InvalidData.into()),
            }
        }
    }
}

/// A frame without its header.
#[must_use]
pub fn payload_of(frame: &[u8]) -> &[u8] {
    frame.get(HEADER_LEN..).unwrap_or_default()
}
