<?php
// PHP: `drivers.php mysqli|pdo`. What both must be able to do through the proxy.
declare(strict_types=1);

const UNICODE = "Grüße, 世界, \u{1f600}, e\u{301}, \u{202e}, '\"\\`%_;";
ini_set('memory_limit', '1G');

function env(string $name): string { return (string) getenv("TIDEOVER_$name"); }
function step(string $name): void { echo "step $name\n"; }
function check(bool $yes, string $what): void { if (!$yes) { throw new Exception($what); } }

/** One connection, whatever the extension: query, prepared execution, transactions. */
interface Db {
    function query(string $sql): array;
    function execute(string $sql, array $values): array;
    function begin(): void;
    function commit(): void;
    function rollback(): void;
}

class Mysqli_ implements Db {
    public mysqli $link;

    function __construct(string $port, bool $tls, string $password) {
        mysqli_report(MYSQLI_REPORT_ERROR | MYSQLI_REPORT_STRICT);
        $this->link = mysqli_init();
        $flags = 0;
        if ($tls) {
            $this->link->ssl_set(null, null, env('CA'), null, null);
            $flags = MYSQLI_CLIENT_SSL | MYSQLI_CLIENT_SSL_DONT_VERIFY_SERVER_CERT;
        }
        $this->link->real_connect(env('HOST'), env('USER'), $password, env('SCHEMA'), (int) $port, null, $flags);
        $this->link->set_charset('utf8mb4');
    }
    function query(string $sql): array {
        $result = $this->link->query($sql);
        return is_bool($result) ? [] : $result->fetch_all();
    }
    function execute(string $sql, array $values): array {
        $statement = $this->link->prepare($sql);
        $statement->execute($values);
        $result = $statement->get_result();
        return is_bool($result) ? [] : $result->fetch_all();
    }
    function begin(): void { $this->link->begin_transaction(); }
    function commit(): void { $this->link->commit(); }
    function rollback(): void { $this->link->rollback(); }
}

class Pdo_ implements Db {
    public PDO $link;

    function __construct(string $port, bool $tls, string $password) {
        $options = [PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION, PDO::ATTR_EMULATE_PREPARES => false];
        if ($tls) {
            $options[PDO::MYSQL_ATTR_SSL_CA] = env('CA');
            $options[PDO::MYSQL_ATTR_SSL_VERIFY_SERVER_CERT] = false;
        }
        $dsn = 'mysql:host=' . env('HOST') . ";port=$port;dbname=" . env('SCHEMA') . ';charset=utf8mb4';
        $this->link = new PDO($dsn, env('USER'), $password, $options);
    }
    function query(string $sql): array {
        $result = $this->link->query($sql);
        return $result->columnCount() ? $result->fetchAll(PDO::FETCH_NUM) : [];
    }
    function execute(string $sql, array $values): array {
        $statement = $this->link->prepare($sql);
        $statement->execute($values);
        return $statement->columnCount() ? $statement->fetchAll(PDO::FETCH_NUM) : [];
    }
    function begin(): void { $this->link->beginTransaction(); }
    function commit(): void { $this->link->commit(); }
    function rollback(): void { $this->link->rollBack(); }
}

function code(callable $action): int {
    try {
        $action();
    } catch (PDOException $error) {
        return (int) ($error->errorInfo[1] ?? $error->getCode());
    } catch (mysqli_sql_exception $error) {
        return $error->getCode();
    }
    throw new Exception('it was not refused');
}

