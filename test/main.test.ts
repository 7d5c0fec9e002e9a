import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { modelCache } from './support/program.ts';

describe('help is an answer, not an error, however it is asked for', () => {
  for (const [asked, otherwise] of [
    [['help'], ['--help']],
    [
      ['help', 'init'],
      ['init', '--help'],
    ],
  ] as const)
    test(`model-cache ${asked.join(' ')}`, async () => {
      const [{ stdout, stderr, code }, same] = await Promise.all([modelCache(asked), modelCache(otherwise)]);
      assert.deepEqual({ stdout, stderr, code }, { stdout: same.stdout, stderr: '', code: 0 });
    });
});
