import assert from 'node:assert/strict';
import { test } from 'node:test';
import { WriteBackLoop } from '../../src/write-back/loop.ts';
import { FakeTools } from './fake-tools.ts';

test('without anything new there is no pass, and the end of the server is the end', async () => {
  const tools = world({ passed: 'same', fingerprint: 'same' }).serverEndsAt(10_000);
  assert.equal(await new WriteBackLoop(tools).run(), 'server-ended');
  assert.deepEqual([tools.passes, tools.said], [[], []]);
});

test('what is new and settled gets one pass, and no second one', async () => {
  const tools = world({})
    .at(5000, () => Object.assign(tools, { fingerprint: 'new' }))
    .serverEndsAt(60_000);
  await new WriteBackLoop(tools).run();
  assert.equal(tools.passes.length, 1);
  assert.deepEqual(tools.states, ['uploading', 'waiting']);
});

test('what changes with every look is left alone until it is settled', async () => {
  const tools = world({}).serverEndsAt(60_000);
  for (let time = 0; time < 12_000; time += 500)
    tools.at(time, () => Object.assign(tools, { fingerprint: `new-${time}` }));
  await new WriteBackLoop(tools).run();
  assert.equal(tools.passes.length, 1);
  assert.ok((tools.passes[0]?.startedAt ?? 0) >= 12_000);
});

test('one pass at a time: what comes meanwhile gets one afterwards', async () => {
  const tools = world({ fingerprint: 'new', nextPass: { takes: 20_000, end: 'done' } }).serverEndsAt(100_000);
  tools.at(10_000, () => Object.assign(tools, { fingerprint: 'newer' }));
  await new WriteBackLoop(tools).run();
  const [first, second, ...more] = tools.passes.map(({ startedAt }) => startedAt);
  assert.deepEqual(more, []);
  assert.ok((second ?? 0) >= (first ?? 0) + 20_000);
});

test('a store that is away is tried again, less and less often', async () => {
  const tools = world({ fingerprint: 'new', nextPass: { takes: 0, end: 'later' } }).serverEndsAt(120_000);
  await new WriteBackLoop(tools).run();
  const gaps = tools.passes.map(
    ({ startedAt }, index) => startedAt - (tools.passes[index - 1]?.startedAt ?? 0),
  );
  assert.deepEqual(
    gaps.slice(1, 3).map((gap) => Math.floor(gap / 15_000)),
    [1, 2],
  );
});

test('a store that will never take it ends the write-back, and the pass has said why', async () => {
  const tools = world({ fingerprint: 'new', nextPass: { takes: 1000, end: 'never' } }).serverEndsAt(120_000);
  assert.equal(await new WriteBackLoop(tools).run(), 'never');
  assert.deepEqual([tools.passes.length, tools.said], [1, []]);
});

test('after the idle time it ends, and says so', async () => {
  const tools = world({ idle: 900_000 });
  assert.equal(await new WriteBackLoop(tools).run(), 'idle');
  assert.deepEqual(tools.said, ['write-back ended: nothing new for 15 minutes']);
  assert.equal(tools.asked, 1);
});

test('a live download is not idle', async () => {
  const tools = world({ idle: 60_000, isLive: true });
  tools.at(100_000, () => Object.assign(tools, { isLive: false }));
  assert.equal(await new WriteBackLoop(tools).run(), 'idle');
  assert.ok(tools.now() >= 120_000);
  assert.equal(tools.asked, 2);
});

test('a download that ends while it is asked for is seen', async () => {
  const tools = world({ idle: 3000 });
  tools.hasLiveDownload = async () => {
    if (tools.passes.length === 0) tools.fingerprint = 'new';
    return false;
  };
  assert.equal(await new WriteBackLoop(tools).run(), 'idle');
  assert.equal(tools.passes.length, 1);
});

test('a cache that cannot be read is looked at again', async () => {
  const tools = world({ fingerprint: 'new' }).serverEndsAt(30_000);
  const { look } = tools;
  tools.look = async () => {
    if (tools.now() < 10_000) throw new Error('EIO');
    return look();
  };
  await new WriteBackLoop(tools).run();
  assert.equal(tools.passes.length, 1);
});

test('a server that ends while a look takes long is not waited for', async () => {
  const tools = world({}).serverEndsAt(5000);
  tools.look = () => new Promise(() => undefined);
  assert.equal(await new WriteBackLoop(tools).run(), 'server-ended');
  assert.ok(tools.now() <= 5500 + tools.grace);
});

test('most of the time it is not looking', async () => {
  const tools = world({}).serverEndsAt(600_000);
  tools.look = async () => {
    tools.looks += 1;
    await tools.sleep(1000, new AbortController().signal);
    return '';
  };
  await new WriteBackLoop(tools).run();
  assert.ok(tools.looks <= 14, `${tools.looks} looks`);
});

function world(properties: Partial<FakeTools>): FakeTools {
  return Object.assign(new FakeTools(), properties);
}
