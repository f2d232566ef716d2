// TypeORM on mysql2, with its pool.
'use strict';
const assert = require('assert');
const fs = require('fs');
require('reflect-metadata');
const { DataSource, EntitySchema } = require('typeorm');

const env = (name) => process.env[`TIDEOVER_${name}`];
let stopped = false;
process.stdin.on('end', () => { stopped = true; });
process.stdin.resume();

const Item = new EntitySchema({
  name: 'Item',
  tableName: 'd_typeorm',
  columns: {
    id: { type: 'int', primary: true },
    text: { type: 'varchar', length: 200, nullable: true, charset: 'utf8mb4', collation: 'utf8mb4_general_ci' },
    data: { type: 'json', nullable: true },
  },
});

async function worker(source, number, counts) {
  while (!stopped) {
    const id = number * 1000000 + counts[number];
    await source.transaction('READ COMMITTED', async (manager) => {
      await manager.insert(Item, { id, text: 'new' });
      await manager.update(Item, { id }, { text: 'changed' });
    });
    counts[number] += 1;
    await new Promise((resume) => setTimeout(resume, 5));
  }
}

async function main() {
  const source = await new DataSource({
    type: 'mysql',
    host: env('HOST'),
    port: Number(env('PORT')),
    username: env('USER'),
    password: env('PASSWORD'),
    database: env('SCHEMA'),
    ssl: { ca: fs.readFileSync(env('CA')) },
    entities: [Item],
    poolSize: 3,
  }).initialize();
  console.log('step models');
  await source.query('DROP TABLE IF EXISTS d_typeorm');
  await source.synchronize();
  const items = source.getRepository(Item);
  const text = 'Grüße, 世界, \u{1f600}';
  await items.save({ id: -1, text, data: { a: [1, text] } });
  const found = await items.findOneBy({ text });
  assert.deepStrictEqual(found.data, { a: [1, text] });
  await assert.rejects(items.insert({ id: -1 }), (error) => error.errno === 1062);
  await items.delete(-1);
  console.log('ready');
  const counts = [0, 0, 0, 0];
  await Promise.all(counts.map((_, number) => worker(source, number, counts)));
  const count = counts.reduce((a, b) => a + b);
  assert.strictEqual(await items.countBy({ text: 'changed' }), count);
  await source.destroy();
  console.log('done', count);
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
