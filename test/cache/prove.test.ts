import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { algorithmsFor, isProved, proveFiles } from '../../src/cache/prove.ts';
import { State } from '../../src/cache/state.ts';
import type { Inventory, LocalContent } from '../../src/model/inventory.ts';
import { CacheDir, sha256 } from './cache-dir.ts';

const scratch = new CacheDir();
after(() => rmSync(scratch.path, { recursive: true }));

const REPO = 'hub/models--org--name';

test('a blob that git named is also known by its SHA-256; everything else by that alone', () => {
  assert.deepEqual(algorithmsFor(REPO, `blobs/${'a'.repeat(40)}`), ['sha256', 'git-sha1']);
  assert.deepEqual(algorithmsFor(REPO, `blobs/${'a'.repeat(64)}`), ['sha256']);
  assert.deepEqual(algorithmsFor('torch/hub/checkpoints', 'a.pth'), ['sha256']);
});

test('files are hashed once, and remembered', async () => {
  const dir = new CacheDir(scratch.path).prepared();
  const { weights, config } = dir.repo();
  const state = State.empty();
  const found = await dir.scan({ state });
  const { inventory, unprovable } = await proveFiles(found, contents(found), state);
  assert.deepEqual(unprovable, []);
  const files = inventory.trees[0]?.files;
  assert.deepEqual(files?.get(`blobs/${weights}`)?.digests, { sha256: weights });
  assert.deepEqual(files.get(`blobs/${config}`)?.digests, { sha256: sha256('config'), gitSha1: config });
  assert.ok(contents(await dir.scan({ state })).every(isProved));
});

test('only what is asked for is hashed', async () => {
  const dir = new CacheDir(scratch.path).prepared();
  dir.repo();
  const found = await dir.scan();
  const [first] = contents(found);
  assert.ok(first);
  const { inventory } = await proveFiles(found, [first], State.empty());
  assert.equal(contents(inventory).filter(isProved).length, 1);
});

test('a corrupt blob has the digest of what it is, not of its name', async () => {
  const dir = new CacheDir(scratch.path).prepared();
  const { weights } = dir.repo();
  writeFileSync(dir.at(`${REPO}/blobs/${weights}`), 'WEIGHTS');
  const found = await dir.scan();
  const { inventory } = await proveFiles(found, contents(found), State.empty());
  assert.deepEqual(inventory.trees[0]?.files.get(`blobs/${weights}`)?.digests, { sha256: sha256('WEIGHTS') });
});

test('a file that went away is told, and the others are proved', async () => {
  const dir = new CacheDir(scratch.path).prepared();
  const { weights } = dir.repo();
  const found = await dir.scan();
  rmSync(dir.at(`${REPO}/blobs/${weights}`));
  const { inventory, unprovable } = await proveFiles(found, contents(found), State.empty());
  assert.deepEqual(
    unprovable.map(({ file, error }) => [file.path, error.code]),
    [[`blobs/${weights}`, 'disk-failed']],
  );
  assert.equal(contents(inventory).filter(isProved).length, 1);
});

test('an abort is its reason, not a file that cannot be proved', async () => {
  const dir = new CacheDir(scratch.path).prepared();
  dir.repo();
  const found = await dir.scan();
  const signal = AbortSignal.abort(new Error('enough'));
  await assert.rejects(proveFiles(found, contents(found), State.empty(), signal), /enough/);
});

function contents(inventory: Inventory): readonly LocalContent[] {
  return inventory.trees.flatMap((tree) => Array.from(tree.files.values(), (file) => ({ tree, file })));
}
