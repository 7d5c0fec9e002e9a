import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { ModelCacheError } from '../../src/errors.ts';
import { Arrival, BLOCK_BYTES } from '../../src/model/arrival.ts';
import { rangesByGet } from '../../src/store/ranges-by-get.ts';
import type { FileOrder, FilesOrder, ObjectBody, RangeOrder } from '../../src/store/store.ts';
import type { MadeFile } from '../../src/wire/messages.ts';
import { sha256 } from '../cache/cache-dir.ts';
import { bodyOf, storeThat, type Asked } from '../transfer/scripted-store.ts';

const scratch = mkdtempSync(join(tmpdir(), 'ranges-by-get-'));
after(() => rmSync(scratch, { recursive: true }));
let paths = 0;
const freshPath = (): string => join(scratch, `file-${(paths += 1)}`);

const BYTES = Buffer.from('0123456789');
const serving = (asked: Asked): ObjectBody => bodyOf(BYTES, asked);

test('a small file is made with its mode, hashed, and told of as it comes', async () => {
  const path = freshPath();
  const counts: number[] = [];
  const made: MadeFile[] = [];
  const order = filesOrder([{ path, mode: 0o640 }], {
    onBytes: (count) => counts.push(count),
    onMade: (file) => made.push(file),
  });
  await rangesByGet(storeThat(serving)).fetchFiles(order);
  assert.deepEqual(made, [{ etag: 'v1', digests: { sha256: sha256(BYTES) } }]);
  assert.equal(readFileSync(path, 'utf8'), String(BYTES));
  assert.equal(statSync(path).mode & 0o777, 0o640 & ~process.umask());
  assert.deepEqual(counts, [10]);
});

test('small files come one after the other, up to the first that does not', async () => {
  const paths = [freshPath(), freshPath(), freshPath()];
  const made: MadeFile[] = [];
  const store = storeThat((asked) => {
    if (asked.count === 2) throw new ModelCacheError('object-missing', 'gone');
    return serving(asked);
  });
  const order = filesOrder(
    paths.map((path) => ({ path })),
    { onMade: (file) => made.push(file) },
  );
  await assert.rejects(rangesByGet(store).fetchFiles(order), { code: 'object-missing' });
  assert.deepEqual([made.length, store.asked.length], [1, 2]);
  assert.deepEqual(
    paths.map((path) => existsSync(path)),
    [true, false, false],
  );
});

test('an empty object is asked for whole', async () => {
  const store = storeThat((asked) => bodyOf(Buffer.alloc(0), asked));
  const path = freshPath();
  await rangesByGet(store).fetchFiles(filesOrder([{ path, size: 0 }]));
  assert.equal(store.asked[0]?.range, undefined);
  assert.equal(readFileSync(path).length, 0);
});

test('a range is asked for as it was ordered, and written at its place', async () => {
  const size = 2 * BLOCK_BYTES + 5;
  const bytes = Buffer.alloc(size, 'x');
  const store = storeThat((asked) => bodyOf(bytes, asked));
  const path = freshPath();
  await using file = await open(path, 'w+');
  const arrival = Arrival.of(size);
  const etags: string[] = [];
  const range = { start: BLOCK_BYTES, end: size };
  const into = { fd: file.fd, arrival: arrival.memory };
  const order = {
    into,
    range,
    size,
    etag: 'v1',
    onNewConnection: true,
    onBegun: (etag: string) => etags.push(etag),
  };
  await rangesByGet(store).fetch(orderOf(order));
  assert.partialDeepStrictEqual(store.asked[0], { key: 'k', range, etag: 'v1', onNewConnection: true });
  assert.deepEqual(etags, ['v1']);
  assert.equal(arrival.reachFrom(BLOCK_BYTES, size), size);
  assert.equal(arrival.isWhole, false);
  assert.ok(readFileSync(path).subarray(BLOCK_BYTES).equals(bytes.subarray(BLOCK_BYTES)));
});

interface Row {
  readonly name: string;
  readonly answer: (asked: Asked) => ObjectBody;
  readonly size?: number;
  readonly throws: object;
}

