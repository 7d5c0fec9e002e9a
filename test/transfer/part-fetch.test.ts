import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ModelCacheError } from '../../src/errors.ts';
import type { ByteRange } from '../../src/model/parts.ts';
import { PartFetch, type PartRequest } from '../../src/transfer/part-fetch.ts';
import { soon } from '../store/bodies.ts';

const RANGE = { start: 100, end: 200 };
const broke = (): ModelCacheError => new ModelCacheError('store-unreachable', 'the connection broke');

/** One request, in the hands of the test. */
interface Ask extends PartRequest {
  readonly done: PromiseWithResolvers<void>;
  isSettled: boolean;
}

/** A store whose requests go on until the test says how they end; an abort ends them a moment later. */
class Asking {
  readonly asks: Ask[] = [];
  /** Positions that were reached, and how many bytes were news. */
  readonly reached: (readonly [number, number])[] = [];
  readonly givenBack: ByteRange[] = [];
  readonly part: PartFetch;
  readonly stop = new AbortController();

  constructor(onNewConnection = false) {
    this.part = new PartFetch(RANGE, {
      ask: (request) => {
        const ask: Ask = { ...request, done: Promise.withResolvers<void>(), isSettled: false };
        const end = (): void => void setTimeout(() => ask.done.reject(request.signal.reason), 20);
        request.signal.addEventListener('abort', end, { once: true });
        this.asks.push(ask);
        return ask.done.promise.finally(() => (ask.isSettled = true));
      },
      onReached: (position, news) => this.reached.push([position, news]),
      onGivenBack: (rest) => this.givenBack.push(rest),
      onNewConnection,
      signal: this.stop.signal,
    });
  }

  /** The request with this number, from 1, once it was made. */
  async ask(number: number): Promise<Ask> {
    for (;;) {
      const ask = this.asks[number - 1];
      if (ask !== undefined) return ask;
      await new Promise(setImmediate);
    }
  }

  get left(): number {
    return this.part.end - this.part.reached;
  }

  get news(): number {
    return this.reached.reduce((sum, [, news]) => sum + news, 0);
  }
}

test('a part is asked for, and done when all of it has come', async () => {
  const asking = new Asking();
  const running = soon(asking.part.run());
  const ask = await asking.ask(1);
  assert.deepEqual([ask.range, ask.onNewConnection, asking.left], [RANGE, false, 100]);
  ask.onBytes(60);
  assert.equal(asking.left, 40);
  ask.onBytes(40);
  ask.done.resolve();
  await running;
  assert.deepEqual(asking.reached, [
    [160, 60],
    [200, 40],
  ]);
});

test('what breaks off is asked for again from where it was, on a connection of its own', async () => {
  const asking = new Asking();
  const running = soon(asking.part.run());
  const first = await asking.ask(1);
  first.onBytes(60);
  first.done.reject(broke());
  const second = await asking.ask(2);
  assert.deepEqual([second.range, second.onNewConnection], [{ start: 160, end: 200 }, true]);
  second.onBytes(40);
  second.done.resolve();
  await running;
  assert.equal(asking.news, 100);
});

test('what a store has too much to do for is asked for again on a connection there is, but not after one that broke', async () => {
  const asking = new Asking();
  const running = soon(asking.part.run());
  const tooMuch = new ModelCacheError('store-throttled', 'SlowDown');
  const reasons = [tooMuch, broke(), tooMuch];
  const seen: boolean[] = [];
  for (const [index, reason] of [...reasons, undefined].entries()) {
    const ask = await asking.ask(index + 1);
    seen.push(ask.onNewConnection);
    if (reason === undefined) {
      ask.onBytes(100);
      ask.done.resolve();
    } else ask.done.reject(reason);
  }
  await running;
  assert.deepEqual(seen, [false, false, true, true]);
});

test('what breaks off after its last byte is not asked for again', async () => {
  const asking = new Asking();
  const running = soon(asking.part.run());
  const first = await asking.ask(1);
  first.onBytes(100);
  first.done.reject(broke());
  await running;
  assert.equal(asking.asks.length, 1);
});

