//! How one asks MariaDB and MySQL for the same thing. Every function gives statements to run in order.

use super::{Flavor, REPLICATION_USER};

impl Flavor {
    /// Makes a server that does not replicate follow the server on `port`, from its own GTID position.
    pub(crate) fn follow(self, port: u16) -> Vec<String> {
        let user = REPLICATION_USER;
        let change = if self.is_mariadb() {
            format!(
                "CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT={port}, MASTER_USER='{user}', \
                 MASTER_PASSWORD='{user}', MASTER_USE_GTID=slave_pos, MASTER_CONNECT_RETRY=1, \
                 MASTER_HEARTBEAT_PERIOD=2"
            )
        } else {
            format!(
                "CHANGE REPLICATION SOURCE TO SOURCE_HOST='127.0.0.1', SOURCE_PORT={port}, SOURCE_USER='{user}', \
                 SOURCE_PASSWORD='{user}', SOURCE_AUTO_POSITION=1, GET_SOURCE_PUBLIC_KEY=1, \
                 SOURCE_CONNECT_RETRY=1, SOURCE_RETRY_COUNT=86400, SOURCE_HEARTBEAT_PERIOD=2"
            )
        };
        vec![change, "START REPLICA".to_owned()]
    }

    /// Makes an old primary's own writes count as its replication position: MariaDB keeps the two apart.
    pub(crate) const fn adopt_own_position(self) -> Option<&'static str> {
        if self.is_mariadb() { Some("SET GLOBAL gtid_slave_pos=@@gtid_binlog_pos") } else { None }
    }

    pub(crate) const fn stop_receiving(self) -> &'static str {
        if self.is_mariadb() { "STOP SLAVE IO_THREAD" } else { "STOP REPLICA IO_THREAD" }
    }

    /// Opens or closes a server for writes of ordinary accounts.
    pub(crate) fn read_only(self, on: bool) -> Vec<String> {
        match (self.is_mariadb(), on) {
            (true, _) => vec![format!("SET GLOBAL read_only={}", u8::from(on))],
            (false, true) => vec!["SET GLOBAL super_read_only=1".to_owned()],
            // Clearing super_read_only leaves read_only on.
            (false, false) => {
                vec!["SET GLOBAL super_read_only=0".to_owned(), "SET GLOBAL read_only=0".to_owned()]
            }
        }
    }

    /// Asks a server for all that it has committed.
    pub(crate) const fn position(self) -> &'static str {
        if self.is_mariadb() { "SELECT @@GLOBAL.gtid_binlog_pos" } else { "SELECT @@GLOBAL.gtid_executed" }
    }

    /// Asks a server for all that its binary log has had.
    pub(crate) const fn history(self) -> &'static str {
        if self.is_mariadb() { "SELECT @@GLOBAL.gtid_binlog_state" } else { "SELECT @@GLOBAL.gtid_executed" }
    }

    /// Asks another server for what may be unknown to the one with the history `known`.
    pub(crate) fn unknown_history(self, known: &str) -> String {
        if self.is_mariadb() {
            self.history().to_owned()
        } else {
            format!("SELECT GTID_SUBTRACT(@@GLOBAL.gtid_executed, '{}')", known.replace(['\n', ' '], ""))
        }
    }

    /// Whether `own`, as asked for by [`Self::unknown_history`], has anything that `known` lacks.
    pub(crate) fn has_more(self, own: &str, known: &str) -> bool {
        if !self.is_mariadb() {
            return !own.trim().is_empty();
        }
        let split = |gtid: &str| {
            let (source, number) = gtid.trim().rsplit_once('-')?;
            Some((source.to_owned(), number.parse::<u64>().ok()?))
        };
        let known: Vec<_> = known.split(',').filter_map(split).collect();
        let has = |(source, number): (String, u64)| known.iter().any(|(s, n)| *s == source && *n >= number);
        !own.split(',').filter_map(split).all(has)
    }

    /// Waits on a replica until it has applied `position`: answers 0 then, another number after `seconds`.
    pub(crate) fn wait_for(self, position: &str, seconds: u64) -> String {
        // MySQL breaks long sets into lines.
        let position = position.replace(['\n', ' '], "");
        if self.is_mariadb() {
            format!("SELECT MASTER_GTID_WAIT('{position}', {seconds})")
        } else {
            format!("SELECT WAIT_FOR_EXECUTED_GTID_SET('{position}', {seconds})")
        }
    }

    /// The column of `SHOW REPLICA STATUS` with what the replica has received, applied or not.
    pub(crate) const fn received_column(self) -> &'static str {
        if self.is_mariadb() { "Gtid_IO_Pos" } else { "Retrieved_Gtid_Set" }
    }

    /// The columns of `SHOW REPLICA STATUS` that say `Yes` while replication runs.
    pub(crate) const fn running_columns(self) -> [&'static str; 2] {
        if self.is_mariadb() {
            ["Slave_IO_Running", "Slave_SQL_Running"]
        } else {
            ["Replica_IO_Running", "Replica_SQL_Running"]
        }
    }

    /// Ids of connections that a runbook ends: all but root's, replication's and the server's own.
    pub(crate) const fn application_connections(self) -> &'static str {
        "SELECT id FROM information_schema.processlist WHERE user NOT IN \
         ('root', 'repl', 'system user', 'event_scheduler', 'unauthenticated user', 'mysql.session') \
         AND command NOT LIKE 'Binlog Dump%' AND command <> 'Daemon'"
    }

    /// Ids of connections with an open transaction that holds something.
    pub(crate) const fn open_transactions(self) -> &'static str {
        "SELECT trx_mysql_thread_id FROM information_schema.innodb_trx WHERE trx_mysql_thread_id <> 0"
    }
}

#[cfg(test)]
mod tests {
    use super::Flavor;

    #[test]
    fn a_crashed_primary_may_have_too_much() {
        let mariadb = Flavor::MariaDb1011;
        assert!(!mariadb.has_more("0-1-7,0-2-9", "0-1-7,0-2-12"));
        assert!(mariadb.has_more("0-1-8,0-2-9", "0-1-7,0-2-12"));
        assert!(mariadb.has_more("0-3-1", "0-1-7"));
        assert!(!mariadb.has_more("", "0-1-7"));
        assert!(Flavor::Mysql9.has_more("3e11fa47-71ca-11e1-9e33-c80aa9429562:8", ""));
        assert!(!Flavor::Mysql9.has_more("", ""));
    }
}
