import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  afterLiveDownload,
  afterLook,
  afterPass,
  afterPassStart,
  boundsOfLastPass,
  isUnpassed,
  newProgress,
  nextStep,
  pauseAfterLook,
  type PassEnd,
  type WriteBackProgress,
} from '../../src/model/write-back-step.ts';

const IDLE = 900_000;

for (const [what, progress, now, step] of [
  ['nothing was looked at yet', newProgress('', 0), 0, 'wait'],
  ['nothing is new', looked('old', 'old', 0, 2000), 2000, 'wait'],
  ['something new was seen once', looked('old', 'new', 0), 0, 'wait'],
  ['something new was seen twice at once', looked('old', 'new', 0, 999), 999, 'wait'],
  ['something new is settled', looked('old', 'new', 0, 1000), 1000, 'pass'],
  ['a first download is settled', looked('', 'new', 0, 1000), 1000, 'pass'],
  ['the cache was emptied', looked('old', '', 0, 1000), 1000, 'wait'],
  ['a pass is running', afterPassStart(looked('old', 'new', 0, 1000)), IDLE * 2, 'wait'],
  ['nothing came for less than the idle time', looked('old', 'old', 0, 2000), IDLE - 1, 'wait'],
  ['nothing came for the idle time', looked('old', 'old', 0, 2000), IDLE, 'ask-for-downloads'],
  ['something unsettled is there', looked('old', 'new', 0), 14_999, 'wait'],
  ['something has not settled for 15 s', looked('old', 'new', 0), 15_000, 'pass'],
  ['a download was live', afterLiveDownload(looked('', '', 0, 2000), 1000), IDLE + 999, 'wait'],
  ['a pass was done', passed('done', 5000), 5000 + IDLE - 1, 'wait'],
  ['the idle time is over after a pass', passed('done', 5000), 5000 + IDLE, 'ask-for-downloads'],
  ['some was left', passed('left-some', 5000), 14_999, 'wait'],
  ['some was left 10 s ago', passed('left-some', 5000), 15_000, 'pass'],
  ['it was too early', passed('later', 5000), 19_999, 'wait'],
  ['it was too early 15 s ago', passed('later', 5000), 20_000, 'pass'],
] as const) {
  test(`when ${what}: ${step}`, () => {
    assert.equal(nextStep(progress, now, IDLE), step);
  });
}

test('an idle time of 0 is never over', () => {
  assert.equal(nextStep(looked('', '', 0, 2000), Number.MAX_SAFE_INTEGER, 0), 'wait');
});

test('what came while a pass was running gets one afterwards', () => {
  let progress = afterPassStart(looked('old', 'new', 0, 1000));
  progress = look(look(progress, 'newer', 2000), 'newer', 3000);
  progress = afterPass(progress, 'done', 4000);
  assert.equal(nextStep(progress, 4000, IDLE), 'pass');
});

test('a pass is for what was there at its start', () => {
  const progress = look(afterPassStart(looked('old', 'new', 0, 1000)), 'newer', 2000);
  assert.equal(afterPass(progress, 'done', 4000).passed, 'new');
  assert.equal(afterPass(progress, 'left-some', 4000).passed, 'new');
  assert.equal(afterPass(progress, 'later', 4000).passed, 'old');
});

for (const [end, waits] of [
  ['left-some', [10, 20, 40, 80, 160, 300, 300]],
  ['later', [15, 30, 60, 120, 240, 300, 300]],
] as const) {
  test(`the waits after '${end}' double up to 5 minutes`, () => {
    let progress = looked('old', 'new', 0, 1000);
    for (const wait of waits) {
      progress = afterPass(afterPassStart(progress), end, 1000);
      assert.equal(nextStep(progress, 1000 + wait * 1000 - 1, 0), 'wait', `${wait} s`);
      assert.equal(nextStep(progress, 1000 + wait * 1000, 0), 'pass', `${wait} s`);
    }
  });
}

