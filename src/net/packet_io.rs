//! A stream with its input and output buffers. All partial input stays here and never in a future, so every method (but for
//! [`PacketIo::read_packet`]) can be cancelled between polls without losing bytes.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tideover_protocol::frame::{FrameHeader, HEADER_LEN, MAX_PAYLOAD};
use tideover_protocol::response::{ResponseScanner, Scan, Violation};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};

use super::buffer::{Buffer, BufferPool};
use super::compressed::{Codec, Compressed};
use super::stream::{Raw, Stream};

/// A buffered connection that speaks in packets.
#[derive(Debug)]
pub struct PacketIo {
    stream: Stream,
    input: Buffer,
    output: Buffer,
}

impl PacketIo {
    /// Takes a stream.
    #[must_use]
    pub fn new(stream: Stream, pool: &Arc<BufferPool>) -> Self {
        Self { stream, input: Buffer::new(pool.clone()), output: Buffer::new(pool.clone()) }
    }

    /// The stream, to look at.
    #[must_use]
    pub fn stream(&self) -> &Stream {
        &self.stream
    }

    /// Takes the plain stream out, for the change to TLS; `None` if it is TLS already. What was read ahead belongs to
    /// the TLS handshake and goes with it: it is never taken for data that TLS protected.
    #[must_use]
    pub fn into_raw(self) -> Option<Raw> {
        let ahead = self.input.bytes().to_vec();
        Some(self.stream.into_raw()?.with_ahead(&ahead))
    }

    /// What was received and not yet consumed.
    #[must_use]
    pub fn input(&self) -> &[u8] {
        self.input.bytes()
    }

    /// The same, to be changed in place.
    pub fn input_mut(&mut self) -> &mut [u8] {
        self.input.bytes_mut()
    }

    /// Drops the first `count` bytes of the input.
    pub fn consume(&mut self, count: usize) {
        self.input.consume(count);
    }

    /// Gives unused buffer memory back: before waiting for a peer that may be silent for long.
    pub fn rest(&mut self) {
        self.input.rest();
        self.output.rest();
        self.stream.rest();
    }

    /// From here on both sides speak in compressed packets. To be called when everything queued is written.
    #[must_use]
    pub fn compress(self, codec: Codec) -> Self {
        let stream = Stream::Compressed(Box::new(Compressed::new(self.stream, codec)));
        Self { stream, ..self }
    }

    /// The same in the client's role: towards a server.
    #[must_use]
    pub fn compress_as_client(self, codec: Codec) -> Self {
        let stream = Stream::Compressed(Box::new(Compressed::as_client(self.stream, codec)));
        Self { stream, ..self }
    }

    /// Has `scanner` look at the input from `from` on. Inside compressed packets servers number as they like: clients are
    /// given the numbers that they expect, as they are if it `renumbers`.
    ///
    /// # Errors
    /// How the server broke the protocol.
    pub fn scan(
        &mut self,
        scanner: &mut ResponseScanner,
        (from, renumbers): (usize, bool),
    ) -> Result<Scan, Violation> {
        if renumbers || self.stream.is_compressed() {
            scanner.renumber(self.input.bytes_mut().get_mut(from..).unwrap_or_default());
        }
        scanner.scan(self.input.bytes().get(from..).unwrap_or_default())
    }

    /// Reads once. `Ok(0)` is the end of the stream.
    pub fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.input.is_resting() {
            // No buffer is lent before there is something to put into it.
            ready!(self.stream.poll_input(cx))?;
        }
        let mut room = ReadBuf::new(self.input.room());
        match Pin::new(&mut self.stream).poll_read(cx, &mut room) {
            Poll::Ready(Ok(())) => {
                let count = room.filled().len();
                self.input.filled(count);
                Poll::Ready(Ok(count))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => {
                self.input.rest();
                Poll::Pending
            }
        }
    }

    /// Reads once. `Ok(0)` is the end of the stream. Cancel-safe.
    pub async fn fill(&mut self) -> io::Result<usize> {
        poll_fn(|cx| self.poll_fill(cx)).await
    }

    /// Puts bytes into the output buffer.
    pub fn queue(&mut self, bytes: &[u8]) {
        self.output.push(bytes);
    }

    /// Frames `payload` into the output buffer; gives the next sequence number.
    pub fn queue_packet(&mut self, payload: &[u8], sequence: u8) -> u8 {
        self.queue_parts(&[payload], sequence)
    }

    /// Frames a payload that comes in parts; gives the next sequence number. Copies each byte once.
    pub fn queue_parts(&mut self, parts: &[&[u8]], mut sequence: u8) -> u8 {
        let mut left: usize = parts.iter().map(|p| p.len()).sum();
        let mut parts = parts.iter().copied();
        let mut part: &[u8] = &[];
        loop {
            let frame = left.min(MAX_PAYLOAD);
            let [l0, l1, l2, ..] = frame.to_le_bytes();
            self.output.push(&[l0, l1, l2, sequence]);
            sequence = sequence.wrapping_add(1);
            let mut room = frame;
            while room > 0 {
                if part.is_empty() {
                    let Some(next) = parts.next() else { break };
                    part = next;
                    continue;
                }
                let (now, later) = part.split_at(part.len().min(room));
                self.output.push(now);
                room -= now.len();
                part = later;
            }
            left -= frame;
            // A payload of an exact multiple ends with an empty frame.
            if frame < MAX_PAYLOAD {
                return sequence;
            }
        }
    }

