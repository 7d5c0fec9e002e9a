import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { after, test } from 'node:test';
import type { ScanOptions } from '../../src/cache/scan.ts';
import { CacheDir, COMMIT, contentsOf, ROOT_ONLY, sha256 } from './cache-dir.ts';

const scratch = new CacheDir();
after(() => rmSync(scratch.path, { recursive: true }));

const REPO = 'hub/models--org--name';
const SNAPSHOT = `${REPO}/snapshots/${COMMIT}`;
const BAD_NAME = Buffer.from([0x62, 0xff]);

test('of a whole cache nothing is left out', async () => {
  const dir = fresh();
  dir.file('torch/hub/checkpoints/m.pth', 'x');
  dir.file('token', 'x');
  assert.deepEqual(await leftOut(dir), {});
});

test('what has a name that is not UTF-8', async () => {
  const dir = fresh();
  dir.file('engines/a', 'x');
  for (const folder of ['engines', SNAPSHOT, `${REPO}/blobs`, `${REPO}/.no_exist`]) {
    mkdirSync(dir.at(folder), { recursive: true });
    writeFileSync(odd(dir, folder), 'x');
  }
  mkdirSync(odd(dir, `${REPO}/snapshots`));
  mkdirSync(odd(dir, 'hub', 'models--a--'));
  mkdirSync(odd(dir, ''));
  assert.deepEqual(await leftOut(dir, { also: ['engines'] }), {
    'engines/b\ufffd': 'its name is not UTF-8',
    [`${SNAPSHOT}/b\ufffd`]: 'its name is not UTF-8',
    'hub/models--a--b\ufffd': 'its name is not UTF-8',
  });
});

test('a name may hold the sign for what is not UTF-8', async () => {
  const dir = fresh();
  dir.file('engines/b\ufffd/c\ufffd', 'x');
  assert.deepEqual(await leftOut(dir, { also: ['engines'] }), {});
  assert.deepEqual(contentsOf(await dir.scan({ also: ['engines'] }))['engines'], ['b\ufffd/c\ufffd']);
});

test('a link to a folder, to another link, or out of its folder or model', async () => {
  const dir = fresh();
  dir.file('engines/v1/a.plan', 'x');
  dir.link('engines/latest', 'v1');
  dir.link('engines/a.plan', 'v1/a.plan');
  dir.link('engines/current.plan', 'a.plan');
  dir.link('engines/absolute', dir.at('engines/v1'));
  dir.link('engines/out', dir.at('token'));
  dir.link('engines/gone', 'v0/a.plan');
  dir.link(`${SNAPSHOT}/out`, '../../../../token');
  assert.deepEqual(await leftOut(dir, { also: ['engines'] }), {
    'engines/latest': 'it is a link to a folder',
    'engines/current.plan': 'it is a link to another link',
    'engines/absolute': 'it is a link to a folder',
    'engines/out': 'it is a link that leads out of its model or folder',
    [`${SNAPSHOT}/out`]: 'it is a link that leads out of its model or folder',
  });
});

test('a link into a cache that is reused is not told: it is linked anew wherever that is', async () => {
  const other = new CacheDir(scratch.path);
  const dir = fresh();
  dir.link('torch/hub/checkpoints/m.pth', other.at(other.file('hub/checkpoints/m.pth', 'x')));
  assert.deepEqual(await leftOut(dir, { reuse: [other.path] }), {});
  assert.deepEqual(Object.keys(await leftOut(dir)), ['torch/hub/checkpoints/m.pth']);
});

test('a link in the place of a model, or of what it is made of', async () => {
  const dir = fresh();
  const why = 'it is a link; make it a folder';
  const other = fresh();
  dir.link('hub/models--a--b', other.at(REPO));
  dir.link('hub/models--c--d/blobs', other.at(`${REPO}/blobs`));
  mkdirSync(dir.at('hub/models--c--d/snapshots'));
  dir.link('torch', '/elsewhere');
  dir.link('ckpts', 'elsewhere');
  dir.link('unrelated', 'elsewhere');
  assert.deepEqual(await leftOut(dir, { also: ['ckpts/a'] }), {
    'hub/models--a--b': why,
    'hub/models--c--d/blobs': why,
    torch: why,
    ckpts: why,
  });
});

test('a model that is linked to where it lies in the dir is not left out', async () => {
  const dir = fresh();
  dir.repo('models--a--b');
  dir.link('hub/models--a--b', '../models--a--b');
  dir.link('mine/models--org--name', dir.at(REPO));
  assert.deepEqual(await leftOut(dir), {});
});

