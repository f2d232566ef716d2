use std::sync::Arc;

use super::table_map::{TableMap, bit, table_id};
use crate::wire::{DecodeError, Reader};

/// What a row event does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Change {
    /// Rows are inserted.
    Insert,
    /// Rows are changed.
    Update,
    /// Rows are removed.
    Delete,
}

/// The integers of an inserted row.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct InsertedRow {
    /// One item for each column in the table's order: the value of an integer column, read as unsigned; `None` for NULL,
    /// for other types, and for columns that are not in the log.
    pub integers: Vec<Option<u64>>,
}

/// A row event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rows {
    /// What it does.
    pub change: Change,
    /// Its table; `None` for the empty event that only ends a statement, or when the Table_map event was not understood.
    pub table: Option<Arc<TableMap>>,
    /// Rows in it; `None` when they cannot be counted (compressed by MariaDB, partial updates of JSON in MySQL, column
    /// types not known here).
    pub count: Option<u64>,
    /// The first row of an insert.
    pub first_insert: Option<InsertedRow>,
    /// The statement ends with this event.
    pub ends_statement: bool,
}

/// Versions of row events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    /// MariaDB, MySQL up to 5.5.
    V1,
    /// With extra data.
    V2,
    /// Row images that are not understood here.
    Opaque,
}

impl Rows {
    /// `tables` finds a table by its id.
    pub(super) fn decode(
        body: &[u8],
        change: Change,
        version: Version,
        tables: impl Fn(u64) -> Option<Arc<TableMap>>,
    ) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(body);
        let id = table_id(&mut reader)?;
        let ends_statement = reader.u16()? & 1 != 0;
        let table = tables(id);
        let mut rows = Self { change, table, count: None, first_insert: None, ends_statement };
        if version == Version::Opaque {
            return Ok(rows);
        }
        if version == Version::V2 {
            let extra = usize::from(reader.u16()?);
            reader.bytes(extra.saturating_sub(2))?;
        }
        if let Some(table) = rows.table.clone() {
            rows.count = rows.count_images(&table, &mut reader);
        } else if reader.remaining() <= 1 {
            // The dummy event that ends a statement has no columns.
            rows.count = Some(0);
        }
        if rows.count.is_none() {
            rows.first_insert = None;
        }
        Ok(rows)
    }

    /// Counts by walking over all row images; they must end with the event.
    fn count_images(&mut self, table: &TableMap, reader: &mut Reader<'_>) -> Option<u64> {
        let width = usize::try_from(reader.lenenc_int().ok()?).ok()?;
        if width != table.width() {
            return None;
        }
        let present = reader.bytes(width.div_ceil(8)).ok()?;
        let after = if self.change == Change::Update { reader.bytes(width.div_ceil(8)).ok()? } else { &[] };
        // An image of no columns has no bytes: rows could not be told apart.
        if !(0..width).any(|index| bit(present, index)) {
            return reader.is_empty().then_some(0);
        }
        let mut count = 0;
        while !reader.is_empty() {
            let mut row = (self.change == Change::Insert && count == 0).then(InsertedRow::default);
            table.skip_image(reader, present, row.as_mut())?;
            if self.change == Change::Update {
                table.skip_image(reader, after, None)?;
            }
            self.first_insert = self.first_insert.take().or(row);
            count += 1;
        }
        Some(count)
    }
}
