// What both Node drivers must be able to do through the proxy. `connect(port, options)` gives a connection with
// promises: `query(sql, values)` gives rows or a result, `execute(sql, values)` the same with a prepared statement.
'use strict';
const fs = require('fs');
const assert = require('assert');

const env = (name) => process.env[`TIDEOVER_${name}`];
const place = {
  host: env('HOST'),
  port: Number(env('PORT')),
  directPort: Number(env('DIRECT_PORT')),
  user: env('USER'),
  password: env('PASSWORD'),
  schema: env('SCHEMA'),
  ca: fs.readFileSync(env('CA')),
  mysql: env('FAMILY') === 'mysql',
};
const UNICODE = 'Grüße, 世界, \u{1f600}, e\u0301, \u202e, \'"\\`%_;';
const BIG = Number(env('LONG'));

// What both take alike to connect.
function login(port, { password = place.password, schema = place.schema }) {
  return { host: place.host, port, user: place.user, password, database: schema, connectTimeout: 30000 };
}

// A connection as the steps use it; `rows` takes from an answer what they look at.
function session(connection, rows, more) {
  return {
    query: (sql, values) => rows(connection.query(sql, values)),
    execute: (sql, values) => rows(connection.execute(sql, values)),
    begin: () => connection.beginTransaction(),
    commit: () => connection.commit(),
    rollback: () => connection.rollback(),
    end: () => connection.end(),
    id: connection.threadId,
    more,
  };
}

function step(name) {
  console.log('step', name);
}

let stopped = false;
process.stdin.on('end', () => { stopped = true; });
process.stdin.resume();

// A BigInt is no JSON.
const text = (rows) => JSON.stringify(rows, (_, value) => (typeof value === 'bigint' ? `${value}n` : value));

async function code(promise) {
  try {
    await promise;
  } catch (error) {
    return error.errno;
  }
  throw new Error('it was not refused');
}

