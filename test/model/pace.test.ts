import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { array, assert as assertProperty, boolean, double, integer, nat, property, record } from 'fast-check';
import { BLOCK_BYTES } from '../../src/model/arrival.ts';
import {
  firstPace,
  grainOf,
  nextPace,
  partBytes,
  takePart,
  type Pace,
  type PaceBounds,
  type PaceSample,
  type Remaining,
} from '../../src/model/pace.ts';
import type { ByteRange } from '../../src/model/parts.ts';

const RUNS = { seed: 5, numRuns: 200 };
const MiB = 1024 * 1024;
const BOUNDS: PaceBounds = { width: 64, partBytes: 16 * MiB };
const CALM: PaceSample = { now: 1000, rate: 1e8, isFull: true, load: 0.3, isThrottled: false };
const SLOW_DOWN: PaceSample = { ...CALM, isThrottled: true };

/** Of very much. */
function remaining(left: number): Remaining {
  return { total: 1e12, left, rate: 0, isProvedInParts: true };
}

describe('to begin with, there are more requests the farther away the store is', () => {
  const rows: readonly { name: string; roundTrip?: number; most?: number; width: number }[] = [
    { name: 'nothing is known', width: 4 },
    { name: 'on this machine', roundTrip: 0.1, width: 4 },
    { name: 'in this zone', roundTrip: 3.9, width: 4 },
    { name: 'in this region', roundTrip: 5, width: 20 },
    { name: 'on another continent', roundTrip: 150, width: 64 },
    { name: 'this process may open two files more', roundTrip: 150, most: 2, width: 2 },
    { name: 'it may open none', most: 0, width: 1 },
  ];
  for (const { name, roundTrip, most = BOUNDS.width, width } of rows)
    test(`${name}: ${width}`, () => {
      const pace = firstPace(roundTrip, { ...BOUNDS, width: most });
      assert.deepEqual([pace.width, pace.leastPart], [width, MiB]);
    });
});

