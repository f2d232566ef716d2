use std::path::Path;

use super::{ClusterOptions, Flavor};

/// The options of one server. Small memory, loopback only, GTID replication ready in both directions.
pub(crate) fn server_options(options: &ClusterOptions, data: &Path, index: usize, port: u16) -> Vec<String> {
    let durable = u8::from(options.durable);
    let mut list = vec![
        format!("--datadir={}", data.display()),
        // A server that starts removes what others have open in a directory shared with them.
        format!("--tmpdir={}", data.parent().unwrap_or(data).display()),
        format!("--port={port}"),
        "--bind-address=127.0.0.1".into(),
        "--socket=server.sock".into(),
        "--pid-file=server.pid".into(),
        "--skip-name-resolve".into(),
        format!("--server-id={}", index + 1),
        "--report-host=127.0.0.1".into(),
        format!("--report-port={port}"),
        "--log-bin=binlog".into(),
        "--relay-log=relay".into(),
        "--binlog-format=ROW".into(),
        "--max-connections=1000".into(),
        "--table-open-cache=400".into(),
        "--table-definition-cache=400".into(),
        "--innodb-buffer-pool-size=64M".into(),
        format!("--innodb-flush-log-at-trx-commit={}", 2 - durable),
        format!("--sync-binlog={durable}"),
    ];
    let own: &[&str] = if options.flavor.is_mariadb() { MARIADB } else { MYSQL };
    list.extend(own.iter().map(|&option| option.to_owned()));
    if options.semi_sync {
        list.extend(semi_sync(options.flavor).iter().map(|&option| option.to_owned()));
    }
    list.extend(options.server_options.iter().cloned());
    let own = options.options_of_one.iter().filter(|(of, _)| *of == index);
    list.extend(own.map(|(_, option)| option.clone()));
    list
}

/// The option that makes a server start closed for writes.
pub(crate) const fn start_read_only(flavor: Flavor) -> &'static str {
    if flavor.is_mariadb() { "--read-only=ON" } else { "--super-read-only=ON" }
}

const MARIADB: &[&str] = &[
    "--log-slave-updates=ON",
    "--gtid-strict-mode=ON",
    "--binlog-annotate-row-events=ON",
    "--innodb-log-file-size=16M",
    "--performance-schema=OFF",
];

const MYSQL: &[&str] = &[
    "--log-replica-updates=ON",
    "--gtid-mode=ON",
    "--enforce-gtid-consistency=ON",
    "--binlog-rows-query-log-events=ON",
    "--innodb-redo-log-capacity=32M",
    "--mysqlx=OFF",
    // Replication tables of performance_schema serve as usual; what would take memory and time is left out.
    "--performance-schema-instrument=%=OFF",
    "--performance-schema-max-table-instances=200",
    "--performance-schema-max-thread-instances=300",
    "--performance-schema-digests-size=100",
    "--performance-schema-error-size=0",
    "--performance-schema-max-memory-classes=0",
    "--performance-schema-max-sql-text-length=0",
    "--performance-schema-events-statements-history-long-size=10",
];

/// Both halves on every server, because roles change.
const fn semi_sync(flavor: Flavor) -> &'static [&'static str] {
    if flavor.is_mariadb() {
        &[
            "--rpl-semi-sync-master-enabled=ON",
            "--rpl-semi-sync-slave-enabled=ON",
            "--rpl-semi-sync-master-wait-point=AFTER_SYNC",
            "--rpl-semi-sync-master-wait-no-slave=OFF",
            "--rpl-semi-sync-master-timeout=10000",
        ]
    } else {
        &[
            "--plugin-load-add=semisync_source.so;semisync_replica.so",
            "--loose-rpl-semi-sync-source-enabled=ON",
            "--loose-rpl-semi-sync-replica-enabled=ON",
            "--loose-rpl-semi-sync-source-wait-no-replica=OFF",
            "--loose-rpl-semi-sync-source-timeout=10000",
        ]
    }
}
