-- The first real start begins replicating, from the beginning of the primary's binary log.
CHANGE MASTER TO MASTER_HOST = 'primary', MASTER_PORT = 3306, MASTER_USER = 'repl', MASTER_PASSWORD = 'repl',
  MASTER_USE_GTID = slave_pos, MASTER_CONNECT_RETRY = 1;