describe('the next pace', () => {
  const steady: Pace = { ...firstPace(undefined, BOUNDS), width: 8 };

  test('is wider while that helps', () => {
    const trying = nextPace(steady, CALM, BOUNDS);
    assert.equal(trying.width, 16);
    assert.equal(nextPace(trying, { ...CALM, now: 1250, rate: 1.3e8 }, BOUNDS).width, 32);
  });

  test('is as before when it has not helped, and nothing is tried for a while', () => {
    const back = nextPace(nextPace(steady, CALM, BOUNDS), { ...CALM, now: 1250, rate: 1.01e8 }, BOUNDS);
    assert.equal(back.width, 8);
    assert.equal(nextPace(back, { ...CALM, now: 3000 }, BOUNDS).width, 8);
    assert.equal(nextPace(back, { ...CALM, now: 3300 }, BOUNDS).width, 16);
  });

  test('is no other while not all requests that may be side by side are', () => {
    assert.deepEqual(nextPace(steady, { ...CALM, isFull: false }, BOUNDS), steady);
  });

  test('is wider by more where there is time to receive four times as much', () => {
    assert.equal(nextPace(steady, { ...CALM, load: 0.1 }, BOUNDS).width, 32);
  });

  test('is narrower while whoever receives is busy and as much comes, down to a few', () => {
    let pace: Pace = { ...steady, width: 18 };
    const seen: number[] = [];
    for (let round = 0; round < 4; round += 1) {
      pace = nextPace(pace, { ...CALM, load: 0.9, now: 1000 + round * 250 }, BOUNDS);
      seen.push(pace.width);
    }
    assert.deepEqual(seen, [9, 4, 4, 4]);
    assert.equal(nextPace({ ...steady, width: 2 }, { ...CALM, load: 0.9 }, BOUNDS).width, 2);
    assert.equal(nextPace(pace, { ...CALM, now: 3000 }, BOUNDS).width, 8);
  });

  test('is as before when fewer brought less, at once or little by little', () => {
    const busy = { ...CALM, load: 0.9 };
    const fewer = nextPace(steady, busy, BOUNDS);
    const back = nextPace(fewer, { ...busy, now: 1250, rate: 0.8e8 }, BOUNDS);
    assert.deepEqual([fewer.width, back.width], [4, 8]);
    assert.equal(nextPace(back, { ...busy, now: 3200 }, BOUNDS).width, 8);
    let pace: Pace = { ...steady, width: 64 };
    for (const rate of [1e8, 0.94e8, 0.89e8]) pace = nextPace(pace, { ...busy, rate }, BOUNDS);
    assert.equal(pace.width, 32);
  });

  test('is no narrower right after more have brought more', () => {
    const trying = nextPace(steady, CALM, BOUNDS);
    const found = nextPace(trying, { ...CALM, now: 1250, rate: 1.9e8, load: 0.7 }, BOUNDS);
    assert.equal(found.width, 16);
    assert.equal(nextPace(found, { ...CALM, now: 1500, rate: 1.9e8, load: 0.7 }, BOUNDS).width, 16);
  });

  test('has fewer requests for larger parts when the store says that it is too much, as often as it says so', () => {
    let pace: Pace = { ...steady, width: 64 };
    const seen: (readonly number[])[] = [];
    for (let round = 0; round < 6; round += 1) {
      pace = nextPace(pace, { ...SLOW_DOWN, now: round }, BOUNDS);
      seen.push([pace.width, pace.leastPart / MiB]);
    }
    assert.deepEqual(seen, [
      [32, 2],
      [16, 4],
      [8, 8],
      [4, 16],
      [2, 16],
      [2, 16],
    ]);
  });

  test('has small ones again when the store has not said so for a while, whether many are under way or not', () => {
    let pace: Pace = { ...steady, width: 64 };
    for (let round = 0; round < 3; round += 1) pace = nextPace(pace, SLOW_DOWN, BOUNDS);
    assert.equal(pace.leastPart, 8 * MiB);
    const seen = (isFull: boolean): readonly number[] => {
      let next = pace;
      return [1250, 2900, 3100, 3350, 3600, 3850].map((now) => {
        next = nextPace(next, { ...CALM, now, isFull }, BOUNDS);
        return next.leastPart / MiB;
      });
    };
    assert.deepEqual(seen(false), [8, 8, 4, 2, 1, 1]);
    assert.deepEqual(seen(true).slice(0, 3), [8, 8, 4]);
  });

  test('stays within bounds, whatever comes', () => {
    const sample = record({
      now: nat(100_000),
      rate: double({ min: 0, max: 1e10, noNaN: true }),
      isFull: boolean(),
      load: double({ min: 0, max: 1, noNaN: true }),
      isThrottled: boolean(),
    });
    assertProperty(
      property(
        array(sample, { maxLength: 30 }),
        integer({ min: 1, max: 256 }),
        nat(31),
        (samples, width, mib) => {
          const bounds = { width, partBytes: (mib + 1) * MiB };
          let pace = firstPace(undefined, bounds);
          for (const next of samples) {
            pace = nextPace(pace, next, bounds);
            assert.ok(pace.width >= 1 && pace.width <= bounds.width);
            assert.ok(pace.leastPart >= MiB && pace.leastPart <= bounds.partBytes);
            assert.ok(partBytes(pace, remaining(next.now * MiB), bounds) <= bounds.partBytes);
          }
        },
      ),
      RUNS,
    );
  });
});

describe('within some seconds, it comes near what there is, and stays there', () => {
  const rows: readonly { name: string; each: number; link: number; receiver: number }[] = [
    { name: 'S3 in its region', each: 90e6, link: 3e9, receiver: 2.5e9 },
    { name: 'S3 in its region, one processor', each: 90e6, link: 3e9, receiver: 0.7e9 },
    { name: 'a slow link', each: 90e6, link: 120e6, receiver: 1e9 },
    { name: 'one request for all of it', each: 1e9, link: 1e9, receiver: 2e9 },
    { name: 'a store that gives little', each: 10e6, link: 3e9, receiver: 2e9 },
  ];
  for (const { name, each, link, receiver } of rows)
    test(name, () => {
      const most = Math.min(64 * each, link, receiver);
      const rates: number[] = [];
      let pace = firstPace(1, BOUNDS);
      for (let now = 250; now <= 20_000; now += 250) {
        const rate = Math.min(pace.width * each, link, receiver);
        rates.push(rate);
        pace = nextPace(pace, { ...CALM, now, rate, load: rate / receiver }, BOUNDS);
      }
      const settled = rates.slice(4);
      const mean = settled.reduce((sum, rate) => sum + rate, 0) / settled.length;
      assert.ok(mean > 0.9 * most, (mean / most).toFixed(2));
    });
});

