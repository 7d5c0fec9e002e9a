import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { loadBlake3 } from '../../src/blake3.ts';
import { Arrival } from '../../src/model/arrival.ts';
import { Progress } from '../../src/transfer/progress.ts';
import { Prover } from '../../src/transfer/prover.ts';
import { sha256 } from '../cache/cache-dir.ts';
import { soon } from '../store/bodies.ts';

const scratch = mkdtempSync(join(tmpdir(), 'prover-'));
after(() => rmSync(scratch, { recursive: true }));
const path = join(scratch, 'file');

const MiB = 1024 * 1024;
const BYTES = randomBytes(5 * MiB);
const SPOILED = Buffer.from(BYTES);
SPOILED[2 * MiB + 9] = (SPOILED[2 * MiB + 9] ?? 0) ^ 1;
const PART = 2 * MiB;
const DIGESTS = { sha256: sha256(BYTES) };
const OTHERS = { sha256: sha256('others') };

const blake3 = loadBlake3();
const skip = blake3 === undefined ? 'this machine has no build of BLAKE3' : false;
const PARTS = { size: PART, digests: [0, 1, 2].map((place) => digestOf(place)) };

interface Row {
  readonly name: string;
  readonly content: Buffer;
  readonly file: { readonly digests?: { readonly sha256: string }; readonly parts?: typeof PARTS };
  readonly partsProve?: boolean;
  readonly mismatch: object | undefined;
}

describe('a file is what it should be', { skip }, () => {
  const wrongPart = { wanted: 'part 2 as its digest says', found: 'other bytes' };
  const wrongWhole = { wanted: `sha256 ${DIGESTS.sha256}`, found: `sha256 ${sha256(SPOILED)}` };
  const rows: readonly Row[] = [
    { name: 'by its digest', content: BYTES, file: { digests: DIGESTS }, mismatch: undefined },
    { name: 'or not', content: SPOILED, file: { digests: DIGESTS }, mismatch: wrongWhole },
    {
      name: 'by its digest, also where its parts would be right',
      content: BYTES,
      file: { digests: OTHERS, parts: PARTS },
      mismatch: { wanted: `sha256 ${OTHERS.sha256}`, found: `sha256 ${DIGESTS.sha256}` },
    },
    {
      name: 'by the digests of its parts, where those are proof',
      content: BYTES,
      file: { digests: OTHERS, parts: PARTS },
      partsProve: true,
      mismatch: undefined,
    },
    {
      name: 'or not, by the first of its parts that is wrong',
      content: SPOILED,
      file: { digests: OTHERS, parts: PARTS },
      partsProve: true,
      mismatch: wrongPart,
    },
    {
      name: 'by its digest, where parts are proof and none are known',
      content: SPOILED,
      file: { digests: DIGESTS },
      partsProve: true,
      mismatch: wrongWhole,
    },
    {
      name: 'as far as anybody knows, where there is no digest',
      content: SPOILED,
      file: {},
      mismatch: undefined,
    },
  ];
  for (const { name, content, file, partsProve = false, mismatch } of rows)
    test(name, async () => {
      await proving(content, partsProve, async (prover, handle, arrival) => {
        const proved = await soon(
          prover.prove({ size: BYTES.length, digests: undefined, ...file }, handle, arrival),
        );
        assert.deepEqual(proved.mismatch, mismatch);
      });
    });

  test('and of one that is not, the parts that are right need not come again', async () => {
    await proving(SPOILED, false, async (prover, file, arrival) => {
      const of = { size: BYTES.length, parts: PARTS };
      assert.deepEqual(await soon(prover.rightParts(of, file, arrival)), [
        { start: 0, end: PART },
        { start: 2 * PART, end: BYTES.length },
      ]);
      assert.deepEqual(await soon(prover.rightParts({ size: of.size }, file, arrival)), []);
    });
  });

  test('but digests by which all of a wrong file is right are believed in nothing', async () => {
    await proving(BYTES, false, async (prover, file, arrival) => {
      assert.deepEqual(
        await soon(prover.rightParts({ size: BYTES.length, parts: PARTS }, file, arrival)),
        [],
      );
    });
  });
});

test('a file that never comes is let go of when its arrival is ended', async () => {
  await proving(Buffer.alloc(0), false, async (prover, file) => {
    const arrival = Arrival.of(BYTES.length);
    const proving = soon(prover.prove({ size: BYTES.length, digests: DIGESTS }, file, arrival));
    arrival.end();
    assert.deepEqual((await proving).digests, {});
  });
});

test('who waits for a disk that does not answer can be stopped', async () => {
  const stop = new AbortController();
  const prover = new Prover(new Progress(), false, stop.signal);
  const why = new Error('stopped');
  const waiting = prover.unlessStopped(new Promise(() => undefined));
  stop.abort(why);
  await assert.rejects(soon(waiting), why);
  await assert.rejects(soon(prover.unlessStopped(new Promise(() => undefined))), why);
  assert.equal(
    await new Prover(new Progress(), false, new AbortController().signal).unlessStopped(Promise.resolve(7)),
    7,
  );
  prover.close();
});

test('while a file is hashed, the disk is read, and shows that it lives', async () => {
  const progress = new Progress();
  await proving(
    BYTES,
    false,
    async (prover, file, arrival) => {
      const before = progress.lastDiskSign;
      const proving = prover.prove({ size: BYTES.length, digests: DIGESTS }, file, arrival);
      assert.equal(progress.readingDisk, 1);
      await soon(proving);
      assert.equal(progress.readingDisk, 0);
      assert.ok(progress.lastDiskSign > before);
    },
    progress,
  );
});

function digestOf(place: number): string {
  const running = blake3?.();
  running?.update(BYTES.subarray(place * PART, (place + 1) * PART));
  return running?.digest('hex') ?? '';
}

async function proving(
  content: Buffer,
  partsProve: boolean,
  work: (prover: Prover, file: FileHandle, arrival: Arrival) => Promise<void>,
  progress = new Progress(),
): Promise<void> {
  writeFileSync(path, content);
  const prover = new Prover(progress, partsProve, new AbortController().signal);
  await using file = await open(path, 'r');
  try {
    await work(prover, file, Arrival.of(content.length, [{ start: 0, end: content.length }]));
  } finally {
    prover.close();
  }
}
