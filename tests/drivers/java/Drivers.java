import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.sql.*;
import java.util.*;

/** MariaDB Connector/J: what it must be able to do through the proxy. `java -cp mariadb-java-client.jar Drivers.java` */
public class Drivers {
  static final String HOST = env("HOST"), USER = env("USER"), PASSWORD = env("PASSWORD"), SCHEMA = env("SCHEMA");
  static final String PORT = env("PORT"), DIRECT = env("DIRECT_PORT"), TABLE = "d_java";
  static final String UNICODE = "Grüße, 世界, \uD83D\uDE00, e\u0301, \u202e, '\"\\`%_;";

  interface Action {
    void run() throws Exception;
  }

  static String env(String name) {
    return System.getenv("TIDEOVER_" + name);
  }

  static void step(String name) {
    System.out.println("step " + name);
  }

  static void check(boolean yes, String what) {
    if (!yes) throw new AssertionError(what);
  }

  static Connection connect(String port, String more, String password) throws SQLException {
    String url = "jdbc:mariadb://" + HOST + ":" + port + "/" + SCHEMA + "?allowPublicKeyRetrieval=true" + more;
    return DriverManager.getConnection(url, USER, password);
  }

  static Connection connect(String port, String more) throws SQLException {
    return connect(port, more, PASSWORD);
  }

  static void run(Connection connection, String sql) throws SQLException {
    try (Statement statement = connection.createStatement()) {
      statement.execute(sql);
    }
  }

  static int code(Action action) throws Exception {
    try {
      action.run();
    } catch (SQLException error) {
      return error.getErrorCode();
    }
    throw new AssertionError("it was not refused");
  }

  /** All rows as text. */
  static String rows(Connection connection, String sql, Object... values) throws SQLException {
    StringBuilder text = new StringBuilder();
    try (PreparedStatement statement = connection.prepareStatement(sql)) {
      for (int at = 0; at < values.length; at++) statement.setObject(at + 1, values[at]);
      ResultSet rows = statement.executeQuery();
      int columns = rows.getMetaData().getColumnCount();
      while (rows.next()) {
        for (int column = 1; column <= columns; column++) {
          String type = rows.getMetaData().getColumnTypeName(column);
          byte[] value = rows.getBytes(column);
          text.append(type).append('=').append(value == null ? "NULL" : rows.getString(column)).append(',');
        }
        text.append('|');
      }
    }
    return text.toString();
  }

