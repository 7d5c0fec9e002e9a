import assert from 'node:assert/strict';
import { describe, mock, test, type TestContext } from 'node:test';
import type { PaceBounds } from '../../src/model/pace.ts';
import { Pacer } from '../../src/transfer/pacer.ts';
import { PartFetch, type PartRequest } from '../../src/transfer/part-fetch.ts';
import { Progress } from '../../src/transfer/progress.ts';

const MiB = 1024 * 1024;
const BOUNDS: PaceBounds = { width: 64, partBytes: 16 * MiB };
const SAMPLE_MS = 250;
const FIRST_SAMPLE_MS = 100;
const STEP_MS = 25;

test('the first round trip that is known says how many lanes there are', (context) => {
  const { pacer } = pacing(context, 1000 * MiB);
  assert.equal(pacer.lanes.width, 4);
  pacer.know(undefined);
  pacer.know(5);
  assert.equal(pacer.lanes.width, 20);
  pacer.know(0.1);
  assert.equal(pacer.lanes.width, 20);
});

test('parts become smaller towards the end of all that is wanted', (context) => {
  const { pacer } = pacing(context, 1000 * MiB);
  assert.equal(pacer.next(true), 16 * MiB);
  pacer.asked(1000 * MiB - 32 * MiB);
  assert.equal(pacer.next(true), 4 * MiB);
  pacer.asked(32 * MiB);
  assert.equal(pacer.next(true), MiB);
});

describe('with time', () => {
  test('there are more after a moment already, where there is time to receive four times as much', async (context) => {
    const { pacer, progress, pass } = pacing(context, 1000 * MiB);
    const busy = keepBusy(pacer, 100);
    progress.addBytes(10 * MiB);
    await pass(FIRST_SAMPLE_MS);
    assert.equal(pacer.lanes.width, 16);
    await pass(SAMPLE_MS - FIRST_SAMPLE_MS);
    assert.equal(pacer.lanes.width, 4, 'no more has come');
    busy.stop();
  });

  test('there are more lanes while all are busy and it goes faster', async (context) => {
    const { pacer, progress, pass } = pacing(context, 1000 * MiB);
    const busy = keepBusy(pacer, 100);
    for (const [mib, milliseconds] of [
      [4, FIRST_SAMPLE_MS],
      [20, SAMPLE_MS - FIRST_SAMPLE_MS],
    ] as const) {
      progress.addBytes(mib * MiB);
      await pass(milliseconds);
    }
    assert.equal(pacer.lanes.width, 64);
    busy.stop();
  });

  test('there are no more while whoever receives is busy', async (context) => {
    const { pacer, progress, load, pass } = pacing(context, 1000 * MiB);
    load.now = 0.9;
    const busy = keepBusy(pacer, 100);
    for (const mib of [10, 20, 30]) {
      progress.addBytes(mib * MiB);
      await pass();
    }
    assert.equal(pacer.lanes.width, 4);
    busy.stop();
  });

  test('there are as many as before while some are free', async (context) => {
    const { pacer, progress, pass } = pacing(context, 1000 * MiB);
    const busy = keepBusy(pacer, 3);
    for (const mib of [10, 20, 30]) {
      progress.addBytes(mib * MiB);
      await pass();
    }
    assert.equal(pacer.lanes.width, 4);
    busy.stop();
  });

  test('there are fewer, for larger parts, after the store has said that it is too much; once for each time', async (context) => {
    const { pacer, pass } = pacing(context, 1000 * MiB);
    pacer.asked(1000 * MiB);
    pacer.throttled();
    pacer.throttled();
    await pass();
    assert.deepEqual([pacer.lanes.width, pacer.next(true)], [2, 2 * MiB]);
    await pass();
    assert.deepEqual([pacer.lanes.width, pacer.next(true)], [2, 2 * MiB]);
  });
});

