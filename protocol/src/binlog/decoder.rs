use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;

use super::BinlogError;
use super::checksum::{CHECKSUM_LEN, Checksum, crc32};
use super::event::{Event, EventBody, MariadbGtid, Query};
use super::gtid::MysqlGtid;
use super::rows::{Change, Rows, Version};
use super::table_map::TableMap;
use crate::wire::{DecodeError, Reader};

/// Bytes of an event's header.
const HEADER_LEN: usize = 19;
const ROTATE: u8 = 0x04;
const FORMAT_DESCRIPTION: u8 = 0x0f;
/// Tables that are remembered at most, so that a hostile log cannot fill the memory.
const MAX_TABLES: usize = 10_000;

/// Decodes the packets of a dump, in order: what an event means depends on those before it.
#[derive(Debug)]
pub struct EventDecoder {
    checksum: Checksum,
    tables: HashMap<u64, Arc<TableMap>>,
}

impl Default for EventDecoder {
    fn default() -> Self {
        Self::new()
    }
}

impl EventDecoder {
    /// For a dump that starts now.
    pub fn new() -> Self {
        Self { checksum: Checksum::Unknown, tables: HashMap::new() }
    }

    /// Decodes a packet of a dump, which starts with 0x00.
    pub fn decode(&mut self, packet: &Bytes) -> Result<Event, BinlogError> {
        match packet.first() {
            Some(0x00) => self.decode_event(&packet.slice(1..)),
            other => {
                let got = other.copied().unwrap_or_default();
                Err(DecodeError::WrongPacket { expected: "binary log event", got }.into())
            }
        }
    }

    /// Decodes an event as it stands in a log file.
    pub fn decode_event(&mut self, event: &Bytes) -> Result<Event, BinlogError> {
        let mut reader = Reader::new(event);
        let timestamp = reader.u32()?;
        let kind = reader.u8()?;
        let server_id = reader.u32()?;
        let size = usize::try_from(reader.u32()?).unwrap_or(usize::MAX);
        let next_position = reader.u32()?;
        reader.u16()?;
        if size != event.len() {
            return Err(DecodeError::Invalid("the size of an event is not that of its packet").into());
        }
        if kind == FORMAT_DESCRIPTION {
            self.checksum = checksum_of_file(event)?;
            self.tables.clear();
        }
        let end = self.verified_end(kind, event)?;
        let body = event.get(HEADER_LEN..end).map(|_| event.slice(HEADER_LEN..end));
        let body = body.ok_or(DecodeError::Truncated { missing: 1 })?;
        let body = self.decode_body(kind, server_id, &body)?;
        Ok(Event { timestamp, server_id, next_position, body })
    }

    /// Where the event's body ends, its checksum verified and left out.
    fn verified_end(&self, kind: u8, event: &[u8]) -> Result<usize, BinlogError> {
        let has_checksum = match self.checksum {
            // The first event of a dump tells of the file; it has a checksum if the file has.
            Checksum::Unknown => {
                kind == ROTATE && split_checksum(event).is_ok_and(|(body, got)| crc32(body) == got)
            }
            Checksum::None => kind == FORMAT_DESCRIPTION,
            Checksum::Crc32 => true,
        };
        if !has_checksum {
            return Ok(event.len());
        }
        let (body, got) = split_checksum(event)?;
        // A file without checksums has room for one in its head alone, filled or not.
        if self.checksum == Checksum::Crc32 {
            let expected = crc32(body);
            if expected != got {
                return Err(BinlogError::Checksum { expected, got });
            }
        }
        Ok(body.len())
    }

