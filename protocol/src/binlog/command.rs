//! The commands that start a dump.

use bitflags::bitflags;
use bytes::BufMut;

use crate::wire::DecodeError;

/// Statements to run on the connection before a dump, on MariaDB and MySQL alike: accept checksums as the log has them,
/// and (MariaDB) GTID events as they are. To start from a GTID on MariaDB also set `@slave_connect_state` to it and
/// dump from an empty file name.
pub const SETUP: [&str; 3] = [
    "SET @master_binlog_checksum = @@global.binlog_checksum",
    "SET @source_binlog_checksum = @@global.binlog_checksum",
    "SET @mariadb_slave_capability = 4",
];

bitflags! {
    /// Flags of a dump.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub struct DumpFlags: u16 {
        /// End with an EOF packet at the end of the log, instead of waiting for more.
        const NON_BLOCK = 1;
        /// MariaDB: send Annotate_rows events, which hold the statements' texts.
        const SEND_ANNOTATE_ROWS = 2;
    }
}

/// COM_BINLOG_DUMP: the log from `position` (4 is the start) of `file` on. `server_id` is ours as a replica; 0, as
/// mysqlbinlog has it, never collides with another. An empty `file` means the oldest one, or on MariaDB the place
/// that `@slave_connect_state` names.
pub fn dump_command(file: &[u8], position: u32, flags: DumpFlags, server_id: u32) -> Vec<u8> {
    let mut out = vec![0x12];
    out.put_u32_le(position);
    out.put_u16_le(flags.bits());
    out.put_u32_le(server_id);
    out.extend_from_slice(file);
    out
}

/// COM_BINLOG_DUMP_GTID (MySQL): everything that is not in `executed`, a GTID set as text
/// (`uuid:1-5:7,uuid2:tag:1-3`; empty for the whole log). Tags need a server of version 8.3.
pub fn dump_gtid_command(executed: &str, flags: DumpFlags, server_id: u32) -> Result<Vec<u8>, DecodeError> {
    let set = parse_set(executed)?;
    let mut encoded = Vec::new();
    let tagged = set.iter().any(|entry| !entry.tag.is_empty());
    let count = u64::try_from(set.len()).unwrap_or_default();
    // The tagged form says so in the first and the last byte of the count.
    encoded.put_u64_le(if tagged { (1 << 56) | (count << 8) | 1 } else { count });
    for entry in &set {
        encoded.extend_from_slice(&entry.uuid);
        if tagged {
            // At most 32 bytes, so the length takes one byte of variable length.
            encoded.push(u8::try_from(entry.tag.len() << 1).unwrap_or(u8::MAX));
            encoded.extend_from_slice(entry.tag.as_bytes());
        }
        encoded.put_u64_le(u64::try_from(entry.intervals.len()).unwrap_or_default());
        for &(first, last) in &entry.intervals {
            encoded.put_u64_le(first);
            encoded.put_u64_le(last.saturating_add(1));
        }
    }
    let mut out = vec![0x1e];
    // 0x04: positions are given by GTIDs.
    out.put_u16_le(flags.bits() | 0x04);
    out.put_u32_le(server_id);
    out.put_u32_le(0);
    out.put_u64_le(4);
    out.put_u32_le(u32::try_from(encoded.len()).map_err(|_| DecodeError::Invalid("a huge GTID set"))?);
    out.extend_from_slice(&encoded);
    Ok(out)
}

struct Entry {
    uuid: [u8; 16],
    tag: String,
    intervals: Vec<(u64, u64)>,
}

fn parse_set(text: &str) -> Result<Vec<Entry>, DecodeError> {
    let mut set: Vec<Entry> = Vec::new();
    for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let (uuid, rest) = part.split_once(':').ok_or(DecodeError::Invalid("a GTID without a number"))?;
        let uuid = parse_uuid(uuid.trim())?;
        let mut entry = Entry { uuid, tag: String::new(), intervals: Vec::new() };
        for piece in rest.split(':').map(str::trim) {
            if piece.starts_with(|first: char| first.is_ascii_digit()) {
                entry.intervals.push(parse_interval(piece)?);
                continue;
            }
            let is_tag =
                piece.len() <= 32 && piece.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
            if piece.is_empty() || !is_tag {
                return Err(DecodeError::Invalid("a GTID with a malformed tag"));
            }
            // A tag holds for the numbers after it.
            let tagged = Entry { uuid, tag: piece.to_ascii_lowercase(), intervals: Vec::new() };
            let before = std::mem::replace(&mut entry, tagged);
            set.extend((!before.intervals.is_empty()).then_some(before));
        }
        if entry.intervals.is_empty() {
            return Err(DecodeError::Invalid("a GTID without a number"));
        }
        set.push(entry);
    }
    Ok(set)
}

fn parse_interval(text: &str) -> Result<(u64, u64), DecodeError> {
    let number = |text: &str| text.trim().parse::<u64>().ok().filter(|&number| number > 0);
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    match (number(first), number(last)) {
        (Some(first), Some(last)) if first <= last => Ok((first, last)),
        _ => Err(DecodeError::Invalid("a malformed interval in a GTID set")),
    }
}

fn parse_uuid(text: &str) -> Result<[u8; 16], DecodeError> {
    const MALFORMED: DecodeError = DecodeError::Invalid("a malformed UUID in a GTID set");
    let mut digits = text.chars().filter(|&digit| digit != '-').map(|digit| digit.to_digit(16));
    let mut uuid = [0; 16];
    for byte in &mut uuid {
        let (Some(Some(high)), Some(Some(low))) = (digits.next(), digits.next()) else {
            return Err(MALFORMED);
        };
        *byte = u8::try_from(high * 16 + low).map_err(|_| MALFORMED)?;
    }
    if digits.next().is_none() { Ok(uuid) } else { Err(MALFORMED) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dump_from_a_position() {
        let command = dump_command(b"b.1", 4, DumpFlags::NON_BLOCK | DumpFlags::SEND_ANNOTATE_ROWS, 7);
        assert_eq!(command, b"\x12\x04\0\0\0\x03\0\x07\0\0\0b.1");
    }

    #[test]
    fn a_dump_from_a_gtid_set() {
        let uuid = "3e11fa47-71ca-11e1-9e33-c80aa9429562";
        let command = dump_gtid_command(&format!("{uuid}:1-5:7"), DumpFlags::NON_BLOCK, 0).unwrap();
        assert_eq!(command.len(), 1 + 2 + 4 + 4 + 8 + 4 + 8 + 16 + 8 + 2 * 16);
        assert_eq!(command[command.len() - 16..], [7, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0]);
        assert!(dump_gtid_command("", DumpFlags::empty(), 0).is_ok());
        let tagged =
            dump_gtid_command(&format!("{uuid}:1-3:tag:1,\n{uuid}:5"), DumpFlags::empty(), 0).unwrap();
        assert_eq!(tagged[23..31], [1, 3, 0, 0, 0, 0, 0, 1]);
        for bad in
            ["x", uuid, "3e11fa47:1", &format!("{uuid}:0"), &format!("{uuid}:5-1"), &format!("{uuid}:a b:1")]
        {
            assert!(dump_gtid_command(bad, DumpFlags::empty(), 0).is_err(), "{bad}");
        }
    }
}
