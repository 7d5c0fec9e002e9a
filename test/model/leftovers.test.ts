import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  leftoversToRemove,
  reclaimableBytes,
  resumable,
  type Leftover,
  type WantedObject,
} from '../../src/model/leftovers.ts';

const BOOT = 'this boot';
const [SECOND, MINUTE] = [1000, 60_000];
const W: WantedObject = { key: 'w', size: 100 };
const V: WantedObject = { key: 'v', size: 100 };

interface Row {
  readonly name: string;
  readonly leftovers: readonly Leftover[];
  readonly wanted?: readonly WantedObject[];
  readonly present?: readonly WantedObject[];
  readonly isRoomNeeded?: boolean;
  readonly removed: readonly string[];
}

describe('of what killed runs have left', () => {
  const rows: readonly Row[] = [
    { name: 'nothing goes where nothing is', leftovers: [], removed: [] },
    {
      name: 'what is of a wanted object stays, however old',
      leftovers: [of(W, 50, { age: 600 * MINUTE })],
      wanted: [W],
      removed: [],
    },
    {
      name: 'what is of an object that nobody wants goes when it is old',
      leftovers: [of(W, 50, { age: 11 * MINUTE })],
      removed: ['w50'],
    },
    { name: 'and stays while it is young', leftovers: [of(W, 50, { age: 9 * MINUTE })], removed: [] },
    {
      name: 'and goes when its room is needed',
      leftovers: [of(W, 50)],
      isRoomNeeded: true,
      removed: ['w50'],
    },
    {
      name: 'the best of an object stays, even when room is needed',
      leftovers: [of(W, 50)],
      wanted: [W],
      isRoomNeeded: true,
      removed: [],
    },
    {
      name: 'the others of a wanted object go at once',
      leftovers: [of(W, 20), of(W, 50), of(W, 0)],
      wanted: [W],
      removed: ['w20', 'w0'],
    },
    {
      name: 'what is of an object that is here goes at once',
      leftovers: [of(W, 50), of(W, 60, { lock: 'held' })],
      present: [W],
      removed: ['w50'],
    },
    {
      name: 'of two as good the younger stays',
      leftovers: [of(W, 50, { name: 'old', age: 2 * MINUTE }), of(W, 50, { name: 'young' })],
      wanted: [W],
      removed: ['old'],
    },
    {
      name: 'what is of another size of that object is not of it',
      leftovers: [of({ ...W, size: 99 }, 98), of(W, 1)],
      wanted: [W],
      removed: [],
    },
    {
      name: 'what is locked stays, and is not the best',
      leftovers: [of(W, 90, { lock: 'held' }), of(W, 50)],
      wanted: [W],
      isRoomNeeded: true,
      removed: [],
    },
    {
      name: 'what is locked stays, however old',
      leftovers: [plain({ age: 60 * MINUTE, lock: 'held' })],
      isRoomNeeded: true,
      removed: [],
    },
    {
      name: 'what has no journal goes when it is old',
      leftovers: [plain({ age: 11 * MINUTE })],
      removed: ['plain'],
    },
    {
      name: 'and stays while it is young, even when room is needed: it may be being written',
      leftovers: [plain()],
      isRoomNeeded: true,
      removed: [],
    },
    {
      name: 'what another machine has just written stays: its lock may not be seen here',
      leftovers: [of(W, 50, { boot: 'another' })],
      isRoomNeeded: true,
      removed: [],
    },
    {
      name: 'and goes when it has kept still',
      leftovers: [of(W, 50, { boot: 'another', age: 2 * MINUTE })],
      isRoomNeeded: true,
      removed: ['w50'],
    },
    {
      name: 'what has a journal and a lock that cannot be asked for stays while it is young: it may be in use',
      leftovers: [of(W, 50, { age: 9 * MINUTE, lock: 'unknown' }), of(V, 50, { lock: 'unknown' })],
      present: [V],
      isRoomNeeded: true,
      removed: [],
    },
    {
      name: 'and goes when it is old, as does what has no journal',
      leftovers: [
        of(W, 50, { age: 11 * MINUTE, lock: 'unknown' }),
        plain({ age: 11 * MINUTE, lock: 'unknown' }),
      ],
      removed: ['w50', 'plain'],
    },
    {
      name: 'what is from the future stays',
      leftovers: [plain({ age: -60 * MINUTE }), of(W, 50, { age: -60 * MINUTE })],
      removed: [],
    },
  ];
  for (const { name, leftovers, wanted = [], present = [], isRoomNeeded = false, removed } of rows) {
    const intent = { wanted, present, isRoomNeeded };
    test(name, () => assert.deepEqual(leftoversToRemove(leftovers, intent, BOOT), removed));
  }
});

describe('a run can go on', () => {
  const names = (leftovers: readonly Leftover[]): readonly string[] =>
    resumable(leftovers, W, BOOT).map(({ name }) => name);

  test('with the one that has most first', () =>
    assert.deepEqual(names([of(W, 10), of(W, 100), of(W, 50)]), ['w100', 'w50', 'w10']));

  test('with none of another object, another size, or without a byte', () =>
    assert.deepEqual(
      names([of({ key: 'v', size: 100 }, 50), of({ key: 'w', size: 99 }, 50), of(W, 0), plain()]),
      [],
    ));

  test('with none that somebody may still be writing', () =>
    assert.deepEqual(names([of(W, 50, { lock: 'held' }), of(W, 40, { boot: 'another' })]), []));

  test('with what another machine has left a while ago', () =>
    assert.deepEqual(names([of(W, 50, { boot: 'another', age: 2 * MINUTE })]), ['w50']));
});

test('what goes, or is gone on with, counts as free', () => {
  const leftovers = [
    of(W, 50),
    of(W, 40, { lock: 'held' }),
    of(W, 30, { boot: 'another' }),
    of(W, 20, { lock: 'unknown' }),
    plain({ age: 11 * MINUTE, bytes: 7 }),
    plain({ bytes: 1000 }),
  ];
  assert.equal(reclaimableBytes(leftovers, BOOT), 57);
});

function of(
  { key, size }: WantedObject,
  bytes: number,
  { boot = BOOT, ...more }: Partial<Leftover> & { readonly boot?: string } = {},
): Leftover {
  const done = bytes === 0 ? [] : [{ start: 0, end: bytes }];
  const journal = { key, size, etag: 'e', boot, done };
  return { name: `${key}${bytes}`, bytes, age: SECOND, lock: 'free', journal, ...more };
}

function plain(more: Partial<Leftover> = {}): Leftover {
  return { name: 'plain', bytes: 10, age: SECOND, lock: 'free', journal: undefined, ...more };
}
