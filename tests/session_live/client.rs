//! The little of the protocol that it takes to see what session trackers say: an account without a password, text
//! queries, OK packets with their session items.

use std::io::{Read, Write};
use std::net::TcpStream;

/// One session item of an OK packet.
#[derive(Debug, Clone)]
pub(crate) enum Item {
    Variable(Vec<u8>, Vec<u8>),
    Schema(Vec<u8>),
    State,
    Characteristics(Vec<u8>),
}

/// The end of an answer.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    pub(crate) error: Option<(u16, String)>,
    pub(crate) status: u16,
    pub(crate) warnings: u16,
    pub(crate) affected_rows: u64,
    pub(crate) last_insert_id: u64,
    pub(crate) items: Vec<Item>,
    pub(crate) rows: Vec<Vec<Option<String>>>,
    pub(crate) result_set: bool,
}

pub(crate) struct Client {
    stream: TcpStream,
    sequence: u8,
}

impl Client {
    pub(crate) fn connect(port: u16) -> Self {
        let mut client = Self { stream: TcpStream::connect(("127.0.0.1", port)).unwrap(), sequence: 0 };
        client.packet();
        // LONG_PASSWORD, LONG_FLAG, PROTOCOL_41, TRANSACTIONS, SECURE_CONNECTION, MULTI_STATEMENTS, MULTI_RESULTS,
        // PS_MULTI_RESULTS, PLUGIN_AUTH, SESSION_TRACK, DEPRECATE_EOF.
        let capabilities: u32 =
            0x1 | 0x4 | 0x200 | 0x2000 | 0x8000 | 0x7_0000 | 0x8_0000 | 0x80_0000 | 0x100_0000;
        let mut login = capabilities.to_le_bytes().to_vec();
        login.extend_from_slice(&(1_u32 << 24).to_le_bytes());
        login.push(45);
        login.extend_from_slice(&[0; 23]);
        login.extend_from_slice(b"root\0\0mysql_native_password\0");
        client.send(1, &login);
        loop {
            let packet = client.packet();
            match packet[0] {
                0 => return client,
                0xff => panic!("login refused: {}", String::from_utf8_lossy(&packet)),
                0xfe => client.send(client.sequence + 1, b""),
                _ => {}
            }
        }
    }

    /// Runs a query; of several results, the rows of all and the end of the last.
    pub(crate) fn query(&mut self, text: &str) -> Answer {
        self.send(0, &[b"\x03", text.as_bytes()].concat());
        let (mut rows, mut items, mut result_set) = (Vec::new(), Vec::new(), false);
        loop {
            let mut packet = self.packet();
            if packet[0] != 0 && packet[0] != 0xff {
                result_set = true;
                for _ in 0..packet[0] {
                    self.packet();
                }
                loop {
                    packet = self.packet();
                    if matches!(packet[0], 0xfe | 0xff) {
                        break;
                    }
                    rows.push(row(&packet));
                }
            }
            let mut answer = if packet[0] == 0xff { error(&packet) } else { ok(&packet) };
            items.append(&mut answer.items);
            if answer.error.is_some() || answer.status & 8 == 0 {
                return Answer { rows, items, result_set, ..answer };
            }
        }
    }

    /// The same, which must succeed.
    pub(crate) fn run(&mut self, text: &str) -> Vec<Vec<Option<String>>> {
        let answer = self.query(text);
        assert!(answer.error.is_none(), "{text}: {:?}", answer.error);
        answer.rows
    }

    fn send(&mut self, sequence: u8, payload: &[u8]) {
        let mut bytes = u32::try_from(payload.len()).unwrap().to_le_bytes().to_vec();
        bytes[3] = sequence;
        bytes.extend_from_slice(payload);
        self.stream.write_all(&bytes).unwrap();
    }

    fn packet(&mut self) -> Vec<u8> {
        let mut head = [0; 4];
        self.stream.read_exact(&mut head).unwrap();
        self.sequence = head[3];
        head[3] = 0;
        let mut payload = vec![0; u32::from_le_bytes(head) as usize];
        self.stream.read_exact(&mut payload).unwrap();
        payload
    }
}

fn error(packet: &[u8]) -> Answer {
    let code = u16::from_le_bytes([packet[1], packet[2]]);
    Answer { error: Some((code, String::from_utf8_lossy(&packet[3..]).into_owned())), ..Answer::default() }
}

fn ok(packet: &[u8]) -> Answer {
    let mut rest = &packet[1..];
    let (affected_rows, last_insert_id) = (number(&mut rest), number(&mut rest));
    let status = u16::from_le_bytes([rest[0], rest[1]]);
    let warnings = u16::from_le_bytes([rest[2], rest[3]]);
    rest = &rest[4..];
    let mut items = Vec::new();
    if !rest.is_empty() {
        text(&mut rest);
        if status & 0x4000 != 0 {
            let mut all = text(&mut rest);
            while !all.is_empty() {
                let kind = all[0];
                all = &all[1..];
                item(kind, text(&mut all), &mut items);
            }
        }
    }
    Answer { status, warnings, affected_rows, last_insert_id, items, ..Answer::default() }
}

fn item(kind: u8, mut data: &[u8], items: &mut Vec<Item>) {
    match kind {
        0 => {
            while !data.is_empty() {
                let name = text(&mut data).to_vec();
                items.push(Item::Variable(name, text(&mut data).to_vec()));
            }
        }
        1 => items.push(Item::Schema(text(&mut data).to_vec())),
        2 => items.push(Item::State),
        4 => items.push(Item::Characteristics(text(&mut data).to_vec())),
        _ => {}
    }
}

fn row(mut packet: &[u8]) -> Vec<Option<String>> {
    let mut values = Vec::new();
    while !packet.is_empty() {
        if packet[0] == 0xfb {
            packet = &packet[1..];
            values.push(None);
        } else {
            values.push(Some(String::from_utf8_lossy(text(&mut packet)).into_owned()));
        }
    }
    values
}

fn number(rest: &mut &[u8]) -> u64 {
    let len = match rest[0] {
        0xfc => 2,
        0xfd => 3,
        0xfe => 8,
        small => {
            *rest = &rest[1..];
            return u64::from(small);
        }
    };
    let mut bytes = [0; 8];
    bytes[..len].copy_from_slice(&rest[1..=len]);
    *rest = &rest[len + 1..];
    u64::from_le_bytes(bytes)
}

fn text<'a>(rest: &mut &'a [u8]) -> &'a [u8] {
    let len = usize::try_from(number(rest)).unwrap();
    let (head, tail) = rest.split_at(len);
    *rest = tail;
    head
}
