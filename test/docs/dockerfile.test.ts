import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { pythonWith } from '../support/python.ts';

const DOCKERFILE = join(import.meta.dirname, '..', '..', 'Dockerfile');

test('hadolint has nothing to say of the Dockerfile', async () => {
  const hadolint = join(dirname(await pythonWith('hadolint')), 'hadolint');
  const { status, stdout, stderr } = spawnSync(hadolint, [DOCKERFILE], { encoding: 'utf8' });
  assert.equal(status, 0, stdout + stderr);
});

test('the image starts model-cache in front of whatever CMD is', () => {
  const text = readFileSync(DOCKERFILE, 'utf8');
  assert.match(text, /^ENTRYPOINT \["model-cache", "init", "--"\]$/m);
  for (const argument of ['NODE_IMAGE', 'BASE_IMAGE', 'SERVER_PACKAGES'])
    assert.match(text, new RegExp(`^ARG ${argument}=`, 'm'));
});
