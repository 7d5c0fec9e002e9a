import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DiskSigns, isAnyThreadAtDisk, signsOfThread } from '../../src/threads/disk-signs.ts';

test('one act at the disk that goes on from one look to the next is stuck', () => {
  const signs = new DiskSigns();
  const seen = new DiskSigns(signs.memory);
  assert.equal(seen.look(), false);
  const looks = signs.during(() => [seen.look(), seen.look(), seen.isAtDisk]);
  assert.deepEqual(looks, [true, true, true]);
  assert.deepEqual([seen.look(), seen.isAtDisk], [false, false]);
});

test('one act after the other is work', () => {
  const signs = new DiskSigns();
  const seen = new DiskSigns(signs.memory);
  signs.during(() => undefined);
  assert.equal(
    signs.during(() => seen.look()),
    false,
  );
  signs.during(() => undefined);
  assert.equal(
    signs.during(() => seen.look()),
    false,
  );
});

test('what the disk says is passed on, and the act is over', () => {
  const signs = new DiskSigns();
  assert.equal(
    signs.during(() => 7),
    7,
  );
  assert.throws(
    () =>
      signs.during(() => {
        throw new Error('EIO');
      }),
    /EIO/,
  );
  assert.equal(signs.isAtDisk, false);
});

test('who is about to end this process can see whether any of its threads is at the disk', () => {
  const [one, other] = [signsOfThread(), signsOfThread()];
  assert.equal(isAnyThreadAtDisk(), false);
  assert.equal(
    other.during(() => isAnyThreadAtDisk()),
    true,
  );
  assert.equal(one.isAtDisk, false);
  assert.equal(isAnyThreadAtDisk(), false);
});
