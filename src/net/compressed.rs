//! MySQL's compressed protocol as a stream: what is written goes out in compressed packets, what comes in is unpacked. Each
//! has a header of seven bytes (length 3, number 1, length before compression 3, which is 0 for bytes sent as they are). Starts
//! after the OK that ends a login.

use std::io::{self, Read};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use flate2::Compression;
use flate2::bufread::{ZlibDecoder, ZlibEncoder};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::commands::Commands;
use super::stream::Stream;

/// Bytes of a compressed packet's header.
const HEADER: usize = 7;
/// Shorter contents are not compressed, as the servers do (MIN_COMPRESS_LENGTH).
const WORTH_IT: usize = 50;
/// Contents of one packet of ours, bytes, at most.
const CHUNK: usize = 256 * 1024;
/// Bytes read at a time.
const READ: usize = 16 * 1024;
/// zstd's own default, used if a client names a level that there is not.
const DEFAULT_LEVEL: i32 = 3;

/// How contents are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codec {
    /// zlib (CLIENT_COMPRESS).
    Zlib,
    /// zstd with a level from 1 to 22 (CLIENT_ZSTD_COMPRESSION_ALGORITHM).
    Zstd(u8),
}

/// A stream inside compressed packets. Answers, and a file that the server has asked for, go on with the numbers of the packet
/// that was read; each command of a client begins a packet of its own with the number 0.
#[derive(Debug)]
pub struct Compressed {
    inner: Stream,
    codec: Codec,
    /// In the client's role: where we are in what we send.
    commands: Option<Commands>,
    /// Number of the next packet that we send.
    sequence: u8,
    /// Bytes received; those before `unpacked` are done with.
    input: Vec<u8>,
    unpacked: usize,
    /// Contents of the last packet, of which `taken` were given away.
    plain: Vec<u8>,
    taken: usize,
    /// A packet on its way out, of which `sent` bytes have left.
    output: Vec<u8>,
    sent: usize,
}

impl Compressed {
    /// In the server's role.
    pub(super) fn new(inner: Stream, codec: Codec) -> Self {
        Self {
            inner,
            codec,
            commands: None,
            sequence: 0,
            input: Vec::new(),
            unpacked: 0,
            plain: Vec::new(),
            taken: 0,
            output: Vec::new(),
            sent: 0,
        }
    }

    /// In the client's role.
    pub(super) fn as_client(inner: Stream, codec: Codec) -> Self {
        Self { commands: Some(Commands::default()), ..Self::new(inner, codec) }
    }

    /// Whether anything that was received is still here.
    pub(super) fn has_received(&self) -> bool {
        self.taken < self.plain.len() || self.unpacked < self.input.len()
    }

    pub(super) fn inner(&self) -> &Stream {
        &self.inner
    }

    /// Whether a read would give something without asking the stream inside.
    pub(super) fn has_plain(&self) -> bool {
        self.taken < self.plain.len() || self.packet().is_some()
    }

    /// Lengths of the next whole packet in the input: of what follows its header, and before compression.
    fn packet(&self) -> Option<(usize, usize)> {
        let unread = self.input.get(self.unpacked..)?;
        let &[a, b, c, _, d, e, f] = unread.first_chunk::<HEADER>()?;
        let packed = u32::from_le_bytes([a, b, c, 0]) as usize;
        let plain = u32::from_le_bytes([d, e, f, 0]) as usize;
        (unread.len() >= HEADER + packed).then_some((packed, plain))
    }

    /// Unpacks the next packet of the input. `false`: it is not whole yet.
    fn unpack(&mut self) -> io::Result<bool> {
        let Some((packed, plain)) = self.packet() else {
            if self.unpacked > 0 {
                self.input.drain(..self.unpacked);
                self.unpacked = 0;
            }
            return Ok(false);
        };
        let number = self.input.get(self.unpacked + 3).copied().unwrap_or_default();
        let from = self.unpacked + HEADER;
        let content = self.input.get(from..from + packed).unwrap_or_default();
        self.plain.clear();
        self.taken = 0;
        if plain == 0 {
            self.plain.extend_from_slice(content);
        } else {
            expand(self.codec, content, plain, &mut self.plain)?;
        }
        self.sequence = number.wrapping_add(1);
        if let Some(commands) = &mut self.commands {
            commands.answered();
        }
        self.unpacked = from + packed;
        if self.unpacked == self.input.len() {
            self.input.clear();
            self.unpacked = 0;
        }
        Ok(true)
    }

    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.sent < self.output.len() {
            let rest = self.output.get(self.sent..).unwrap_or_default();
            match ready!(Pin::new(&mut self.inner).poll_write(cx, rest))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                count => self.sent += count,
            }
        }
        self.sent = 0;
        self.output.clear();
        if self.output.capacity() > READ {
            self.output = Vec::new();
        }
        Poll::Ready(Ok(()))
    }

    /// Gives memory back while nothing is under way.
    pub(super) fn rest(&mut self) {
        if self.taken == self.plain.len() {
            self.plain = Vec::new();
            self.taken = 0;
        }
        if self.input.is_empty() {
            self.input = Vec::new();
        }
        if let Some(commands) = self.commands.as_mut().filter(|commands| commands.held.is_empty()) {
            commands.held = Vec::new();
        }
    }
}