test('what no other try can mend is not tried again', async () => {
  const asking = new Asking();
  const running = soon(asking.part.run());
  (await asking.ask(1)).done.reject(new ModelCacheError('object-missing', 'gone'));
  await assert.rejects(running, { code: 'object-missing' });
  assert.equal(asking.asks.length, 1);
});

describe('a part that is asked for again beside itself', () => {
  const doubled = async (): Promise<{ asking: Asking; running: Promise<void>; first: Ask; second: Ask }> => {
    const asking = new Asking();
    const running = soon(asking.part.run());
    running.catch(() => undefined);
    const first = await asking.ask(1);
    first.onBytes(30);
    asking.part.askAgain();
    const second = await asking.ask(2);
    return { asking, running, first, second };
  };

  test('is asked for from where it was, on a connection of its own, and says so', async () => {
    const { asking, second, first, running } = await doubled();
    assert.deepEqual([second.range, second.onNewConnection], [{ start: 130, end: 200 }, true]);
    assert.equal(asking.part.isDoubled, true);
    first.done.resolve();
    await running;
  });

  test('is done with whichever is first: the other one is ended, and waited for', async () => {
    for (const winner of ['first', 'second'] as const) {
      const { running, ...both } = await doubled();
      const loser = winner === 'first' ? both.second : both.first;
      both[winner].done.resolve();
      await running;
      assert.equal(loser.signal.aborted, true, winner);
      assert.equal(loser.isSettled, true, winner);
    }
  });

  test('counts each byte once, whoever brings it', async () => {
    const { asking, running, first, second } = await doubled();
    second.onBytes(20);
    first.onBytes(10);
    first.onBytes(40);
    second.onBytes(50);
    second.done.resolve();
    await running;
    assert.equal(asking.news, 100);
    assert.deepEqual(
      asking.reached.map(([position]) => position),
      [130, 150, 150, 180, 200],
    );
    assert.equal(asking.left, 0);
  });

  test('goes on by the other one when one fails', async () => {
    for (const failing of ['first', 'second'] as const) {
      const { asking, running, ...both } = await doubled();
      both[failing].done.reject(broke());
      await new Promise(setImmediate);
      const other = failing === 'first' ? both.second : both.first;
      assert.equal(other.signal.aborted, false);
      other.onBytes(70);
      other.done.resolve();
      await running;
      assert.equal(asking.asks.length, 2, failing);
    }
  });

  test('is asked for anew from what was reached when both fail', async () => {
    const { asking, running, first, second } = await doubled();
    second.onBytes(50);
    first.done.reject(broke());
    second.done.reject(broke());
    const third = await asking.ask(3);
    assert.deepEqual(third.range, { start: 180, end: 200 });
    third.onBytes(20);
    third.done.resolve();
    await running;
    assert.equal(asking.news, 100);
  });

  test('and is stopped, ends both with the reason', async () => {
    const { asking, running, first, second } = await doubled();
    const why = new ModelCacheError('interrupted', 'stopped');
    asking.stop.abort(why);
    await assert.rejects(running, why);
    assert.deepEqual([first.isSettled, second.isSettled], [true, true]);
  });

  test('while nothing is asked, is not', async () => {
    const asking = new Asking();
    asking.part.askAgain();
    assert.equal(asking.asks.length, 0);
    const running = soon(asking.part.run());
    (await asking.ask(1)).done.resolve();
    await running;
    asking.part.askAgain();
    assert.equal(asking.asks.length, 1);
  });

  test('can be only while it is asked for, and once', async () => {
    const asking = new Asking();
    const canBe = (): boolean => asking.part.canBeDoubled;
    assert.equal(canBe(), false);
    const running = soon(asking.part.run());
    const first = await asking.ask(1);
    assert.equal(canBe(), true);
    first.done.reject(broke());
    await new Promise(setImmediate);
    assert.equal(canBe(), false, 'it pauses before it is tried again');
    const second = await asking.ask(2);
    assert.equal(canBe(), true);
    asking.part.askAgain();
    assert.equal(canBe(), false);
    second.done.resolve();
    await running;
    assert.equal(canBe(), false);
  });
});

