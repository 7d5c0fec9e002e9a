import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PassEnd } from '../../src/model/write-back-step.ts';
import { WriteBackLoop } from '../../src/write-back/loop.ts';
import { FakeTools } from './fake-tools.ts';

const LONG = { takes: 1_000_000, end: 'done' as PassEnd };

test('what the server downloaded last gets a pass of its own, settled or not', async () => {
  const tools = world({ nextPass: { takes: 3000, end: 'done' } }).serverEndsAt(10_100);
  tools.at(10_050, () => Object.assign(tools, { fingerprint: 'new' }));
  assert.equal(await new WriteBackLoop(tools).run(), 'server-ended');
  assert.deepEqual(
    tools.passes.map(({ parkedAt }) => parkedAt),
    [undefined],
  );
});

test('a pass that runs when the server ends may come to its end', async () => {
  const tools = world({ fingerprint: 'new', nextPass: { takes: 12_000, end: 'done' } }).serverEndsAt(10_000);
  await new WriteBackLoop(tools).run();
  assert.deepEqual(
    tools.passes.map(({ parkedAt }) => parkedAt),
    [undefined],
  );
});

test('a pass that takes longer is parked in time', async () => {
  const tools = world({ fingerprint: 'new', nextPass: LONG }).serverEndsAt(10_000);
  await new WriteBackLoop(tools).run();
  const [{ parkedAt, killedAt } = { parkedAt: 0, killedAt: 0 }] = tools.passes;
  assert.ok((parkedAt ?? 0) >= 16_000 && (parkedAt ?? 0) <= 16_500, `${parkedAt}`);
  assert.equal(killedAt, undefined);
});

test('a pass that does not heed it is killed when the grace is over', async () => {
  const tools = world({ fingerprint: 'new', nextPass: LONG, heedsPark: false }).serverEndsAt(10_000);
  await new WriteBackLoop(tools).run();
  const { killedAt } = tools.passes[0] ?? { killedAt: 0 };
  assert.ok((killedAt ?? 0) >= 18_000 && (killedAt ?? 0) <= 18_500, `${killedAt}`);
});

test('without any grace nothing is begun', async () => {
  const tools = world({ grace: 0 }).serverEndsAt(10_100);
  tools.at(10_050, () => Object.assign(tools, { fingerprint: 'new' }));
  await new WriteBackLoop(tools).run();
  assert.deepEqual(tools.passes, []);
});

test('what came while the last pass was running is looked for in what is left of the grace', async () => {
  const tools = world({ fingerprint: 'new', nextPass: { takes: 10_000, end: 'done' } }).serverEndsAt(9000);
  tools.at(8900, () => Object.assign(tools, { fingerprint: 'newer', nextPass: { takes: 10, end: 'done' } }));
  await new WriteBackLoop(tools).run();
  assert.equal(tools.passes.length, 2);
});

test('a signal parks the pass at once, and nothing more is begun', async () => {
  const tools = world({ fingerprint: 'new', nextPass: LONG });
  const loop = new WriteBackLoop(tools);
  tools.at(10_000, () => {
    tools.fingerprint = 'newer';
    loop.stop();
  });
  assert.equal(await loop.run(), 'stopped');
  assert.deepEqual(
    tools.passes.map(({ parkedAt }) => parkedAt),
    [10_000],
  );
});

test('a signal while the last pass has its grace parks it at once', async () => {
  const tools = world({ fingerprint: 'new', nextPass: LONG }).serverEndsAt(10_000);
  const loop = new WriteBackLoop(tools);
  tools.at(12_000, () => loop.stop());
  await loop.run();
  assert.deepEqual(
    tools.passes.map(({ parkedAt }) => parkedAt),
    [12_000],
  );
});

test('a signal without a pass is the end', async () => {
  const tools = world({});
  const loop = new WriteBackLoop(tools);
  tools.at(10_000, () => loop.stop());
  assert.equal(await loop.run(), 'stopped');
  assert.equal(tools.now(), 10_000);
});

function world(properties: Partial<FakeTools>): FakeTools {
  return Object.assign(new FakeTools(), properties);
}
