//! What the two families want to be told for the same thing. PURE.

use crate::topology::Flavor;

/// Makes a server refuse writes of ordinary (and on MySQL of privileged) accounts.
pub(super) fn fence(flavor: Flavor) -> &'static str {
    match flavor {
        Flavor::MariaDb => "SET GLOBAL read_only=1",
        Flavor::MySql => "SET GLOBAL super_read_only=1",
    }
}

/// Makes a server accept writes. On MySQL clearing `super_read_only` leaves `read_only` set: both.
pub(super) fn accept_writes(flavor: Flavor) -> &'static [&'static str] {
    match flavor {
        Flavor::MariaDb => &["SET GLOBAL read_only=0"],
        Flavor::MySql => &["SET GLOBAL super_read_only=0", "SET GLOBAL read_only=0"],
    }
}

/// The position that says what a primary has committed.
pub(super) fn position(flavor: Flavor) -> &'static str {
    match flavor {
        Flavor::MariaDb => "SELECT @@global.gtid_binlog_pos",
        Flavor::MySql => "SELECT @@global.gtid_executed",
    }
}

/// Waits on a replica until it has `position`; the first value is 0 when it has, anything else on a timeout.
pub(super) fn wait_for(flavor: Flavor, position: &str, seconds: f64) -> String {
    let position: String =
        position.chars().filter(|c| c.is_ascii_alphanumeric() || ":-,_".contains(*c)).collect();
    match flavor {
        Flavor::MariaDb => format!("SELECT MASTER_GTID_WAIT('{position}', {seconds:.3})"),
        Flavor::MySql => format!("SELECT WAIT_FOR_EXECUTED_GTID_SET('{position}', {seconds:.3})"),
    }
}

/// Stops a replica's threads.
pub(super) fn stop_replica(flavor: Flavor) -> &'static str {
    match flavor {
        Flavor::MariaDb => "STOP SLAVE",
        Flavor::MySql => "STOP REPLICA",
    }
}

/// Starts a replica's threads.
pub(super) fn start_replica(flavor: Flavor) -> &'static str {
    match flavor {
        Flavor::MariaDb => "START SLAVE",
        Flavor::MySql => "START REPLICA",
    }
}

/// Stops what a replica receives with; it goes on applying.
pub(super) fn stop_receiver(flavor: Flavor) -> &'static str {
    match flavor {
        Flavor::MariaDb => "STOP SLAVE IO_THREAD",
        Flavor::MySql => "STOP REPLICA IO_THREAD",
    }
}

/// Lets a replica apply what it has received.
pub(super) fn start_applier(flavor: Flavor) -> &'static str {
    match flavor {
        Flavor::MariaDb => "START SLAVE SQL_THREAD",
        Flavor::MySql => "START REPLICA SQL_THREAD",
    }
}

/// Lets a replica receive again.
pub(super) fn start_receiver(flavor: Flavor) -> &'static str {
    match flavor {
        Flavor::MariaDb => "START SLAVE IO_THREAD",
        Flavor::MySql => "START REPLICA IO_THREAD",
    }
}

/// Asks for the end of a server's binary log: by a lock that a commit which cannot be written holds. The second spelling is
/// for MySQL before 8.2, which refuses the first one without a look at its log.
pub(super) fn log_status(flavor: Flavor) -> &'static [&'static str] {
    match flavor {
        Flavor::MariaDb => &["SHOW MASTER STATUS"],
        Flavor::MySql => &["SHOW BINARY LOG STATUS", "SHOW MASTER STATUS"],
    }
}

/// How a replica's threads do.
pub(super) fn replica_status(flavor: Flavor) -> &'static str {
    match flavor {
        Flavor::MariaDb => "SHOW ALL SLAVES STATUS",
        Flavor::MySql => "SHOW REPLICA STATUS",
    }
}

/// Makes a server forget whom it followed.
pub(super) fn forget_source(flavor: Flavor) -> &'static str {
    match flavor {
        Flavor::MariaDb => "RESET SLAVE ALL",
        Flavor::MySql => "RESET REPLICA ALL",
    }
}

/// Whom to follow, and as whom.
pub(super) struct Source<'a> {
    /// Host of the new primary as the others reach it.
    pub(super) host: &'a str,
    /// Its port.
    pub(super) port: u16,
    /// Replication account.
    pub(super) user: &'a str,
    /// Its password.
    pub(super) password: &'a str,
}

/// Points a replica at a source, by GTID.
pub(super) fn follow(flavor: Flavor, source: &Source<'_>) -> String {
    let Source { host, port, user, password } = source;
    let (host, user, password) = (quoted(host), quoted(user), quoted(password));
    match flavor {
        Flavor::MariaDb => format!(
            "CHANGE MASTER TO MASTER_HOST={host}, MASTER_PORT={port}, MASTER_USER={user}, \
             MASTER_PASSWORD={password}, MASTER_USE_GTID=slave_pos, MASTER_CONNECT_RETRY=1"
        ),
        Flavor::MySql => format!(
            "CHANGE REPLICATION SOURCE TO SOURCE_HOST={host}, SOURCE_PORT={port}, SOURCE_USER={user}, \
             SOURCE_PASSWORD={password}, SOURCE_AUTO_POSITION=1, SOURCE_CONNECT_RETRY=1, \
             SOURCE_RETRY_COUNT=86400, GET_SOURCE_PUBLIC_KEY=1"
        ),
    }
}

