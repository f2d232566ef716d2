//! The binary log as a server sends it to a replica, read to prove whether a transaction committed.
//!
//! Statement texts stand in the log beside the row events (Annotate_rows in MariaDB, Rows_query in MySQL), so a comment
//! in a statement can be found again. Use: run [`SETUP`], send [`dump_command`] (or [`dump_gtid_command`]), hand every packet
//! of the answer that starts with 0x00 to [`EventDecoder::decode`], and the events to [`TransactionReader::event`].
//!
//! Seen on MariaDB 10.11, 11.8 and MySQL 9.7 (`tests/binlog.rs`): a comment in front survives in everything that changes
//! rows and in most definitions, but not where the server writes the text anew: DROP TABLE; CREATE VIEW, PROCEDURE,
//! FUNCTION, TRIGGER, EVENT; on MySQL also CREATE USER, ALTER USER, GRANT. A CALL leaves only the inner statements.
//!
//! Row values are passed over, except integers of first inserted rows, among which the caller may find a value of
//! an AUTO_INCREMENT column.

mod checksum;
mod command;
mod decoder;
mod error;
mod event;
mod gtid;
mod rows;
mod statement;
mod table_map;
mod transaction;
mod varlen;

pub use command::{DumpFlags, SETUP, dump_command, dump_gtid_command};
pub use decoder::EventDecoder;
pub use error::BinlogError;
pub use event::{Event, EventBody, MariadbGtid, Query};
pub use gtid::MysqlGtid;
pub use rows::{Change, InsertedRow, Rows};
pub use statement::{LoggedStatement, StatementKind, TableChanges};
pub use table_map::TableMap;
pub use transaction::{LoggedTransaction, Outcome, TransactionReader};