const rows: readonly Row[] = [
  {
    name: 'an object of another size',
    answer: serving,
    size: 11,
    throws: { code: 'object-size-differs', wanted: '11 bytes', found: '10 bytes' },
  },
  {
    name: 'less than it says',
    answer: (asked) => ({ ...bodyOf(BYTES.subarray(0, 7), asked), objectSize: 10 }),
    throws: { code: 'store-unreachable', found: '7 bytes' },
  },
  {
    name: 'more than it says',
    answer: (asked) => ({
      ...bodyOf(Buffer.concat([BYTES, BYTES]), { ...asked, range: { start: 0, end: 20 } }),
      objectSize: 10,
    }),
    throws: { code: 'store-failed', wanted: '10 bytes', found: 'more' },
  },
  {
    name: 'a connection that breaks',
    answer: (asked) => bodyOf(BYTES, asked, 'v1', 0),
    throws: { code: 'store-unreachable' },
  },
  {
    name: 'nothing',
    answer: () => {
      throw new ModelCacheError('object-missing', 'gone');
    },
    throws: { code: 'object-missing' },
  },
];

describe('when something else comes, it is an error, and nothing is left of it:', () => {
  for (const { name, answer, size = 10, throws } of rows)
    test(name, async () => {
      const path = freshPath();
      const order = filesOrder([{ path, size }]);
      await assert.rejects(rangesByGet(storeThat(answer)).fetchFiles(order), throws);
      assert.equal(existsSync(path), false);
    });
});

describe('into a file that is there, nothing is written when it is', () => {
  const others: readonly Row[] = [
    {
      name: 'another object',
      answer: ({ key, count }) => bodyOf(BYTES, { key, count }, 'v2'),
      throws: { code: 'object-changed' },
    },
    ...rows.filter(({ size }) => size !== undefined),
  ];
  for (const { name, answer, size = 10, throws } of others)
    test(name, async () => {
      const path = freshPath();
      await using file = await open(path, 'w+');
      const into = { fd: file.fd, arrival: Arrival.of(size).memory };
      const order = orderOf({ into, etag: 'v1', size, range: { start: 0, end: size } });
      await assert.rejects(rangesByGet(storeThat(answer)).fetch(order), throws);
      assert.equal(readFileSync(path).length, 0);
    });
});

test('a body that is not read is let go of', async () => {
  let discarded = 0;
  const store = storeThat((asked) => ({
    ...serving(asked),
    objectSize: 99,
    discard: () => {
      discarded += 1;
      return Promise.resolve();
    },
  }));
  await assert.rejects(rangesByGet(store).fetchFiles(filesOrder([{ path: freshPath() }])));
  assert.equal(discarded, 1);
});

test('a file that is there already, or a link that leads elsewhere, is not written to, and stays', async () => {
  const [file, link, elsewhere] = [freshPath(), freshPath(), freshPath()];
  writeFileSync(file, 'mine');
  symlinkSync(elsewhere, link);
  for (const path of [file, link]) {
    const fetching = rangesByGet(storeThat(serving)).fetchFiles(filesOrder([{ path }]));
    await assert.rejects(fetching, { code: 'EEXIST' });
  }
  assert.equal(readFileSync(file, 'utf8'), 'mine');
  assert.equal(existsSync(elsewhere), false);
});

test(
  'a full disk is an error of the disk',
  { skip: existsSync('/dev/full') ? false : 'no /dev/full' },
  async () => {
    await using file = await open('/dev/full', 'w');
    const arrival = Arrival.of(10);
    const into = { fd: file.fd, arrival: arrival.memory };
    await assert.rejects(rangesByGet(storeThat(serving)).fetch(orderOf({ into })), { code: 'ENOSPC' });
    assert.equal(arrival.isWhole, false);
  },
);

function orderOf(order: Partial<RangeOrder> & Pick<RangeOrder, 'into'>): RangeOrder {
  return {
    key: 'k',
    range: { start: 0, end: 10 },
    size: 10,
    etag: undefined,
    onNewConnection: false,
    signal: new AbortController().signal,
    onBegun: () => undefined,
    onCut: () => undefined,
    onBytes: () => undefined,
    onDiskBusy: () => undefined,
    ...order,
  };
}

function filesOrder(
  files: readonly (Partial<FileOrder> & Pick<FileOrder, 'path'>)[],
  order: Partial<FilesOrder> = {},
): FilesOrder {
  return {
    files: files.map((file) => ({ key: 'k', size: 10, mode: 0o600, algorithms: ['sha256'], ...file })),
    onNewConnection: false,
    signal: new AbortController().signal,
    onMade: () => undefined,
    onBytes: () => undefined,
    onDiskBusy: () => undefined,
    ...order,
  };
}
