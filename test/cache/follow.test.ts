import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { assert as assertProperty, asyncProperty, nat, shuffledSubarray } from 'fast-check';
import { loadBlake3 } from '../../src/blake3.ts';
import { DigestThreads } from '../../src/cache/digest-threads.ts';
import { followFile } from '../../src/cache/follow.ts';
import { Arrival, BLOCK_BYTES } from '../../src/model/arrival.ts';
import type { ByteRange } from '../../src/model/parts.ts';
import type { Found, PartDigests, Proof } from '../../src/model/proof.ts';
import { DiskSigns } from '../../src/threads/disk-signs.ts';
import { soon } from '../store/bodies.ts';
import { gitSha1, sha256 } from './cache-dir.ts';

const scratch = mkdtempSync(join(tmpdir(), 'follow-'));
after(() => rmSync(scratch, { recursive: true }));
const path = join(scratch, 'file');

const SIZE = 5 * BLOCK_BYTES + 77;
const BYTES = randomBytes(SIZE);
const WHOLE: Proof = { kind: 'whole', algorithms: ['sha256', 'git-sha1'] };
const FOUND: Found = { kind: 'whole', digests: { sha256: sha256(BYTES), gitSha1: gitSha1(BYTES) } };
const BLOCKS = Array.from({ length: 6 }, (_, block) => block);

const blake3 = loadBlake3();
const noBlake3 = blake3 === undefined ? 'this machine has no build of BLAKE3' : false;

describe('a file that arrives in any order has the digests of the whole', () => {
  test('block after block, each in pieces, while it is followed', async () => {
    await assertProperty(
      asyncProperty(shuffledSubarray(BLOCKS, { minLength: 6 }), nat(5), async (order, pause) => {
        await following(Buffer.alloc(0), Arrival.of(SIZE), WHOLE, async (file, arrival, found) => {
          for (const block of order) {
            await write(file, arrival, block);
            if (block === pause) await sleep(5);
          }
          assert.deepEqual(await found, FOUND);
        });
      }),
      { seed: 5, numRuns: 12 },
    );
  });

  test('when some of it was there before', async () => {
    const there = [{ start: BLOCK_BYTES, end: 3 * BLOCK_BYTES }];
    const half = Buffer.concat([Buffer.alloc(BLOCK_BYTES), BYTES.subarray(BLOCK_BYTES, 3 * BLOCK_BYTES)]);
    await following(half, Arrival.of(SIZE, there), WHOLE, async (file, arrival, found) => {
      for (const block of [5, 0, 4, 3]) await write(file, arrival, block);
      assert.deepEqual(await found, FOUND);
    });
  });

  test('and so has an empty one', async () => {
    await following(Buffer.alloc(0), Arrival.of(0), WHOLE, async (_, __, found) => {
      assert.deepEqual(await found, { kind: 'whole', digests: { sha256: sha256(''), gitSha1: gitSha1('') } });
    });
  });
});

test('a file whose arrival is ended is let go of, wherever that was', async () => {
  for (const blocks of [0, 1, 6]) {
    await following(Buffer.alloc(0), Arrival.of(SIZE), WHOLE, async (file, arrival, found) => {
      for (const block of BLOCKS.slice(0, Math.min(5, blocks))) await write(file, arrival, block);
      arrival.end();
      assert.equal(await found, undefined);
    });
  }
});

test('a file that somebody made shorter has other digests, and nobody waits for the rest', async () => {
  await following(BYTES, Arrival.of(SIZE), WHOLE, async (_, arrival, found) => {
    truncateSync(path, BLOCK_BYTES + 1);
    arrival.writeMissing({ start: 0, end: SIZE }, () => undefined);
    const short = BYTES.subarray(0, BLOCK_BYTES + 1);
    assert.deepEqual(await found, {
      kind: 'whole',
      digests: {
        sha256: sha256(short),
        gitSha1: createHash('sha1').update(`blob ${SIZE}\0`).update(short).digest('hex'),
      },
    });
  });
});

test('what the disk says instead is passed on', async () => {
  const errand = { fd: 9999, arrival: Arrival.of(1, [{ start: 0, end: 1 }]).memory, proof: WHOLE };
  await assert.rejects(
    followFile(errand, new DiskSigns(), () => blake3),
    { code: 'EBADF' },
  );
});

