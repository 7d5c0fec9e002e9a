import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  hasOthers,
  isOfShare,
  lookAgainAfter,
  mayBeMd5,
  meetingPoint,
  listen,
  nextMove,
  NOTHING_HEARD,
  partTimeOfOthers,
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
    silent: new Set(),
    quiet: 0,
    listening: 10_000,
    ...changes,
  });
  const many = Array.from({ length: 100 }, (_, index) => index + 1);
  const sent = (changes: Partial<Race>): number | undefined => {
    const move = nextMove(race(changes));
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
      for (const place of places.filter(({ index }) => index !== 2))
        assert.equal(sent({ ...busy, missing: [7], place }), undefined);
      assert.equal(sent({ ...busy, missing: [7], place: places[2] }), 7);
    });

    test('when nothing comes from there, one of those who are done sends them', () => {
      const silent = new Set([2]);
      const senders = places.filter((place) => sent({ ...busy, missing: [7], place, silent }) === 7);
      assert.equal(senders.length, 2);
      assert.ok(senders.includes(places[2]));
    });

    test('nobody waits for the help of one from whom nothing comes', () => {
      const [one] = places;
      const others = new Set([1, 2, 3]);
      for (const part of [2, 3, 4, 6, 7, 8])
        assert.equal(sent({ ...busy, missing: [part], place: one, silent: others }), part);
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

  const dying = (lives: number) => (index: number) => (index % 3 === 0 ? { ...alike, lives } : alike);
  for (const [what, parts, count, dead, kind, most, seconds] of [
    ['a lone pod sends it once', 40, 1, 0, () => alike, 1, 57],
    ['two pods', 40, 2, 0, () => alike, 1.05, 32],
    ['four pods', 40, 4, 0, () => alike, 1.1, 18],
    ['eight pods', 40, 8, 0, () => alike, 1.15, 12],
    ['eight pods with a large file', 170, 8, 0, () => alike, 1.05, 34],
    ['thirty pods', 170, 30, 0, () => alike, 1.2, 14],
    ['eight pods on fast links', 170, 8, 0, () => ({ rate: 100 * MB }), 1.2, 5],
    [
      'a slow one among seven',
      40,
      8,
      0,
      (index: number) => ({ rate: (index === 3 ? 0.6 : 6) * MB }),
      1.2,
      14,
    ],
    ['a fast one among seven', 40, 8, 0, (index: number) => ({ rate: (index === 3 ? 60 : 6) * MB }), 1.4, 10],
    ['three of eight that are killed', 40, 8, 0, dying(2000), 1.2, 18],
    ['three of eight that are killed late', 40, 8, 0, dying(6000), 1.2, 18],
    ['one of two that is killed', 40, 2, 0, dying(2000), 1.05, 56],
    ['two after two that were killed before', 170, 2, 2, () => ({ rate: 100 * MB }), 1.05, 10.2],
    ['two after thirty that were killed before', 170, 2, 30, () => ({ rate: 100 * MB }), 1.1, 12],
    ['one after nine that were killed before', 170, 1, 9, () => ({ rate: 100 * MB }), 1, 17],
    ['four after four that were killed before', 170, 4, 4, () => alike, 1.2, 75],
    ['one after more than there are parts', 9, 1, 10, () => ({ rate: 100 * MB }), 1, 5],
    ['one after many more than there are parts', 5, 1, 20, () => ({ rate: 100 * MB }), 1, 5],
    ['four after more than there are parts', 9, 4, 10, () => alike, 1.6, 20],
    ['more pods than there are parts', 9, 30, 0, () => alike, 1.6, 6],
  ] as const) {
    test(`${what}: at most ${most} times its size leaves them, in ${seconds} s of that clock`, () => {
      for (let seed = 1; seed <= 12; seed += 1) {
        const pods = joining(count, seed).map((joins, index) => {
          const { rate, lives = Infinity } = kind(index) as { rate: number; lives?: number };
          return { rate, joins, dies: joins + lives };
        });
        const { ratio, time } = share(parts, pods, seed, dead);
        assert.ok(ratio <= most, `${ratio} times with the seed ${seed}`);
        assert.ok(time <= seconds * 1000, `${time} ms with the seed ${seed}`);
      }
    });
  }

  for (const [what, rate, begins] of [
    [
      'a pod that chooses sooner',
      400 * MB,
      (isFirst: boolean) => ({ chooses: isFirst ? 150 : 450, proves: 0 }),
    ],
    [
      'one whose file is proved sooner',
      400 * MB,
      (isFirst: boolean) => ({ chooses: 0, proves: isFirst ? 1000 : 1300 }),
    ],
    [
      'one whose large file is proved sooner',
      250 * MB,
      (isFirst: boolean) => ({ chooses: 0, proves: isFirst ? 3000 : 3400 }),
    ],
  ] as const) {
    test(`${what} than the others that came with it does not take their parts meanwhile`, () => {
      for (const first of [0, 1, 2, 3]) {
        const pods = [0, 1, 2, 3].map((joins) => Object.assign(begins(joins === first), { rate, joins }));
        for (let seed = 1; seed <= 12; seed += 1) {
          const { ratio } = share(40, pods, seed);
          assert.ok(ratio <= 1.2, `${ratio} times with the seed ${seed}, and ${first} the first`);
        }
      }
    });
  }
});

