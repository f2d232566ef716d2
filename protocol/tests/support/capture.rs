//! Reads captures; their form is described in `tests/captures/README.md`.
#![allow(dead_code, clippy::unwrap_used, reason = "shared by several test programs, which may fail loudly")]

use std::path::{Path, PathBuf};

use bytes::BytesMut;
use tideover_protocol::capability::Capabilities;
use tideover_protocol::frame::{Deframer, Packet};

pub(crate) struct Capture {
    pub(crate) name: String,
    pub(crate) server: String,
    pub(crate) caps: Capabilities,
    pub(crate) exchanges: Vec<Exchange>,
}

pub(crate) struct Exchange {
    pub(crate) title: String,
    /// Who (true: the client) said what.
    pub(crate) said: Vec<(bool, Vec<u8>)>,
}

impl Exchange {
    pub(crate) fn all(&self, client: bool) -> Vec<u8> {
        self.said.iter().filter(|(who, _)| *who == client).flat_map(|(_, bytes)| bytes.clone()).collect()
    }
}

pub(crate) fn captures(filter: impl Fn(&str) -> bool) -> Vec<Capture> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/captures");
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "capture"));
    files.retain(|file| filter(file.file_name().unwrap().to_str().unwrap()));
    files.sort();
    assert!(!files.is_empty());
    files.iter().map(|file| read(file)).collect()
}

pub(crate) fn read(file: &Path) -> Capture {
    let mut capture = Capture {
        name: file.file_name().unwrap().to_str().unwrap().to_owned(),
        server: String::new(),
        caps: Capabilities::empty(),
        exchanges: Vec::new(),
    };
    for line in std::fs::read_to_string(file).unwrap().lines() {
        let (key, value) = line.split_once(' ').unwrap();
        match key {
            "server" => capture.server = value.to_owned(),
            "capabilities" => {
                let bits = u64::from_str_radix(value.trim_start_matches("0x"), 16).unwrap();
                capture.caps = Capabilities::from_bits_retain(bits);
            }
            "==" => capture.exchanges.push(Exchange { title: value.to_owned(), said: Vec::new() }),
            side => capture.exchanges.last_mut().unwrap().said.push((side == "C", from_hex(value))),
        }
    }
    capture
}

pub(crate) fn from_hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

pub(crate) fn packets(bytes: &[u8], first: u8) -> Vec<Packet> {
    let mut deframer = Deframer::new(1 << 24);
    deframer.expect(first);
    let mut buf = BytesMut::from(bytes);
    std::iter::from_fn(|| deframer.next(&mut buf).unwrap()).collect()
}