test('what is new does not wait for what was left, and its waits begin anew', () => {
  let progress = passed('left-some', 5000);
  progress = afterPass(afterPassStart(progress), 'left-some', 15_000);
  progress = look(look(progress, 'newer', 16_000), 'newer', 17_000);
  assert.equal(nextStep(progress, 17_000, IDLE), 'pass');
  progress = afterPass(afterPassStart(progress), 'left-some', 18_000);
  assert.equal(nextStep(progress, 28_000, IDLE), 'pass');
});

test('a store that is away is not asked more often because more is new', () => {
  const progress = look(look(passed('later', 5000), 'newer', 6000), 'newer', 7000);
  assert.equal(nextStep(progress, 7000, IDLE), 'wait');
  assert.equal(nextStep(progress, 20_000, IDLE), 'pass');
});

test('who still owes a pass is not idle', () => {
  assert.equal(nextStep(passed('later', 5000), 19_000, 1000), 'wait');
});

for (const [what, progress, took, pause] of [
  ['nothing new', looked('old', 'old', 0, 2000), 1, 2000],
  ['something new and not settled', looked('old', 'new', 0), 1, 1000],
  ['something new and settled', looked('old', 'new', 0, 1000), 1, 2000],
  ['a look that took long', looked('old', 'old', 0, 2000), 100, 5000],
  ['a look that took long, and something new', looked('old', 'new', 0), 100, 5000],
] as const) {
  test(`after ${what}, the next look is in ${pause} ms`, () => {
    assert.equal(pauseAfterLook(progress, took), pause);
  });
}

for (const [grace, park] of [
  [8000, 6000],
  [30_000, 28_000],
  [3000, 1500],
  [0, 0],
] as const) {
  test(`of a grace of ${grace} ms, a pass may use ${park} ms before it is parked`, () => {
    assert.deepEqual(boundsOfLastPass(100, grace), { park: 100 + park, kill: 100 + grace });
  });
}

test('what was never seen needs no pass, and an empty cache neither', () => {
  assert.equal(isUnpassed(newProgress('', 0)), false);
  assert.equal(isUnpassed(looked('old', '', 0)), false);
  assert.equal(isUnpassed(looked('old', 'new', 0)), true);
});

/** Found `fingerprint` in a look at each of the times, where `old` needed no pass. */
function looked(old: string, fingerprint: string, ...times: readonly number[]): WriteBackProgress {
  return times.reduce((progress, time) => look(progress, fingerprint, time), newProgress(old, 0));
}

function look(progress: WriteBackProgress, fingerprint: string, time: number): WriteBackProgress {
  return afterLook(progress, fingerprint, { began: time, ended: time });
}

function passed(end: PassEnd, now: number): WriteBackProgress {
  return afterPass(afterPassStart(looked('old', 'new', 0, 1000)), end, now);
}

test('what never settles gets passes further and further apart, until it settles', () => {
  let progress = newProgress('', 0);
  const passesAt: number[] = [];
  for (let now = 0; now < 200_000; now += 1000) {
    progress = look(progress, `growing ${now}`, now);
    if (nextStep(progress, now, IDLE) !== 'pass') continue;
    passesAt.push(now);
    progress = afterPass(afterPassStart(progress), 'done', now);
  }
  assert.deepEqual(passesAt, [15_000, 46_000, 107_000]);
  progress = look(look(progress, 'whole', 200_000), 'whole', 201_000);
  assert.equal(nextStep(progress, 201_000, IDLE), 'pass');
  assert.equal(afterPassStart(progress).restless.limit, 15_000);
});

test('files that are never finished do not keep it from being idle', () => {
  const again = afterPassStart(passed('left-some', 5000));
  assert.equal(afterPass(again, 'left-some', 15_000).stirred, 5000);
});

test('a store that was away is tried again also for what never settles', () => {
  let progress = afterPass(afterPassStart(look(newProgress('', 0), 'growing', 0)), 'later', 1000);
  const passesAt: number[] = [];
  for (let now = 2000; now < 120_000 && passesAt.length === 0; now += 1000) {
    progress = look(progress, `growing ${now}`, now);
    if (nextStep(progress, now, IDLE) === 'pass') passesAt.push(now);
  }
  assert.equal(passesAt.length, 1);
});
