use std::collections::{HashMap, HashSet};

use mysql_async::{Conn, prelude::Queryable};
use serde::Serialize;

use super::schema::{OPENING_BALANCE, Run};
use crate::SandboxError;

/// How many deviations are described.
const DETAILS: usize = 20;

/// A write whose answer has not come yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Write {
    /// An insert into `events`.
    Event(u64),
    /// A transfer, known by its row in `ledger`.
    Transfer(u64),
    /// One more in the client's counter.
    Increment,
}

/// What one client was told about its writes.
#[derive(Clone, Debug, Default)]
pub(crate) struct ClientBook {
    /// Tokens of acknowledged inserts into `events` and `ledger`.
    acknowledged: HashMap<u64, Table>,
    /// Tokens of inserts whose outcome the client was not told.
    unknown: HashMap<u64, Table>,
    pub(crate) increments: u64,
    pub(crate) unknown_increments: u64,
    pub(crate) last_event: Option<u64>,
    /// What the COMMIT or autocommit write does that is on its way.
    pub(crate) pending: Vec<Write>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Table {
    Events,
    Ledger,
}

impl Table {
    const fn name(self) -> &'static str {
        match self {
            Self::Events => "events",
            Self::Ledger => "ledger",
        }
    }
}

impl ClientBook {
    /// The writes that were pending are done.
    pub(crate) fn acknowledge(&mut self) {
        for write in std::mem::take(&mut self.pending) {
            match write {
                Write::Event(token) => {
                    self.acknowledged.insert(token, Table::Events);
                    self.last_event = Some(token);
                }
                Write::Transfer(token) => {
                    self.acknowledged.insert(token, Table::Ledger);
                }
                Write::Increment => self.increments += 1,
            }
        }
    }

    /// The writes that were pending failed: they were not done, or nobody knows.
    pub(crate) fn fail(&mut self, leaves_doubt: bool) {
        let pending = std::mem::take(&mut self.pending);
        for write in pending.into_iter().filter(|_| leaves_doubt) {
            match write {
                Write::Event(token) => {
                    self.unknown.insert(token, Table::Events);
                }
                Write::Transfer(token) => {
                    self.unknown.insert(token, Table::Ledger);
                }
                Write::Increment => self.unknown_increments += 1,
            }
        }
    }
}

/// What all clients of a workload were told about their writes.
#[derive(Clone, Debug)]
pub struct Books {
    pub(crate) run: Run,
    pub(crate) clients: Vec<ClientBook>,
}

/// The books compared with the database.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct BooksReport {
    /// Writes that were acknowledged: inserts, transfers and increments.
    pub acknowledged: u64,
    /// Writes that the database holds, doubled ones counted as often as they are there.
    pub stored: u64,
    /// Acknowledged writes that the database does not hold.
    pub lost: u64,
    /// Writes beyond the first of what was asked once.
    pub doubled: u64,
    /// Writes that are there although the client was told that they failed, or never got that far.
    pub unasked: u64,
    /// Writes whose outcome the clients were not told; they may be there or not.
    pub unknown: u64,
    /// How many of those are there.
    pub unknown_stored: u64,
    /// Accounts whose balance is not what the ledger says: parts of a transaction without the rest.
    pub torn: u64,
    /// The first deviations, in words.
    pub details: Vec<String>,
}

impl BooksReport {
    /// Whether every acknowledged write is there exactly once, and nothing else is.
    pub const fn is_clean(&self) -> bool {
        self.lost == 0 && self.doubled == 0 && self.unasked == 0 && self.torn == 0
    }

    fn detail(&mut self, text: impl FnOnce() -> String) {
        if self.details.len() < DETAILS {
            self.details.push(text());
        }
    }
}

impl Books {
    /// Compares with the database behind `connection`, which should be the primary's and must have the workload's
    /// database selected. The workload must have stopped.
    pub async fn check(&self, connection: &mut Conn) -> Result<BooksReport, SandboxError> {
        let mut report = BooksReport::default();
        for table in [Table::Events, Table::Ledger] {
            self.check_tokens(connection, table, &mut report).await?;
        }
        self.check_counters(connection, &mut report).await?;
        check_balances(connection, &mut report).await?;
        Ok(report)
    }

