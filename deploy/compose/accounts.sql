-- The same accounts on every server, outside replication. Passwords for a trial on one machine: change them elsewhere.
SET SESSION sql_log_bin = 0;
CREATE USER tideover@'%' IDENTIFIED BY 'tideover';
GRANT REPLICA MONITOR, BINLOG MONITOR, PROCESS, REPLICATION SLAVE, READ_ONLY ADMIN, REPLICATION SLAVE ADMIN,
  REPLICATION MASTER ADMIN, CONNECTION ADMIN, BINLOG ADMIN, RELOAD ON *.* TO tideover@'%';
GRANT SELECT ON mysql.user TO tideover@'%';
GRANT SELECT ON mysql.global_priv TO tideover@'%';
GRANT SELECT ON mysql.proc TO tideover@'%';
GRANT ALL PRIVILEGES ON tideover.* TO tideover@'%' WITH GRANT OPTION;
CREATE USER repl@'%' IDENTIFIED BY 'repl';
GRANT REPLICATION SLAVE ON *.* TO repl@'%';
CREATE USER app@'%' IDENTIFIED BY 'app';
GRANT ALL PRIVILEGES ON app.* TO app@'%';
