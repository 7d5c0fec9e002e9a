import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  array,
  assert as assertProperty,
  boolean,
  integer,
  nat,
  property,
  record,
  type Arbitrary,
} from 'fast-check';
import { BLOCK_BYTES } from '../../src/model/arrival.ts';
import { remedies, type Flight, type Remedy, type Spare, type Usual } from '../../src/model/stragglers.ts';

const MB = 1e6;
/** A new request brings its first byte after 40 ms, and then 2 MB/s. */
const USUAL: Usual = { rate: 2 * MB, beginMs: 40 };
const ROOM: Spare = { requests: 9, splits: 9, bytes: 100 * MB };

interface Row {
  readonly name: string;
  readonly flights: readonly (Partial<Flight> & { readonly id: string; readonly left?: number })[];
  readonly spare?: Partial<Spare>;
  readonly chosen: readonly string[];
}

describe('of the last requests', () => {
  const rows: readonly Row[] = [
    { name: 'none is under way', flights: [], chosen: [] },
    {
      name: 'the one that takes longest is split first',
      flights: [{ id: 'a' }, { id: 'b', rate: MB / 2 }, { id: 'c', rate: MB }],
      chosen: ['split b', 'split c', 'split a'],
    },
    {
      name: 'as many are split as there is room for',
      flights: [{ id: 'a' }, { id: 'b', rate: MB / 2 }, { id: 'c', rate: MB }],
      spare: { requests: 1 },
      chosen: ['split b'],
    },
    {
      name: 'as many are split as may be',
      flights: [{ id: 'a' }, { id: 'b', rate: MB / 2 }, { id: 'c', rate: MB }],
      spare: { splits: 2 },
      chosen: ['split b', 'split c'],
    },
    {
      name: 'one that is silent, and may not be split, is asked for again',
      flights: [{ id: 'a', quietMs: 200 }, { id: 'b' }],
      spare: { splits: 0 },
      chosen: ['again a'],
    },
    {
      name: 'one that is much slower than usual, and may not be split yet, is waited for',
      flights: [{ id: 'a', rate: MB / 10 }],
      spare: { splits: 0 },
      chosen: [],
    },
    {
      name: 'one that has only just begun is taken to be as usual',
      flights: [
        { id: 'a', rate: 0, quietMs: 20 },
        { id: 'b', rate: MB },
      ],
      chosen: ['split b', 'split a'],
    },
    {
      name: 'the same with little left is left alone',
      flights: [{ id: 'a', rate: 0, quietMs: 20, left: MB / 10 }],
      chosen: [],
    },
    {
      name: 'one of which everything is there waits for its last word, however long',
      flights: [{ id: 'a', left: 0, quietMs: 900 }],
      chosen: [],
    },
    { name: 'none is while there is no room', flights: [{ id: 'a' }], spare: { requests: 0 }, chosen: [] },
    {
      name: 'nor while there is less than none',
      flights: [{ id: 'a' }],
      spare: { requests: -3 },
      chosen: [],
    },
    {
      name: 'one that is done before another could begin is left alone',
      flights: [{ id: 'a', rate: 50 * MB }],
      chosen: [],
    },
    {
      name: 'one with too little left to split is left alone',
      flights: [{ id: 'a', left: BLOCK_BYTES }],
      chosen: [],
    },
    { name: 'one that cannot end earlier is, too', flights: [{ id: 'a', canEndEarlier: false }], chosen: [] },
    {
      name: 'one that has too little left, and is silent, is asked for again',
      flights: [{ id: 'a', left: BLOCK_BYTES, quietMs: 200 }],
      chosen: ['again a'],
    },
    {
      name: 'the same where it has brought nothing yet',
      flights: [{ id: 'a', rate: 0, canEndEarlier: false, quietMs: 200 }],
      chosen: ['again a'],
    },
    {
      name: 'one that is not silent for long is waited for',
      flights: [{ id: 'a', rate: 0, canEndEarlier: false, quietMs: 150 }],
      chosen: [],
    },
    {
      name: 'one that cannot end earlier, and is much slower than usual, is asked for again',
      flights: [{ id: 'a', rate: MB / 10, canEndEarlier: false }],
      chosen: ['again a'],
    },
    {
      name: 'none is asked for again twice',
      flights: [{ id: 'a', rate: 0, quietMs: 900, canBeDoubled: false, canEndEarlier: false }],
      chosen: [],
    },
    {
      name: 'no more bytes come twice than may, and then smaller ones that fit',
      flights: [
        { id: 'a', rate: 0, quietMs: 900, canEndEarlier: false, left: 40 * MB },
        { id: 'b', rate: 0, quietMs: 900, canEndEarlier: false, left: 8 * MB },
      ],
      spare: { bytes: 10 * MB },
      chosen: ['again b'],
    },
    {
      name: 'what is split may cost all that is behind it',
      flights: [{ id: 'a' }, { id: 'b', left: BLOCK_BYTES, quietMs: 200 }],
      spare: { bytes: 5 + MB - 9 * BLOCK_BYTES },
      chosen: ['split a'],
    },
    {
      name: 'and is not split where that may not come twice',
      flights: [{ id: 'a' }, { id: 'b', left: BLOCK_BYTES / 2, quietMs: 200 }],
      spare: { bytes: BLOCK_BYTES / 2 },
      chosen: ['again b'],
    },
  ];
  for (const { name, flights, spare, chosen } of rows)
    test(name, () => {
      const found = remedies(flights.map(flightOf), USUAL, { ...ROOM, ...spare });
      assert.deepEqual(
        found.map(({ kind, flight }) => `${kind} ${flight.id}`),
        chosen,
      );
    });
});

