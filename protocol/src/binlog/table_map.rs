use super::rows::InsertedRow;
use crate::wire::{DecodeError, Reader};

/// A Table_map event: the table that the row events after it change, and the types of its columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableMap {
    /// The number by which row events name it, for as long as this log file lasts.
    pub id: u64,
    /// Database.
    pub schema: Vec<u8>,
    /// Table.
    pub table: Vec<u8>,
    columns: Vec<Column>,
}

/// How a column's values are stored in row images.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Column {
    /// An integer of so many bytes.
    Integer(usize),
    /// Something of so many bytes.
    Fixed(usize),
    /// A length of so many bytes, then so many bytes.
    Prefixed(usize),
    /// A type that is not known here: rows of this table cannot be counted.
    Unknown,
}

impl TableMap {
    pub(super) fn decode(body: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(body);
        let id = table_id(&mut reader)?;
        reader.u16()?;
        let schema = name(&mut reader)?;
        let table = name(&mut reader)?;
        let count = usize::try_from(reader.lenenc_int()?).unwrap_or(usize::MAX);
        let kinds = reader.bytes(count)?;
        let mut metadata = Reader::new(reader.lenenc_bytes()?);
        let mut columns = Vec::with_capacity(count);
        for &kind in kinds {
            columns.push(Column::decode(kind, &mut metadata)?);
        }
        Ok(Self { id, schema, table, columns })
    }

    /// Columns of the table.
    pub fn width(&self) -> usize {
        self.columns.len()
    }

    /// Passes over one row image that holds the columns whose bits are set in `present`. Integer values are put into
    /// `integers` if the caller wants them. `None` when the image cannot be understood.
    pub(super) fn skip_image(
        &self,
        reader: &mut Reader<'_>,
        present: &[u8],
        mut integers: Option<&mut InsertedRow>,
    ) -> Option<()> {
        let held = (0..self.columns.len()).filter(|&index| bit(present, index)).count();
        let nulls = reader.bytes(held.div_ceil(8)).ok()?;
        let mut at = 0;
        for (index, column) in self.columns.iter().enumerate() {
            let mut value = None;
            if bit(present, index) {
                if !bit(nulls, at) {
                    value = column.read(reader)?;
                }
                at += 1;
            }
            if let Some(row) = &mut integers {
                row.integers.push(value);
            }
        }
        Some(())
    }
}

impl Column {
    /// Takes a type's metadata; the types and their metadata are those of the manual's page "Table_map_event".
    fn decode(kind: u8, metadata: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(match kind {
            // TINY, SHORT, INT24, LONG, LONGLONG
            1 => Self::Integer(1),
            2 => Self::Integer(2),
            9 => Self::Integer(3),
            3 => Self::Integer(4),
            8 => Self::Integer(8),
            // FLOAT, DOUBLE: the metadata is the size
            4 | 5 => Self::Fixed(usize::from(metadata.u8()?)),
            // NULL, YEAR, DATE, NEWDATE, TIME, TIMESTAMP, DATETIME
            6 => Self::Fixed(0),
            13 => Self::Fixed(1),
            10 | 11 | 14 => Self::Fixed(3),
            7 => Self::Fixed(4),
            12 => Self::Fixed(8),
            // TIMESTAMP2, DATETIME2, TIME2: the metadata is the digits of the fraction
            17 => Self::Fixed(4 + fraction(metadata)?),
            18 => Self::Fixed(5 + fraction(metadata)?),
            19 => Self::Fixed(3 + fraction(metadata)?),
            // VARCHAR, VAR_STRING, MariaDB's compressed VARCHAR: the metadata is the largest length
            15 | 253 | 141 => Self::Prefixed(if metadata.u16()? > 255 { 2 } else { 1 }),
            // BIT: bits beyond whole bytes, whole bytes
            16 => {
                let [bits, bytes] = metadata.array()?;
                Self::Fixed(usize::from(bytes) + usize::from(bits > 0))
            }
            // NEWDECIMAL
            246 => {
                let [precision, scale] = metadata.array()?;
                Self::Fixed(digits(precision.saturating_sub(scale)) + digits(scale))
            }
            // VECTOR, JSON, blobs, GEOMETRY, MariaDB's compressed BLOB: the metadata is the size of the length
            242 | 245 | 249..=252 | 255 | 140 => match metadata.u8()? {
                size @ 1..=4 => Self::Prefixed(usize::from(size)),
                _ => Self::Unknown,
            },
            // ENUM, SET, STRING: the real type and its size
            247 | 248 | 254 => Self::of_string(metadata.array()?),
            // What the metadata of another type would be is not known either.
            _ => return Err(DecodeError::Invalid("a column type that is not known")),
        })
    }

    fn of_string([kind, size]: [u8; 2]) -> Self {
        if matches!(kind, 247 | 248) {
            return Self::Fixed(usize::from(size));
        }
        // Two bits of lengths above 255 are kept inverted in the type.
        let high = u16::from((kind & 0x30) ^ 0x30) << 4;
        Self::Prefixed(if high | u16::from(size) > 255 { 2 } else { 1 })
    }

    /// Passes over a value; that of an integer is returned, read as unsigned.
    fn read(self, reader: &mut Reader<'_>) -> Option<Option<u64>> {
        match self {
            Self::Integer(size) => Some(Some(little_endian(reader.bytes(size).ok()?))),
            Self::Fixed(size) => reader.bytes(size).ok().map(|_| None),
            Self::Prefixed(size) => {
                let length = little_endian(reader.bytes(size).ok()?);
                reader.bytes(usize::try_from(length).ok()?).ok().map(|_| None)
            }
            Self::Unknown => None,
        }
    }
}

/// The 6-byte id of a table.
pub(super) fn table_id(reader: &mut Reader<'_>) -> Result<u64, DecodeError> {
    reader.bytes(6).map(little_endian)
}

fn name(reader: &mut Reader<'_>) -> Result<Vec<u8>, DecodeError> {
    let text = reader.lenenc_bytes()?.to_vec();
    reader.u8()?;
    Ok(text)
}

fn little_endian(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |value, &byte| (value << 8) | u64::from(byte))
}

fn fraction(metadata: &mut Reader<'_>) -> Result<usize, DecodeError> {
    Ok(usize::from(metadata.u8()?).div_ceil(2))
}

/// Bytes that decimal digits take on one side of the point: 4 for each 9, fewer for the rest.
fn digits(count: u8) -> usize {
    const REST: [usize; 9] = [0, 1, 1, 2, 2, 3, 3, 4, 4];
    let count = usize::from(count);
    count / 9 * 4 + REST.get(count % 9).copied().unwrap_or_default()
}

pub(super) fn bit(bitmap: &[u8], index: usize) -> bool {
    bitmap.get(index / 8).is_some_and(|byte| byte & (1 << (index % 8)) != 0)
}
