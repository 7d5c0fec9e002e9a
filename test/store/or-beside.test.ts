import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { orBeside } from '../../src/store/or-beside.ts';
import { soon } from './bodies.ts';

/** An answer that is given, or refused, by hand. */
class ByHand {
  readonly #answer = Promise.withResolvers<string>();
  signal: AbortSignal | undefined;
  readonly ask = (signal: AbortSignal): Promise<string> => {
    this.signal = signal;
    signal.addEventListener('abort', () => this.#answer.reject(signal.reason));
    return this.#answer.promise;
  };

  give(answer: string): void {
    this.#answer.resolve(answer);
  }

  fail(why: string): void {
    this.#answer.reject(new Error(why));
  }
}

test('an answer in time is all there is to it', async () => {
  const [first, second] = [new ByHand(), new ByHand()];
  const given = orBeside(60_000, undefined, first.ask, second.ask);
  first.give('one');
  assert.equal(await soon(given), 'one');
  assert.deepEqual([first.signal?.aborted, second.signal], [false, undefined]);
});

test('a failure in time is thrown, and nobody else is asked', async () => {
  const [first, second] = [new ByHand(), new ByHand()];
  const given = orBeside(60_000, undefined, first.ask, second.ask);
  first.fail('refused');
  await assert.rejects(soon(given), { message: 'refused' });
  assert.equal(second.signal, undefined);
});

test('when the first says nothing, the second is asked, and its answer stops the first', async () => {
  const [first, second] = [new ByHand(), new ByHand()];
  second.give('two');
  assert.equal(await soon(orBeside(5, undefined, first.ask, second.ask)), 'two');
  assert.deepEqual([first.signal?.aborted, second.signal?.aborted], [true, false]);
});

test('while something of the first comes, nobody else is asked', async () => {
  let signs = 0;
  const dripping = async (_: AbortSignal, onSign: () => void): Promise<string> => {
    for (; signs < 5; signs += 1) {
      await sleep(20);
      onSign();
    }
    return 'slowly';
  };
  const given = orBeside(2000, undefined, dripping, () => assert.fail('it was asked'));
  assert.deepEqual([await soon(given), signs], ['slowly', 5]);
});

test('the first may still be the one that answers', async () => {
  const [first, second] = [new ByHand(), new ByHand()];
  const given = orBeside(5, undefined, first.ask, (signal) => {
    first.give('one');
    return second.ask(signal);
  });
  assert.equal(await soon(given), 'one');
  assert.deepEqual([first.signal?.aborted, second.signal?.aborted], [false, true]);
});

test('what the first throws is thrown, whatever the second might give', async () => {
  const [first, second] = [new ByHand(), new ByHand()];
  const failing = orBeside(5, undefined, first.ask, (signal) => {
    first.fail('out of reach');
    return second.ask(signal);
  });
  await assert.rejects(soon(failing), { message: 'out of reach' });
  assert.equal(second.signal?.aborted, true);
});

test('where the second fails, the first is waited for', async () => {
  const [first, second] = [new ByHand(), new ByHand()];
  const going = orBeside(5, undefined, first.ask, (signal) => {
    second.fail('refused');
    setTimeout(() => first.give('one'), 5);
    return second.ask(signal);
  });
  assert.equal(await soon(going), 'one');
});

test('a stop stops both', async () => {
  const [first, second, stop] = [new ByHand(), new ByHand(), new AbortController()];
  const given = orBeside(5, stop.signal, first.ask, (signal) => {
    setTimeout(() => stop.abort(new Error('stopped')), 5);
    return second.ask(signal);
  });
  await assert.rejects(soon(given), { message: 'stopped' });
});

test('who is endlessly patient asks nobody else', async () => {
  const first = new ByHand();
  const given = orBeside(0, undefined, first.ask, () => assert.fail('it was asked'));
  setTimeout(() => first.give('late'), 20);
  assert.equal(await soon(given), 'late');
});
