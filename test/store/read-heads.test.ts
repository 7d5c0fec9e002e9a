import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { FORMAT_BYTES, FORMAT_KEY, manifestKey } from '../../src/model/bucket.ts';
import { serializeManifest } from '../../src/model/manifest.ts';
import { FolderStore } from '../../src/store/folder-store.ts';
import { readHeads } from '../../src/store/read-heads.ts';
import { A, manifest, REPO } from '../model/builders.ts';

const scratch = await mkdtemp(join(tmpdir(), 'read-heads-'));
after(() => rm(scratch, { recursive: true }));

test('what the manifests say, and which of them are heads', async () => {
  const store = await freshStore();
  const old = manifest({ snapshots: { [A]: { 'w.bin': 'w' } }, refs: { main: A } });
  const next = manifest({ snapshots: { [A]: { 'w.bin': 'w', b: 'b' } }, generation: 2, supersedes: [old] });
  for (const { manifest } of [old, next]) {
    const { name, bytes } = serializeManifest(manifest);
    await store.put(manifestKey(REPO, name), bytes);
  }
  const { views, refused } = await readHeads(store);
  assert.deepEqual(
    views.map(({ tree, heads }) => [tree, heads]),
    [[REPO, [next.name]]],
  );
  assert.deepEqual(refused, []);
});

test('a store without anything, and one without manifests, are told apart', async () => {
  const store = await freshStore();
  await assert.rejects(readHeads(store), { code: 'bucket-empty' });
  await store.put('hub/models--org--model/blobs/x', Buffer.from('x'));
  await assert.rejects(readHeads(store), { code: 'manifests-missing', message: /only files such as hub/ });
});

test('an upload that has not come to its first manifest has none', async () => {
  const store = await freshStore();
  await store.put(FORMAT_KEY, FORMAT_BYTES);
  await assert.rejects(readHeads(store), { code: 'manifests-missing' });
});

test('a format that is not known is refused by name', async () => {
  const store = await freshStore();
  await store.put(FORMAT_KEY, Buffer.from('{"format":"model-cache","version":2}'));
  await assert.rejects(readHeads(store), { code: 'format-unknown' });
});

async function freshStore(): Promise<FolderStore> {
  return new FolderStore(await mkdtemp(join(scratch, 'store-')));
}