/// Appends what `content` amounts to, which must be `length` bytes.
fn expand(codec: Codec, content: &[u8], length: usize, plain: &mut Vec<u8>) -> io::Result<()> {
    let invalid = |text: String| io::Error::new(io::ErrorKind::InvalidData, text);
    // One byte more than announced is enough to know that it lies. The length fits in three bytes, which bounds memory.
    let limit = length as u64 + 1;
    match codec {
        Codec::Zlib => ZlibDecoder::new(content).take(limit).read_to_end(plain)?,
        Codec::Zstd(_) => {
            zstd::stream::read::Decoder::with_buffer(content)?.take(limit).read_to_end(plain)?
        }
    };
    if plain.len() == length {
        Ok(())
    } else {
        Err(invalid(format!("a compressed packet of {length} bytes has another length")))
    }
}

/// Appends `content` as one packet.
fn pack(codec: Codec, content: &[u8], number: u8, out: &mut Vec<u8>) -> io::Result<()> {
    let start = out.len();
    out.resize(start + HEADER, 0);
    let mut plain = 0;
    if content.len() >= WORTH_IT {
        match codec {
            Codec::Zlib => {
                ZlibEncoder::new(content, Compression::fast()).read_to_end(out)?;
            }
            Codec::Zstd(level) => {
                let level = if (1..=22).contains(&level) { i32::from(level) } else { DEFAULT_LEVEL };
                zstd::stream::copy_encode(content, &mut *out, level)?;
            }
        }
        plain = content.len();
    }
    if plain == 0 || out.len() - start - HEADER >= content.len() {
        out.truncate(start + HEADER);
        out.extend_from_slice(content);
        plain = 0;
    }
    let [a, b, c, ..] = (out.len() - start - HEADER).to_le_bytes();
    let [d, e, f, ..] = plain.to_le_bytes();
    if let Some(header) = out.get_mut(start..start + HEADER) {
        header.copy_from_slice(&[a, b, c, number, d, e, f]);
    }
    Ok(())
}

impl AsyncRead for Compressed {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let own = self.get_mut();
        loop {
            let rest = own.plain.get(own.taken..).unwrap_or_default();
            if !rest.is_empty() {
                let count = rest.len().min(buf.remaining());
                buf.put_slice(rest.get(..count).unwrap_or_default());
                own.taken += count;
                return Poll::Ready(Ok(()));
            }
            if own.unpack()? {
                continue;
            }
            let filled = own.input.len();
            own.input.resize(filled + READ, 0);
            let mut room = ReadBuf::new(own.input.get_mut(filled..).unwrap_or_default());
            let read = Pin::new(&mut own.inner).poll_read(cx, &mut room);
            let count = room.filled().len();
            own.input.truncate(filled + count);
            ready!(read)?;
            if count == 0 {
                let cut = filled > 0;
                return Poll::Ready(if cut { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) });
            }
        }
    }
}

