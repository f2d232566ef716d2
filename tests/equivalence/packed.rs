//! Packets in compressed packets (zlib), written by the client's side of the protocol's description.

use std::io::Read;

use flate2::Compression;
use flate2::read::{ZlibDecoder, ZlibEncoder};

use crate::support::TestResult;

/// Length of what is inside (3), number (1), length of it unpacked (3; 0: it is not compressed).
const HEADER: usize = 7;

/// What was received of the next one, and the number of the next one to be sent within a command.
#[derive(Debug, Default)]
pub(crate) struct Packed {
    input: Vec<u8>,
    next: u8,
    /// Of the packets inside: bytes of the present one that are still to come, its header if that is not whole, and the number
    /// of the next one.
    rest: usize,
    head: Vec<u8>,
    inside: u8,
}

impl Packed {
    /// One packet with these bytes inside. `first`: the number of the first packet in them; 0 begins a command.
    pub(crate) fn pack(&mut self, bytes: &[u8], first: u8) -> TestResult<Vec<u8>> {
        let number = if first == 0 { 0 } else { self.next };
        self.next = number.wrapping_add(1);
        let packets = bytes.len().div_ceil(0x00ff_ffff + 4) as u8;
        self.inside = first.wrapping_add(packets);
        let mut inside = Vec::new();
        // Every other one as it is: both ways are the protocol's.
        let compressed = bytes.len().is_multiple_of(2);
        if compressed {
            ZlibEncoder::new(bytes, Compression::fast()).read_to_end(&mut inside)?;
        } else {
            inside.extend_from_slice(bytes);
        }
        let [a, b, c, ..] = inside.len().to_le_bytes();
        let [d, e, f, ..] = if compressed { bytes.len() } else { 0 }.to_le_bytes();
        Ok([&[a, b, c, number, d, e, f], inside.as_slice()].concat())
    }

    /// Takes in what was received, and appends what whole packets held.
    pub(crate) fn unpack(&mut self, received: &[u8], out: &mut Vec<u8>) -> TestResult {
        self.input.extend_from_slice(received);
        while let Some(&[a, b, c, number, d, e, f]) = self.input.first_chunk::<HEADER>() {
            let length = |a, b, c| u32::from_le_bytes([a, b, c, 0]) as usize;
            let (inside, plain) = (length(a, b, c), length(d, e, f));
            if self.input.len() < HEADER + inside {
                break;
            }
            let packet: Vec<u8> = self.input.drain(..HEADER + inside).collect();
            let mut content = packet[HEADER..].to_vec();
            if plain > 0 {
                content.clear();
                ZlibDecoder::new(&packet[HEADER..]).read_to_end(&mut content)?;
                if content.len() != plain {
                    return Err(format!("{} bytes in a packet of {plain}", content.len()).into());
                }
            }
            self.renumber(&content, out);
            self.next = number.wrapping_add(1);
        }
        Ok(())
    }

    /// The numbers of the packets inside mean nothing: the servers take them from those outside whenever they send one.
    fn renumber(&mut self, mut content: &[u8], out: &mut Vec<u8>) {
        while !content.is_empty() {
            if self.rest > 0 {
                let (now, later) = content.split_at(self.rest.min(content.len()));
                out.extend_from_slice(now);
                (self.rest, content) = (self.rest - now.len(), later);
                continue;
            }
            let (now, later) = content.split_at((4 - self.head.len()).min(content.len()));
            self.head.extend_from_slice(now);
            content = later;
            if let &[a, b, c, _] = self.head.as_slice() {
                self.rest = u32::from_le_bytes([a, b, c, 0]) as usize;
                out.extend_from_slice(&[a, b, c, self.inside]);
                self.inside = self.inside.wrapping_add(1);
                self.head.clear();
            }
        }
    }
}
