import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFileSync, rmSync, writeSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { after, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { JournalFile } from '../../src/cache/journal-file.ts';
import { ModelCacheError } from '../../src/errors.ts';
import { Arrival } from '../../src/model/arrival.ts';
import type { CatalogFile } from '../../src/model/catalog.ts';
import { parseJournal, type Journal } from '../../src/model/partial.ts';
import type { ByteRange } from '../../src/model/parts.ts';
import { rangesByGet } from '../../src/store/ranges-by-get.ts';
import type { RangeOrder, Store } from '../../src/store/store.ts';
import type { CorruptObject } from '../../src/transfer/at-most-twice.ts';
import { Downloader } from '../../src/transfer/download.ts';
import type { VerifiedFile } from '../../src/transfer/verified-file.ts';
import { Progress } from '../../src/transfer/progress.ts';
import { CacheDir, gitSha1, sha256 } from '../cache/cache-dir.ts';
import { soon } from '../store/bodies.ts';
import { bodyOf, storeThat } from './scripted-store.ts';

const dir = new CacheDir();
after(() => rmSync(dir.path, { recursive: true }));

const MiB = 1024 * 1024;
const LARGE = randomBytes(40 * MiB + 5);
const SMALL = randomBytes(300_000);
const SETTINGS = { partsProve: false, bounds: { width: 64, partBytes: 16 * MiB } };

test('a large object comes in ranges that cover it exactly, and is proved', async () => {
  const store = storeThat((asked) => bodyOf(LARGE, asked));
  const { bytes, verified, progress } = await download(store, LARGE);
  assert.ok(bytes.equals(LARGE));
  assert.deepEqual(verified.digests, { sha256: sha256(LARGE) });
  assert.equal(progress.bytesDone, LARGE.length);
  assert.equal(progress.waiting, 0);
  const ranges = store.asked.map(({ range }) => range).toSorted((a, b) => (a?.start ?? 0) - (b?.start ?? 0));
  assert.equal(ranges[0]?.start, 0);
  assert.equal(ranges.at(-1)?.end, LARGE.length);
  ranges.slice(1).forEach((range, index) => assert.equal(range?.start, ranges[index]?.end));
  assert.ok(ranges.length > 1);
});

test('once it is known which object it is, every range is asked of that one', async () => {
  const store = storeThat((asked) => bodyOf(LARGE, asked));
  await download(store, LARGE);
  const etags = store.asked.map(({ etag }) => etag);
  assert.deepEqual(
    etags.slice(etags.lastIndexOf(undefined) + 1),
    etags.filter((etag) => etag === 'v1'),
  );
  assert.equal(etags.at(-1), 'v1');
});

test('an empty object is asked for whole, and proved', async () => {
  const store = storeThat((asked) => bodyOf(Buffer.alloc(0), asked));
  const { bytes } = await download(store, Buffer.alloc(0));
  assert.equal(bytes.length, 0);
  assert.equal(store.asked[0]?.range, undefined);
});

test('a connection that breaks is taken up where it broke, of the same object', async () => {
  const store = storeThat((asked) => bodyOf(SMALL, asked, 'v1', asked.count === 1 ? 128 * 1024 : Infinity));
  const { bytes, progress } = await download(store, SMALL);
  assert.ok(bytes.equals(SMALL));
  assert.deepEqual(store.asked[1]?.range, { start: 128 * 1024, end: SMALL.length });
  assert.equal(store.asked[1]?.etag, 'v1');
  assert.equal(progress.bytesDone, SMALL.length);
});

test('a connection that breaks right after the last byte has brought everything', async () => {
  const store = storeThat((asked) => ({ ...bodyOf(SMALL, asked), chunks: allThenBroken(SMALL) }));
  const { bytes, progress } = await download(store, SMALL);
  assert.ok(bytes.equals(SMALL));
  assert.equal(store.asked.length, 1);
  assert.equal(progress.bytesDone, SMALL.length);
});

test('an empty object whose connection breaks is asked for again', async () => {
  const empty = Buffer.alloc(0);
  const store = storeThat((asked) =>
    asked.count === 1 ? { ...bodyOf(empty, asked), chunks: allThenBroken(empty) } : bodyOf(empty, asked),
  );
  assert.equal((await download(store, empty)).bytes.length, 0);
  assert.equal(store.asked.length, 2);
});

test('a connection that always breaks is given up with its own error', async () => {
  const store = storeThat(() => {
    throw new ModelCacheError('store-throttled', 'too many requests');
  });
  await assert.rejects(soon(download(store, SMALL)), { code: 'store-throttled' });
  assert.ok(store.asked.length > 1 && store.asked.length < 30);
});

test('what no other try can mend is not tried again', async () => {
  for (const code of ['store-denied', 'store-bucket-missing', 'object-missing'] as const) {
    const store = storeThat(() => {
      throw new ModelCacheError(code, 'no');
    });
    await assert.rejects(download(store, SMALL), { code });
    assert.equal(store.asked.length, 1, code);
  }
});

test('an object that is replaced in the middle is fetched anew, never mixed', async () => {
  const other = randomBytes(LARGE.length);
  const isNew = (count: number): boolean => count > 2;
  const store = storeThat((asked) =>
    isNew(asked.count) ? bodyOf(other, asked, 'v2') : bodyOf(LARGE, asked, 'v1'),
  );
  const { bytes, progress } = await download(store, other);
  assert.ok(bytes.equals(other));
  assert.equal(progress.bytesDone, other.length);
});

test('an object that is replaced all the time is object-changed', async () => {
  const store = storeThat((asked) => bodyOf(LARGE, asked, `v${asked.count}`));
  await assert.rejects(soon(download(store, LARGE)), { code: 'object-changed' });
});

test('bytes that arrive wrong once are fetched once more', async () => {
  const wrong = Buffer.from(SMALL);
  wrong[100_000] = (wrong[100_000] ?? 0) ^ 1;
  const store = storeThat((asked) => bodyOf(asked.count === 1 ? wrong : SMALL, asked));
  const { bytes, progress } = await download(store, SMALL);
  assert.ok(bytes.equals(SMALL));
  assert.equal(store.asked.length, 2);
  assert.equal(progress.bytesDone, SMALL.length);
});

for (const [name, digests] of [
  ['SHA-256', { sha256: sha256('something else') }],
  ['git SHA-1', { gitSha1: gitSha1('something else') }],
  ['second digest', { sha256: sha256(SMALL), gitSha1: gitSha1('something else') }],
] as const) {
  test(`an object whose ${name} differs twice is object-digest-differs, with what was wanted and found`, async () => {
    const store = storeThat((asked) => bodyOf(SMALL, asked));
    const progress = new Progress();
    const wanted = { ...fileOf(SMALL), digests };
    await assert.rejects(soon(fetchInto(store, wanted, progress)), {
      code: 'object-digest-differs',
      wanted: new RegExp(Object.values(digests).at(-1) ?? ''),
      found: /[0-9a-f]{40}/,
    });
    assert.equal(store.asked.length, 2);
    assert.equal(progress.bytesDone, 0);
  });
}

test('an object of another size is object-size-differs before a byte of it is written', async () => {
  const store = storeThat((asked) => bodyOf(Buffer.concat([SMALL, SMALL]), asked));
  await assert.rejects(download(store, SMALL), {
    code: 'object-size-differs',
    wanted: /300000/,
    found: /600000/,
  });
  assert.deepEqual(
    store.asked.map(({ onNewConnection }) => onNewConnection),
    [false, true],
  );
});

test('an object that is said to be of another size once is asked for again', async () => {
  const store = storeThat((asked) => ({
    ...bodyOf(SMALL, asked),
    objectSize: asked.count === 1 ? SMALL.length + 7 : SMALL.length,
  }));
  await download(store, SMALL);
  assert.equal(store.asked.length, 2);
});

test('a range that ends too early without an error is not taken for whole', async () => {
  const store = storeThat((asked) => ({
    ...bodyOf(SMALL.subarray(0, 200_000), asked),
    objectSize: SMALL.length,
  }));
  await assert.rejects(soon(download(store, SMALL)), { code: /^(object|store)-/ });
});

test('a range that gives more than was asked for does not spoil its neighbour', async () => {
  const store = storeThat((asked) => {
    const { range } = asked;
    const more = range === undefined ? asked : { ...asked, range: { ...range, end: range.end + MiB } };
    const junk = Buffer.concat([LARGE.subarray(0, range?.end), Buffer.alloc(2 * MiB, 7)]);
    return { ...bodyOf(junk, more), objectSize: LARGE.length };
  });
  const outcome = await soon(download(store, LARGE)).catch((error: unknown) => error);
  if (outcome instanceof ModelCacheError) assert.match(outcome.code, /^(object|store)-/);
  else assert.ok((outcome as { bytes: Buffer }).bytes.equals(LARGE));
});

test('an abort in the middle is its reason, and nothing waits any more', async () => {
  const stop = new AbortController();
  const why = new ModelCacheError('interrupted', 'stopped');
  const store = storeThat((asked) => {
    if (asked.count === 2) stop.abort(why);
    return bodyOf(LARGE, asked);
  });
  const progress = new Progress();
  await assert.rejects(soon(fetchInto(store, fileOf(LARGE), progress, stop.signal)), why);
  assert.equal(progress.waiting, 0);
});

test('only with --accept-unverified is there a file without digests, and then nothing is proved of it', async () => {
  const store = storeThat((asked) => bodyOf(SMALL, asked));
  const verified = await fetchInto(store, { ...fileOf(SMALL), digests: undefined }, new Progress());
  assert.deepEqual(verified.digests, {});
});

async function download(
  store: Store,
  content: Buffer,
): Promise<{ bytes: Buffer; verified: VerifiedFile; progress: Progress }> {
  const progress = new Progress();
  const verified = await fetchInto(store, fileOf(content), progress);
  return { bytes: readFileSync(dir.at('staged')), verified, progress };
}

async function fetchInto(
  store: Store,
  wanted: CatalogFile,
  progress: Progress,
  signal = new AbortController().signal,
  onCorrupt: (object: CorruptObject) => void = () => undefined,
  left?: { readonly content: Buffer; readonly found: Journal },
): Promise<VerifiedFile> {
  const path = dir.at(dir.file('staged', left?.content ?? ''));
  rmSync(`${path}.parts`, { force: true });
  const file = await open(path, 'r+');
  const journal = new JournalFile(`${path}.parts`, wanted);
  if (left !== undefined) await journal.begin(left.found.etag, left.found.done);
  const events = { onCorrupt, onResumed: () => undefined };
  try {
    const staging = { path, file, journal, found: left?.found, needsFlush: true };
    return await new Downloader(store, progress, SETTINGS, signal, events).download(wanted, staging);
  } finally {
    await journal.close();
    await file.close();
  }
}

function fileOf(content: Buffer): CatalogFile {
  const digests = { sha256: sha256(content) };
  return { path: 'blobs/w', size: content.length, key: 'k', digests, executable: false };
}

test('what is wrong twice is asked for the second time on connections of its own, and told with its ETag', async () => {
  const store = storeThat((asked) => bodyOf(Buffer.alloc(SMALL.length), asked, 'wrong'));
  const told: CorruptObject[] = [];
  const wanted = fileOf(SMALL);
  await assert.rejects(
    fetchInto(store, wanted, new Progress(), undefined, (object) => told.push(object)),
    { code: 'object-digest-differs' },
  );
  assert.deepEqual(told, [{ key: wanted.key, etag: 'wrong' }]);
  assert.deepEqual(
    store.asked.map(({ onNewConnection }) => onNewConnection),
    [false, true],
  );
});

test('an object that was wrong once, or was replaced in between, is not told', async () => {
  const told: CorruptObject[] = [];
  const once = storeThat((asked) => bodyOf(asked.count === 1 ? Buffer.alloc(SMALL.length) : SMALL, asked));
  await fetchInto(once, fileOf(SMALL), new Progress(), undefined, (object) => told.push(object));
  const replaced = storeThat((asked) => bodyOf(Buffer.alloc(SMALL.length), asked, `v${asked.count}`));
  await assert.rejects(fetchInto(replaced, fileOf(SMALL), new Progress(), undefined, (o) => told.push(o)));
  assert.deepEqual(told, []);
});

describe('a file that a killed run has left', () => {
  const done = [
    { start: 0, end: 16 * MiB },
    { start: 32 * MiB, end: LARGE.length },
  ];
  const found: Journal = { key: 'k', size: LARGE.length, etag: 'v1', boot: 'b', done };
  const half = Buffer.from(LARGE).fill(0, 16 * MiB, 32 * MiB);
  const resume = async (
    store: Store,
    content = half,
    onCorrupt?: (object: CorruptObject) => void,
  ): Promise<{ bytes: Buffer; progress: Progress; verified: VerifiedFile }> => {
    const progress = new Progress();
    progress.expect(1, LARGE.length);
    const left = { content, found };
    const verified = await fetchInto(store, fileOf(LARGE), progress, undefined, onCorrupt, left);
    return { bytes: readFileSync(dir.at('staged')), progress, verified };
  };

  test('is asked only for what is missing, of the same object', async () => {
    const store = storeThat((asked) => bodyOf(LARGE, asked));
    const { bytes, progress } = await resume(store);
    assert.ok(bytes.equals(LARGE));
    const ranges = store.asked
      .map(({ range }) => range)
      .toSorted((a, b) => (a?.start ?? 0) - (b?.start ?? 0));
    assert.deepEqual([ranges[0]?.start, ranges.at(-1)?.end], [16 * MiB, 32 * MiB]);
    ranges.slice(1).forEach((range, index) => assert.equal(range?.start, ranges[index]?.end));
    assert.deepEqual([...new Set(store.asked.map(({ etag }) => etag))], ['v1']);
    assert.deepEqual([progress.bytesDone, progress.bytesTotal], [16 * MiB, 16 * MiB]);
  });

  test('has its journal all the while: it is added to, and not written anew, for a kill to come in the middle of', async (context) => {
    const begin = context.mock.method(JournalFile.prototype, 'begin');
    await resume(storeThat((asked) => bodyOf(LARGE, asked)));
    // Once, by whoever has resumed it.
    assert.equal(begin.mock.callCount(), 1);
    const noted = journalNow()?.done ?? [];
    assert.deepEqual([noted[0]?.start, noted.at(-1)?.end], [0, LARGE.length]);
  });

  test('is asked for nothing when all of it is there', async () => {
    const store = storeThat((asked) => bodyOf(LARGE, asked));
    const all = { ...found, done: [{ start: 0, end: LARGE.length }] };
    const left = { content: LARGE, found: all };
    await fetchInto(store, fileOf(LARGE), new Progress(), undefined, undefined, left);
    assert.deepEqual(store.asked, []);
  });

  test('is fetched from the start when the object was replaced', async () => {
    const store = storeThat((asked) => bodyOf(LARGE, asked, 'v2'));
    const { bytes, progress } = await resume(store);
    assert.ok(bytes.equals(LARGE));
    assert.equal(journalNow()?.etag, 'v2');
    assert.deepEqual([progress.bytesDone, progress.bytesTotal], [LARGE.length, LARGE.length]);
  });

  test('is fetched from the start when its journal has lied, and the object is not blamed', async () => {
    const told: CorruptObject[] = [];
    const store = storeThat((asked) => bodyOf(LARGE, asked));
    const { bytes, progress } = await resume(store, Buffer.alloc(LARGE.length), (o) => told.push(o));
    assert.ok(bytes.equals(LARGE));
    assert.deepEqual(told, []);
    assert.equal(progress.bytesDone, LARGE.length);
  });

  test('and the object is blamed only after it was read wrong twice from the start', async () => {
    const told: CorruptObject[] = [];
    const wrong = Buffer.alloc(LARGE.length, 'wrong');
    const starts = storeThat((asked) => bodyOf(wrong, asked));
    await assert.rejects(
      resume(starts, half, (object) => told.push(object)),
      {
        code: 'object-digest-differs',
      },
    );
    assert.equal(told.length, 1);
    assert.equal(starts.asked.filter(({ range }) => range?.start === 0).length, 2);
  });
});

test('the journal says what has been written, as soon as it has', async () => {
  const broken = storeThat((asked) => {
    if ((asked.range?.start ?? 0) >= 20 * MiB) throw new ModelCacheError('store-denied', 'no');
    return bodyOf(LARGE, asked);
  });
  await assert.rejects(download(broken, LARGE), { code: 'store-denied' });
  const { etag, done } = journalNow() ?? assert.fail('no journal');
  assert.equal(etag, 'v1');
  assert.ok(done.length > 0);
  assert.ok(done.every(({ end }) => end <= 20 * MiB));
});

test('a journal of an object that was replaced says nothing of the former one', async () => {
  const store = storeThat((asked) => bodyOf(LARGE, asked, asked.count > 2 ? 'v2' : 'v1'));
  await download(store, LARGE);
  assert.deepEqual(journalNow()?.etag, 'v2');
});

test('an object that is replaced by a store which does not heed the ETag is never mixed', async () => {
  const other = randomBytes(LARGE.length);
  const store = storeThat(({ key, count, range }) => {
    const asked = { key, count, ...(range && { range }) };
    return count === 2 ? bodyOf(LARGE, asked, 'v1') : bodyOf(other, asked, 'v2');
  });
  const { bytes } = await download(store, other);
  assert.ok(bytes.equals(other));
});

test('what broke off or fell silent is asked for again on a connection of its own', async () => {
  const store = storeThat((asked) => bodyOf(SMALL, asked, 'v1', asked.count === 1 ? 128 * 1024 : Infinity));
  await download(store, SMALL);
  assert.deepEqual(
    store.asked.map(({ onNewConnection }) => onNewConnection),
    [false, true],
  );
});

test('at the end, what one slow request has not brought is asked for elsewhere, and comes once', async () => {
  const came: ByteRange[] = [];
  let slowEnd = 0;
  const fetch = async (order: RangeOrder): Promise<void> => {
    const { range, into } = order;
    const arrival = new Arrival(into.arrival);
    const isSlow = range.start === 0;
    let { start: position, end } = range;
    if (isSlow) slowEnd = end;
    order.onBegun('v1', (earlier) => {
      if (earlier <= position || earlier >= end) return;
      end = earlier;
      order.onCut(end);
    });
    for (let to = position; position < end; position = to) {
      await sleep(isSlow ? 20 : 0);
      order.signal.throwIfAborted();
      to = Math.min(end, position + 64 * 1024);
      arrival.writeMissing({ start: position, end: to }, ({ start, end }) =>
        writeSync(into.fd, LARGE, start, end - start, start),
      );
      order.onBytes(to - position);
    }
    came.push({ start: range.start, end });
  };
  const ranges = { ...rangesByGet(storeThat(() => assert.fail())), fetch };
  const progress = new Progress();
  progress.expect(1, LARGE.length);
  await fetchInto({ ...storeThat(() => assert.fail()), ranges }, fileOf(LARGE), progress);
  assert.ok(readFileSync(dir.at('staged')).equals(LARGE));
  assert.equal(progress.bytesDone, LARGE.length);
  const inOrder = came.toSorted((a, b) => a.start - b.start);
  assert.ok((inOrder[0]?.end ?? 0) < slowEnd);
  inOrder.slice(1).forEach(({ start }, index) => assert.equal(start, inOrder[index]?.end));
});

test('a file that is to be flushed was, when it is proved', async () => {
  const { verified } = await download(
    storeThat((asked) => bodyOf(SMALL, asked)),
    SMALL,
  );
  assert.equal(verified.isFlushed, true);
});

async function* allThenBroken(bytes: Buffer): AsyncGenerator<Buffer> {
  yield bytes;
  throw new ModelCacheError('store-unreachable', 'the connection broke');
}

function journalNow(): Journal | undefined {
  return parseJournal(readFileSync(dir.at('staged.parts'), 'utf8'));
}
