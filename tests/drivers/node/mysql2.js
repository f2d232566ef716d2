'use strict';
const mysql = require('mysql2/promise');
const { login, place, run, session } = require('./scenario.js');

async function connect(port, { tls = false, password, schema, ...more }) {
  const connection = await mysql.createConnection({
    ...login(port, { password, schema }),
    supportBigNumbers: true,
    bigNumberStrings: true,
    multipleStatements: true,
    ssl: tls ? { ca: place.ca } : undefined,
    ...more,
  });
  const rows = (promise) => promise.then(([rows]) => rows);
  return session(connection, rows, async (assert, table) => {
    const [results] = await connection.query('SELECT 1 a; SELECT 2 b; SET @x=3');
    assert.strictEqual(Number(results[1][0].b), 2);
    const compressed = await connect(place.port, { compress: true });
    const text = 'x'.repeat(300000);
    assert.strictEqual((await compressed.query('SELECT ? t', [text]))[0].t, text);
    assert.strictEqual((await compressed.execute('SELECT ? t', [text]))[0].t, text);
    await compressed.end();
    await connection.query(`DROP TABLE IF EXISTS ${table}_f`);
    await connection.query(`CREATE TABLE ${table}_f (a INT, b TEXT)`);
    const { Readable } = require('stream');
    const [loaded] = await connection.query({
      sql: `LOAD DATA LOCAL INFILE 'rows' INTO TABLE ${table}_f`,
      infileStreamFactory: () => Readable.from([Buffer.from('1\tone\n'), Buffer.from('2\ttwo\n')]),
    });
    assert.strictEqual(loaded.affectedRows, 2);
    await connection.changeUser({ user: place.user, password: place.password, database: place.schema });
  });
}

run('mysql2', connect);
