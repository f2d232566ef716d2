//! The insert id of an INSERT that is known from a log only.

use std::sync::Arc;

use tokio::time::{Duration, Instant, timeout_at};

use crate::backend::AccountPool;
use crate::guard::Inserted;

use super::session::Session;
use super::work::Work;

/// For looking up which column of a table generates ids.
const LOOK_UP: Duration = Duration::from_secs(10);

impl Session {
    /// The id that an INSERT generated. Which column generates ids is asked of the present primary, in the client's own
    /// name; 0 where it cannot be told.
    pub(super) async fn insert_id(&mut self, work: &Work, inserted: Inserted) -> u64 {
        if let Some(id) = inserted.id {
            return id;
        }
        if !inserted.first.iter().any(Option::is_some) {
            return 0;
        }
        let deadline = Instant::now() + LOOK_UP;
        let pool = loop {
            if let Some(pool) = self.pool_of_primary() {
                break pool;
            }
            let version = self.shared.store.peek().version;
            if timeout_at(deadline, self.shared.store.newer_than(version)).await.is_err() {
                return 0;
            }
        };
        let column = timeout_at(deadline, generating_column(&pool, self.tracker.state(), &inserted)).await;
        let Ok(Some((place, name))) = column else { return 0 };
        if inserted.rows > 1 && names_column(work.text.of(&self.command), &name) {
            // Values of its own: the servers answer with the last of them.
            return 0;
        }
        inserted.first.get(place).copied().flatten().unwrap_or_default()
    }
}

/// Place and name of a table's AUTO_INCREMENT column.
async fn generating_column(
    pool: &Arc<AccountPool>,
    state: &crate::session::SessionState,
    inserted: &Inserted,
) -> Option<(usize, Vec<u8>)> {
    let hex = |name: &[u8]| name.iter().map(|b| format!("{b:02x}")).collect::<String>();
    let sql = format!(
        "SELECT COALESCE(MAX(CASE WHEN extra LIKE '%auto_increment%' THEN ordinal_position END), 0), COUNT(*), \
         MAX(CASE WHEN extra LIKE '%auto_increment%' THEN column_name END) FROM information_schema.columns \
         WHERE table_schema = _utf8mb4 x'{}' AND table_name = _utf8mb4 x'{}' LIMIT 1",
        hex(&inserted.schema),
        hex(&inserted.table)
    );
    let mut lease = pool.acquire(state).await.ok()?;
    // Cancelled half-way the connection must not be reused.
    lease.broken = true;
    let row = lease.query_row(&sql, 3).await.ok()?;
    lease.broken = false;
    let number = |at: usize| str::from_utf8(row.get(at)?).ok()?.parse::<usize>().ok();
    let place = number(0)?.checked_sub(1)?;
    (number(1)? == inserted.first.len()).then_some((place, row.get(2)?.clone()))
}

/// Whether the column list in front of VALUES or SELECT names a column.
fn names_column(text: &[u8], column: &[u8]) -> bool {
    let upper = text.to_ascii_uppercase();
    let end = [b"VALUE".as_slice(), b"SELECT"]
        .iter()
        .filter_map(|word| memchr::memmem::find(&upper, word))
        .min()
        .unwrap_or(upper.len());
    let head = upper.get(..end).unwrap_or_default();
    let Some(open) = memchr::memchr(b'(', head) else { return false };
    let list = head.get(open + 1..).unwrap_or_default();
    let list = list.split(|b| *b == b')').next().unwrap_or_default();
    list.split(|b| *b == b',').any(|name| {
        let name = name.trim_ascii();
        let name = name.strip_prefix(b"`").and_then(|n| n.strip_suffix(b"`")).unwrap_or(name);
        name.eq_ignore_ascii_case(column)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_that_is_given_values() {
        assert!(names_column(b"INSERT INTO t (a, `Id`) VALUES (1, 2), (3, 4)", b"id"));
        assert!(!names_column(b"INSERT INTO t (a, b) VALUES (id, 2)", b"id"));
        assert!(!names_column(b"INSERT INTO t VALUES (NULL, 2)", b"id"));
        assert!(!names_column(b"INSERT INTO t SET id=1", b"id"));
    }
}