test('a request is split in the middle of what is left when it hears of it', () => {
  const [reached, end] = [10 * BLOCK_BYTES, 26 * BLOCK_BYTES];
  const split = (rate: number): unknown => {
    const [remedy] = remedies([flightOf({ id: 'a', reached, end, rate, quietMs: 900 })], USUAL, ROOM);
    return remedy?.kind === 'split' ? [remedy.at / BLOCK_BYTES, remedy.bytes] : remedy;
  };
  assert.deepEqual(split(0), [18, 8 * BLOCK_BYTES]);
  assert.deepEqual(split(2 * MB), [19, 7 * BLOCK_BYTES]);
});

test('where a store takes long to answer, it is given that time', () => {
  const slow = flightOf({ id: 'a', rate: 0, canEndEarlier: false, quietMs: 200 });
  const kinds = (usual: Usual): readonly string[] => remedies([slow], usual, ROOM).map(({ kind }) => kind);
  assert.deepEqual(kinds(USUAL), ['again']);
  assert.deepEqual(kinds({ ...USUAL, beginMs: 100 }), []);
});

function flightOf({ id, left = MB, ...flight }: Row['flights'][number]): Flight & { readonly id: string } {
  const reached = flight.reached ?? 5;
  return {
    id,
    end: reached + left,
    rate: USUAL.rate,
    quietMs: 0,
    canEndEarlier: true,
    canBeDoubled: true,
    ...flight,
    reached,
  };
}

test('whatever is under way, there is room for what is chosen, and what is split is split inside', () => {
  const flight: Arbitrary<Flight> = record({
    reached: nat(500 * MB),
    end: nat(550 * MB),
    rate: nat(2 * USUAL.rate),
    quietMs: nat(1000),
    canEndEarlier: boolean(),
    canBeDoubled: boolean(),
  }).filter(({ reached, end }) => reached <= end);
  const isSound = (remedy: Remedy<Flight>): boolean => {
    const { reached, end, canEndEarlier, canBeDoubled } = remedy.flight;
    if (remedy.kind === 'again') return canBeDoubled && reached < end;
    return canEndEarlier && reached < remedy.at && remedy.at < end && remedy.at % BLOCK_BYTES === 0;
  };
  assertProperty(
    property(
      array(flight),
      integer({ min: -2, max: 8 }),
      integer({ min: -2, max: 8 }),
      integer({ min: -MB, max: 60 * MB }),
      (flights, requests, splits, bytes) => {
        const chosen = remedies(flights, USUAL, { requests, splits, bytes });
        assert.ok(chosen.length <= Math.max(0, requests));
        assert.ok(chosen.every(isSound));
        assert.equal(new Set(chosen.map((remedy) => remedy.flight)).size, chosen.length);
        const twice = chosen.map((remedy) => remedy.bytes);
        assert.ok(twice.reduce((sum, count) => sum + count, 0) <= Math.max(0, bytes));
      },
    ),
    { seed: 5, numRuns: 300 },
  );
});
