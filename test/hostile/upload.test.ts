import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { manifestKey, MANIFESTS_PREFIX } from '../../src/model/bucket.ts';
import { serializeManifest } from '../../src/model/manifest.ts';
import { A, inSnapshot, manifest } from '../model/builders.ts';
import { modelCache, scratchDir } from '../support/program.ts';
import { makeRepo, put } from '../support/tree.ts';

const COMMIT = 'c1'.repeat(20);
const POISONED = 'hub/models--org--a-poisoned';
const SOUND = 'hub/models--org--b-sound';

test('a tree of which others have said more than fits into a manifest does not keep the other trees from being uploaded', async (context) => {
  const scratch = await scratchDir(context);
  const [dir, bucket] = [join(scratch, 'dir'), join(scratch, 'bucket')];
  const env = { MODEL_CACHE_STORE: `file://${bucket}`, MODEL_CACHE_DIR: dir };
  for (const half of ['one', 'other']) {
    const links = Array.from({ length: 12_000 }, (_, index) => [
      inSnapshot(A, `${half}-${index}-${'x'.repeat(200)}`),
      `../../blobs/${'y'.repeat(500)}`,
    ]);
    const { manifest: value, name } = manifest({ tree: POISONED, links: Object.fromEntries(links) });
    put(join(bucket, manifestKey(POISONED, name)), serializeManifest(value).bytes);
  }
  makeRepo(join(dir, 'hub'), 'org/a-poisoned', COMMIT, { 'model.bin': { content: Buffer.from('one') } });
  makeRepo(join(dir, 'hub'), 'org/b-sound', COMMIT, { 'model.bin': { content: Buffer.from('other') } });
  const { code, stderr } = await modelCache(['upload'], { env });
  assert.equal(code, 1, 'something was left out');
  assert.match(stderr, /the new manifest of hub\/models--org--a-poisoned is too large/);
  const written = readdirSync(join(bucket, MANIFESTS_PREFIX, encodeURIComponent(SOUND)));
  assert.equal(written.length, 1);
});
