import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { ModelCacheError } from '../../src/errors.ts';
import { soon } from '../store/bodies.ts';
import { Progress } from '../../src/transfer/progress.ts';
import { withPatience, type Patience } from '../../src/transfer/watchdog.ts';

const NEVER = new AbortController().signal;

test('what ends in time is left alone', async () => {
  assert.equal(
    await withPatience(patience({ stall: 1000 }), new Progress(), NEVER, () => Promise.resolve(7)),
    7,
  );
});

test('an error of the work is the error', async () => {
  const work = (): Promise<never> => Promise.reject(new Error('mine'));
  await assert.rejects(withPatience(patience({}), new Progress(), NEVER, work), /mine/);
});

test('nothing for too long while something is waited for: store-stalled, and the work is told', async () => {
  const progress = new Progress();
  let told: unknown;
  const work = (signal: AbortSignal): Promise<void> =>
    progress.whileWaiting(async () => {
      signal.addEventListener('abort', () => (told = signal.reason));
      await sleep(60_000, undefined, { ref: false });
    });
  await assert.rejects(soon(withPatience(patience({ stall: 300 }), progress, NEVER, work)), {
    code: 'store-stalled',
    message: /--stall/,
    hint: /the store and the way to it/,
  });
  assert.equal((told as ModelCacheError).code, 'store-stalled');
});

test('a disk that gives nothing for too long: disk-stalled; one that gives blocks keeps it alive', async (context) => {
  const progress = new Progress();
  const hang = (): Promise<void> => progress.whileReadingDisk(() => sleep(60_000, undefined, { ref: false }));
  await assert.rejects(soon(withPatience(patience({ stall: 300 }), progress, NEVER, hang)), {
    code: 'disk-stalled',
    message: /--stall/,
  });
  const tick = clock(context);
  const slow = new Progress();
  await withPatience(patience({ stall: 400 }), slow, NEVER, (signal) =>
    slow.whileReadingDisk(() => {
      for (let round = 0; round < 10; round += 1) {
        tick(100);
        slow.diskSign();
      }
      return stopped(signal, false);
    }),
  );
});

test('a disk that takes nothing for too long: disk-stalled; one that was slow once is not to blame for a silent store', async (context) => {
  const tick = clock(context);
  const ended = async (isBusy: (ms: number) => boolean): Promise<unknown> => {
    const progress = new Progress();
    const work = (signal: AbortSignal): Promise<void> =>
      progress.whileWaiting(() => {
        for (let ms = 0; ms < 8000; ms += 100) {
          tick(100);
          if (isBusy(ms)) progress.diskBusy();
        }
        return stopped(signal, true);
      });
    const error: unknown = await withPatience(patience({ stall: 5000 }), progress, NEVER, work).catch(
      (error: unknown) => error,
    );
    return (error as ModelCacheError).code;
  };
  assert.equal(await ended(() => true), 'disk-stalled');
  assert.equal(await ended((ms) => ms < 500), 'store-stalled');
});

test('work that is not waiting for the store may take its time', async () => {
  const progress = new Progress();
  await withPatience(patience({ stall: 200, minSpeed: 1e9, speedWindow: 200 }), progress, NEVER, () =>
    sleep(900),
  );
});

test('bytes that keep coming keep it alive', async (context) => {
  const tick = clock(context);
  const progress = new Progress();
  await withPatience(patience({ stall: 400 }), progress, NEVER, (signal) =>
    progress.whileWaiting(() => {
      for (let round = 0; round < 10; round += 1) {
        tick(100);
        progress.addBytes(1);
      }
      return stopped(signal, false);
    }),
  );
});

test('slower than --min-speed over the whole window: store-slow, with both speeds', async () => {
  const progress = new Progress();
  progress.expect(1, 1e9);
  const limits = patience({ minSpeed: 5e6, speedWindow: 500 });
  await assert.rejects(soon(withPatience(limits, progress, NEVER, () => trickle(progress, 1000))), {
    code: 'store-slow',
    wanted: '5.0 MB/s',
    found: '0.0 MB/s',
    hint: /--min-speed/,
  });
});

test('many small files, slow by latency alone, are fast enough', async (context) => {
  const tick = clock(context);
  const progress = new Progress();
  progress.expect(1000, 1e6);
  await withPatience(patience({ minSpeed: 5e6, speedWindow: 300 }), progress, NEVER, (signal) =>
    progress.whileWaiting(() => {
      for (let round = 0; round < 20; round += 1) {
        tick(50);
        progress.addBytes(1000);
        progress.fileDone();
      }
      return stopped(signal, false);
    }),
  );
});

