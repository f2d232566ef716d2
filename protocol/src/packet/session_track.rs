use bytes::{BufMut, BytesMut};

use crate::wire::{DecodeError, Reader, put_lenenc_bytes, put_lenenc_int};

/// One session-track item of an OK packet: what the statement changed in the session, as the server sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SessionTrack {
    /// A system variable has a new value. MariaDB reports `last_gtid` this way at each commit.
    SystemVariable {
        /// Its name.
        name: Vec<u8>,
        /// Its value in the server's own spelling.
        value: Vec<u8>,
    },
    /// The default database.
    Schema(Vec<u8>),
    /// Some state changed (true), not said which.
    StateChange(bool),
    /// MySQL: GTIDs of what was committed, as text.
    Gtids(Vec<u8>),
    /// Statements that would start the same transaction anew, `START TRANSACTION READ ONLY;` for example.
    TransactionCharacteristics(Vec<u8>),
    /// Eight letters: `T_______` in a transaction, `________` in none.
    TransactionState(Vec<u8>),
    /// An item of a kind unknown here, or not in the form that its kind should have.
    Other {
        /// Type byte.
        kind: u8,
        /// Its data, without the length.
        data: Vec<u8>,
    },
}

impl SessionTrack {
    /// Decodes the block of items (without its own length), appending to `items`.
    pub fn decode_all(block: &[u8], items: &mut Vec<Self>) -> Result<(), DecodeError> {
        let mut reader = Reader::new(block);
        while !reader.is_empty() {
            let kind = reader.u8()?;
            let data = reader.lenenc_bytes()?;
            let known = items.len();
            if Self::decode_one(kind, data, items).is_err() {
                items.truncate(known);
                items.push(Self::Other { kind, data: data.to_vec() });
            }
        }
        Ok(())
    }

    fn decode_one(kind: u8, data: &[u8], items: &mut Vec<Self>) -> Result<(), DecodeError> {
        let mut reader = Reader::new(data);
        match kind {
            0 => loop {
                let name = reader.lenenc_bytes()?.to_vec();
                let value = reader.lenenc_bytes()?.to_vec();
                items.push(Self::SystemVariable { name, value });
                if reader.is_empty() {
                    break;
                }
            },
            1 => items.push(Self::Schema(reader.lenenc_bytes()?.to_vec())),
            2 => items.push(match reader.take_rest() {
                b"1" => Self::StateChange(true),
                b"0" => Self::StateChange(false),
                _ => return Err(DecodeError::Invalid("neither 0 nor 1")),
            }),
            3 => {
                if reader.u8()? != 0 {
                    return Err(DecodeError::Invalid("an unknown encoding of GTIDs"));
                }
                items.push(Self::Gtids(reader.lenenc_bytes()?.to_vec()));
            }
            4 => items.push(Self::TransactionCharacteristics(reader.lenenc_bytes()?.to_vec())),
            5 => items.push(Self::TransactionState(reader.lenenc_bytes()?.to_vec())),
            _ => return Err(DecodeError::Invalid("an unknown kind")),
        }
        if reader.is_empty() { Ok(()) } else { Err(DecodeError::Invalid("bytes after an item")) }
    }

    /// Appends the items as a block with its length in front.
    pub fn encode_all(items: &[Self], out: &mut BytesMut) {
        let mut block = BytesMut::new();
        for item in items {
            item.encode(&mut block);
        }
        put_lenenc_bytes(out, &block);
    }

    fn encode(&self, out: &mut BytesMut) {
        let mut data = BytesMut::new();
        let kind = match self {
            Self::SystemVariable { name, value } => {
                put_lenenc_bytes(&mut data, name);
                put_lenenc_bytes(&mut data, value);
                0
            }
            Self::Schema(name) => {
                put_lenenc_bytes(&mut data, name);
                1
            }
            Self::StateChange(changed) => {
                data.put_u8(if *changed { b'1' } else { b'0' });
                2
            }
            Self::Gtids(text) => {
                data.put_u8(0);
                put_lenenc_bytes(&mut data, text);
                3
            }
            Self::TransactionCharacteristics(text) => {
                put_lenenc_bytes(&mut data, text);
                4
            }
            Self::TransactionState(text) => {
                put_lenenc_bytes(&mut data, text);
                5
            }
            Self::Other { kind, data: raw } => {
                data.put_slice(raw);
                *kind
            }
        };
        out.put_u8(kind);
        put_lenenc_int(out, data.len() as u64);
        out.put_slice(&data);
    }
}
