//! Writes seed inputs for the fuzz targets, made from the captures and from scripts of statements:
//! `fuzz_seeds CAPTURES_DIR CORPUS_DIR [SCRIPTS_DIR]`.

use std::error::Error;
use std::path::{Path, PathBuf};

use tideover_protocol::capability::Capabilities;
use tideover_protocol::command::CommandKind;
use tideover_protocol::response::ResponseShape;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    let mut args = std::env::args_os().skip(1).map(PathBuf::from);
    let (Some(captures), Some(corpus)) = (args.next(), args.next()) else {
        return Err("usage: fuzz_seeds CAPTURES_DIR CORPUS_DIR [SCRIPTS_DIR]".into());
    };
    if let Some(scripts) = args.next() {
        for entry in std::fs::read_dir(scripts)? {
            seeds_of_scripts(&std::fs::read_to_string(entry?.path())?, &corpus)?;
        }
    }
    for entry in std::fs::read_dir(captures)? {
        let file = entry?.path();
        if file.extension().is_some_and(|extension| extension == "capture") {
            seeds_of(&file, &corpus)?;
        }
    }
    Ok(())
}

/// The seeds of one capture. Inputs that several captures share have one name, so they are written once.
fn seeds_of(file: &Path, corpus: &Path) -> Result<()> {
    let mut caps = Capabilities::empty();
    let mut exchange: Vec<(bool, Vec<u8>)> = Vec::new();
    for line in std::fs::read_to_string(file)?.lines().chain(["== end"]) {
        match line.split_once(' ') {
            Some(("capabilities", bits)) => {
                caps =
                    Capabilities::from_bits_retain(u64::from_str_radix(bits.trim_start_matches("0x"), 16)?);
            }
            Some(("==", _)) => seeds_of_exchange(&std::mem::take(&mut exchange), caps, corpus)?,
            Some((side @ ("C" | "S"), hex)) => exchange.push((side == "C", from_hex(hex)?)),
            _ => {}
        }
    }
    Ok(())
}

/// Scripts that begin with `## `, a statement a line: each statement alone, and each script as a session, once as it is and
/// once with values read and a variable reported. What begins with a sign is not a statement.
fn seeds_of_scripts(text: &str, corpus: &Path) -> Result<()> {
    for script in text.split("## ").skip(1) {
        let lines = script.lines().skip(1);
        let statements: Vec<&str> =
            lines.filter(|line| line.starts_with(|c: char| c.is_ascii_alphabetic())).collect();
        for statement in &statements {
            seed(corpus, "lexer", &[0x84], statement.as_bytes())?;
        }
        for (flags, value) in [(0, ""), (0x81, "ANSI_QUOTES,it's\\")] {
            let steps = statements.iter().filter(|text| text.len() < 256).flat_map(|text| {
                [&[flags, text.len() as u8], text.as_bytes(), &[0, value.len() as u8], value.as_bytes()]
                    .concat()
            });
            seed(corpus, "session", &[1], &steps.collect::<Vec<u8>>())?;
        }
    }
    Ok(())
}