function run(string $name): void {
    $table = "d_php_$name";
    $class = $name === 'pdo' ? 'Pdo_' : 'Mysqli_';
    $connect = fn (string $port, bool $tls = false, ?string $password = null): Db =>
        new $class($port, $tls, $password ?? env('PASSWORD'));
    step('login');
    foreach ([true, false] as $tls) {
        check($connect(env('PORT'), $tls)->query('SELECT DATABASE()')[0][0] === env('SCHEMA'), 'schema');
    }
    check(code(fn () => $connect(env('PORT'), false, 'wrong')) === 1045, 'a wrong password');

    step('types');
    $db = $connect(env('PORT'));
    $direct = $connect(env('DIRECT_PORT'));
    $types = 'SELECT * FROM types ORDER BY id';
    check($db->query($types) === $direct->query($types), 'rows differ');
    $binary = 'SELECT * FROM types WHERE id >= ? ORDER BY id';
    check($db->execute($binary, [0]) === $direct->execute($binary, [0]), 'rows in binary differ');
    $db->query("DROP TABLE IF EXISTS $table");
    $db->query("CREATE TABLE $table LIKE types");
    $db->query("INSERT INTO $table SELECT * FROM types");
    $db->execute("UPDATE $table SET c_varchar=?, c_blob=?, c_int=? WHERE id=1", [UNICODE, UNICODE, -7]);
    $row = $db->execute("SELECT c_varchar, c_int FROM $table WHERE id=?", [1])[0];
    check($row[0] === UNICODE && (int) $row[1] === -7, 'an update');

    step('transactions');
    $db->query("DROP TABLE IF EXISTS {$table}_t");
    $db->query("CREATE TABLE {$table}_t (id INT PRIMARY KEY AUTO_INCREMENT, n INT)");
    $db->query("INSERT INTO {$table}_t (n) VALUES (1), (2)");
    foreach (['rollback', 'commit'] as $end) {
        $db->begin();
        $db->execute("UPDATE {$table}_t SET n=n+?", [10]);
        $db->$end();
    }
    check((int) $db->query("SELECT SUM(n) FROM {$table}_t")[0][0] === 23, 'books');

    step('long values');
    $big = str_repeat("\0\xff'x", intdiv((int) env('LONG'), 4));
    $db->query("DROP TABLE IF EXISTS {$table}_b");
    $db->query("CREATE TABLE {$table}_b (b LONGBLOB)");
    $db->execute("INSERT INTO {$table}_b VALUES (?)", [$big]);
    check($db->query("SELECT b FROM {$table}_b")[0][0] === $big, 'a long value');
    check($db->execute("SELECT b FROM {$table}_b WHERE 1=?", [1])[0][0] === $big, 'a long value in binary');
    $db->query("DROP TABLE {$table}_b");

    step('variables and errors');
    $db->execute('SET @mine=?', [UNICODE]);
    $db->query("SET SESSION sql_mode='ANSI_QUOTES', time_zone='+03:00'");
    $found = $db->query('SELECT @mine, "id", @@time_zone FROM types WHERE id=1')[0];
    check($found[0] === UNICODE && (int) $found[1] === 1 && $found[2] === '+03:00', 'variables');
    $db->query('SET SESSION sql_mode=DEFAULT, time_zone=DEFAULT');
    check(code(fn () => $db->query('SELEC 1')) === 1064, 'syntax');
    check(code(fn () => $db->execute("INSERT INTO {$table}_t (id) VALUES (?)", [1])) === 1062, 'a duplicate');
    check((int) $db->query('SELECT 1')[0][0] === 1, 'the connection lives on');

    if ($db instanceof Mysqli_) {
        step('several statements, compression, cancel');
        check($db->link->multi_query('SELECT 1; SELECT 2'), 'several statements');
        $results = [];
        do {
            $results[] = $db->link->store_result()->fetch_row()[0];
        } while ($db->link->more_results() && $db->link->next_result());
        check($results === ['1', '2'], 'several results');
        $id = $db->link->thread_id;
        $db->link->query('SELECT SLEEP(30)', MYSQLI_ASYNC);
        usleep(300000);
        $started = microtime(true);
        $connect(env('PORT'))->query("KILL QUERY $id");
        try {
            check($db->link->reap_async_query()->fetch_row()[0] === '1', 'an interrupted SLEEP says 1');
        } catch (mysqli_sql_exception $error) {
            check($error->getCode() === 1317, 'an interrupted statement');
        }
        check(microtime(true) - $started < 20, 'it was not interrupted');
        $compressed = mysqli_init();
        $compressed->real_connect(
            env('HOST'), env('USER'), env('PASSWORD'), env('SCHEMA'), (int) env('PORT'), null, MYSQLI_CLIENT_COMPRESS
        );
        $text = str_repeat('text', 100000);
        check($compressed->query("SELECT '$text'")->fetch_row()[0] === $text, 'a long value, compressed');
        check($db->link->change_user(env('USER'), env('PASSWORD'), env('SCHEMA')), 'COM_CHANGE_USER');
    }
    echo "ready\n";
    load($connect(env('PORT')), "{$table}_l");
}

function load(Db $db, string $table): void {
    step('load');
    stream_set_blocking(STDIN, false);
    $db->query("DROP TABLE IF EXISTS $table");
    $db->query("CREATE TABLE $table (id INT PRIMARY KEY, n INT NOT NULL)");
    $db->query('SET @round=0');
    $count = 0;
    while (fread(STDIN, 1) === '' && !feof(STDIN)) {
        $count += 1;
        $db->begin();
        $db->query("INSERT INTO $table VALUES ($count, 0)");
        $db->query("SET @round=$count");
        $db->execute("UPDATE $table SET n=n+1 WHERE id=?", [$count]);
        check((int) $db->execute("SELECT n FROM $table WHERE id=?", [$count])[0][0] === 1, 'its own write');
        $db->commit();
        check((int) $db->query('SELECT @round')[0][0] === $count, 'a variable');
        usleep(2000);
    }
    $found = array_map('intval', $db->query("SELECT COUNT(*), SUM(n), MAX(id) FROM $table")[0]);
    check($found === [$count, $count, $count], json_encode($found) . " of $count");
    echo "done $count\n";
}

try {
    run($argv[1]);
} catch (Throwable $error) {
    fwrite(STDERR, "$error\n");
    exit(1);
}
