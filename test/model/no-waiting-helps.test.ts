import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NO_WAITING_HELPS } from '../../src/model/no-waiting-helps.ts';

for (const code of ['store-denied', 'store-unsupported', 'store-region-wrong', 'format-unknown'])
  test(`${code} stays, however often an upload is tried`, () => assert.ok(NO_WAITING_HELPS.has(code)));

for (const code of ['store-unreachable', 'store-throttled', 'store-clock-skewed', 'disk-full', 'ok'])
  test(`${code} may be over at the next try`, () => assert.ok(!NO_WAITING_HELPS.has(code)));
