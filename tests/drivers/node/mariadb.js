'use strict';
const mariadb = require('mariadb');
const { login, place, run, session } = require('./scenario.js');

async function connect(port, { tls = false, password, schema, ...more }) {
  const connection = await mariadb.createConnection({
    ...login(port, { password, schema }),
    ssl: tls ? { ca: place.ca } : false,
    allowPublicKeyRetrieval: true,
    maxAllowedPacket: 64 << 20,
    permitLocalInfile: true,
    ...more,
  });
  // Its rows carry metadata that JSON must not see.
  const rows = (promise) => promise.then((rows) => (Array.isArray(rows) ? [...rows] : rows));
  return session(connection, rows, async (assert, table) => {
    await connection.query(`DROP TABLE IF EXISTS ${table}_m`);
    await connection.query(`CREATE TABLE ${table}_m (id INT PRIMARY KEY, t TEXT)`);
    const values = Array.from({ length: 500 }, (_, at) => [at, at % 7 ? `row ${at}` : null]);
    const done = await connection.batch(`INSERT INTO ${table}_m VALUES (?, ?)`, values);
    const inserted = [done].flat().reduce((sum, { affectedRows }) => sum + affectedRows, 0);
    assert.strictEqual(inserted, 500);
    const [sum] = await connection.query(`SELECT SUM(id) s, COUNT(t) c FROM ${table}_m`);
    assert.deepStrictEqual([Number(sum.s), Number(sum.c)], [124750, 428]);
    const compressed = await connect(place.port, { compress: true });
    const text = 'x'.repeat(300000);
    assert.strictEqual((await compressed.query('SELECT ? t', [text]))[0].t, text);
    await compressed.end();
    if (!place.mysql) {
      // The driver refuses to with MySQL.
      await connection.changeUser({ user: place.user, password: place.password, database: place.schema });
    }
    await connection.reset();
  });
}

run('mariadb', connect);
