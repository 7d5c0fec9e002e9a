import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFileSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { after, describe, test } from 'node:test';
import { JournalFile } from '../../src/cache/journal-file.ts';
import type { CatalogFile } from '../../src/model/catalog.ts';
import { missingRanges, type Journal } from '../../src/model/partial.ts';
import type { ByteRange } from '../../src/model/parts.ts';
import type { CorruptObject } from '../../src/transfer/at-most-twice.ts';
import { Downloader } from '../../src/transfer/download.ts';
import { Progress } from '../../src/transfer/progress.ts';
import { CacheDir, sha256 } from '../cache/cache-dir.ts';
import { soon } from '../store/bodies.ts';
import { noBlake3, partDigestsOf } from './part-digests-of.ts';
import { bodyOf, storeThat, type Asked } from './scripted-store.ts';

const dir = new CacheDir();
after(() => rmSync(dir.path, { recursive: true }));

const MiB = 1024 * 1024;
const PART = 8 * MiB;
const BYTES = randomBytes(20 * MiB);
const SPOILED_AT = PART + 5;

const WANTED: CatalogFile = {
  path: 'blobs/w',
  size: BYTES.length,
  key: 'k',
  digests: { sha256: sha256(BYTES) },
  executable: false,
  parts: partDigestsOf(BYTES, PART),
};

for (const partsProve of [true, false])
  describe(`where the digests of parts ${partsProve ? 'are proof' : 'only help'}`, { skip: noBlake3 }, () => {
    test('of what arrived wrong, the part that is wrong is fetched again, on other connections, and nothing else', async () => {
      const { store, asked } = spoiling(1);
      const { progress, corrupt } = await download(store, partsProve);
      const again = asked.filter(({ onNewConnection }) => onNewConnection);
      assert.deepEqual(joined(again), [{ start: PART, end: 2 * PART }]);
      assert.deepEqual(joined(asked.filter(({ onNewConnection }) => !onNewConnection)), [
        { start: 0, end: BYTES.length },
      ]);
      assert.equal(progress.bytesDone, progress.bytesTotal);
      assert.deepEqual(corrupt, []);
    });

    test('of an object that is wrong, it is told once, after it was read twice', async () => {
      const { store } = spoiling(9);
      const corrupt: CorruptObject[] = [];
      await assert.rejects(download(store, partsProve, corrupt), { code: 'object-digest-differs' });
      assert.deepEqual(corrupt, [{ key: 'k', etag: 'v1' }]);
    });

    test('of what a killed run has left, and is wrong, the parts that are wrong are fetched anew, and nothing else', async () => {
      const store = storeThat((asked) => bodyOf(BYTES, asked));
      const half = Buffer.from(BYTES)
        .fill(0, PART - 1, PART)
        .fill(0, 2 * PART);
      const found: Journal = {
        key: 'k',
        size: BYTES.length,
        etag: 'v1',
        boot: 'b',
        done: [{ start: 0, end: 2 * PART }],
      };
      await download(store, partsProve, [], { content: half, found });
      const again = store.asked.filter(({ range }) => (range?.start ?? 0) < 2 * PART);
      assert.deepEqual(joined(again), [{ start: 0, end: PART }]);
      const rest = store.asked.filter((asked) => !again.includes(asked));
      assert.deepEqual(joined(rest), [{ start: 2 * PART, end: BYTES.length }]);
    });

    test('of what a killed run has left, and is right, only the rest is fetched', async () => {
      const store = storeThat((asked) => bodyOf(BYTES, asked));
      const half = Buffer.from(BYTES).fill(0, 2 * PART);
      const found: Journal = {
        key: 'k',
        size: BYTES.length,
        etag: 'v1',
        boot: 'b',
        done: [{ start: 0, end: 2 * PART }],
      };
      await download(store, partsProve, [], { content: half, found });
      assert.deepEqual(joined(store.asked), [{ start: 2 * PART, end: BYTES.length }]);
    });
  });

test('where they are proof, they alone prove a file', { skip: noBlake3 }, async () => {
  const others = { ...WANTED, digests: { sha256: sha256('others') } };
  const store = storeThat((asked) => bodyOf(BYTES, asked));
  await download(store, true, [], undefined, others);
  await assert.rejects(download(store, false, [], undefined, others), { code: 'object-digest-differs' });
});

test('where they only help, they prove nothing', { skip: noBlake3 }, async () => {
  const lying = {
    ...WANTED,
    parts: { size: PART, digests: ['ab'.repeat(32), 'cd'.repeat(32), 'ef'.repeat(32)] },
  };
  const store = storeThat((asked) => bodyOf(BYTES, asked));
  await download(store, false, [], undefined, lying);
});

/** One byte of the second part is wrong, so many times. */
function spoiling(times: number): { store: ReturnType<typeof storeThat>; asked: readonly Asked[] } {
  const spoiled = Buffer.from(BYTES);
  spoiled[SPOILED_AT] = (spoiled[SPOILED_AT] ?? 0) ^ 1;
  let left = times;
  const store = storeThat((asked) => {
    const { start = 0, end = BYTES.length } = asked.range ?? {};
    const isHit = start <= SPOILED_AT && SPOILED_AT < end && left > 0;
    if (isHit) left -= 1;
    return bodyOf(isHit ? spoiled : BYTES, asked);
  });
  return { store, asked: store.asked };
}

/** What was asked for, as one range where ranges touch. */
function joined(asked: readonly Asked[]): readonly ByteRange[] {
  const ranges = asked.flatMap(({ range }) => range ?? []).toSorted((a, b) => a.start - b.start);
  const gaps = ranges.flatMap(({ start }, index) => {
    const from = ranges[index - 1]?.end ?? 0;
    return from < start ? [{ start: from, end: start }] : [];
  });
  const [first, last] = [ranges[0]?.start ?? 0, ranges.at(-1)?.end ?? 0];
  const inside = gaps.filter(({ start }) => start >= first);
  return missingRanges(last, [...(first > 0 ? [{ start: 0, end: first }] : []), ...inside]);
}

async function download(
  store: ReturnType<typeof storeThat>,
  partsProve: boolean,
  corrupt: CorruptObject[] = [],
  left?: { readonly content: Buffer; readonly found: Journal },
  wanted = WANTED,
): Promise<{ progress: Progress; corrupt: readonly CorruptObject[] }> {
  const progress = new Progress();
  progress.expect(1, BYTES.length);
  const path = dir.at(dir.file('staged', left?.content ?? ''));
  rmSync(`${path}.parts`, { force: true });
  const journal = new JournalFile(`${path}.parts`, wanted);
  await using file = await open(path, 'r+');
  if (left !== undefined) await journal.begin(left.found.etag, left.found.done);
  const events = { onCorrupt: (object: CorruptObject) => corrupt.push(object), onResumed: () => undefined };
  const settings = { partsProve, bounds: { width: 8, partBytes: 4 * MiB } };
  const downloader = new Downloader(store, progress, settings, new AbortController().signal, events);
  try {
    const staging = { path, file, journal, found: left?.found, needsFlush: false };
    await soon(downloader.download(wanted, staging));
    assert.ok(readFileSync(path).equals(BYTES));
    return { progress, corrupt };
  } finally {
    downloader.close();
    await journal.close();
  }
}
