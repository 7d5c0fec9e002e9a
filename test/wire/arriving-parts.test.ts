import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { assert as assertProperty, integer, nat, property } from 'fast-check';
import { loadBlake3 } from '../../src/blake3.ts';
import type { ByteRange } from '../../src/model/parts.ts';
import { partsOf } from '../../src/model/proof.ts';
import { ArrivingParts } from '../../src/wire/arriving-parts.ts';

const blake3 = loadBlake3();
const PART = 1000;
const SIZE = 10 * PART + 7;
const BYTES = randomBytes(SIZE);
const PARTS = {
  size: PART,
  digests: Array.from({ length: 11 }, (_, place) => {
    const hash = blake3?.();
    hash?.update(BYTES.subarray(place * PART, (place + 1) * PART));
    return hash?.digest('hex') ?? '';
  }),
};

/** In pieces of so many bytes. */
function proved(bytes: Buffer, range: ByteRange, piece: number): readonly ByteRange[] {
  if (blake3 === undefined) throw new Error('BLAKE3 is not here');
  const arriving = new ArrivingParts(partsOf(range, PARTS), SIZE, blake3);
  const found: ByteRange[] = [];
  for (let at = range.start; at < range.end; at += piece)
    found.push(...arriving.take(bytes.subarray(at, Math.min(range.end, at + piece)), at));
  return found;
}

const skip = blake3 === undefined ? 'there is no build of BLAKE3 here' : false;

test('exactly the parts that lie within a range are proved, however its bytes come', { skip }, () => {
  assertProperty(
    property(nat(SIZE - 1), nat(SIZE - 1), integer({ min: 1, max: 3 * PART }), (a, b, piece) => {
      const range = { start: Math.min(a, b), end: Math.max(a, b) + 1 };
      const within = PARTS.digests
        .map((_, place) => ({ start: place * PART, end: Math.min(SIZE, (place + 1) * PART) }))
        .filter(({ start, end }) => start >= range.start && end <= range.end);
      assert.deepEqual(proved(BYTES, range, piece), within);
    }),
    { seed: 5, numRuns: 300 },
  );
});

test('a part with one other bit is not, and its neighbours are', { skip }, () => {
  const spoiled = Buffer.from(BYTES);
  spoiled.writeUInt8(spoiled.readUInt8(4 * PART + 500) ^ 1, 4 * PART + 500);
  const found = proved(spoiled, { start: 3 * PART, end: 6 * PART }, 64);
  assert.deepEqual(found, [
    { start: 3 * PART, end: 4 * PART },
    { start: 5 * PART, end: 6 * PART },
  ]);
});