    fn decode_body(&mut self, kind: u8, server_id: u32, body: &Bytes) -> Result<EventBody, BinlogError> {
        Ok(match kind {
            0x02 => EventBody::Query(query(body)?),
            ROTATE => {
                let position = Reader::new(body).u64()?;
                EventBody::Rotate { file: body.slice(8..), position }
            }
            0x05 => {
                let mut reader = Reader::new(body);
                EventBody::Intvar { is_insert_id: reader.u8()? == 2, value: reader.u64()? }
            }
            FORMAT_DESCRIPTION => EventBody::FormatDescription { server_version: server_version(body)? },
            0x10 => EventBody::Xid(Reader::new(body).u64()?),
            0x13 => EventBody::TableMap(self.table_map(body)),
            0x17 => self.rows(body, Change::Insert, Version::V1)?,
            0x18 => self.rows(body, Change::Update, Version::V1)?,
            0x19 => self.rows(body, Change::Delete, Version::V1)?,
            0x1e => self.rows(body, Change::Insert, Version::V2)?,
            0x1f => self.rows(body, Change::Update, Version::V2)?,
            0x20 => self.rows(body, Change::Delete, Version::V2)?,
            0x27 => self.rows(body, Change::Update, Version::Opaque)?,
            0xa6 | 0xa9 => self.rows(body, Change::Insert, Version::Opaque)?,
            0xa7 | 0xaa => self.rows(body, Change::Update, Version::Opaque)?,
            0xa8 | 0xab => self.rows(body, Change::Delete, Version::Opaque)?,
            0x1b | 0x29 => EventBody::Heartbeat,
            0x1d => EventBody::RowsQuery(body.slice(body.len().min(1)..)),
            0x21 => EventBody::MysqlGtid(MysqlGtid::decode(body)?),
            0x22 => EventBody::AnonymousGtid,
            0x26 => EventBody::XaPrepare { one_phase: Reader::new(body).u8()? != 0 },
            0x28 => EventBody::TransactionPayload,
            0x2a => EventBody::MysqlGtid(MysqlGtid::decode_tagged(body)?),
            0xa0 => EventBody::AnnotateRows(body.clone()),
            0xa2 => EventBody::MariadbGtid(mariadb_gtid(body, server_id)?),
            0xa4 => return Err(BinlogError::Encrypted),
            0xa5 => EventBody::QueryCompressed,
            other => EventBody::Other(other),
        })
    }

    fn table_map(&mut self, body: &[u8]) -> Option<Arc<TableMap>> {
        let map = Arc::new(TableMap::decode(body).ok()?);
        if self.tables.len() >= MAX_TABLES {
            self.tables.clear();
        }
        self.tables.insert(map.id, Arc::clone(&map));
        Some(map)
    }

    fn rows(&self, body: &[u8], change: Change, version: Version) -> Result<EventBody, DecodeError> {
        Rows::decode(body, change, version, |id| self.tables.get(&id).cloned()).map(EventBody::Rows)
    }
}

/// The bytes before the checksum, and the checksum.
fn split_checksum(event: &[u8]) -> Result<(&[u8], u32), DecodeError> {
    let (body, checksum) =
        event.split_last_chunk::<CHECKSUM_LEN>().ok_or(DecodeError::Truncated { missing: CHECKSUM_LEN })?;
    Ok((body, u32::from_le_bytes(*checksum)))
}

/// The algorithm of a file stands before the checksum of its format description. Files of servers without checksums (MySQL
/// before 5.6) are not read.
fn checksum_of_file(event: &[u8]) -> Result<Checksum, BinlogError> {
    match split_checksum(event)?.0.last() {
        Some(0) => Ok(Checksum::None),
        Some(1) => Ok(Checksum::Crc32),
        other => Err(BinlogError::UnknownChecksum(other.copied().unwrap_or_default())),
    }
}

fn server_version(body: &[u8]) -> Result<String, DecodeError> {
    let mut reader = Reader::new(body);
    reader.u16()?;
    let version = reader.bytes(50)?;
    let end = version.iter().position(|&byte| byte == 0).unwrap_or(version.len());
    Ok(String::from_utf8_lossy(version.get(..end).unwrap_or_default()).into_owned())
}

fn query(body: &Bytes) -> Result<Query, DecodeError> {
    let mut reader = Reader::new(body);
    let thread_id = reader.u32()?;
    reader.u32()?;
    let schema_len = usize::from(reader.u8()?);
    let error_code = reader.u16()?;
    let variables = usize::from(reader.u16()?);
    reader.bytes(variables)?;
    let schema = body.slice_ref(reader.bytes(schema_len)?);
    reader.u8()?;
    Ok(Query { thread_id, error_code, schema, text: body.slice_ref(reader.rest()) })
}

fn mariadb_gtid(body: &[u8], server_id: u32) -> Result<MariadbGtid, DecodeError> {
    let mut reader = Reader::new(body);
    let sequence = reader.u64()?;
    Ok(MariadbGtid { sequence, domain: reader.u32()?, server_id, flags: reader.u8()? })
}