    async fn check_tokens(
        &self,
        connection: &mut Conn,
        table: Table,
        report: &mut BooksReport,
    ) -> Result<(), SandboxError> {
        let (first, last) = self.run.tokens();
        let name = table.name();
        let sql = format!(
            "SELECT token, COUNT(*) FROM {name} WHERE token BETWEEN {first} AND {last} GROUP BY token"
        );
        let stored: HashMap<u64, u64> = query(connection, &sql).await?.into_iter().collect();
        let mut expected = HashSet::new();
        for book in &self.clients {
            for (&token, _) in book.acknowledged.iter().filter(|&(_, &kept)| kept == table) {
                report.acknowledged += 1;
                expected.insert(token);
                if !stored.contains_key(&token) {
                    report.lost += 1;
                    report
                        .detail(|| format!("{name}: {} was acknowledged and is not there", describe(token)));
                }
            }
            for (&token, _) in book.unknown.iter().filter(|&(_, &kept)| kept == table) {
                report.unknown += 1;
                report.unknown_stored += u64::from(stored.contains_key(&token));
                expected.insert(token);
            }
        }
        for (&token, &count) in &stored {
            report.stored += count;
            if count > 1 {
                report.doubled += count - 1;
                report.detail(|| format!("{name}: {} is there {count} times", describe(token)));
            }
            if !expected.contains(&token) {
                report.unasked += 1;
                report.detail(|| format!("{name}: {} is there and was not acknowledged", describe(token)));
            }
        }
        Ok(())
    }

    async fn check_counters(
        &self,
        connection: &mut Conn,
        report: &mut BooksReport,
    ) -> Result<(), SandboxError> {
        let (first, last) = self.run.tokens();
        let sql = format!("SELECT id, n FROM counters WHERE id BETWEEN {first} AND {last}");
        let stored: HashMap<u64, u64> = query(connection, &sql).await?.into_iter().collect();
        for (client, book) in (0_u16..).zip(&self.clients) {
            let n = stored.get(&self.run.counter(client)).copied().unwrap_or_default();
            let most = book.increments + book.unknown_increments;
            report.acknowledged += book.increments;
            report.unknown += book.unknown_increments;
            report.stored += n;
            report.unknown_stored += n.saturating_sub(book.increments).min(book.unknown_increments);
            report.lost += book.increments.saturating_sub(n);
            // An increment that nobody asked for cannot be told from one that was done twice.
            report.doubled += n.saturating_sub(most);
            if n < book.increments || n > most {
                let acknowledged = book.increments;
                report.detail(|| {
                    format!("counters: client {client} has {n}, acknowledged were {acknowledged}")
                });
            }
        }
        Ok(())
    }
}

/// Every account must hold its opening balance and what the ledger moved, all runs together.
async fn check_balances(connection: &mut Conn, report: &mut BooksReport) -> Result<(), SandboxError> {
    let sql = "SELECT id, balance FROM accounts";
    let balances: Vec<(u32, i64)> = query(connection, sql).await?;
    let sql = "SELECT account, CAST(SUM(amount) AS SIGNED) FROM (SELECT target AS account, amount FROM ledger \
               UNION ALL SELECT source, -amount FROM ledger) AS moves GROUP BY account";
    let moved: HashMap<u32, i64> = query(connection, sql).await?.into_iter().collect();
    for (id, balance) in balances {
        let expected = OPENING_BALANCE + moved.get(&id).copied().unwrap_or_default();
        if balance != expected {
            report.torn += 1;
            report.detail(|| format!("accounts: {id} has {balance}, the ledger says {expected}"));
        }
    }
    Ok(())
}

async fn query<T>(connection: &mut Conn, sql: &str) -> Result<Vec<T>, SandboxError>
where
    T: mysql_async::prelude::FromRow + Send + 'static,
{
    let port = connection.opts().tcp_port();
    connection.query(sql).await.map_err(SandboxError::sql(port, sql))
}

fn describe(token: u64) -> String {
    format!("write {} of client {}", token & 0xffff_ffff, token >> 32 & 0xffff)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_is_acknowledged_unknown_or_forgotten() {
        let mut book = ClientBook::default();
        for (write, doubt) in [(1, None), (2, Some(true)), (3, Some(false))] {
            book.pending = vec![Write::Event(write)];
            match doubt {
                None => book.acknowledge(),
                Some(doubt) => book.fail(doubt),
            }
            assert_eq!(book.pending, []);
        }
        assert_eq!(book.acknowledged.keys().collect::<Vec<_>>(), [&1]);
        assert_eq!(book.unknown.keys().collect::<Vec<_>>(), [&2]);
        assert_eq!(book.last_event, Some(1));
    }

    #[test]
    fn one_deviation_makes_a_report_unclean() {
        assert!(BooksReport { acknowledged: 5, stored: 6, unknown: 1, ..BooksReport::default() }.is_clean());
        for report in [
            BooksReport { lost: 1, ..BooksReport::default() },
            BooksReport { doubled: 1, ..BooksReport::default() },
            BooksReport { unasked: 1, ..BooksReport::default() },
            BooksReport { torn: 1, ..BooksReport::default() },
        ] {
            assert!(!report.is_clean());
        }
    }
}
