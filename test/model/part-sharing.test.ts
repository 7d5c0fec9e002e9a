import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  hasOthers,
  isOfShare,
  lookAgainAfter,
  mayBeMd5,
  meetingPoint,
  nextMove,
  placeAmong,
  rangeOfPart,
  rightParts,
  type OwnParts,
  type Race,
} from '../../src/model/part-sharing.ts';

const OWN: OwnParts = { size: 25, partSize: 10, md5s: ['a', 'b', 'c'] };
const there = (
  number: number,
  size: number,
  etag: string,
): { number: number; size: number; etag: string } => ({
  number,
  size,
  etag,
});

describe('the upload where pods meet', () => {
  test('is the oldest', () => {
    const uploads = [
      { id: 'a', initiated: 3 },
      { id: 'z', initiated: 1 },
      { id: 'b', initiated: 2 },
    ];
    assert.equal(meetingPoint(uploads)?.id, 'z');
  });

  test('is the same for every pod when two are equally old', () => {
    const [one, other] = [
      { id: 'b', initiated: 1 },
      { id: 'a', initiated: 1 },
    ];
    assert.equal(meetingPoint([one, other])?.id, 'a');
    assert.equal(meetingPoint([other, one])?.id, 'a');
  });

  test('is none where there is no upload', () => {
    assert.equal(meetingPoint([]), undefined);
  });
});

describe('parts that are in the bucket', () => {
  test('count when they hold what the own file holds there', () => {
    const right = rightParts(OWN, [there(1, 10, 'a'), there(3, 5, 'c')]);
    assert.deepEqual([...right.keys()], [1, 3]);
  });

  for (const [what, part] of [
    ['other content', there(2, 10, 'x')],
    ['another size', there(2, 9, 'b')],
    ['a number that the file does not have', there(4, 5, 'd')],
    ['the number 0', there(0, 10, 'a')],
  ] as const) {
    test(`do not count with ${what}`, () => {
      assert.equal(rightParts(OWN, [part]).size, 0);
    });
  }

  test('are cut as the format cuts', () => {
    assert.deepEqual(rangeOfPart(OWN, 1), { start: 0, end: 10 });
    assert.deepEqual(rangeOfPart(OWN, 3), { start: 20, end: 25 });
  });

  test('may be compared only where the ETag looks like an MD5', () => {
    assert.ok(mayBeMd5('d41d8cd98f00b204e9800998ecf8427e'));
    for (const etag of ['', 'AAAA', 'd41d8cd98f00b204e9800998ecf8427e-2', 'D41D8CD98F00B204E9800998ECF8427E'])
      assert.ok(!mayBeMd5(etag), etag);
  });
});

describe('what a pod does next', () => {
  const race = (changes: Partial<Race>): Race => ({
    missing: [1, 2, 3],
    share: [],
    inFlight: 0,
    mine: 0,
    theirs: 0,
    pods: 1,
    ...changes,
  });
  const many = Array.from({ length: 100 }, (_, index) => index + 1);

  test('it sends a missing part, chosen at random', () => {
    assert.deepEqual(
      nextMove(race({}), () => 0),
      { kind: 'send', part: 1 },
    );
    assert.deepEqual(
      nextMove(race({}), () => 0.99),
      { kind: 'send', part: 3 },
    );
  });

  test('it waits when nothing is missing that is not under way', () => {
    assert.deepEqual(nextMove(race({ missing: [], inFlight: 1 }), Math.random), { kind: 'wait' });
  });

  for (const [who, changes, most] of [
    ['a pod that is the only one to have begun', { mine: 0 }, 4],
    ['a pod that has sent little yet, where another one has begun', { mine: 3, pods: 2 }, 1],
    ['a pod that is alone', { mine: 10 }, 4],
    ['a pod among others, with much to do', { mine: 10, theirs: 10 }, 2],
    ['a pod among many others', { mine: 2, theirs: 14 }, 1],
  ] as const) {
    test(`${who} has ${most} parts on their way at most`, () => {
      const at = (inFlight: number): string =>
        nextMove(race({ missing: many, inFlight, ...changes }), () => 0.5).kind;
      assert.equal(at(most - 1), 'send');
      assert.equal(at(most), 'wait');
    });
  }

  test('the last parts, which others are most likely sending, are sent now and then only', () => {
    const tail = race({ missing: [7], mine: 5, theirs: 35 });
    assert.deepEqual(
      nextMove(tail, () => 0.5),
      { kind: 'wait' },
    );
    assert.deepEqual(
      nextMove(tail, () => 0.01),
      { kind: 'send', part: 7 },
    );
  });

  test('parts that were there before it came are no sign of others', () => {
    assert.ok(!hasOthers(race({ mine: 3, theirs: 0 })));
    assert.ok(hasOthers(race({ mine: 3, theirs: 3 })));
  });

  test('it looks often while it may not be alone, and seldom when it is', () => {
    const often = lookAgainAfter(race({ mine: 3, theirs: 3 }), 1000);
    assert.ok(often < lookAgainAfter(race({ mine: 20 }), 1000));
    assert.equal(often, lookAgainAfter(race({ mine: 0 }), 1000));
    assert.ok(lookAgainAfter(race({ mine: 3, theirs: 3 }), 1e6) <= 2000);
  });
});

describe('shares', () => {
  const uploads = ['c', 'a', 'b'].map((id, initiated) => ({ id, initiated }));

  test('every pod has a place of its own, in the order in which they came', () => {
    assert.deepEqual(
      ['a', 'b', 'c'].map((id) => placeAmong(uploads, id)),
      [
        { index: 1, of: 3 },
        { index: 2, of: 3 },
        { index: 0, of: 3 },
      ],
    );
  });

  test('who is not known has everything for a share', () => {
    assert.deepEqual(placeAmong(uploads, 'gone'), { index: 0, of: 1 });
    assert.ok([1, 2, 3].every((number) => isOfShare(number, placeAmong([], 'x'))));
  });

  test('all shares together are the file, and none has a part of another', () => {
    for (const number of [1, 2, 3, 4, 50]) {
      const owners = [0, 1, 2].filter((index) => isOfShare(number, { index, of: 3 }));
      assert.equal(owners.length, 1);
    }
  });

  test('a pod begins with its share, however few parts are left, and then takes what others have not sent', () => {
    const race = { missing: [1, 2, 7], share: [7], inFlight: 0, mine: 5, theirs: 35, pods: 8 };
    assert.deepEqual(
      nextMove(race, () => 0.99),
      { kind: 'send', part: 7 },
    );
    assert.deepEqual(
      nextMove({ ...race, share: [] }, () => 0),
      { kind: 'send', part: 1 },
    );
    assert.deepEqual(
      nextMove({ ...race, share: [] }, () => 0.99),
      { kind: 'wait' },
    );
  });
});