async function scenario(name, connect) {
  const table = `d_${name}`;
  step('login');
  for (const tls of [true, false]) {
    const connection = await connect(place.port, { tls });
    const [row] = await connection.query('SELECT DATABASE() d, CURRENT_USER() u');
    assert.strictEqual(row.d, place.schema);
    assert.ok(row.u.startsWith('app@'));
    await connection.end();
  }
  assert.strictEqual(await code(connect(place.port, { password: 'wrong' })), 1045);
  assert.ok([1044, 1049].includes(await code(connect(place.port, { schema: 'nowhere' }))));

  const connection = await connect(place.port, {});
  const { query, execute } = connection;
  step('types');
  const direct = await connect(place.directPort, {});
  const types = 'SELECT * FROM types ORDER BY id';
  const plain = await query(types);
  const expected = await direct.query(types);
  assert.deepStrictEqual(text(plain), text(expected));
  const binary = text(await execute('SELECT * FROM types WHERE id >= ? ORDER BY id', [0]));
  const same = text(await direct.execute('SELECT * FROM types WHERE id >= ? ORDER BY id', [0]));
  assert.strictEqual(binary, same);
  await query(`DROP TABLE IF EXISTS ${table}`);
  await query(`CREATE TABLE ${table} LIKE types`);
  await query(`INSERT INTO ${table} SELECT * FROM types`);
  assert.strictEqual(text(await query(`SELECT * FROM ${table} ORDER BY id`)), text(expected));
  const bytes = Buffer.from([...Array(256).keys()]);
  for (const run of [query, execute]) {
    const update = `UPDATE ${table} SET c_varchar=?, c_double=?, c_blob=? WHERE id=1`;
    await run(update, [UNICODE, 0.1, bytes]);
    const [row] = await run(`SELECT c_varchar, c_double, c_blob FROM ${table} WHERE id=1`);
    assert.strictEqual(row.c_varchar, UNICODE);
    assert.strictEqual(row.c_double, 0.1);
    assert.ok(bytes.equals(row.c_blob));
    await query(`UPDATE ${table} SET c_varchar=NULL, c_double=NULL, c_blob=NULL WHERE id=1`);
  }
  await direct.end();

  step('transactions');
  await query(`DROP TABLE IF EXISTS ${table}_t`);
  await query(`CREATE TABLE ${table}_t (id INT PRIMARY KEY AUTO_INCREMENT, n INT)`);
  const inserted = await query(`INSERT INTO ${table}_t (n) VALUES (1), (2)`);
  assert.deepStrictEqual([Number(inserted.insertId), inserted.affectedRows], [1, 2]);
  await connection.begin();
  await execute(`UPDATE ${table}_t SET n=n+?`, [1]);
  await connection.rollback();
  await connection.begin();
  await execute(`UPDATE ${table}_t SET n=n+?`, [10]);
  await connection.commit();
  assert.strictEqual(Number((await query(`SELECT SUM(n) s FROM ${table}_t`))[0].s), 23);

  step('long values');
  const big = Buffer.alloc(BIG, bytes);
  await query(`DROP TABLE IF EXISTS ${table}_b`);
  await query(`CREATE TABLE ${table}_b (id INT PRIMARY KEY, b LONGBLOB)`);
  await query(`INSERT INTO ${table}_b VALUES (1, ?)`, [big.subarray(0, BIG / 4)]);
  await execute(`INSERT INTO ${table}_b VALUES (2, ?)`, [big]);
  for (const run of [query, execute]) {
    const [row] = await run(`SELECT b FROM ${table}_b WHERE id=2`);
    assert.ok(big.equals(row.b));
  }
  await query(`DROP TABLE ${table}_b`);

  step('variables');
  await query('SET @mine=?', [UNICODE]);
  await query("SET SESSION sql_mode='ANSI_QUOTES', time_zone='+03:00'");
  const [session] = await query('SELECT @mine m, "id" i, @@time_zone t FROM types WHERE id=1');
  assert.deepStrictEqual([session.m, Number(session.i), session.t], [UNICODE, 1, '+03:00']);
  await query('SET SESSION sql_mode=DEFAULT, time_zone=DEFAULT');

  step('errors');
  assert.strictEqual(await code(query('SELEC 1')), 1064);
  assert.strictEqual(await code(execute('SELECT * FROM nowhere')), 1146);
  assert.strictEqual(await code(execute(`INSERT INTO ${table}_t (id) VALUES (?)`, [1])), 1062);
  assert.strictEqual(Number((await query('SELECT 1 one'))[0].one), 1);

  step('cancel');
  const id = connection.id;
  const other = await connect(place.port, {});
  setTimeout(() => other.query(`KILL QUERY ${id}`), 300);
  const started = Date.now();
  try {
    assert.strictEqual(Number((await query('SELECT SLEEP(30) s'))[0].s), 1);
  } catch (error) {
    assert.strictEqual(error.errno, 1317);
  }
  assert.ok(Date.now() - started < 20000, 'it was not interrupted');
  await other.end();

  if (connection.more) {
    step('what only this driver does');
    await connection.more(assert, table);
  }
  console.log('ready');

  step('load');
  await query(`DROP TABLE IF EXISTS ${table}_l`);
  await query(`CREATE TABLE ${table}_l (id INT PRIMARY KEY, n INT NOT NULL)`);
  await query('SET @round=0');
  let count = 0;
  while (!stopped) {
    count += 1;
    await connection.begin();
    await query(`INSERT INTO ${table}_l VALUES (?, 0)`, [count]);
    await query('SET @round=?', [count]);
    await execute(`UPDATE ${table}_l SET n=n+1 WHERE id=?`, [count]);
    assert.strictEqual((await execute(`SELECT n FROM ${table}_l WHERE id=?`, [count]))[0].n, 1);
    await connection.commit();
    assert.strictEqual(Number((await query('SELECT @round r'))[0].r), count);
    await new Promise((resume) => setTimeout(resume, 2));
  }
  const [found] = await query(`SELECT COUNT(*) c, SUM(n) s, MAX(id) m FROM ${table}_l`);
  assert.deepStrictEqual([Number(found.c), Number(found.s), found.m], [count, count, count]);
  await connection.end();
  console.log('done', count);
  process.exit(0);
}

module.exports = {
  login,
  place,
  session,
  UNICODE,
  run: (name, connect) => scenario(name, connect).catch((error) => {
    console.error(error);
    process.exit(1);
  }),
};