/// A string literal. Control connections use neither ANSI_QUOTES nor NO_BACKSLASH_ESCAPES by default; doubling quotes
/// and escaping backslashes is right in the default mode.
pub(super) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}

/// Connections to end so that `SET GLOBAL read_only` can finish: whoever runs a statement or has a transaction open,
/// other than replication, the server itself and `account` (ours).
pub(super) fn blockers(account: &str) -> String {
    format!(
        "SELECT p.id FROM information_schema.processlist p WHERE p.id <> CONNECTION_ID() AND p.user <> {} \
         AND p.user NOT IN ('system user', 'event_scheduler', 'unauthenticated user') \
         AND p.command NOT IN ('Binlog Dump', 'Binlog Dump GTID', 'Daemon') \
         AND (p.command <> 'Sleep' OR p.id IN (SELECT trx_mysql_thread_id FROM information_schema.innodb_trx))",
        quoted(account)
    )
}

/// The same of MySQL, for `Control::query_or`: who holds a lock has a transaction open.
pub(super) fn blockers_instead(account: &str) -> String {
    format!(
        "SELECT p.id FROM performance_schema.processlist p WHERE p.id <> CONNECTION_ID() AND p.user <> {} \
         AND p.user NOT IN ('system user', 'event_scheduler', 'unauthenticated user') \
         AND p.command NOT IN ('Binlog Dump', 'Binlog Dump GTID', 'Daemon') \
         AND (p.command <> 'Sleep' OR p.id IN (SELECT t.processlist_id FROM performance_schema.data_locks d JOIN \
         performance_schema.threads t ON t.thread_id = d.thread_id))",
        quoted(account)
    )
}

/// Connections to end once the fence stands: accounts that may write in spite of it. MySQL's `super_read_only` knows
/// none; MariaDB's `read_only` lets the privileged through, before 10.11 those with SUPER too. Everybody else's COMMIT is
/// refused. `version`: the server's version text.
pub(super) fn strays(flavor: Flavor, version: &str, account: &str) -> Option<String> {
    let rights = if is_before(version, (10, 11)) {
        "'READ_ONLY ADMIN', 'READ ONLY ADMIN', 'SUPER'"
    } else {
        "'READ_ONLY ADMIN', 'READ ONLY ADMIN'"
    };
    (flavor == Flavor::MariaDb).then(|| {
        format!(
            "SELECT p.id FROM information_schema.processlist p WHERE p.id <> CONNECTION_ID() AND p.user <> {} \
             AND p.user NOT IN ('system user', 'event_scheduler', 'unauthenticated user') \
             AND p.command NOT IN ('Binlog Dump', 'Binlog Dump GTID', 'Daemon') \
             AND EXISTS (SELECT 1 FROM information_schema.user_privileges u \
             WHERE u.privilege_type IN ({rights}) \
             AND u.grantee LIKE CONCAT('''', p.user, '''@%'))",
            quoted(account)
        )
    })
}

/// Whether a server's version is older. What cannot be read is taken for old.
fn is_before(version: &str, than: (u32, u32)) -> bool {
    let mut parts = version.split(|c: char| !c.is_ascii_digit()).map_while(|part| part.parse::<u32>().ok());
    match (parts.next(), parts.next()) {
        (Some(major), Some(minor)) => (major, minor) < than,
        _ => true,
    }
}

/// Transactions on a fenced server that have changed rows: their COMMIT will be refused, and until they end their row
/// locks hold replication up. Transaction and connection id, since the view is up to 100 ms old (InnoDB caches it).
pub(super) fn doomed(account: &str) -> String {
    format!(
        "SELECT t.trx_id, t.trx_mysql_thread_id FROM information_schema.innodb_trx t JOIN \
         information_schema.processlist p ON p.id = t.trx_mysql_thread_id \
         WHERE t.trx_rows_modified > 0 AND p.user <> {} AND p.user <> 'system user'",
        quoted(account)
    )
}

/// The same of MySQL, where [`doomed`] is refused: whoever has changed rows has the table locked for that.
pub(super) fn doomed_instead(account: &str) -> String {
    format!(
        "SELECT DISTINCT d.engine_transaction_id, p.id FROM performance_schema.data_locks d JOIN \
         performance_schema.threads t ON t.thread_id = d.thread_id JOIN performance_schema.processlist p \
         ON p.id = t.processlist_id WHERE d.lock_type = 'TABLE' AND d.lock_mode = 'IX' AND p.user <> {} \
         AND p.user <> 'system user'",
        quoted(account)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_writes_in_spite_of_the_fence_depends_on_the_version() {
        let with_super =
            |version| strays(Flavor::MariaDb, version, "tideover").is_some_and(|sql| sql.contains("SUPER"));
        for old in ["10.5.29-MariaDB", "10.6.18-MariaDB-log", "what is this"] {
            assert!(with_super(old), "{old}");
        }
        for new in ["10.11.19-MariaDB", "11.4.1-MariaDB", "12.1.0-MariaDB"] {
            assert!(!with_super(new), "{new}");
        }
        assert_eq!(strays(Flavor::MySql, "8.0.36", "tideover"), None);
    }

    #[test]
    fn literals_cannot_be_broken_out_of() {
        assert_eq!(quoted(r"it's \ me"), r"'it''s \\ me'");
        assert_eq!(
            wait_for(Flavor::MariaDb, "0-1-5,1-2-3'; DROP", 1.5),
            "SELECT MASTER_GTID_WAIT('0-1-5,1-2-3DROP', 1.500)"
        );
    }
}
