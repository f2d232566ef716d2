use bytes::Bytes;

use super::event::{Event, EventBody, MariadbGtid, Query};
use super::rows::Rows;
use super::statement::{LoggedStatement, StatementKind};

/// Bytes of a statement's text that are kept by default.
const DEFAULT_TEXT_LIMIT: usize = 64 * 1024;

/// How a transaction in the log ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Committed.
    Committed,
    /// Rolled back; it is in the log for what it did to tables without transactions.
    RolledBack,
    /// Prepared (XA): another transaction, with `XA COMMIT` or `XA ROLLBACK` as its text, decides.
    Prepared,
}

/// A whole transaction of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedTransaction {
    /// Its GTID as session tracking reports it: `0-1-17` in MariaDB, `uuid:17` or `uuid:tag:17` in MySQL. Empty without
    /// GTIDs.
    pub gtid: String,
    /// Id of the server where it was committed first.
    pub server_id: u32,
    /// The connection there, if the log says so.
    pub thread_id: Option<u32>,
    /// What it did, in order.
    pub statements: Vec<LoggedStatement>,
    /// How it ended.
    pub outcome: Outcome,
    /// It ended with an XID event: all its changes are in storage engines with transactions, so it is there as a whole.
    pub has_xid: bool,
    /// Part of it could not be read (compressed): a text that is not found may stand there.
    pub is_opaque: bool,
    /// Log file that holds it, and where the next one starts, modulo 2^32.
    pub end: (Bytes, u32),
}

impl LoggedTransaction {
    /// True if it is committed.
    pub fn is_committed(&self) -> bool {
        self.outcome == Outcome::Committed
    }

    /// True if the text of each of its statements is here, so that a comment that is not found was not there.
    pub fn has_all_texts(&self) -> bool {
        !self.is_opaque && self.statements.iter().all(|statement| !statement.text.is_empty())
    }
}

/// Puts transactions together from events.
#[derive(Debug)]
pub struct TransactionReader {
    text_limit: usize,
    file: Bytes,
    open: Option<Open>,
    insert_id: Option<u64>,
}

/// A transaction that has begun.
#[derive(Debug)]
struct Open {
    transaction: LoggedTransaction,
    /// How it will end.
    ends: Ends,
    /// The last statement still takes row events.
    statement_open: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ends {
    /// With an XID, COMMIT, ROLLBACK or XA PREPARE.
    Explicitly,
    /// With the first statement in text form, unless that is BEGIN or XA START.
    AfterStatement,
}

impl Default for TransactionReader {
    fn default() -> Self {
        Self::new()
    }
}

impl TransactionReader {
    /// Starts between two transactions; texts are kept up to 64 KiB each.
    pub fn new() -> Self {
        Self::with_text_limit(DEFAULT_TEXT_LIMIT)
    }

    /// Keeps so many bytes of each statement's text.
    pub fn with_text_limit(text_limit: usize) -> Self {
        Self { text_limit, file: Bytes::new(), open: None, insert_id: None }
    }

    /// True amid a transaction.
    pub fn is_amid_transaction(&self) -> bool {
        self.open.is_some()
    }

    /// Takes the next event; returns the transaction that it ends.
    pub fn event(&mut self, event: Event) -> Option<LoggedTransaction> {
        let Event { server_id, next_position, body, .. } = event;
        match body {
            EventBody::Rotate { file, .. } => {
                self.file = file;
                None
            }
            // No transaction spans files: one that is open was cut off by a crash.
            EventBody::FormatDescription { .. } => {
                self.open = None;
                None
            }
            EventBody::MariadbGtid(gtid) => {
                let standalone = gtid.flags & MariadbGtid::STANDALONE != 0;
                self.begin(
                    gtid.to_string(),
                    server_id,
                    if standalone { Ends::AfterStatement } else { Ends::Explicitly },
                );
                None
            }
            EventBody::MysqlGtid(gtid) => {
                self.begin(gtid.to_string(), server_id, Ends::AfterStatement);
                None
            }
            EventBody::AnonymousGtid => {
                self.begin(String::new(), server_id, Ends::AfterStatement);
                None
            }
            EventBody::Query(query) => self.query(&query, server_id, next_position),
            EventBody::Xid(_) => {
                self.open(server_id).transaction.has_xid = true;
                self.end(Outcome::Committed, next_position)
            }
            EventBody::XaPrepare { one_phase } => {
                self.end(if one_phase { Outcome::Committed } else { Outcome::Prepared }, next_position)
            }
            EventBody::TransactionPayload => {
                self.open(server_id).transaction.is_opaque = true;
                self.end(Outcome::Committed, next_position)
            }
            EventBody::QueryCompressed => {
                let open = self.open(server_id);
                open.transaction.is_opaque = true;
                let ends = open.ends == Ends::AfterStatement;
                if ends { self.end(Outcome::Committed, next_position) } else { None }
            }
            EventBody::AnnotateRows(text) | EventBody::RowsQuery(text) => {
                self.annotation(&text, server_id);
                None
            }
            EventBody::Rows(rows) => {
                self.rows(rows, server_id);
                None
            }
            EventBody::Intvar { is_insert_id: true, value } => {
                self.insert_id = Some(value);
                None
            }
            _ => None,
        }
    }

