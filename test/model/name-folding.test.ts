import assert from 'node:assert/strict';
import { test } from 'node:test';
import { foldedName } from '../../src/model/name-folding.ts';

test('a name is folded as widely as any file system does it', () => {
  for (const name of [
    '.Model-Cache',
    '.model-cache',
    '.model\u200b-cache',
    '.ｍodel-cache',
    '.model-cache . ',
  ])
    assert.equal(foldedName(name), '.model-cache', JSON.stringify(name));
});
