//! The commit marker: where the log cannot prove an outcome, a row does that the transaction itself writes just before its
//! COMMIT. Clients write it through a procedure with its maker's rights, so they need EXECUTE on that and nothing else.

use std::collections::HashMap;
use std::time::Duration;

use crate::backend::{Control, ControlError, Mark};
use crate::topology::Flavor;

use super::case::Settlement;

/// Rows asked for in one query.
const AT_ONCE: usize = 500;
/// From this version on MariaDB grants to everybody at once (`TO PUBLIC`).
const PUBLIC_SINCE: (u32, u32) = (10, 11);

const SCHEMA: &str = "CREATE DATABASE IF NOT EXISTS tideover";
/// `at` is for people, and for finding the rows of proxies that are no more.
const TABLE: &str = "CREATE TABLE IF NOT EXISTS tideover.commit_marker (slot VARBINARY(64) NOT NULL PRIMARY KEY, \
    seq BIGINT UNSIGNED NOT NULL, at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP) \
    ENGINE=InnoDB";
/// The highest number stays: a connection that was given up may still run when its slot is used again.
const PROCEDURE: &str = "CREATE PROCEDURE IF NOT EXISTS tideover.mark(IN its_slot VARBINARY(64), \
    IN its_seq BIGINT UNSIGNED) MODIFIES SQL DATA SQL SECURITY DEFINER \
    INSERT INTO tideover.commit_marker (slot, seq) VALUES (its_slot, its_seq) \
    ON DUPLICATE KEY UPDATE seq = GREATEST(seq, its_seq)";
/// Nothing older than a day is in doubt any more: `hold.timeout` bounds that.
const TIDY: &str = "DELETE FROM tideover.commit_marker WHERE at < NOW() - INTERVAL 1 DAY";

/// One statement of [`setup`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The statement.
    pub sql: String,
    /// What it is for.
    pub what: &'static str,
}

/// The statement that leaves `mark` in the open transaction.
#[must_use]
pub fn call(mark: &Mark) -> String {
    format!("CALL tideover.mark('{}',{})", mark.slot, mark.seq)
}

/// What installs the marker on a primary; it replicates, and running it again changes nothing.
#[must_use]
pub fn setup() -> Vec<Step> {
    let step = |sql: &str, what| Step { sql: sql.to_owned(), what };
    vec![
        step(SCHEMA, "schema"),
        step(TABLE, "table"),
        step(PROCEDURE, "procedure"),
        step(TIDY, "rows that are older than a day go"),
    ]
}

/// The right to use it for everybody; `None` where the server (of that version) knows no such grant.
#[must_use]
pub fn grant_to_all(flavor: Flavor, version: &str) -> Option<Step> {
    let can = flavor == Flavor::MariaDb && numbers(version) >= PUBLIC_SINCE;
    can.then(|| Step { sql: grant("PUBLIC"), what: "right to use it, for everybody" })
}

/// The right to use it for one account.
#[must_use]
pub fn grant_to(user: &str, host: &str) -> Step {
    let sql = grant(&format!("{}@{}", quoted(user), quoted(host)));
    Step { sql, what: "right to use it, for one account (accounts made later need it too: run this again)" }
}

fn grant(to: &str) -> String {
    format!("GRANT EXECUTE ON PROCEDURE tideover.mark TO {to}")
}

/// Numbers in the rows of these marks; a slot that has no row is left out.
pub(super) async fn read(
    control: &mut Control,
    marks: &[Mark],
    within: Duration,
) -> Result<HashMap<String, u64>, ControlError> {
    let mut found = HashMap::new();
    for some in marks.chunks(AT_ONCE) {
        let slots: Vec<String> = some.iter().map(|mark| format!("'{}'", mark.slot)).collect();
        let sql = format!("SELECT slot, seq FROM tideover.commit_marker WHERE slot IN ({})", slots.join(","));
        let rows = control.query(&sql, within).await?;
        found.extend(rows.rows.iter().filter_map(|row| Some((row.at(0)?, row.at(1)?.parse().ok()?))));
    }
    Ok(found)
}

/// Why the marker cannot be used on a server; `None` if it can, as far as the monitor account sees.
pub(super) async fn problem(control: &mut Control, within: Duration) -> Result<Option<String>, ControlError> {
    let sql = "SELECT (SELECT COUNT(*) FROM tideover.commit_marker WHERE slot = ''), (SELECT COUNT(*) FROM \
               information_schema.routines WHERE routine_schema = 'tideover' AND routine_name = 'mark')";
    match control.query(sql, within).await {
        Ok(rows) if rows.first().and_then(|row| row.at(1)).is_some_and(|count| count == "1") => Ok(None),
        Ok(_) => Ok(Some("the procedure tideover.mark is not there".to_owned())),
        Err(error) if error.is_fatal() => Err(error),
        Err(_) => Ok(Some("there is no commit marker (tideover check --connect --setup)".to_owned())),
    }
}

/// What the rows say of one mark.
pub(super) fn settle(rows: &HashMap<String, u64>, mark: &Mark) -> Settlement {
    match rows.get(&*mark.slot).copied().unwrap_or_default() {
        seq if seq == mark.seq => {
            Settlement::Committed { affected_rows: None, inserted: None, gtid: String::new() }
        }
        seq if seq < mark.seq => Settlement::NotCommitted,
        _ => Settlement::CannotTell("its row in tideover.commit_marker was written by another".to_owned()),
    }
}

/// The first two numbers of a version.
fn numbers(version: &str) -> (u32, u32) {
    let mut parts = version.split('.').map(|part| part.parse().unwrap_or_default());
    (parts.next().unwrap_or_default(), parts.next().unwrap_or_default())
}

fn quoted(name: &str) -> String {
    format!("'{}'", name.replace('\\', "\\\\").replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(seq: u64) -> Mark {
        Mark { slot: "ab-1".into(), seq }
    }

    #[test]
    fn a_row_says_what_became_of_its_last_unit() {
        let rows = HashMap::from([("ab-1".to_owned(), 7)]);
        assert!(matches!(settle(&rows, &mark(7)), Settlement::Committed { .. }));
        assert_eq!(settle(&rows, &mark(8)), Settlement::NotCommitted);
        assert!(matches!(settle(&rows, &mark(6)), Settlement::CannotTell(_)));
        assert_eq!(settle(&HashMap::new(), &mark(1)), Settlement::NotCommitted);
    }

    #[test]
    fn who_may_use_it() {
        for (flavor, version, all) in [
            (Flavor::MariaDb, "10.11.19-MariaDB", true),
            (Flavor::MariaDb, "11.8.2-MariaDB", true),
            (Flavor::MariaDb, "10.6.1-MariaDB", false),
            (Flavor::MySql, "9.7.4", false),
        ] {
            assert_eq!(grant_to_all(flavor, version).is_some(), all, "{version}");
        }
        assert_eq!(grant_to("o'k", "%").sql, "GRANT EXECUTE ON PROCEDURE tideover.mark TO 'o''k'@'%'");
    }

    #[test]
    fn what_a_transaction_leaves() {
        assert_eq!(call(&mark(7)), "CALL tideover.mark('ab-1',7)");
    }
}