impl AsyncWrite for Compressed {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let own = self.get_mut();
        // One packet at a time: the peer's pace is ours.
        ready!(own.poll_send(cx))?;
        let content = buf.get(..buf.len().min(CHUNK)).unwrap_or_default();
        if content.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let taken = match &mut own.commands {
            None => {
                pack(own.codec, content, own.sequence, &mut own.output)?;
                content.len()
            }
            Some(commands) => {
                let held = commands.held.len();
                commands.held.extend_from_slice(content);
                let (count, begins) = commands.next_packet();
                if count == 0 {
                    // Less than the head of a frame: it goes with what follows.
                    return Poll::Ready(Ok(content.len()));
                }
                own.sequence = if begins { 0 } else { own.sequence };
                pack(
                    own.codec,
                    commands.held.get(..count).unwrap_or_default(),
                    own.sequence,
                    &mut own.output,
                )?;
                commands.held.clear();
                count - held
            }
        };
        own.sequence = own.sequence.wrapping_add(1);
        match own.poll_send(cx) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            _ => Poll::Ready(Ok(taken)),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let own = self.get_mut();
        ready!(own.poll_send(cx))?;
        Pin::new(&mut own.inner).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let own = self.get_mut();
        ready!(own.poll_send(cx))?;
        Pin::new(&mut own.inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::super::stream::Raw;
    use super::*;

    fn pair(codec: Codec, room: usize) -> (Compressed, Compressed) {
        let (left, right) = tokio::io::duplex(room);
        let end = |stream| Compressed::new(Stream::Plain(Raw::Memory(stream)), codec);
        (end(left), end(right))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn what_goes_in_comes_out(
            pieces in proptest::collection::vec((0usize..70_000, any::<u8>()), 1..8),
            zlib in any::<bool>(),
            room in 1usize..5000,
        ) {
            let codec = if zlib { Codec::Zlib } else { Codec::Zstd(3) };
            let pieces: Vec<Vec<u8>> = pieces
                .into_iter()
                .map(|(length, seed)| (0..length).map(|at| (at / 7 * at % 251) as u8 ^ seed).collect())
                .collect();
            let expected = pieces.concat();
            let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
            let found = runtime.block_on(async {
                let (mut from, mut to) = pair(codec, room);
                let write = async {
                    for piece in &pieces {
                        from.write_all(piece).await.expect("writes");
                        from.flush().await.expect("flushes");
                    }
                    from.shutdown().await.expect("shuts down");
                };
                let mut found = Vec::new();
                let (_, read) = tokio::join!(write, to.read_to_end(&mut found));
                read.expect("reads");
                found
            });
            prop_assert!(found == expected);
        }

        #[test]
        fn garbage_ends_in_an_error_or_in_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..300), zlib in any::<bool>()) {
            let codec = if zlib { Codec::Zlib } else { Codec::Zstd(3) };
            let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
            runtime.block_on(async {
                let (mut raw, other) = tokio::io::duplex(4096);
                raw.write_all(&bytes).await.expect("writes");
                drop(raw);
                let mut end = Compressed::new(Stream::Plain(Raw::Memory(other)), codec);
                let mut found = Vec::new();
                let _ = end.read_to_end(&mut found).await;
            });
        }
    }

    #[test]
    fn a_packet_that_lies_about_its_length_is_refused() {
        for codec in [Codec::Zlib, Codec::Zstd(3)] {
            let mut packet = Vec::new();
            pack(codec, &[7; 1000], 5, &mut packet).expect("packs");
            assert_eq!(packet[3], 5);
            assert_eq!(&packet[4..7], &[0xe8, 3, 0]);
            for lie in [999, 1001] {
                let mut plain = Vec::new();
                assert!(expand(codec, &packet[HEADER..], lie, &mut plain).is_err());
                assert!(plain.len() <= 1000);
            }
        }
    }

    #[test]
    fn short_and_incompressible_contents_go_as_they_are() {
        let mut packet = Vec::new();
        pack(Codec::Zlib, b"SELECT 1", 0, &mut packet).expect("packs");
        assert_eq!(packet, [&[8, 0, 0, 0, 0, 0, 0][..], b"SELECT 1"].concat());
        let noise: Vec<u8> =
            (0..200_u64).map(|at| (at.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 33) as u8).collect();
        packet.clear();
        pack(Codec::Zlib, &noise, 1, &mut packet).expect("packs");
        assert_eq!((&packet[..7], &packet[7..]), (&[200, 0, 0, 1, 0, 0, 0][..], &noise[..]));
    }

    /// The numbers of the packets in `bytes`, with what is in them.
    fn packets(mut bytes: &[u8]) -> Vec<(u8, Vec<u8>)> {
        let mut found = Vec::new();
        while let Some((&[a, b, c, number, d, e, f], rest)) = bytes.split_first_chunk::<HEADER>() {
            let length = u32::from_le_bytes([a, b, c, 0]) as usize;
            let (packed, rest) = rest.split_at(length);
            let mut plain = Vec::new();
            match u32::from_le_bytes([d, e, f, 0]) as usize {
                0 => plain.extend_from_slice(packed),
                length => expand(Codec::Zlib, packed, length, &mut plain).expect("unpacks"),
            }
            found.push((number, plain));
            bytes = rest;
        }
        found
    }

    fn frame(sequence: u8, length: usize) -> Vec<u8> {
        let [a, b, c, ..] = length.to_le_bytes();
        [vec![a, b, c, sequence], vec![b'x'; length]].concat()
    }

    proptest! {
        /// Whatever pieces the commands are written in: each begins a packet with the number 0, and numbers go on in it.
        #[test]
        fn commands_begin_packets(
            commands in proptest::collection::vec(proptest::collection::vec(0usize..300_000, 1..3), 1..4),
            pieces in proptest::collection::vec(1usize..70_000, 1..20),
        ) {
            let frames = |command: &Vec<usize>| {
                (0_u8..).zip(command).flat_map(|(number, length)| frame(number, *length)).collect::<Vec<u8>>()
            };
            let commands: Vec<Vec<u8>> = commands.iter().map(frames).collect();
            let whole = commands.concat();
            let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
            let sent = runtime.block_on(async {
                let (raw, mut other) = tokio::io::duplex(1 << 16);
                let mut end = Compressed::as_client(Stream::Plain(Raw::Memory(raw)), Codec::Zlib);
                let write = async {
                    let mut rest = &whole[..];
                    for piece in pieces.iter().cycle() {
                        let (now, later) = rest.split_at((*piece).min(rest.len()));
                        end.write_all(now).await.expect("writes");
                        rest = later;
                        if rest.is_empty() {
                            break;
                        }
                    }
                    end.shutdown().await.expect("shuts down");
                };
                let mut sent = Vec::new();
                let (_, read) = tokio::join!(write, other.read_to_end(&mut sent));
                read.expect("reads");
                sent
            });
            let mut found: Vec<Vec<u8>> = Vec::new();
            let mut due = 0;
            for (number, content) in packets(&sent) {
                if number == 0 && found.last().is_none_or(|last| commands.get(found.len() - 1) == Some(last)) {
                    found.push(Vec::new());
                    due = 0;
                }
                prop_assert_eq!(number, due);
                due = due.wrapping_add(1);
                found.last_mut().expect("begun").extend_from_slice(&content);
            }
            prop_assert!(found == commands);
        }
    }

    #[tokio::test]
    async fn a_file_goes_on_with_the_numbers_of_the_servers_request_beyond_255() {
        let (raw, mut other) = tokio::io::duplex(1 << 20);
        let mut end = Compressed::as_client(Stream::Plain(Raw::Memory(raw)), Codec::Zlib);
        end.write_all(&frame(0, 10)).await.expect("writes");
        other.write_all(&[5, 0, 0, 1, 0, 0, 0, 1, 0, 0, 1, 0xfb]).await.expect("writes");
        let mut request = [0; 5];
        end.read_exact(&mut request).await.expect("reads");
        for number in 2..300_u32 {
            end.write_all(&frame((number & 0xff) as u8, 5)).await.expect("writes");
        }
        drop(end);
        let mut sent = Vec::new();
        other.read_to_end(&mut sent).await.expect("reads");
        let numbers: Vec<u8> = packets(&sent).iter().map(|(number, _)| *number).collect();
        let wanted: Vec<u8> = std::iter::once(0).chain((2..300_u32).map(|n| (n & 0xff) as u8)).collect();
        assert_eq!(numbers, wanted);
    }

    #[tokio::test]
    async fn an_answer_goes_on_with_the_numbers_of_the_command() {
        let (raw, other) = tokio::io::duplex(4096);
        let mut end = Compressed::new(Stream::Plain(Raw::Memory(other)), Codec::Zlib);
        let mut raw = raw;
        raw.write_all(&[1, 0, 0, 3, 0, 0, 0, b'x']).await.expect("writes");
        let mut byte = [0; 1];
        end.read_exact(&mut byte).await.expect("reads");
        end.write_all(b"y").await.expect("writes");
        end.write_all(b"z").await.expect("writes");
        let mut answer = [0; 16];
        raw.read_exact(&mut answer).await.expect("reads");
        assert_eq!(answer, [1, 0, 0, 4, 0, 0, 0, b'y', 1, 0, 0, 5, 0, 0, 0, b'z']);
    }
}