test('nor is one that is linked to where it lies in a cache that is reused, if that may be touched', async () => {
  const other = fresh();
  const dir = fresh();
  dir.link('hub/models--a--b', other.at(REPO));
  dir.link('hub/models--c--d', other.at('hub/models--gone'));
  const reuse = [other.at('hub')];
  const gone = { 'hub/models--c--d': 'it is a link; make it a folder' };
  assert.deepEqual(await leftOut(dir, { reuse }), gone);
  const unreachable = new Set([dir.at('hub/models--a--b')]);
  assert.deepEqual(await leftOut(dir, { reuse, unreachable }), {
    ...gone,
    'hub/models--a--b': 'it leads to a network volume that does not answer',
  });
});

test('where no disk may be touched, no link is followed', async () => {
  const dir = fresh();
  dir.link('torch/hub/checkpoints/far.pth', '/far/away.pth');
  const unreachable = new Set([dir.at('torch/hub/checkpoints/far.pth')]);
  assert.deepEqual(await leftOut(dir, { unreachable, reuse: ['/far'] }), {
    'torch/hub/checkpoints/far.pth': 'it leads to a network volume that does not answer',
  });
});

test('folders and files that this user may not look into', { skip: ROOT_ONLY }, async () => {
  const dir = fresh();
  dir.file(`${SNAPSHOT}/deep/a.bin`, 'a');
  dir.file(`hub/models--a--b/blobs/${sha256('b')}`, 'b');
  dir.repo('hub/models--c--d');
  chmodSync(scratch.path, 0o755);
  chmodSync(dir.path, 0o755);
  chmodSync(dir.at(`${SNAPSHOT}/deep`), 0o700);
  chmodSync(dir.at('hub/models--a--b/blobs'), 0o744);
  chmodSync(dir.at('hub/models--c--d'), 0o700);
  mkdirSync(dir.at('lost+found'), { mode: 0o700 });
  const why = 'this user may not read it';
  assert.deepEqual(await as(12_345, () => leftOut(dir)), {
    [`${SNAPSHOT}/deep`]: why,
    [`hub/models--a--b/blobs/${sha256('b')}`]: why,
    'hub/models--c--d': why,
  });
  chmodSync(dir.path, 0o700);
  assert.deepEqual(await as(12_345, () => leftOut(dir)), { '.': why });
});

test('other folders that this user may not look into are not told', { skip: ROOT_ONLY }, async () => {
  const dir = fresh();
  const meant = [
    'torch/hub/checkpoints',
    'volume/engines',
    'volume/models--a--b',
    'models--c--d',
    'engines/deep',
  ];
  const others = ['.Trash-0', 'postgres', 'hub/tmp', 'torch/kernels', 'torch/hub/code', 'volume/other'];
  for (const folder of [...meant, ...others]) mkdirSync(dir.at(folder), { recursive: true });
  for (const path of [scratch.path, dir.path]) chmodSync(path, 0o755);
  for (const folder of [...meant, ...others]) chmodSync(dir.at(folder), 0o700);
  const also = ['engines', 'volume/engines'];
  const told = async (): Promise<readonly string[]> =>
    Object.keys(await as(12_345, () => leftOut(dir, { also }))).toSorted();
  assert.deepEqual(await told(), meant.toSorted());
  for (const folder of ['hub', 'torch/hub', 'volume']) chmodSync(dir.at(folder), 0o700);
  assert.deepEqual(await told(), ['engines/deep', 'hub', 'models--c--d', 'torch/hub', 'volume']);
  chmodSync(dir.at('torch'), 0o700);
  assert.deepEqual(await told(), ['engines/deep', 'hub', 'models--c--d', 'torch', 'volume']);
});

function fresh(): CacheDir {
  const dir = new CacheDir(scratch.path);
  dir.repo();
  return dir;
}

async function leftOut(
  dir: CacheDir,
  options: Partial<ScanOptions> = {},
): Promise<Readonly<Record<string, string>>> {
  const { skipped } = await dir.scan(options);
  return Object.fromEntries(skipped.map(({ path, why }) => [path, why]));
}

function odd(dir: CacheDir, folder: string, start = ''): Buffer {
  return Buffer.concat([Buffer.from(`${dir.at(folder)}/${start}`), BAD_NAME]);
}

async function as<T>(uid: number, act: () => Promise<T>): Promise<T> {
  process.seteuid?.(uid);
  try {
    return await act();
  } finally {
    process.seteuid?.(0);
  }
}