describe('a part that is to end earlier', () => {
  const begun = async (): Promise<{ asking: Asking; running: Promise<void>; first: Ask; cuts: number[] }> => {
    const asking = new Asking();
    const running = soon(asking.part.run());
    running.catch(() => undefined);
    const first = await asking.ask(1);
    assert.equal(asking.part.canEndEarlier, false);
    const cuts: number[] = [];
    first.onBegun((end) => cuts.push(end));
    assert.equal(asking.part.canEndEarlier, true);
    return { asking, running, first, cuts };
  };

  test('gives back what is behind its new end, when the request says that it ends there', async () => {
    const { asking, running, first, cuts } = await begun();
    first.onBytes(30);
    asking.part.endAt(150);
    assert.deepEqual([cuts, asking.givenBack, asking.part.end], [[150], [], 200]);
    assert.deepEqual(
      [asking.part.canEndEarlier, asking.part.canBeDoubled],
      [false, false],
      'it may yet end there',
    );
    first.onCut(150);
    assert.deepEqual([asking.givenBack, asking.part.end, asking.left], [[{ start: 150, end: 200 }], 150, 20]);
    assert.deepEqual([asking.part.canEndEarlier, asking.part.canBeDoubled], [true, true]);
    first.onBytes(20);
    first.done.resolve();
    await running;
    assert.equal(asking.news, 50);
  });

  test('and had come so far already, goes on to its end', async () => {
    const { asking, running, first } = await begun();
    first.onBytes(30);
    asking.part.endAt(150);
    first.onBytes(20);
    assert.deepEqual([asking.part.canEndEarlier, asking.part.canBeDoubled], [true, true]);
    first.onBytes(50);
    first.done.resolve();
    await running;
    assert.deepEqual(asking.givenBack, []);
  });

  test('can end even earlier', async () => {
    const { asking, running, first } = await begun();
    for (const end of [180, 140]) {
      asking.part.endAt(end);
      first.onCut(end);
    }
    assert.deepEqual(asking.givenBack, [
      { start: 180, end: 200 },
      { start: 140, end: 180 },
    ]);
    first.done.resolve();
    await running;
  });

  test('and breaks off, is asked for again up to its new end', async () => {
    const { asking, running, first } = await begun();
    first.onCut(150);
    first.onBytes(10);
    first.done.reject(broke());
    const second = await asking.ask(2);
    assert.equal(asking.part.canEndEarlier, false);
    assert.deepEqual(second.range, { start: 110, end: 150 });
    second.done.resolve();
    await running;
  });
});

test('a part says how long its first byte took to come, and for how long nothing has', async (context) => {
  const clock = { now: 1000 };
  context.mock.method(performance, 'now', () => clock.now);
  const asking = new Asking();
  const running = soon(asking.part.run());
  const first = await asking.ask(1);
  clock.now += 40;
  first.onBegun(() => undefined);
  clock.now += 10;
  assert.deepEqual([asking.part.beginMs, asking.part.quietMs], [40, 10]);
  first.onBytes(50);
  clock.now += 50;
  assert.deepEqual([asking.part.beginMs, asking.part.quietMs, asking.part.rate], [40, 50, 500]);
  first.done.resolve();
  await running;
});

test('the time until the first byte is that of the request that brought it, not of one that failed before', async (context) => {
  const clock = { now: 1000 };
  context.mock.method(performance, 'now', () => clock.now);
  const asking = new Asking();
  const running = soon(asking.part.run());
  const first = await asking.ask(1);
  clock.now += 500;
  first.done.reject(broke());
  const second = await asking.ask(2);
  assert.deepEqual([asking.part.beginMs, asking.part.quietMs], [undefined, 0]);
  clock.now += 30;
  second.onBegun(() => undefined);
  assert.equal(asking.part.beginMs, 30);
  second.done.resolve();
  await running;
});

test('an empty part is asked for all the same: that there is such an object', async () => {
  const ranges: unknown[] = [];
  const part = new PartFetch(
    { start: 0, end: 0 },
    {
      ask: ({ range }) => Promise.resolve(void ranges.push(range)),
      onReached: () => assert.fail(),
      onGivenBack: () => assert.fail(),
      onNewConnection: false,
      signal: new AbortController().signal,
    },
  );
  await part.run();
  assert.deepEqual(ranges, [{ start: 0, end: 0 }]);
});
