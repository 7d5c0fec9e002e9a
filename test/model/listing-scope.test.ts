import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { A, inSnapshot, REPO } from './builders.ts';
import { object, only, read, synced, WEIGHTS } from './listing-builders.ts';

describe('what is no model cache is not seen', () => {
  const keys = [
    'token',
    'stored_tokens',
    '.env',
    'hub/version.txt',
    'hub/.locks/models--org--model/x.lock',
    'xet/logs/x.log',
    'modules/models--org--model/blobs/x',
    'datasets/x/y',
    'torch/hub/main.zip',
    'torch/hub/checkpoints/',
    'engines/plan.bin',
    'hub/models--org--model/',
    '../models--org--model/blobs/x',
    `hub/../../models--org--model/${WEIGHTS}`,
  ];
  for (const key of keys) {
    test(key, () => assert.deepEqual(read([object(key, 'x')]), { source: 'nothing', trees: [] }));
  }

  const inRepo = [
    'CACHEDIR.TAG',
    `.no_exist/${A}/x`,
    `trees/${A}.json`,
    `${WEIGHTS}.incomplete`,
    'snapshots/',
    inSnapshot(A, 'token'),
    inSnapshot(A, '.env'),
    inSnapshot(A, '../../../../x'),
    inSnapshot(A, 'a\\b'),
  ];
  for (const path of inRepo) {
    test(`${path} in a repo, not even with --accept-unverified`, () => {
      const objects = [...synced(REPO), object(`${REPO}/${path}`, 'x')];
      assert.deepEqual(
        read(objects, { acceptUnverified: true }),
        read(synced(REPO), { acceptUnverified: true }),
      );
    });
  }

  test('and a bucket that holds nothing else is empty', () => {
    assert.equal(read([object(`${REPO}/CACHEDIR.TAG`, 'x')]).source, 'nothing');
  });

  test('but a folder that --also named is', () => {
    const tree = only(read([object('engines/plan.bin', 'x')], { also: ['engines'], acceptUnverified: true }));
    assert.deepEqual([tree.tree, tree.files.map(({ path }) => path)], ['engines', ['plan.bin']]);
  });
});