fn seeds_of_exchange(exchange: &[(bool, Vec<u8>)], caps: Capabilities, corpus: &Path) -> Result<()> {
    let Some((first_is_client, first)) = exchange.first() else { return Ok(()) };
    let payload = first.get(4..).unwrap_or_default();
    if !first_is_client {
        // A login: what the server said, what the client said.
        let said = |client: bool| {
            exchange
                .iter()
                .filter(move |(who, _)| *who == client)
                .flat_map(|(_, bytes)| payloads(bytes))
                .collect()
        };
        seed(corpus, "connector", &[2], &packets(said(false))?)?;
        seed(corpus, "acceptor", &[0], &packets(said(true))?)?;
        return seed(corpus, "packets", &[1], payload);
    }
    if CommandKind::shape_of(payload) == ResponseShape::BinlogStream {
        let answer: Vec<u8> =
            exchange.iter().filter(|(who, _)| !who).flat_map(|(_, bytes)| bytes.clone()).collect();
        return seed_of_binlog(&payloads(&answer), corpus);
    }
    seed(corpus, "deframe", &[3], first)?;
    let attributes = u8::from(caps.contains(Capabilities::QUERY_ATTRIBUTES));
    seed(corpus, "execute", &[u8::from(payload.contains(&b'?')), attributes], payload)?;
    seed(corpus, "execute", &[1, attributes], payload)?;
    let answer: Vec<u8> =
        exchange.iter().filter(|(who, _)| !who).flat_map(|(_, bytes)| bytes.clone()).collect();
    let shape = match CommandKind::shape_of(payload) {
        ResponseShape::ResultSets { cursor } => u8::from(cursor),
        ResponseShape::Prepare => 2,
        ResponseShape::FieldList => 4,
        ResponseShape::Fetch => 5,
        ResponseShape::Statistics => 6,
        ResponseShape::BinlogStream => 7,
        _ => 3,
    };
    let flag = |flag, bit| if caps.contains(flag) { bit } else { 0_u8 };
    let flags = flag(Capabilities::DEPRECATE_EOF, 1)
        | flag(Capabilities::SESSION_TRACK, 2)
        | flag(Capabilities::OPTIONAL_RESULTSET_METADATA, 4)
        | flag(Capabilities::PROGRESS, 8);
    seed(corpus, "response", &[shape, flags, 5], &answer)?;
    for packet in payloads(&answer) {
        seed(corpus, "packets", &[flag(Capabilities::SESSION_TRACK, 1)], &packet)?;
    }
    Ok(())
}

/// The events of a dump without checksums, so that the fuzzer can change them: all of them, and the small ones in
/// pieces of a few transactions behind the format description.
fn seed_of_binlog(packets: &[Vec<u8>], corpus: &Path) -> Result<()> {
    let mut head = Vec::new();
    let mut piece = Vec::new();
    let mut has_checksums = true;
    for packet in packets {
        let Some((0x00, event)) = packet.split_first() else { continue };
        let mut event = event.to_vec();
        let is_description = event.get(4) == Some(&0x0f);
        let checksum_at = event.len().saturating_sub(4);
        if is_description {
            let algorithm = event.get_mut(checksum_at - 1).ok_or("a short format description")?;
            has_checksums = std::mem::replace(algorithm, 0) == 1;
        } else if head.is_empty() {
            // What comes before the description is of no use.
            continue;
        } else if has_checksums {
            event.truncate(checksum_at);
            let length = u32::try_from(event.len())?;
            event.get_mut(9..13).ok_or("a short event")?.copy_from_slice(&length.to_le_bytes());
        }
        let length = u16::try_from(event.len())?;
        let framed = [&length.to_le_bytes()[..], &event].concat();
        if is_description {
            head = framed;
        } else if piece.len() + framed.len() > 1500 {
            seed(corpus, "binlog", &head, &piece)?;
            piece = framed;
        } else {
            piece.extend_from_slice(&framed);
        }
    }
    seed(corpus, "binlog", &head, &piece)
}

/// The payloads of frames of less than 16 MiB.
fn payloads(mut bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut payloads = Vec::new();
    while let Some((&[low, high, _, _], rest)) = bytes.split_first_chunk() {
        let (payload, rest) = rest.split_at((usize::from(low) | usize::from(high) << 8).min(rest.len()));
        payloads.push(payload.to_vec());
        bytes = rest;
    }
    payloads
}

/// As the targets take them: a length byte in front of each.
fn packets(payloads: Vec<Vec<u8>>) -> Result<Vec<u8>> {
    let mut input = Vec::new();
    for payload in payloads {
        input.push(u8::try_from(payload.len())?);
        input.extend_from_slice(&payload);
    }
    Ok(input)
}

fn seed(corpus: &Path, target: &str, head: &[u8], body: &[u8]) -> Result<()> {
    let folder = corpus.join(target);
    std::fs::create_dir_all(&folder)?;
    let input = [head, body].concat();
    // FNV-1a: a name for the content.
    let name = input.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
    });
    Ok(std::fs::write(folder.join(format!("seed-{name:016x}")), input)?)
}

fn from_hex(text: &str) -> Result<Vec<u8>> {
    let digit = |at: usize| text.get(at..at + 2).ok_or("an odd number of digits");
    (0..text.len()).step_by(2).map(|at| Ok(u8::from_str_radix(digit(at)?, 16)?)).collect()
}