    /// Bytes that wait to be written.
    #[must_use]
    pub fn unsent(&self) -> usize {
        self.output.bytes().len()
    }

    /// Writes what is queued, as far as the peer takes it.
    pub fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.output.is_empty() {
            match ready!(Pin::new(&mut self.stream).poll_write(cx, self.output.bytes())) {
                Ok(0) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Ok(count) => self.output.consume(count),
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        if self.stream.keeps_output() {
            Pin::new(&mut self.stream).poll_flush(cx)
        } else {
            Poll::Ready(Ok(()))
        }
    }

    /// Writes everything that is queued. Cancel-safe: what was not written stays queued.
    pub async fn flush(&mut self) -> io::Result<()> {
        poll_fn(|cx| self.poll_flush(cx)).await
    }

    /// Forwards up to `count` bytes of our input to `to`: directly from buffer to socket when nothing waits there,
    /// through its output buffer for what the socket does not take at once.
    pub fn forward(&mut self, count: usize, to: &mut Self, cx: &mut Context<'_>) -> io::Result<()> {
        let count = count.min(self.input.bytes().len());
        let mut done = 0;
        if to.output.is_empty() {
            while done < count {
                let rest = self.input.bytes().get(done..count).unwrap_or_default();
                match Pin::new(&mut to.stream).poll_write(cx, rest) {
                    Poll::Ready(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
                    Poll::Ready(Ok(written)) => done += written,
                    Poll::Ready(Err(error)) => return Err(error),
                    Poll::Pending => break,
                }
            }
        }
        to.output.push(self.input.bytes().get(done..count).unwrap_or_default());
        self.input.consume(count);
        Ok(())
    }

    /// Whether a whole packet (all its frames) has arrived: its length on the wire.
    #[must_use]
    pub fn whole_packet(&self) -> Option<usize> {
        let bytes = self.input.bytes();
        let mut at = 0;
        loop {
            let header = FrameHeader::parse(bytes.get(at..)?)?;
            at += HEADER_LEN + header.payload_len;
            if bytes.len() < at {
                return None;
            }
            if header.payload_len < MAX_PAYLOAD {
                return Some(at);
            }
        }
    }

    /// Reads one whole packet of at most `limit` payload bytes, checks its first sequence number, and gives payload and
    /// the next sequence number. For handshakes and control conversations; commands and answers are streamed. Not
    /// cancel-safe: whoever gives up waiting ends the connection.
    ///
    /// # Errors
    /// `UnexpectedEof`, `InvalidData` (sequence, size), or what the system says.
    pub async fn read_packet(&mut self, sequence: u8, limit: usize) -> io::Result<(Vec<u8>, u8)> {
        let mut payload = Vec::new();
        let mut expected = sequence;
        loop {
            let header = loop {
                if let Some(header) = FrameHeader::parse(self.input.bytes()) {
                    break header;
                }
                self.fill_some().await?;
            };
            if self.stream.is_compressed() {
                expected = header.sequence;
            }
            if header.sequence != expected {
                let text = format!("packet sequence {} where {expected} was due", header.sequence);
                return Err(io::Error::new(io::ErrorKind::InvalidData, text));
            }
            if payload.len() + header.payload_len > limit {
                let text = format!("packet larger than {limit} bytes");
                return Err(io::Error::new(io::ErrorKind::InvalidData, text));
            }
            self.input.consume(HEADER_LEN);
            self.take_into(&mut payload, header.payload_len).await?;
            expected = expected.wrapping_add(1);
            if header.payload_len < MAX_PAYLOAD {
                return Ok((payload, expected));
            }
        }
    }

    /// Moves the next `count` bytes of the input, as they come, to the end of `payload`: a large packet never lies in the
    /// input buffer as a whole.
    async fn take_into(&mut self, payload: &mut Vec<u8>, count: usize) -> io::Result<()> {
        let mut left = count;
        while left > 0 {
            if self.input.is_empty() {
                self.fill_some().await?;
            }
            let here = self.input.bytes();
            let now = here.get(..left).unwrap_or(here);
            payload.extend_from_slice(now);
            left -= now.len();
            let now = now.len();
            self.input.consume(now);
        }
        Ok(())
    }

    /// Reads once; the end of the stream is an error here.
    pub async fn fill_some(&mut self) -> io::Result<()> {
        match self.fill().await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }

    /// Sends one packet and gives the next sequence number.
    pub async fn send_packet(&mut self, payload: &[u8], sequence: u8) -> io::Result<u8> {
        let next = self.queue_packet(payload, sequence);
        self.flush().await?;
        Ok(next)
    }

    /// Says goodbye at the transport level; errors do not matter any more.
    pub async fn close(&mut self) {
        let _ = self.stream.shutdown().await;
    }
}