    fn begin(&mut self, gtid: String, server_id: u32, ends: Ends) {
        self.insert_id = None;
        self.open = Some(Open::new(gtid, server_id, ends));
    }

    /// The open transaction; without GTIDs, or from the middle of a log, one may start with any event.
    fn open(&mut self, server_id: u32) -> &mut Open {
        self.open.get_or_insert_with(|| Open::new(String::new(), server_id, Ends::AfterStatement))
    }

    fn query(&mut self, query: &Query, server_id: u32, next_position: u32) -> Option<LoggedTransaction> {
        let insert_id = self.insert_id.take();
        let text = self.kept(&query.text);
        let open = self.open(server_id);
        open.transaction.thread_id = Some(query.thread_id);
        let control = Control::of(&query.text);
        if matches!(control, Control::None | Control::XaDecision) {
            let statement = LoggedStatement { insert_id, ..LoggedStatement::new(StatementKind::Text, text) };
            open.transaction.statements.push(statement);
            open.statement_open = false;
        }
        match control {
            Control::Begin => {
                open.ends = Ends::Explicitly;
                None
            }
            Control::None if open.ends == Ends::Explicitly => None,
            Control::None | Control::XaDecision | Control::Commit => {
                self.end(Outcome::Committed, next_position)
            }
            Control::Rollback => self.end(Outcome::RolledBack, next_position),
        }
    }

    fn annotation(&mut self, text: &Bytes, server_id: u32) {
        let text = self.kept(text);
        let open = self.open(server_id);
        open.statement_open = true;
        open.transaction.statements.push(LoggedStatement::new(StatementKind::Rows, text));
    }

    fn rows(&mut self, rows: Rows, server_id: u32) {
        let open = self.open(server_id);
        if !open.statement_open {
            open.transaction.statements.push(LoggedStatement::new(StatementKind::Rows, Bytes::new()));
        }
        open.statement_open = !rows.ends_statement;
        if let Some(statement) = open.transaction.statements.last_mut() {
            statement.add(rows);
        }
    }

    fn end(&mut self, outcome: Outcome, next_position: u32) -> Option<LoggedTransaction> {
        let Open { mut transaction, .. } = self.open.take()?;
        transaction.outcome = outcome;
        transaction.end = (self.file.clone(), next_position);
        Some(transaction)
    }

    /// The part of a text that is kept: copied, so that it does not hold on to a whole packet.
    fn kept(&self, text: &Bytes) -> Bytes {
        Bytes::copy_from_slice(text.get(..self.text_limit).unwrap_or(text))
    }
}

impl Open {
    fn new(gtid: String, server_id: u32, ends: Ends) -> Self {
        let transaction = LoggedTransaction {
            gtid,
            server_id,
            thread_id: None,
            statements: Vec::new(),
            outcome: Outcome::RolledBack,
            has_xid: false,
            is_opaque: false,
            end: (Bytes::new(), 0),
        };
        Self { transaction, ends, statement_open: false }
    }
}

/// Transaction control among statements. Servers write these words themselves, whatever the client's spelling was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Control {
    None,
    /// BEGIN, XA START.
    Begin,
    Commit,
    Rollback,
    /// XA COMMIT or XA ROLLBACK of a prepared transaction.
    XaDecision,
}

impl Control {
    fn of(text: &[u8]) -> Self {
        let starts = |word: &[u8]| text.get(..word.len()).is_some_and(|head| head.eq_ignore_ascii_case(word));
        match () {
            () if starts(b"XA START ") => Self::Begin,
            () if starts(b"XA COMMIT ") || starts(b"XA ROLLBACK ") => Self::XaDecision,
            () if text.eq_ignore_ascii_case(b"BEGIN") => Self::Begin,
            () if text.eq_ignore_ascii_case(b"COMMIT") => Self::Commit,
            () if text.eq_ignore_ascii_case(b"ROLLBACK") => Self::Rollback,
            () => Self::None,
        }
    }
}
