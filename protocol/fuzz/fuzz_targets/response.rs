//! Any bytes, whole and in pieces, give the same controls and end at the same place.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tideover_protocol::capability::Capabilities;
use tideover_protocol::packet::{EofPacket, ErrPacket, OkPacket, PrepareOk};
use tideover_protocol::response::{Control, Next, ResponseScanner, ResponseShape};

const SHAPES: [ResponseShape; 10] = [
    ResponseShape::ResultSets { cursor: false },
    ResponseShape::ResultSets { cursor: true },
    ResponseShape::Prepare,
    ResponseShape::Simple,
    ResponseShape::FieldList,
    ResponseShape::Fetch,
    ResponseShape::Statistics,
    ResponseShape::BinlogStream,
    ResponseShape::ChangeUser,
    ResponseShape::None,
];

fn caps(byte: u8) -> Capabilities {
    let mut caps = Capabilities::PROTOCOL_41;
    caps.set(Capabilities::DEPRECATE_EOF, byte & 1 != 0);
    caps.set(Capabilities::SESSION_TRACK, byte & 2 != 0);
    caps.set(Capabilities::OPTIONAL_RESULTSET_METADATA, byte & 4 != 0);
    caps.set(Capabilities::PROGRESS, byte & 8 != 0);
    caps
}

/// What was passed over, then the controls, and whether it ended in a violation.
type Outcome = (usize, Vec<(Control, Vec<u8>)>, bool);

fn run(shape: ResponseShape, caps: Capabilities, stream: &[u8], step: usize) -> Outcome {
    let mut scanner = ResponseScanner::new(shape, caps, 1);
    let mut controls = Vec::new();
    let (mut taken, mut have, mut opaque) = (0, 0, 0);
    while have < stream.len() {
        have = (have + step).min(stream.len());
        loop {
            let bytes = &stream[taken..have];
            let Ok(scan) = scanner.scan(bytes) else { return (0, controls, true) };
            assert!(scan.opaque <= bytes.len());
            taken += scan.opaque;
            opaque += scan.opaque;
            let Next::Control { len, control } = scan.next else { break };
            let frame = bytes[scan.opaque..scan.opaque + len].to_vec();
            decode(control, &frame[4..], caps);
            taken += len;
            controls.push((control, frame));
            if control.is_last() {
                assert!(scanner.is_done());
                return (opaque, controls, false);
            }
            if control == Control::LocalInfile {
                scanner.resume_after_infile(scanner.next_sequence().wrapping_add(2));
            }
        }
    }
    (opaque, controls, false)
}

fn decode(control: Control, payload: &[u8], caps: Capabilities) {
    match control {
        Control::Ok { .. } => drop(OkPacket::decode(payload, caps)),
        Control::Eof { .. } => drop(EofPacket::decode(payload, caps)),
        Control::Err => drop(ErrPacket::decode(payload, caps)),
        Control::PrepareOk { .. } => drop(PrepareOk::decode(payload, caps)),
        _ => {}
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((&[shape, flags, step], stream)) = data.split_first_chunk() else { return };
    let shape = SHAPES[usize::from(shape) % SHAPES.len()];
    let whole = run(shape, caps(flags), stream, stream.len().max(1));
    assert_eq!(run(shape, caps(flags), stream, usize::from(step).max(1)), whole);
});