test('what a part took others is told by those that are there', () => {
  const there = [1100, 1300, 1200].map((modified) => ({ modified }));
  assert.equal(partTimeOfOthers({ initiated: 1000 }, there), 100);
  assert.equal(partTimeOfOthers({ initiated: 1000 }, []), undefined);
  // It was left, and gone on with the next day.
  assert.equal(partTimeOfOthers({ initiated: 1000 }, [{ modified: 1e8 }]), 2500);
});

describe('who is silent', () => {
  const at = (missing: readonly number[], changes: Partial<Race> = {}): Race => ({
    missing,
    inFlight: [],
    place: { index: 0, of: 2 },
    mine: 5,
    theirs: 5,
    partTime: 1000,
    silent: new Set(),
    quiet: 0,
    listening: 10_000,
    ...changes,
  });

  test('is a place that is at the same part for twice the time that one takes from here', () => {
    const first = listen(NOTHING_HEARD, at([2]), 0);
    assert.ok(!listen(first, at([2]), 2000).silent.has(1));
    assert.ok(listen(first, at([2]), 2001).silent.has(1));
  });

  test('is none that goes on, however slowly it is looked at', () => {
    const first = listen(NOTHING_HEARD, at([2, 4, 6, 8]), 0);
    const next = [2, 4, 6, 8].filter((part) => part !== first.nexts.get(1)?.part);
    assert.equal(listen(first, at(next), 60_000).silent.size, 0);
  });

  test('is none for most of a second, nor for five where nobody knows what a part takes', () => {
    const first = listen(NOTHING_HEARD, at([2], { partTime: 10 }), 0);
    assert.equal(listen(first, at([2], { partTime: 10 }), 800).silent.size, 0);
    assert.equal(listen(first, at([2], { partTime: 10 }), 801).silent.size, 1);
    assert.equal(listen(first, at([2], { partTime: undefined }), 5000).silent.size, 0);
    assert.equal(listen(first, at([2], { partTime: undefined }), 5001).silent.size, 1);
  });

  test('may be one who only helps', () => {
    const race = (missing: readonly number[]): Race => at(missing, { place: { index: 0, of: 3 } });
    // All of the share of place 2 is left: place 1 helps with the end of it.
    const left = Array.from({ length: 30 }, (_, index) => 3 * index + 3);
    assert.deepEqual(
      [...listen(listen(NOTHING_HEARD, race(left), 0), race(left), 3000).silent].toSorted((a, b) => a - b),
      [1, 2],
    );
  });

  test('stays so until somebody comes or goes', () => {
    const silent = listen(listen(NOTHING_HEARD, at([2, 4]), 0), at([2, 4]), 3000);
    assert.ok(listen(silent, at([4]), 3100).silent.has(1));
    assert.equal(listen(silent, at([4], { place: { index: 0, of: 3 } }), 3200).silent.size, 0);
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
});
