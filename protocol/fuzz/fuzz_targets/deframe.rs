//! Any bytes, whole and in pieces, give the same packets or the same error.
#![no_main]

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use tideover_protocol::frame::{Deframer, FrameError, Packet};

const LIMIT: usize = 1000;

fn run(pieces: &[&[u8]]) -> (Vec<Packet>, Option<FrameError>) {
    let mut deframer = Deframer::new(LIMIT);
    let mut packets = Vec::new();
    let mut buf = BytesMut::new();
    for piece in pieces {
        buf.extend_from_slice(piece);
        loop {
            match deframer.next(&mut buf) {
                Ok(Some(packet)) => packets.push(packet),
                Ok(None) => break,
                Err(error) => return (packets, Some(error)),
            }
        }
    }
    (packets, None)
}

fuzz_target!(|data: &[u8]| {
    let Some((&step, stream)) = data.split_first() else { return };
    let pieces: Vec<&[u8]> = stream.chunks(usize::from(step).max(1)).collect();
    assert_eq!(run(&pieces), run(&[stream]));
});
