//! Helpers for tests that scan answers.
#![allow(dead_code, clippy::unwrap_used, reason = "shared by several test programs, which may fail loudly")]

pub(crate) mod capture;

use bytes::BytesMut;
use tideover_protocol::capability::Capabilities;
use tideover_protocol::frame::write_frames;
use tideover_protocol::response::{Control, Next, ResponseScanner, ResponseShape, Violation};

/// What a scan of a whole answer amounts to, whatever pieces it came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Event {
    /// So many bytes of rows and metadata.
    Opaque(usize),
    /// A control frame, with its bytes.
    Control(Control, Vec<u8>),
    /// The server broke the protocol.
    Violation(Violation),
}

/// Scans `bytes` as they arrive in pieces that end at `cuts` (ascending), as a relay would: what is not consumed is kept.
/// Returns the events and the bytes left over. The number that goes on after the client's part of a LOCAL INFILE is
/// `after_client`.
pub(crate) fn scan_in_pieces(
    scanner: &mut ResponseScanner,
    bytes: &[u8],
    cuts: &[usize],
    after_client: u8,
) -> (Vec<Event>, Vec<u8>) {
    scan_arriving(scanner, bytes, cuts, (after_client, false))
}

/// The same with numbers that mean nothing.
pub(crate) fn scan_renumbered(scanner: &mut ResponseScanner, bytes: &[u8], cuts: &[usize]) -> Vec<Event> {
    scan_arriving(scanner, bytes, cuts, (0, true)).0
}

fn scan_arriving(
    scanner: &mut ResponseScanner,
    bytes: &[u8],
    cuts: &[usize],
    how: (u8, bool),
) -> (Vec<Event>, Vec<u8>) {
    let mut events = Vec::new();
    let mut kept = Vec::new();
    let mut at = 0;
    for &cut in cuts.iter().chain([&bytes.len()]) {
        kept.extend_from_slice(&bytes[at..cut]);
        at = cut;
        if !scan_all(scanner, &mut kept, &mut events, how) {
            kept.extend_from_slice(&bytes[at..]);
            break;
        }
    }
    (events, kept)
}

/// Scans until more is needed (true) or the answer is over (false).
fn scan_all(
    scanner: &mut ResponseScanner,
    kept: &mut Vec<u8>,
    events: &mut Vec<Event>,
    (after_client, renumber): (u8, bool),
) -> bool {
    loop {
        if renumber {
            scanner.renumber(kept);
        }
        let scan = match scanner.scan(kept) {
            Ok(scan) => scan,
            Err(violation) => {
                events.push(Event::Violation(violation));
                return false;
            }
        };
        match events.last_mut() {
            Some(Event::Opaque(count)) => *count += scan.opaque,
            _ if scan.opaque > 0 => events.push(Event::Opaque(scan.opaque)),
            _ => {}
        }
        kept.drain(..scan.opaque);
        let Next::Control { len, control } = scan.next else { return true };
        events.push(Event::Control(control, kept.drain(..len).collect()));
        if control.is_last() {
            return false;
        }
        if control == Control::LocalInfile {
            scanner.resume_after_infile(after_client);
        }
    }
}

/// Scans an answer in one piece. All of it must be consumed.
pub(crate) fn scan_whole(shape: ResponseShape, caps: Capabilities, bytes: &[u8]) -> Vec<Event> {
    let mut scanner = ResponseScanner::new(shape, caps, 1);
    let (events, rest) = scan_in_pieces(&mut scanner, bytes, &[], 4);
    assert!(
        rest.is_empty() || matches!(events.last(), Some(Event::Violation(_))),
        "{} bytes left",
        rest.len()
    );
    events
}

/// The controls among events.
pub(crate) fn controls(events: &[Event]) -> Vec<Control> {
    let control = |event: &Event| match event {
        Event::Control(control, _) => Some(*control),
        _ => None,
    };
    events.iter().filter_map(control).collect()
}

/// Scans with every place to cut once, and byte by byte: always the same as in one piece.
pub(crate) fn assert_any_split_agrees(
    shape: ResponseShape,
    caps: Capabilities,
    bytes: &[u8],
    after_client: u8,
) -> Vec<Event> {
    let scan = |cuts: &[usize]| {
        let mut scanner = ResponseScanner::new(shape, caps, 1);
        scan_in_pieces(&mut scanner, bytes, cuts, after_client)
    };
    let whole = scan(&[]);
    for cut in 0..bytes.len() {
        assert_eq!(scan(&[cut]), whole, "cut at {cut}");
    }
    assert_eq!(scan(&(1..bytes.len()).collect::<Vec<_>>()), whole, "byte by byte");
    whole.0
}

/// Payloads as frames, numbered from `sequence`.
pub(crate) fn frames<P: AsRef<[u8]>>(payloads: &[P], sequence: u8) -> BytesMut {
    let mut out = BytesMut::new();
    let mut sequence = sequence;
    for payload in payloads {
        sequence = write_frames(&mut out, payload.as_ref(), sequence);
    }
    out
}