describe('how much is asked for', () => {
  const rows: readonly { name: string; pace?: Partial<Pace>; left: number; mib: number }[] = [
    { name: 'of much, as much as there is at most', left: 1350 * MiB, mib: 16 },
    { name: 'of less, a share of it', left: 64 * MiB, mib: 4 },
    { name: 'of a share that is no whole block, one block more', left: 65 * MiB, mib: 5 },
    { name: 'near the end, no less than a block', left: 3 * MiB, mib: 1 },
    { name: 'of nothing, the same', left: 0, mib: 1 },
    { name: 'with many requests, smaller ones', pace: { width: 64 }, left: 256 * MiB, mib: 2 },
    { name: 'of an overloaded store, no small ones', pace: { leastPart: 8 * MiB }, left: 3 * MiB, mib: 8 },
  ];
  for (const { name, pace, left, mib } of rows)
    test(`${name}: ${mib} MiB`, () =>
      assert.equal(
        partBytes({ ...firstPace(undefined, BOUNDS), width: 8, ...pace }, remaining(left), BOUNDS),
        mib * MiB,
      ));
});

test('part after part, every byte is asked for exactly once, and only the ends of a file are within a block', () => {
  assertProperty(
    property(nat(100 * MiB), nat(63), array(nat(100), { maxLength: 6 }), (size, width, gaps) => {
      const ranges = withGaps(size, gaps);
      const pace: Pace = { ...firstPace(undefined, BOUNDS), width: width + 1 };
      const parts: ByteRange[] = [];
      for (let left: readonly ByteRange[] = ranges; left.length > 0;) {
        const bytes = left.reduce((sum, { start, end }) => sum + end - start, 0);
        const taken = takePart(left, partBytes(pace, remaining(bytes), BOUNDS));
        if (taken.part === undefined) assert.fail('nothing was taken of what is left');
        parts.push(taken.part);
        left = taken.left;
      }
      assert.deepEqual(joined(parts), ranges);
      for (const { start, end } of parts) {
        assert.ok(start < end);
        assert.ok(start % MiB === 0 || ranges.some((range) => range.start === start));
        assert.ok(end % MiB === 0 || ranges.some((range) => range.end === end));
      }
    }),
    RUNS,
  );
});

test('what is proved by parts comes in whole parts, unless it takes many requests to fill the way', () => {
  const near = firstPace(0.1, BOUNDS);
  assert.equal(grainOf(near, undefined, BOUNDS), MiB);
  assert.equal(grainOf(near, 8 * MiB, BOUNDS), 8 * MiB);
  assert.equal(grainOf(near, 700_001, BOUNDS), MiB);
  assert.equal(grainOf(firstPace(20, BOUNDS), 8 * MiB, BOUNDS), MiB);
  assert.equal(grainOf(near, 8 * MiB, { ...BOUNDS, partBytes: 4 * MiB }), MiB, '--part-size is the bound');
  const resumed = [{ start: 3 * MiB, end: 40 * MiB }];
  const { part, left } = takePart(resumed, 2 * MiB, 8 * MiB);
  assert.deepEqual(part, { start: 3 * MiB, end: 8 * MiB });
  assert.deepEqual(takePart(left, 2 * MiB, 8 * MiB).part, { start: 8 * MiB, end: 16 * MiB });
});

test('of small files there are more side by side, within the same bounds', () => {
  assert.equal(firstPace(0.1, BOUNDS).smallWidth, 64);
  assert.equal(firstPace(150, BOUNDS).smallWidth, 64);
  assert.equal(firstPace(0.1, { ...BOUNDS, width: 10 }).smallWidth, 10);
  assert.equal(firstPace(0.1, { ...BOUNDS, width: 0 }).smallWidth, 1);
});

