use mysql_async::{Conn, prelude::Queryable};

use super::WorkloadOptions;
use crate::SandboxError;

/// What every account begins with.
pub(crate) const OPENING_BALANCE: i64 = 1_000_000;

/// Tokens and ids are plain columns beside an automatic key, not keys themselves: a write that was done twice must be
/// stored twice to be seen, not refused as a duplicate.
const TABLES: [&str; 4] = [
    "CREATE TABLE IF NOT EXISTS accounts (id INT PRIMARY KEY, balance BIGINT NOT NULL) ENGINE=InnoDB",
    "CREATE TABLE IF NOT EXISTS ledger (row_id BIGINT AUTO_INCREMENT PRIMARY KEY, token BIGINT NOT NULL, \
     source INT NOT NULL, target INT NOT NULL, amount BIGINT NOT NULL, KEY (token)) ENGINE=InnoDB",
    "CREATE TABLE IF NOT EXISTS events (row_id BIGINT AUTO_INCREMENT PRIMARY KEY, token BIGINT NOT NULL, \
     body VARCHAR(100) NOT NULL, KEY (token)) ENGINE=InnoDB",
    "CREATE TABLE IF NOT EXISTS counters (id BIGINT PRIMARY KEY, n BIGINT NOT NULL) ENGINE=InnoDB",
];

/// Makes the tables, the accounts, and a counter for every client of this run. Several runs may share the tables.
pub(crate) async fn prepare(
    connection: &mut Conn,
    run: Run,
    options: &WorkloadOptions,
) -> Result<(), SandboxError> {
    let port = options.address.port();
    for sql in TABLES {
        connection.query_drop(sql).await.map_err(SandboxError::sql(port, sql))?;
    }
    // An insert would wait for every account that another run has locked.
    let sql = "SELECT COALESCE(MAX(id), 0) FROM accounts";
    let there: Option<u32> = connection.query_first(sql).await.map_err(SandboxError::sql(port, sql))?;
    let accounts: Vec<_> = (there.unwrap_or_default() + 1..=options.accounts.max(2))
        .map(|id| format!("({id},{OPENING_BALANCE})"))
        .collect();
    let mut statements = Vec::new();
    if !accounts.is_empty() {
        statements.push(format!("INSERT IGNORE INTO accounts (id, balance) VALUES {}", accounts.join(",")));
    }
    let counters: Vec<_> =
        (0..options.clients).map(|client| format!("({},0)", run.counter(client))).collect();
    statements.push(format!("INSERT INTO counters (id, n) VALUES {}", counters.join(",")));
    for sql in &statements {
        connection.query_drop(sql).await.map_err(SandboxError::sql(port, sql))?;
    }
    Ok(())
}

/// Numbers one run of a workload, so that its rows can be told from other runs' in the same tables. 15 bits, chosen at
/// random.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Run(pub(crate) u16);

impl Run {
    pub(crate) fn new(random: u64) -> Self {
        Self(u16::try_from(random & 0x7fff).unwrap_or_default())
    }

    /// What one write of one client is known by: run, client, sequence number.
    pub(crate) const fn token(self, client: u16, sequence: u32) -> u64 {
        (self.0 as u64) << 48 | (client as u64) << 32 | sequence as u64
    }

    /// The row of `counters` that belongs to a client.
    pub(crate) const fn counter(self, client: u16) -> u64 {
        self.token(client, 0)
    }

    /// All tokens of the run: `BETWEEN first AND last`.
    pub(crate) const fn tokens(self) -> (u64, u64) {
        (self.token(0, 0), self.token(u16::MAX, u32::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::Run;

    #[test]
    fn tokens_of_a_run_lie_between_its_bounds_and_fit_a_bigint() {
        let run = Run::new(u64::MAX);
        let (first, last) = run.tokens();
        let token = run.token(7, 9);
        assert!(first < token && token < last && i64::try_from(last).is_ok());
        assert!(Run(run.0 - 1).tokens().1 < first);
    }
}
