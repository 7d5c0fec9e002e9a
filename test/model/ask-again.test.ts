import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { array, assert as assertProperty, boolean, integer, nat, property, record } from 'fast-check';
import { toAskAgain, type Flight, type Spare } from '../../src/model/ask-again.ts';

const MB = 1e6;
const USUAL = 10 * MB;
const ROOM: Spare = { requests: 9, bytes: 100 * MB };

interface Row {
  readonly name: string;
  readonly flights: readonly (Partial<Flight> & { readonly id: string })[];
  readonly spare?: Partial<Spare>;
  readonly again: readonly string[];
}

describe('near the end, what is much slower than usual is asked for again', () => {
  const rows: readonly Row[] = [
    { name: 'nothing is under way', flights: [], again: [] },
    { name: 'one as fast as all', flights: [{ id: 'a' }], again: [] },
    { name: 'one half as fast', flights: [{ id: 'a', rate: USUAL / 2 }], again: [] },
    { name: 'one that is much slower', flights: [{ id: 'a', rate: USUAL / 10 }], again: ['a'] },
    { name: 'one that has brought nothing', flights: [{ id: 'a', rate: 0 }], again: ['a'] },
    {
      name: 'one that is slow, and nearly done',
      flights: [{ id: 'a', rate: USUAL / 10, left: MB / 10 }],
      again: [],
    },
    {
      name: 'one that was asked for again already',
      flights: [{ id: 'a', rate: 0, isDoubled: true }],
      again: [],
    },
    {
      name: 'several, the slowest first',
      flights: [{ id: 'a', rate: MB }, { id: 'b', rate: 0 }, { id: 'c' }, { id: 'd', rate: MB / 2 }],
      again: ['b', 'd', 'a'],
    },
    {
      name: 'no more than there are connections for',
      flights: [
        { id: 'a', rate: MB },
        { id: 'b', rate: 0 },
        { id: 'd', rate: MB / 2 },
      ],
      spare: { requests: 1 },
      again: ['b'],
    },
    {
      name: 'none while all connections are busy',
      flights: [{ id: 'a', rate: 0 }],
      spare: { requests: 0 },
      again: [],
    },
    {
      name: 'none when fewer are left than none',
      flights: [{ id: 'a', rate: 0 }],
      spare: { requests: -3 },
      again: [],
    },
    {
      name: 'no more bytes than may come twice, and then smaller ones that fit',
      flights: [
        { id: 'a', rate: 0, left: 40 * MB },
        { id: 'b', rate: 0, left: 8 * MB },
      ],
      spare: { bytes: 10 * MB },
      again: ['b'],
    },
  ];
  for (const { name, flights, spare, again } of rows)
    test(name, () => {
      const all = flights.map(flightOf);
      const ids = toAskAgain(all, USUAL, { ...ROOM, ...spare }).map(({ id }) => id);
      assert.deepEqual(ids, again);
    });
});

function flightOf({ id, left = 10 * MB, rate = USUAL, isDoubled = false }: Row['flights'][number]): Flight & {
  readonly id: string;
} {
  return { id, left, rate, isDoubled };
}

test('whatever is under way, no more is asked for twice than there is room for', () => {
  const flight = record({ left: nat(50 * MB), rate: nat(2 * USUAL), isDoubled: boolean() });
  assertProperty(
    property(
      array(flight),
      integer({ min: -2, max: 8 }),
      integer({ min: -MB, max: 60 * MB }),
      (flights, requests, bytes) => {
        const again = toAskAgain(flights, USUAL, { requests, bytes });
        assert.ok(again.length <= Math.max(0, requests));
        assert.ok(again.reduce((sum, { left }) => sum + left, 0) <= Math.max(0, bytes));
        assert.ok(again.every(({ isDoubled }) => !isDoubled));
        assert.equal(new Set(again).size, again.length);
      },
    ),
    { seed: 5, numRuns: 200 },
  );
});