test('of small files, a store that says it is too much gets half as many too, and more again while that helps', () => {
  const first = firstPace(150, BOUNDS);
  const once = nextPace(first, SLOW_DOWN, BOUNDS);
  assert.equal(once.smallWidth, 32);
  let pace = once;
  for (let times = 0; times < 8; times += 1) pace = nextPace(pace, SLOW_DOWN, BOUNDS);
  assert.equal(pace.smallWidth, 2);
  const calm = { ...CALM, now: 60_000 };
  assert.equal(nextPace(pace, calm, BOUNDS).smallWidth, 4);
  assert.equal(nextPace(pace, { ...calm, load: 0.9 }, BOUNDS).smallWidth, 2);
});

describe('of much, at most', () => {
  const large: PaceBounds = { width: 64, partBytes: 64 * MiB };
  const GB = 1e9;
  const rows: readonly {
    name: string;
    width: number;
    total?: number;
    bounds?: PaceBounds;
    isHashed?: boolean;
    mib: number;
  }[] = [
    { name: 'a share of what a few span together', width: 4, mib: 32 },
    { name: 'the same of fewer', width: 2, mib: 64 },
    { name: 'what is due to each of many', width: 64, mib: 16 },
    { name: 'what may be asked for twice', width: 4, total: 0.8 * GB, mib: 22 },
    { name: 'the same of less', width: 4, total: 0.3 * GB, mib: 8 },
    {
      name: 'of what is hashed from its beginning, the same',
      width: 4,
      total: 0.3 * GB,
      isHashed: true,
      mib: 8,
    },
    { name: 'the least there is, of little', width: 4, total: 0.02 * GB, mib: 1 },
    { name: '--part-size', width: 2, bounds: BOUNDS, mib: 16 },
    { name: 'of what is hashed from its beginning', width: 2, isHashed: true, mib: 16 },
  ];
  for (const { name, width, total = 1e12, bounds = large, isHashed = false, mib } of rows)
    test(`${name}: ${mib} MiB`, () =>
      assert.equal(
        partBytes(
          { ...firstPace(undefined, large), width },
          { ...remaining(total), total, isProvedInParts: !isHashed },
          bounds,
        ),
        mib * MiB,
      ));
});

test('after a store has said that it is too much, as long as it says so, the last requests are not all there is', () => {
  let pace = firstPace(150, { width: 64, partBytes: 64 * MiB });
  for (let round = 0; round < 20; round += 1)
    pace = nextPace(pace, SLOW_DOWN, { width: 64, partBytes: 64 * MiB });
  assert.equal(pace.leastPart, 16 * MiB);
});

test('at a high rate, no request is for less than a moment', () => {
  const near = { ...firstPace(0.1, BOUNDS), width: 8 };
  const atRate = (rate: number): number => partBytes(near, { ...remaining(MiB), rate }, BOUNDS) / MiB;
  assert.deepEqual([1.2e9, 1e8, 1e12].map(atRate), [4, 1, 16]);
});

test('of nothing, nothing is taken', () => {
  assert.deepEqual(takePart([], MiB), { part: undefined, left: [] });
});

/** What is missing of a file, as whole blocks leave it. */
function withGaps(size: number, gaps: readonly number[]): readonly ByteRange[] {
  const blocks = Math.ceil(size / BLOCK_BYTES);
  const missing = Array.from({ length: blocks }, (_, block) => block).filter(
    (block) => !gaps.includes(block),
  );
  return joined(
    missing.map((block) => ({ start: block * BLOCK_BYTES, end: Math.min(size, (block + 1) * BLOCK_BYTES) })),
  );
}

function joined(ranges: readonly ByteRange[]): readonly ByteRange[] {
  const apart: { start: number; end: number }[] = [];
  for (const { start, end } of ranges) {
    const last = apart.at(-1);
    if (last?.end === start) last.end = end;
    else apart.push({ start, end });
  }
  return apart;
}
