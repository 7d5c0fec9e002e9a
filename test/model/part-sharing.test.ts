import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  hasOthers,
  isOfShare,
  lookAgainAfter,
  mayBeMd5,
  meetingPoint,
  nextMove,
  pauseFor,
  placeAmong,
  rangeOfPart,
  rightParts,
  type OwnParts,
  type Place,
  type Race,
} from '../../src/model/part-sharing.ts';
import { share } from './pods-that-share.ts';

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
    inFlight: [],
    place: { index: 0, of: 1 },
    mine: 0,
    theirs: 0,
    partTime: 1000,
    quietFor: 0,
    ...changes,
  });
  const many = Array.from({ length: 100 }, (_, index) => index + 1);
  const sent = (changes: Partial<Race>, random = 0.5): number | undefined => {
    const move = nextMove(race(changes), () => random);
    return move.kind === 'send' ? move.part : undefined;
  };

  test('it sends a missing part', () => {
    assert.ok([1, 2, 3].includes(sent({}) ?? 0));
    assert.equal(sent({ missing: [7] }), 7);
  });

  test('it waits when nothing is missing that is not under way', () => {
    assert.equal(sent({ missing: [], inFlight: [1], mine: 4 }), undefined);
  });

  for (const [who, changes, most] of [
    ['a pod that has just begun, and is the only one', { mine: 0 }, 1],
    [
      'a pod that has sent little yet, where another one has begun',
      { mine: 3, place: { index: 1, of: 2 } },
      1,
    ],
    ['a pod that is alone', { mine: 10 }, 4],
    ['a pod that is alone, though another one had begun', { mine: 10, place: { index: 1, of: 2 } }, 4],
    ['a pod among others, with much to do', { mine: 10, theirs: 10, place: { index: 1, of: 2 } }, 2],
    ['a pod among many others', { mine: 2, theirs: 14, place: { index: 1, of: 8 } }, 1],
  ] as const) {
    test(`${who} has ${most} parts on their way at most`, () => {
      const isSending = (inFlight: number): boolean =>
        sent({ missing: many, inFlight: many.slice(0, inFlight).map((part) => part + 100), ...changes }) !==
        undefined;
      assert.ok(isSending(most - 1));
      assert.ok(!isSending(most));
    });
  }

  describe('among others', () => {
    const places = [0, 1, 2, 3].map((index) => ({ index, of: 4 })) as [Place, Place, Place, Place];
    const busy = { mine: 5, theirs: 15 };

    test('each begins with its share, and no two shares begin with the same part, nor go on in the same order', () => {
      const orders = places.map((place) => {
        const order: number[] = [];
        for (let left = many; left.some((part) => isOfShare(part, place));) {
          const part = sent({ ...busy, missing: left, place }) ?? 0;
          assert.ok(isOfShare(part, place));
          order.push(part);
          left = left.filter((one) => one !== part);
        }
        return order;
      });
      assert.deepEqual(
        orders.flat().toSorted((a, b) => a - b),
        many,
      );
      const positions = orders.map((order) => order.map((part) => Math.floor((part - 1) / 4)));
      assert.equal(new Set(positions.map(String)).size, 4);
    });

    test('who is done helps, each with another part, and with none that is next where it belongs', () => {
      const left = many.filter((part) => isOfShare(part, { index: 3, of: 4 }));
      const next = sent({ ...busy, missing: left, place: { index: 3, of: 4 } });
      const taken = places.slice(0, 3).map((place) => sent({ ...busy, missing: left, place }));
      assert.equal(new Set(taken).size, 3);
      assert.ok(!taken.includes(undefined) && !taken.includes(next));
    });

    test('who helps with two at once takes what none of the others would', () => {
      const left = Array.from({ length: 100 }, (_, index) => 4 * (index + 1));
      const [one, other, third] = places;
      const first = sent({ missing: left, mine: 20, theirs: 10, place: one });
      const second = sent({
        missing: left.filter((part) => part !== first),
        inFlight: first === undefined ? [] : [first],
        mine: 20,
        theirs: 10,
        place: one,
      });
      const others = [other, third].map((place) => sent({ ...busy, missing: left, place }));
      const all = [first, second, ...others];
      assert.ok(!all.includes(undefined), String(all));
      assert.equal(new Set(all).size, 4);
    });

    test('the last parts of a share are left to where they belong', () => {
      const tail = { ...busy, missing: [7], place: { index: 0, of: 4 } };
      for (const random of [0, 0.5, 0.99]) assert.equal(sent(tail, random), undefined);
      assert.equal(sent({ ...tail, quietFor: 900, partTime: 10 }, 0), undefined);
      assert.equal(sent({ ...tail, quietFor: 4000, partTime: 4000 }, 0), undefined);
    });

    test('when nothing has come for too long, one of those who are done sends them', () => {
      const quiet = { ...busy, missing: [7], quietFor: 1300 };
      const senders = places.filter((place) => sent({ ...quiet, place }) === 7);
      // 7 is of the share of place 2, for whom it is not late.
      assert.deepEqual(senders, [places[0], places[2]]);
    });

    test('when nothing comes from him either, any of them may', () => {
      const silent = { ...busy, missing: [7], quietFor: 2600 };
      assert.equal(sent({ ...silent, place: { index: 3, of: 4 } }, 0.3), 7);
      assert.equal(sent({ ...silent, place: { index: 3, of: 4 } }, 0.4), undefined);
    });

    test('who is left alone by the others takes all that is missing', () => {
      const left = [1, 2, 3, 4].map((part) => part * 4);
      const alone = { missing: left, place: { index: 0, of: 4 }, mine: 20, theirs: 2 };
      assert.notEqual(sent(alone), undefined);
      assert.notEqual(sent({ ...alone, missing: [4] }), undefined);
    });
  });

  test('parts that were there before it came are no sign of others', () => {
    assert.ok(!hasOthers(race({ mine: 3, theirs: 0 })));
    assert.ok(hasOthers(race({ mine: 3, theirs: 3 })));
  });

  test('it looks often while it may not be alone, and seldom when it is', () => {
    const often = lookAgainAfter(race({ mine: 3, theirs: 3 }));
    assert.ok(often < lookAgainAfter(race({ mine: 20 })));
    assert.equal(often, lookAgainAfter(race({ mine: 0 })));
    assert.ok(lookAgainAfter(race({ mine: 3, theirs: 3, partTime: 1e6 })) <= 2000);
  });

  test('it waits for no longer than a second, however long a part takes', () => {
    assert.equal(pauseFor(race({ partTime: 1e6 })), 1000);
    assert.equal(pauseFor(race({ partTime: 1 })), 50);
  });
});