describe('the digests of its parts', { skip: noBlake3 }, () => {
  /** No part begins or ends where a block does. */
  const PART = 43_751;
  const rows: readonly { name: string; spoil: (bytes: Buffer) => Buffer; wrong: readonly number[] }[] = [
    { name: 'are right', spoil: (bytes) => bytes, wrong: [] },
    { name: 'name the first one', spoil: (bytes) => flipped(bytes, 0), wrong: [0] },
    {
      name: 'name the one of a wrong byte at its end',
      spoil: (bytes) => flipped(bytes, 2 * PART - 1),
      wrong: [1],
    },
    {
      name: 'name the one of a wrong byte at its beginning',
      spoil: (bytes) => flipped(bytes, 2 * PART),
      wrong: [2],
    },
    { name: 'name the last one, which is short', spoil: (bytes) => flipped(bytes, SIZE - 1), wrong: [7] },
    { name: 'name several', spoil: (bytes) => flipped(flipped(bytes, PART), 4 * PART), wrong: [1, 4] },
    {
      name: 'name what is missing at the end',
      spoil: (bytes) => bytes.subarray(0, 5 * PART + 9),
      wrong: [5, 6, 7],
    },
    { name: 'name what is missing, to a part', spoil: (bytes) => bytes.subarray(0, 6 * PART), wrong: [6, 7] },
  ];
  for (const { name, spoil, wrong } of rows)
    test(name, async () => {
      const proof: Proof = { kind: 'parts', parts: partsOf(BYTES, PART) };
      await following(
        spoil(BYTES),
        Arrival.of(SIZE, [{ start: 0, end: SIZE }]),
        proof,
        async (_, __, found) => {
          assert.deepEqual(await found, { kind: 'parts', wrong });
        },
      );
    });

  test('of a file of whole parts are no more than there are', async () => {
    const size = 4 * PART;
    const bytes = BYTES.subarray(0, size);
    const proof: Proof = { kind: 'parts', parts: partsOf(bytes, PART) };
    await following(bytes, Arrival.of(size, [{ start: 0, end: size }]), proof, async (_, __, found) => {
      assert.deepEqual(await found, { kind: 'parts', wrong: [] });
    });
  });

  test('that were proved on their way are not read again', async () => {
    const proof: Proof = { kind: 'parts', parts: partsOf(BYTES, BLOCK_BYTES) };
    const arrival = Arrival.of(SIZE, [{ start: 0, end: SIZE }]);
    arrival.prove({ start: 0, end: 2 * BLOCK_BYTES });
    arrival.prove({ start: 3 * BLOCK_BYTES, end: 4 * BLOCK_BYTES });
    const spoiled = [1, 2, 3].reduce<Buffer>((bytes, block) => flipped(bytes, block * BLOCK_BYTES), BYTES);
    await following(spoiled, arrival, proof, async (_, __, found) => {
      assert.deepEqual(await found, { kind: 'parts', wrong: [2] });
    });
  });

  test('behind one that was proved, the next is waited for', async () => {
    const proof: Proof = { kind: 'parts', parts: partsOf(BYTES, BLOCK_BYTES) };
    const arrival = Arrival.of(SIZE);
    arrival.prove({ start: 0, end: BLOCK_BYTES });
    await following(BYTES, arrival, proof, async (_, __, found) => {
      setTimeout(() => arrival.writeMissing({ start: BLOCK_BYTES, end: SIZE }, () => undefined), 20);
      assert.deepEqual(await found, { kind: 'parts', wrong: [] });
    });
  });

  function partsOf(bytes: Buffer, size: number): PartDigests {
    const digests: string[] = [];
    for (let at = 0; at < bytes.length; at += size) {
      const running = blake3?.() ?? assert.fail();
      running.update(bytes.subarray(at, at + size));
      digests.push(running.digest('hex'));
    }
    return { size, digests };
  }

  function flipped(bytes: Buffer, at: number): Buffer {
    const copy = Buffer.from(bytes);
    copy[at] = (copy[at] ?? 0) ^ 1;
    return copy;
  }
});

test('where there is no BLAKE3, parts cannot be proved, and nothing is read', async () => {
  const proof: Proof = { kind: 'parts', parts: { size: 10, digests: ['00'] } };
  const errand = { fd: 9999, arrival: Arrival.of(10).memory, proof };
  assert.deepEqual(await followFile(errand, new DiskSigns(), () => undefined), { kind: 'unavailable' });
});

test('threads do the same, several files at once, and one that fails says why', async () => {
  const threads = new DigestThreads();
  try {
    writeFileSync(path, BYTES);
    await using file = await open(path, 'r');
    const errand = { fd: file.fd, arrival: Arrival.of(SIZE, [{ start: 0, end: SIZE }]).memory, proof: WHOLE };
    const follow = (of: typeof errand): Promise<Found | undefined> =>
      soon(threads.follow(of, () => undefined));
    const [broken, ...found] = await Promise.allSettled(
      [{ ...errand, fd: 9999 }, errand, errand, errand].map(follow),
    );
    assert.equal(broken?.status === 'rejected' && (broken.reason as NodeJS.ErrnoException).code, 'EBADF');
    assert.deepEqual(
      found.map((one) => one.status === 'fulfilled' && one.value),
      [FOUND, FOUND, FOUND],
    );
  } finally {
    threads.close();
  }
});

/** The file of `content` is followed while `work` writes to it. */
async function following(
  content: Buffer,
  arrival: Arrival,
  proof: Proof,
  work: (file: FileHandle, arrival: Arrival, found: Promise<Found | undefined>) => Promise<void>,
): Promise<void> {
  writeFileSync(path, content);
  await using file = await open(path, 'r+');
  const found = soon(
    followFile({ fd: file.fd, arrival: arrival.memory, proof }, new DiskSigns(), () => blake3),
  );
  await work(file, arrival, found);
}

async function write(file: FileHandle, arrival: Arrival, block: number): Promise<void> {
  const [start, end] = [block * BLOCK_BYTES, Math.min(SIZE, (block + 1) * BLOCK_BYTES)];
  const middle = start + Math.floor((end - start) / 3);
  const writePiece = async (piece: ByteRange): Promise<void> => {
    await file.write(BYTES, piece.start, piece.end - piece.start, piece.start);
  };
  await arrival.writeMissingAside({ start, end: middle }, writePiece);
  await arrival.writeMissingAside({ start: middle, end }, writePiece);
}
