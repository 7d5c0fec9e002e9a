import assert from 'node:assert/strict';
import { appendFileSync, openSync, closeSync, rmSync } from 'node:fs';
import { after, test } from 'node:test';
import { proveFiles } from '../../src/cache/prove.ts';
import { State } from '../../src/cache/state.ts';
import type { Inventory } from '../../src/model/inventory.ts';
import { setAsideMoving, setAsideUnfinished } from '../../src/stages/unfinished.ts';
import { CacheDir } from '../cache/cache-dir.ts';

const scratch = new CacheDir();
after(() => rmSync(scratch.path, { recursive: true }));

const never = new AbortController().signal;
const PLAIN = 'torch/hub/checkpoints/model.pth';

test('a plain file that somebody has open for writing is set aside, and taken once it is closed', async () => {
  const dir = fresh();
  const fd = openSync(dir.at(PLAIN), 'a');
  const open = setAsideUnfinished(await dir.scan());
  assert.deepEqual(pathsIn(open.finished), ['blobs', 'blobs']);
  assert.deepEqual(
    open.unfinished.map(({ path, error }) => [path, error.code]),
    [['model.pth', 'file-changed']],
  );
  closeSync(fd);
  assert.deepEqual(setAsideUnfinished(await dir.scan()).unfinished, []);
});

test('a plain file that grows after it was hashed is set aside; blobs are not waited for', async () => {
  const dir = fresh();
  const { before, hashed } = await hash(dir);
  const since = performance.now();
  const sorting = setAsideMoving(before, hashed, since, never);
  appendFileSync(dir.at(PLAIN), 'more');
  const { finished, unfinished } = await sorting;
  assert.deepEqual(
    unfinished.map(({ path, error }) => [path, error.code]),
    [['model.pth', 'file-changed']],
  );
  assert.deepEqual(pathsIn(finished), ['blobs', 'blobs']);
});

test('a plain file that kept still is taken', async () => {
  const { before, hashed } = await hash(fresh());
  const longAgo = performance.now() - 60_000;
  const { finished, unfinished } = await setAsideMoving(before, hashed, longAgo, never);
  assert.deepEqual(unfinished, []);
  assert.equal(pathsIn(finished).length, 3);
});

test('a file that is gone by then is set aside', async () => {
  const dir = fresh();
  const { before, hashed } = await hash(dir);
  rmSync(dir.at(PLAIN));
  const { unfinished } = await setAsideMoving(before, hashed, 0, never);
  assert.equal(unfinished.length, 1);
});

test('what was proved in an earlier run is neither waited for nor looked at', async () => {
  const dir = fresh();
  const { hashed } = await hash(dir);
  rmSync(dir.at(PLAIN));
  const { unfinished } = await setAsideMoving(hashed, hashed, performance.now() + 1e9, never);
  assert.deepEqual(unfinished, []);
});

test('a stopped upload does not wait', async () => {
  const { before, hashed } = await hash(fresh());
  const stopped = setAsideMoving(before, hashed, performance.now() + 1e6, AbortSignal.timeout(10));
  await assert.rejects(stopped, { name: 'AbortError' });
});

function fresh(): CacheDir {
  const dir = new CacheDir(scratch.path).prepared();
  dir.repo();
  dir.file(PLAIN, 'weights');
  return dir;
}

async function hash(dir: CacheDir): Promise<{ readonly before: Inventory; readonly hashed: Inventory }> {
  const before = await dir.scan();
  const plain = before.trees.flatMap((tree) =>
    tree.tree.startsWith('torch') ? Array.from(tree.files.values(), (file) => ({ tree, file })) : [],
  );
  const { inventory } = await proveFiles(before, plain, State.empty());
  return { before, hashed: inventory };
}

/** The folder of each file; a plain file stands for itself. */
function pathsIn({ trees }: Inventory): readonly string[] {
  return trees.flatMap(({ files }) => Array.from(files.keys(), (path) => path.split('/')[0] ?? ''));
}