test('fast enough over the window is fast enough', async () => {
  const progress = new Progress();
  progress.expect(1, 1e9);
  const limits = patience({ minSpeed: 5e6, speedWindow: 400 });
  await withPatience(limits, progress, NEVER, () => trickle(progress, 5e6, 15));
});

test('a large file that came wrong has come all the same: it is not slow', async (context) => {
  const tick = clock(context);
  const progress = new Progress();
  progress.expect(2, 1e9);
  await withPatience(patience({ minSpeed: 5e6, speedWindow: 1000 }), progress, NEVER, (signal) =>
    progress.whileWaiting(() => {
      for (let round = 0; round < 40; round += 1) {
        tick(100);
        progress.addBytes(1e6);
        if (round === 25) progress.takeBack(20e6);
      }
      return stopped(signal, false);
    }),
  );
});

test('a process that was stopped for longer than --stall finds nobody silent when it goes on', async (context) => {
  const tick = clock(context);
  const progress = new Progress();
  progress.expect(1, 1e9);
  await withPatience(patience({ stall: 3000, minSpeed: 5e6, speedWindow: 2000 }), progress, NEVER, (signal) =>
    progress.whileWaiting(() => {
      tick(100);
      tick(60_000);
      tick(2900);
      progress.addBytes(20e6);
      tick(100);
      return stopped(signal, false);
    }),
  );
});

test('a --min-speed of 0 is none, and so is a stall of 0', async () => {
  const progress = new Progress();
  progress.expect(1, 1e9);
  const limits = patience({ minSpeed: 0, stall: 0, speedWindow: 100 });
  await withPatience(limits, progress, NEVER, () => progress.whileWaiting(() => sleep(700)));
});

test('the timeout counts from the start of the program, and names its option', async () => {
  const limits = patience({ timeout: 10_000, startedAt: performance.now() - 9900 });
  await assert.rejects(soon(withPatience(limits, new Progress(), NEVER, forEver), 5000), {
    code: 'store-timeout',
    message: /10 s.*--timeout/,
  });
});

test('an abort from outside is passed on with its reason', async () => {
  const stop = new AbortController();
  const why = new ModelCacheError('interrupted', 'stopped');
  setTimeout(() => stop.abort(why), 50);
  await assert.rejects(soon(withPatience(patience({}), new Progress(), stop.signal, forEver)), why);
});

test('after an abort, nothing is begun', async () => {
  let isBegun = false;
  const why = new ModelCacheError('interrupted', 'stopped');
  const work = (): Promise<void> => {
    isBegun = true;
    return Promise.resolve();
  };
  await assert.rejects(withPatience(patience({}), new Progress(), AbortSignal.abort(why), work), why);
  assert.equal(isBegun, false);
});

test('what was stopped may clean up before the error comes out', async () => {
  let isClean = false;
  const work = async (signal: AbortSignal): Promise<void> => {
    await sleep(60_000, undefined, { signal, ref: false }).catch(() => undefined);
    await sleep(150);
    isClean = true;
  };
  const limits = patience({ timeout: 50, grace: 5000 });
  await assert.rejects(soon(withPatience(limits, new Progress(), NEVER, work)), { code: 'store-timeout' });
  assert.equal(isClean, true);
});

test('work that does not heed the signal is left behind, and its late failure harms nobody', async () => {
  const late = async (): Promise<void> => {
    await sleep(600);
    throw new Error('too late to matter');
  };
  const limits = patience({ timeout: 100, startedAt: performance.now() });
  await assert.rejects(withPatience(limits, new Progress(), NEVER, late), { code: 'store-timeout' });
  await sleep(700);
});

function patience(limits: Partial<Patience>): Patience {
  return {
    stall: 0,
    minSpeed: 0,
    speedWindow: 30_000,
    timeout: undefined,
    startedAt: performance.now(),
    grace: 200,
    ...limits,
  };
}

function forEver(): Promise<void> {
  return sleep(60_000, undefined, { ref: false });
}

function trickle(progress: Progress, bytes: number, rounds = 100): Promise<void> {
  return progress.whileWaiting(async () => {
    for (let round = 0; round < rounds; round += 1) {
      await sleep(100, undefined, { ref: false });
      progress.addBytes(bytes);
    }
  });
}

/** Time goes on only by what this returns, in milliseconds. */
function clock(context: TestContext): (ms: number) => void {
  let now = performance.now();
  context.mock.method(performance, 'now', () => now);
  context.mock.timers.enable({ apis: ['setInterval'] });
  return (ms) => {
    now += ms;
    context.mock.timers.tick(ms);
  };
}

/** Throws the reason where it was stopped; whether it was is no surprise. */
function stopped({ aborted, reason }: AbortSignal, isExpected: boolean): Promise<void> {
  assert.equal(aborted, isExpected, String(reason));
  return aborted ? Promise.reject(reason as Error) : Promise.resolve();
}
