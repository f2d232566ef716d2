# Ruby's mysql2: what it must be able to do through the proxy.
require 'io/wait'
require 'mysql2'

UNICODE = "Grüße, 世界, \u{1f600}, e\u0301, \u202e, '\"\\`%_;"
TABLE = 'd_ruby'
$stdout.sync = true

def env(name) = ENV.fetch("TIDEOVER_#{name}")
def step(name) = puts("step #{name}")
def check(yes, what) = yes || raise(what)

def connect(port, more = {})
  Mysql2::Client.new({ host: env('HOST'), port: port.to_i, username: env('USER'), password: env('PASSWORD'),
                       database: env('SCHEMA'), encoding: 'utf8mb4', cast_booleans: false }.merge(more))
end

def code
  yield
rescue Mysql2::Error => e
  e.error_number
else
  raise 'it was not refused'
end

def rows(db, sql) = db.query(sql, as: :array).to_a

step 'login'
[{ sslca: env('CA') }, {}].each do |tls|
  db = connect(env('PORT'), tls)
  check(rows(db, 'SELECT DATABASE()') == [[env('SCHEMA')]], 'schema')
  db.close
end
check(code { connect(env('PORT'), { password: 'wrong' }) } == 1045, 'a wrong password')

step 'types'
db = connect(env('PORT'))
direct = connect(env('DIRECT_PORT'))
types = 'SELECT * FROM types ORDER BY id'
check(rows(db, types) == rows(direct, types), 'rows differ')
binary = [db, direct].map do |c|
  # Without the times, of which Ruby has no type.
  c.prepare('SELECT id, c_bigint, c_decimal, c_double, c_varchar, c_longblob, c_json FROM types WHERE id >= ? ORDER BY id').execute(0, as: :array).to_a
end
check(binary[0] == binary[1], 'rows in binary differ')
db.query("DROP TABLE IF EXISTS #{TABLE}")
db.query("CREATE TABLE #{TABLE} LIKE types")
db.query("INSERT INTO #{TABLE} SELECT * FROM types")
update = db.prepare("UPDATE #{TABLE} SET c_varchar=?, c_int=?, c_double=? WHERE id=1")
update.execute(UNICODE, -7, 0.5)
check(rows(db, "SELECT c_varchar, c_int, c_double FROM #{TABLE} WHERE id=1") == [[UNICODE, -7, 0.5]], 'an update')

step 'transactions'
db.query("DROP TABLE IF EXISTS #{TABLE}_t")
db.query("CREATE TABLE #{TABLE}_t (id INT PRIMARY KEY AUTO_INCREMENT, n INT)")
db.query("INSERT INTO #{TABLE}_t (n) VALUES (1), (2)")
check(db.last_id == 1 && db.affected_rows == 2, 'id and row count')
%w[ROLLBACK COMMIT].each do |ending|
  db.query('BEGIN')
  db.query("UPDATE #{TABLE}_t SET n=n+10")
  db.query(ending)
end
check(rows(db, "SELECT SUM(n) FROM #{TABLE}_t")[0][0].to_i == 23, 'books')

step 'long values'
big = "\x00\xff\x07x".b * (env('LONG').to_i / 8)
db.query("DROP TABLE IF EXISTS #{TABLE}_b")
db.query("CREATE TABLE #{TABLE}_b (b LONGBLOB)")
db.prepare("INSERT INTO #{TABLE}_b VALUES (?)").execute(big)
check(rows(db, "SELECT b FROM #{TABLE}_b")[0][0].b == big, 'a long value')
db.query("DROP TABLE #{TABLE}_b")

step 'variables, errors, cancel'
db.query("SET @mine='#{db.escape(UNICODE)}'")
check(rows(db, 'SELECT @mine') == [[UNICODE]], 'a user variable')
check(code { db.query('SELEC 1') } == 1064, 'syntax')
check(code { db.query("INSERT INTO #{TABLE}_t (id) VALUES (1)") } == 1062, 'a duplicate')
id = db.thread_id
Thread.new do
  sleep 0.3
  connect(env('PORT')).query("KILL QUERY #{id}")
end
started = Time.now
begin
  check(rows(db, 'SELECT SLEEP(30)') == [[1]], 'an interrupted SLEEP says 1')
rescue Mysql2::Error => e
  check(e.error_number == 1317, "an interrupted statement: #{e}")
end
check(Time.now - started < 20, 'it was not interrupted')
puts 'ready'
db.close
db = connect(env('PORT'))

step 'load'
db.query("DROP TABLE IF EXISTS #{TABLE}_l")
db.query("CREATE TABLE #{TABLE}_l (id INT PRIMARY KEY, n INT NOT NULL)")
db.query('SET @round=0')
count = 0
change = db.prepare("UPDATE #{TABLE}_l SET n=n+1 WHERE id=?")
until $stdin.wait_readable(0)
  count += 1
  db.query('BEGIN')
  db.query("INSERT INTO #{TABLE}_l VALUES (#{count}, 0)")
  db.query("SET @round=#{count}")
  change.execute(count)
  check(rows(db, "SELECT n FROM #{TABLE}_l WHERE id=#{count}") == [[1]], 'its own write')
  db.query('COMMIT')
  check(rows(db, 'SELECT @round') == [[count]], 'a variable')
  sleep 0.002
end
found = rows(db, "SELECT COUNT(*), SUM(n), MAX(id) FROM #{TABLE}_l")[0].map(&:to_i)
check(found == [count] * 3, "#{found} of #{count}")
puts "done #{count}"
