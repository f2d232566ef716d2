//! Which rights the monitor account lacks for a switchover, from its own SHOW GRANTS. PURE.

use crate::topology::Flavor;

/// Each right with the others that include it, as the servers print them.
const MARIADB: [&[&str]; 6] = [
    &["READ_ONLY ADMIN", "READ ONLY ADMIN"],
    &["REPLICATION SLAVE ADMIN", "SUPER"],
    &["CONNECTION ADMIN", "SUPER"],
    &["BINLOG MONITOR", "REPLICATION CLIENT", "SUPER"],
    &["SLAVE MONITOR", "REPLICA MONITOR", "SUPER"],
    &["PROCESS"],
];
const MYSQL: [&[&str]; 5] = [
    &["SYSTEM_VARIABLES_ADMIN", "SUPER"],
    &["REPLICATION_SLAVE_ADMIN", "SUPER"],
    &["CONNECTION_ADMIN", "SUPER"],
    &["REPLICATION CLIENT", "SUPER"],
    &["PROCESS"],
];

/// The first name of each right that none of the `grants` (lines of SHOW GRANTS) gives globally.
#[must_use]
pub fn missing_rights(flavor: Flavor, grants: &[String]) -> Vec<&'static str> {
    let mut held: Vec<String> = Vec::new();
    for line in grants {
        let upper = line.to_ascii_uppercase().replace('`', "");
        let Some(list) = upper.strip_prefix("GRANT ").and_then(|l| l.split_once(" ON *.*")) else { continue };
        held.extend(list.0.split(',').map(|right| right.trim().to_owned()));
    }
    let all = held.iter().any(|r| r == "ALL PRIVILEGES" || r == "ALL");
    // MySQL prints dynamic privileges on a line of their own even beside ALL PRIVILEGES; ALL does include them for root
    // only if granted so, which that line then shows.
    let wanted: &[&[&str]] = match flavor {
        Flavor::MariaDb => &MARIADB,
        Flavor::MySql => &MYSQL,
    };
    let has = |names: &&[&str]| names.iter().any(|n| held.iter().any(|h| h == n));
    wanted.iter().filter(|names| !all && !has(names)).filter_map(|names| names.first().copied()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_the_servers_print() {
        let full = ["GRANT ALL PRIVILEGES ON *.* TO `root`@`localhost` WITH GRANT OPTION".to_owned()];
        assert!(missing_rights(Flavor::MariaDb, &full).is_empty());
        let some = [
            "GRANT PROCESS, BINLOG MONITOR, CONNECTION ADMIN ON *.* TO `tideover`@`%` IDENTIFIED BY PASSWORD '*A'"
                .to_owned(),
            "GRANT ALL PRIVILEGES ON `app`.* TO `tideover`@`%`".to_owned(),
        ];
        assert_eq!(
            missing_rights(Flavor::MariaDb, &some),
            ["READ_ONLY ADMIN", "REPLICATION SLAVE ADMIN", "SLAVE MONITOR"]
        );
        let mysql = [
            "GRANT PROCESS, REPLICATION CLIENT ON *.* TO `tideover`@`%`".to_owned(),
            "GRANT CONNECTION_ADMIN,REPLICATION_SLAVE_ADMIN ON *.* TO `tideover`@`%`".to_owned(),
        ];
        assert_eq!(missing_rights(Flavor::MySql, &mysql), ["SYSTEM_VARIABLES_ADMIN"]);
    }
}