  static String one(Connection connection, String sql, Object... values) throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(sql)) {
      for (int at = 0; at < values.length; at++) statement.setObject(at + 1, values[at]);
      ResultSet rows = statement.executeQuery();
      rows.next();
      return rows.getString(1);
    }
  }

  public static void main(String[] arguments) throws Exception {
    step("login");
    for (String tls : List.of("&sslMode=verify-full&useSsl=true&serverSslCert=" + env("CA"), "&useSsl=false")) {
      try (Connection connection = connect(PORT, tls)) {
        check(one(connection, "SELECT DATABASE()").equals(SCHEMA), "schema");
      }
    }
    check(code(() -> connect(PORT, "", "wrong")) == 1045, "a wrong password");
    for (String how : List.of("", "&useServerPrepStmts=true", "&useServerPrepStmts=true&useCompression=true")) {
      step("work" + how);
      try (Connection connection = connect(PORT, how)) {
        work(connection, how);
      }
    }
    cancel();
    bulk();
    System.out.println("ready");
    try (Connection connection = connect(PORT, "&useServerPrepStmts=true")) {
      load(connection);
    }
  }

  static void work(Connection connection, String how) throws Exception {
    String types = "SELECT * FROM types ORDER BY id";
    try (Connection direct = connect(DIRECT, how)) {
      String through = rows(connection, types), own = rows(direct, types);
      int same = 0;
      while (same < Math.min(through.length(), own.length()) && through.charAt(same) == own.charAt(same)) same++;
      String differ = through.substring(same, Math.min(same + 60, through.length()));
      check(through.equals(own), "rows differ at " + same + ": " + differ + " and directly "
          + own.substring(same, Math.min(same + 60, own.length())));
    }
    run(connection, "DROP TABLE IF EXISTS " + TABLE);
    run(connection, "CREATE TABLE " + TABLE + " LIKE types");
    run(connection, "INSERT INTO " + TABLE + " SELECT * FROM types");
    check(rows(connection, types).equals(rows(connection, types.replace("types", TABLE))), "a copy differs");
    String update = "UPDATE " + TABLE + " SET c_varchar=?, c_blob=?, c_datetime=?, c_decimal=? WHERE id=1";
    try (PreparedStatement statement = connection.prepareStatement(update)) {
      statement.setString(1, UNICODE);
      statement.setBytes(2, UNICODE.getBytes(StandardCharsets.UTF_8));
      statement.setTimestamp(3, Timestamp.valueOf("2024-02-29 23:59:59.123456"));
      statement.setBigDecimal(4, new java.math.BigDecimal("-12345.6789"));
      check(statement.executeUpdate() == 1, "row count");
    }
    check(one(connection, "SELECT c_varchar FROM " + TABLE + " WHERE id=?", 1).equals(UNICODE), "an update");

    run(connection, "DROP TABLE IF EXISTS " + TABLE + "_t");
    run(connection, "CREATE TABLE " + TABLE + "_t (id INT PRIMARY KEY AUTO_INCREMENT, n INT)");
    try (Statement statement = connection.createStatement()) {
      statement.executeUpdate("INSERT INTO " + TABLE + "_t (n) VALUES (1), (2)", Statement.RETURN_GENERATED_KEYS);
      ResultSet keys = statement.getGeneratedKeys();
      check(keys.next() && keys.getInt(1) == 1, "id");
    }
    connection.setAutoCommit(false);
    run(connection, "UPDATE " + TABLE + "_t SET n=n+1");
    Savepoint here = connection.setSavepoint();
    run(connection, "DELETE FROM " + TABLE + "_t");
    connection.rollback(here);
    check(one(connection, "SELECT SUM(n) FROM " + TABLE + "_t").equals("5"), "a savepoint");
    connection.rollback();
    check(one(connection, "SELECT SUM(n) FROM " + TABLE + "_t").equals("3"), "a rollback");
    connection.commit();
    connection.setAutoCommit(true);

    byte[] big = new byte[Integer.parseInt(env("LONG"))];
    new Random(7).nextBytes(big);
    run(connection, "DROP TABLE IF EXISTS " + TABLE + "_b");
    run(connection, "CREATE TABLE " + TABLE + "_b (b LONGBLOB)");
    try (PreparedStatement statement = connection.prepareStatement("INSERT INTO " + TABLE + "_b VALUES (?)")) {
      statement.setBytes(1, big);
      statement.executeUpdate();
    }
    try (Statement statement = connection.createStatement()) {
      ResultSet rows = statement.executeQuery("SELECT b FROM " + TABLE + "_b");
      rows.next();
      check(Arrays.equals(rows.getBytes(1), big), "a long value");
    }
    run(connection, "DROP TABLE " + TABLE + "_b");

    try (Statement statement = connection.createStatement()) {
      statement.setFetchSize(1);
      ResultSet rows = statement.executeQuery("SELECT id FROM types ORDER BY id");
      int count = 0;
      while (rows.next()) count++;
      check(count == 3, "a streamed result");
    }
    run(connection, "SET @mine='" + UNICODE.replace("\\", "\\\\").replace("'", "''") + "'");
    check(one(connection, "SELECT @mine").equals(UNICODE), "a user variable");
    connection.setTransactionIsolation(Connection.TRANSACTION_READ_COMMITTED);
    check(connection.getTransactionIsolation() == Connection.TRANSACTION_READ_COMMITTED, "isolation");
    check(code(() -> run(connection, "SELEC 1")) == 1064, "syntax");
    check(code(() -> run(connection, "INSERT INTO " + TABLE + "_t (id) VALUES (1)")) == 1062, "a duplicate");
    check(connection.isValid(5), "the connection lives on");
  }

  static void cancel() throws Exception {
    step("cancel");
    try (Connection connection = connect(PORT, "")) {
      for (boolean timeout : List.of(true, false)) {
        try (Statement statement = connection.createStatement()) {
          long started = System.nanoTime();
          if (timeout) {
            statement.setQueryTimeout(1);
          } else {
            new Timer(true).schedule(new TimerTask() {
              public void run() {
                try {
                  statement.cancel();
                } catch (SQLException error) {
                  error.printStackTrace();
                }
              }
            }, 500);
          }
          // By a function of ours, since an interrupted SLEEP is no error.
          try {
            ResultSet rows = statement.executeQuery("SELECT SLEEP(30)");
            rows.next();
            check(rows.getInt(1) == 1, "an interrupted SLEEP says 1");
          } catch (SQLException error) {
            check(List.of(1317, 1969).contains(error.getErrorCode()), "interrupted: " + error);
          }
          check(System.nanoTime() - started < 20_000_000_000L, "it was not interrupted");
        }
        check(one(connection, "SELECT 1").equals("1"), "the connection lives on");
      }
    }
  }

  static void bulk() throws Exception {
    step("batches");
    try (Connection connection = connect(PORT, "&useServerPrepStmts=true&useBulkStmts=true")) {
      run(connection, "DROP TABLE IF EXISTS " + TABLE + "_m");
      run(connection, "CREATE TABLE " + TABLE + "_m (id INT PRIMARY KEY, t TEXT)");
      try (PreparedStatement statement = connection.prepareStatement("INSERT INTO " + TABLE + "_m VALUES (?, ?)")) {
        for (int at = 0; at < 300; at++) {
          statement.setInt(1, at);
          statement.setString(2, at % 7 == 0 ? null : "row " + at);
          statement.addBatch();
        }
        statement.executeBatch();
      }
      String found = rows(connection, "SELECT COUNT(*), COUNT(t), SUM(id) FROM " + TABLE + "_m");
      check(found.contains("=300,") && found.contains("=257,") && found.contains("=44850,"), found);
    }
  }

  static boolean told() throws IOException {
    // The test closes our input: then there is an end of file to read, and before that nothing.
    return stopped;
  }

  static volatile boolean stopped = false;

  static void load(Connection connection) throws Exception {
    step("load");
    Thread watcher = new Thread(() -> {
      try {
        while (System.in.read() >= 0) {}
      } catch (IOException error) {
        // As good as closed.
      }
      stopped = true;
    });
    watcher.setDaemon(true);
    watcher.start();
    String table = TABLE + "_l";
    run(connection, "DROP TABLE IF EXISTS " + table);
    run(connection, "CREATE TABLE " + table + " (id INT PRIMARY KEY, n INT NOT NULL)");
    run(connection, "SET @round=0");
    connection.setAutoCommit(false);
    int count = 0;
    while (!told()) {
      count++;
      run(connection, "INSERT INTO " + table + " VALUES (" + count + ", 0)");
      run(connection, "SET @round=" + count);
      try (PreparedStatement update = connection.prepareStatement("UPDATE " + table + " SET n=n+1 WHERE id=?")) {
        update.setInt(1, count);
        check(update.executeUpdate() == 1, "row count");
      }
      check(one(connection, "SELECT n FROM " + table + " WHERE id=?", count).equals("1"), "its own write");
      connection.commit();
      check(one(connection, "SELECT @round").equals("" + count), "a variable");
      connection.commit();
      Thread.sleep(2);
    }
    String found = rows(connection, "SELECT COUNT(*), SUM(n), MAX(id) FROM " + table);
    check(found.split("=" + count + ",", -1).length == 4, found + " of " + count);
    System.out.println("done " + count);
  }
}
