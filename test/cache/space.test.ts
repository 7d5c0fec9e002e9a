import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { freemem, tmpdir } from 'node:os';
import { test } from 'node:test';
import { freeBytes, isInMemory } from '../../src/cache/space.ts';

test(
  'a disk has room, and one that does not say how much has no end',
  { skip: !existsSync('/proc/self') },
  () => {
    assert.ok(freeBytes(tmpdir()) > 0);
    assert.equal(freeBytes('/proc'), Number.POSITIVE_INFINITY);
  },
);

test('a tmpfs has no more room than memory', { skip: !existsSync('/dev/shm') }, () => {
  assert.equal(isInMemory('/dev/shm'), true);
  assert.ok(freeBytes('/dev/shm') <= freemem() * 1.1);
});

test('a place that is not there is an error', () => assert.throws(() => freeBytes('/no/such/place')));