describe('pods that send a file together, by a simulated clock', () => {
  const MB = 1e6;
  const alike = { rate: 6 * MB };
  /** They start within three seconds, some at nearly the same moment. */
  const joining = (count: number, seed: number): readonly number[] =>
    Array.from(
      { length: count },
      (_, index) => (1500 * (Math.sin(99 * seed + 7.3 * index) + 1)) | 0,
    ).toSorted((a, b) => a - b);

  for (const [what, parts, count, kind, most] of [
    ['a lone pod sends it once', 40, 1, () => alike, 1],
    ['two pods', 40, 2, () => alike, 1.05],
    ['four pods', 40, 4, () => alike, 1.1],
    ['eight pods', 40, 8, () => alike, 1.15],
    ['eight pods with a large file', 170, 8, () => alike, 1.05],
    ['thirty pods', 170, 30, () => alike, 1.2],
    ['eight pods on fast links', 170, 8, () => ({ rate: 100 * MB }), 1.2],
    ['a slow one among seven', 40, 8, (index: number) => ({ rate: (index === 3 ? 0.6 : 6) * MB }), 1.2],
    [
      'three of eight that are killed',
      40,
      8,
      (index: number) => (index % 3 === 0 ? { ...alike, lives: 2000 } : alike),
      1.3,
    ],
    [
      'one of two that is killed',
      40,
      2,
      (index: number) => (index === 0 ? { ...alike, lives: 2000 } : alike),
      1.05,
    ],
  ] as const) {
    test(`${what}: at most ${most} times its size leaves them`, () => {
      for (let seed = 1; seed <= 20; seed += 1) {
        const pods = joining(count, seed).map((joins, index) => {
          const { rate, lives = Infinity } = kind(index) as { rate: number; lives?: number };
          return { rate, joins, dies: joins + lives };
        });
        const { ratio } = share(parts, pods, seed);
        assert.ok(ratio <= most, `${ratio} with the seed ${seed}`);
      }
    });
  }
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
});