describe('when everything was asked for', () => {
  const PART = 3 * MiB;

  test('what is much slower than parts were is asked for again, once', async (context) => {
    const { pacer, pass, clock } = pacing(context, 200 * MiB);
    const { asks, fetch } = asking();
    await oneAtUsualRate(pacer, clock, fetch, asks);
    pacer.asked(200 * MiB);
    const slow = fetch();
    void pacer.watching(slow, () => slow.run());
    for (let round = 0; round < 8; round += 1) await pass();
    assert.equal(asks.length, 3);
    assert.equal(slow.isDoubled, true);
  });

  test('what others would wait for is split, once fewer than half of the lanes are taken', async (context) => {
    const { pacer, clock } = pacing(context, 200 * MiB);
    const { asks, fetch } = asking();
    pacer.know(5);
    await oneAtUsualRate(pacer, clock, fetch, asks);
    pacer.asked(200 * MiB);
    const cuts: number[] = [];
    const slow = fetch();
    void pacer.watching(slow, () => slow.run());
    asks[1]?.onBegun((end) => cuts.push(end));
    const look = async (): Promise<void> => {
      clock.now += 25;
      mock.timers.tick(25);
      await new Promise(setImmediate);
    };
    await look();
    assert.deepEqual(cuts, [], 'whoever receives may be busy');
    for (let time = 0; time < FIRST_SAMPLE_MS; time += 25) {
      asks[1]?.onBytes(160 * 1024);
      await look();
    }
    assert.equal(cuts.length, 1);
    const busy = keepBusy(pacer, 10);
    asks[1]?.onCut(cuts[0] ?? 0);
    await look();
    assert.equal(cuts.length, 1);
    busy.stop();
    await look();
    await look();
    assert.equal(cuts.length, 2);
    assert.equal(slow.isDoubled, false);
  });

  test('what says nothing is asked for again, however large requests are', async (context) => {
    const bounds = { width: 64, partBytes: 64 * MiB };
    const { pacer, pass, clock } = pacing(context, 800 * MiB, bounds);
    const { asks, fetch } = asking(pacer.next(true));
    await oneAtUsualRate(pacer, clock, fetch, asks);
    pacer.asked(800 * MiB);
    const silent = fetch();
    void pacer.watching(silent, () => silent.run());
    for (let round = 0; round < 8; round += 1) await pass();
    assert.equal(silent.isDoubled, true);
  });

  test('nothing is asked for again right after this thread was busy: it may have come meanwhile', async (context) => {
    const { pacer, clock } = pacing(context, 200 * MiB);
    const { asks, fetch } = asking();
    await oneAtUsualRate(pacer, clock, fetch, asks);
    pacer.asked(200 * MiB);
    const part = fetch();
    void pacer.watching(part, () => part.run());
    clock.now += 1000;
    mock.timers.tick(25);
    assert.equal(part.isDoubled, false);
    clock.now += 25;
    mock.timers.tick(25);
    assert.equal(part.isDoubled, true);
  });

  test('nothing is asked for again while there is more to ask for', async (context) => {
    const { pacer, pass, clock } = pacing(context, 200 * MiB);
    const { asks, fetch } = asking();
    await oneAtUsualRate(pacer, clock, fetch, asks);
    pacer.asked(100 * MiB);
    const slow = fetch();
    void pacer.watching(slow, () => slow.run());
    for (let round = 0; round < 8; round += 1) await pass();
    assert.equal(slow.isDoubled, false);
  });

  test('no more than three in a hundred bytes are', async (context) => {
    const { pacer, pass, clock } = pacing(context, 200 * MiB);
    const { asks, fetch } = asking();
    await oneAtUsualRate(pacer, clock, fetch, asks);
    pacer.asked(200 * MiB);
    const slow = [1, 2, 3, 4].map(() => fetch());
    for (const part of slow) void pacer.watching(part, () => part.run());
    for (let round = 0; round < 8; round += 1) await pass();
    assert.equal(slow.filter(({ isDoubled }) => isDoubled).length, 2);
  });

  test('nor are more behind all splits together: nobody knows how many of them are under way', async (context) => {
    const { pacer, pass, clock } = pacing(context, 100 * MiB);
    const { asks, fetch } = asking();
    pacer.know(5);
    await oneAtUsualRate(pacer, clock, fetch, asks);
    pacer.asked(100 * MiB);
    const cuts: number[] = [];
    for (const part of [1, 2, 3, 4].map(() => fetch())) void pacer.watching(part, () => part.run());
    for (const { onBegun } of asks.slice(1)) onBegun((end) => cuts.push(end));
    for (let round = 0; round < 8; round += 1) {
      for (const { onBytes } of asks.slice(1)) onBytes(MiB / 16);
      await pass(FIRST_SAMPLE_MS);
    }
    assert.equal(cuts.length, 2);
    assert.ok(cuts.reduce((behind, cut) => behind + PART - cut, 0) <= 3 * MiB);
  });

  /** So that the pacer knows what is usual: 3 MiB in 100 ms. */
  async function oneAtUsualRate(
    pacer: Pacer,
    clock: { now: number },
    fetch: () => PartFetch,
    asks: readonly (PartRequest & { done: () => void })[],
  ): Promise<void> {
    const part = fetch();
    const watching = pacer.watching(part, () => part.run());
    asks[0]?.onBegun(() => undefined);
    clock.now += 100;
    asks[0]?.onBytes(PART);
    asks[0]?.done();
    await watching;
  }

  function asking(bytes = PART): { asks: (PartRequest & { done: () => void })[]; fetch: () => PartFetch } {
    const asks: (PartRequest & { done: () => void })[] = [];
    const fetch = (): PartFetch =>
      new PartFetch(
        { start: 0, end: bytes },
        {
          ask: (request) => new Promise<void>((done) => asks.push({ ...request, done })),
          onReached: () => undefined,
          onGivenBack: () => undefined,
          onNewConnection: false,
          signal: new AbortController().signal,
        },
      );
    return { asks, fetch };
  }
});

/** A pacer under a clock of the test's own. */
function pacing(
  context: TestContext,
  bytes: number,
  bounds = BOUNDS,
): {
  pacer: Pacer;
  progress: Progress;
  clock: { now: number };
  load: { now: number };
  pass: (milliseconds?: number) => Promise<void>;
} {
  const clock = { now: 1000 };
  const load = { now: 0 };
  context.mock.method(performance, 'now', () => clock.now);
  mock.timers.enable({ apis: ['setInterval', 'setTimeout'] });
  const progress = new Progress();
  progress.expect(1, bytes);
  const pacer = new Pacer({ takeLoad: () => load.now }, progress, bounds);
  context.after(() => {
    pacer.stop();
    mock.timers.reset();
  });
  const pass = async (milliseconds = SAMPLE_MS): Promise<void> => {
    for (let passed = 0; passed < milliseconds; passed += STEP_MS) {
      clock.now += STEP_MS;
      mock.timers.tick(STEP_MS);
    }
    await new Promise(setImmediate);
  };
  return { pacer, progress, clock, load, pass };
}

/** So many things that want a lane, until they are stopped. */
function keepBusy(pacer: Pacer, count: number): { stop: () => void } {
  const stop = Promise.withResolvers<void>();
  for (let index = 0; index < count; index += 1) void pacer.lanes.run(0, () => stop.promise);
  return { stop: stop.resolve };
}
