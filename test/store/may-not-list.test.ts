import assert from 'node:assert/strict';
import { test } from 'node:test';
import { explain, ModelCacheError, type ErrorCode } from '../../src/errors.ts';
import { mayNotList } from '../../src/store/may-not-list.ts';
import type { Store } from '../../src/store/store.ts';

test('403 is about one object, and says what it may mean', async () => {
  await assert.rejects(get('store-denied'), (error: unknown) => {
    assert.equal((error as ModelCacheError).code, 'object-missing');
    assert.match(explain(error), /it is not there, or this key may not read it; .*s3:ListBucket/);
    return true;
  });
});

test('every other answer is what it was', async () => {
  for (const code of ['object-missing', 'store-unreachable', 'object-changed'] as const)
    await assert.rejects(get(code), { code });
});

function get(code: ErrorCode): Promise<unknown> {
  const refusing = { get: () => Promise.reject(new ModelCacheError(code, 'said no')) } as unknown as Store;
  return mayNotList(refusing).get('key');
}
