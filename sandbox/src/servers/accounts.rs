use super::Flavor;

/// The monitor account's name and password.
pub const MONITOR_USER: &str = "tideover";
/// The replication account's name and password.
pub const REPLICATION_USER: &str = "repl";
/// The application account's name and password. MariaDB: `mysql_native_password`; MySQL: `caching_sha2_password`.
pub const APP_USER: &str = "app";
/// The application's database.
pub const DATABASE: &str = "app";

/// What the monitor account needs on MariaDB 10.11 and later, one `GRANT … TO` each:
/// * REPLICA MONITOR, BINLOG MONITOR, PROCESS: roles, positions, lag, who holds what; SHOW BINLOG EVENTS for the guard
/// * REPLICATION SLAVE: reading the binary log as a replica does (guard), and serving as replication account where the
///   configuration names no other
/// * READ_ONLY ADMIN, REPLICATION SLAVE ADMIN, REPLICATION MASTER ADMIN, CONNECTION ADMIN, RELOAD: fence, stop and
///   repoint replication, KILL, RESET REPLICA
/// * BINLOG ADMIN: `binlog_annotate_row_events`, and `sql_log_bin=0` for what must stay on one server
/// * SELECT on the account tables: checking clients' passwords (`auth.mode = "database"`)
/// * SELECT on `mysql.proc`: bodies of stored procedures, which say whether a CALL can leave a commit marker
/// * all on schema `tideover`, with the right to grant it: the commit marker of `tideover check --connect --setup`
pub const MARIADB_MONITOR_GRANTS: &[&str] = &[
    "REPLICA MONITOR, BINLOG MONITOR, PROCESS, REPLICATION SLAVE, READ_ONLY ADMIN, REPLICATION SLAVE ADMIN, \
     REPLICATION MASTER ADMIN, CONNECTION ADMIN, BINLOG ADMIN, RELOAD ON *.*",
    "SELECT ON mysql.user",
    "SELECT ON mysql.global_priv",
    "SELECT ON mysql.proc",
    "ALL PRIVILEGES ON tideover.*",
];

/// What the monitor account needs on MySQL 8.0 and later, one `GRANT … TO` each:
/// * REPLICATION CLIENT, PROCESS: roles, positions, lag, who holds what
/// * REPLICATION SLAVE: SHOW BINLOG EVENTS and reading the binary log (guard), and serving as replication account
///   where the configuration names no other
/// * SYSTEM_VARIABLES_ADMIN: `super_read_only`, `binlog_rows_query_log_events`; SESSION_VARIABLES_ADMIN and
///   BINLOG_ADMIN: `sql_log_bin=0` for what must stay on one server
/// * REPLICATION_SLAVE_ADMIN, CONNECTION_ADMIN, RELOAD: stop and repoint replication, KILL, RESET REPLICA
/// * GROUP_REPLICATION_ADMIN: `group_replication_set_as_primary`, only where Group Replication is used
/// * SHOW_ROUTINE: bodies of stored procedures, which say whether a CALL can leave a commit marker
/// * SELECT on the account table and on `performance_schema`: clients' passwords, replication state
/// * all on schema `tideover`, with the right to grant it: the commit marker of `tideover check --connect --setup`
pub const MYSQL_MONITOR_GRANTS: &[&str] = &[
    "REPLICATION CLIENT, REPLICATION SLAVE, PROCESS, RELOAD ON *.*",
    "SYSTEM_VARIABLES_ADMIN, SESSION_VARIABLES_ADMIN, REPLICATION_SLAVE_ADMIN, CONNECTION_ADMIN, BINLOG_ADMIN, \
     GROUP_REPLICATION_ADMIN, SHOW_ROUTINE ON *.*",
    "SELECT ON mysql.user",
    "SELECT ON performance_schema.*",
    "ALL PRIVILEGES ON tideover.*",
];

/// The statements that make the accounts. They run on every server with the binary log off, so that no GTID is spent.
pub(crate) fn setup(flavor: Flavor) -> Vec<String> {
    let plugin = if flavor.is_mariadb() { "mysql_native_password" } else { "caching_sha2_password" };
    let mut statements = vec!["SET SESSION sql_log_bin=0".to_owned()];
    for user in [MONITOR_USER, REPLICATION_USER, APP_USER] {
        let password = if flavor.is_mariadb() {
            format!("{plugin} USING PASSWORD('{user}')")
        } else {
            format!("{plugin} BY '{user}'")
        };
        statements.push(format!("CREATE USER {user}@'%' IDENTIFIED WITH {password}"));
    }
    for grant in flavor.monitor_grants() {
        let option = if grant.ends_with("tideover.*") { " WITH GRANT OPTION" } else { "" };
        statements.push(format!("GRANT {grant} TO {MONITOR_USER}@'%'{option}"));
    }
    statements.push(format!("GRANT REPLICATION SLAVE ON *.* TO {REPLICATION_USER}@'%'"));
    statements.push(format!("GRANT ALL PRIVILEGES ON {DATABASE}.* TO {APP_USER}@'%'"));
    statements
}
