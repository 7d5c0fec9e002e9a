import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { after, test } from 'node:test';
import { Publisher } from '../../src/cache/publish.ts';
import { linkLegacyRepos, linkReused } from '../../src/cache/reuse.ts';
import { CacheDir, COMMIT, contentsOf, sha256 } from './cache-dir.ts';

const scratch = new CacheDir();
after(() => rmSync(scratch.path, { recursive: true }));

const REPO = 'models--org--name';

test('blobs of another cache are linked, its snapshot links stay relative, its refs are copied', async () => {
  const { dir, publisher, other } = fresh();
  const { weights } = other.repo(REPO);
  const used = await linkReused(dir.path, { hubs: [other.path], torchHomes: [] }, publisher);
  assert.deepEqual(used, [other.path]);
  assert.equal(readlinkSync(dir.at(`hub/${REPO}/blobs/${weights}`)), other.at(`${REPO}/blobs/${weights}`));
  const link = `hub/${REPO}/snapshots/${COMMIT}/sub/model.bin`;
  assert.equal(readlinkSync(dir.at(link)), `../../../blobs/${weights}`);
  assert.equal(readFileSync(dir.at(link), 'utf8'), 'weights');
  assert.equal(readFileSync(dir.at(`hub/${REPO}/refs/main`), 'utf8'), COMMIT);
  assert.equal(lstatSync(dir.at(`hub/${REPO}/refs/main`)).isFile(), true);
});

test('nothing that is here is touched', async () => {
  const { dir, publisher, other } = fresh();
  const { weights } = other.repo(REPO);
  dir.file(`hub/${REPO}/blobs/${weights}`, 'ours');
  dir.file(`hub/${REPO}/refs/main`, 'd'.repeat(40));
  dir.link(`hub/${REPO}/snapshots/${COMMIT}/config.yaml`, 'dangling');
  await linkReused(dir.path, { hubs: [other.path], torchHomes: [] }, publisher);
  assert.equal(readFileSync(dir.at(`hub/${REPO}/blobs/${weights}`), 'utf8'), 'ours');
  assert.equal(readFileSync(dir.at(`hub/${REPO}/refs/main`), 'utf8'), 'd'.repeat(40));
  assert.equal(readlinkSync(dir.at(`hub/${REPO}/snapshots/${COMMIT}/config.yaml`)), 'dangling');
});

test('the other cache is not changed, and a second run has nothing to do', async () => {
  const { dir, publisher, other } = fresh();
  other.repo(REPO);
  const caches = { hubs: [other.path], torchHomes: [] };
  await linkReused(dir.path, caches, publisher);
  assert.deepEqual(await linkReused(dir.path, caches, publisher), []);
  assert.equal(existsSync(other.at('.model-cache')), false);
});

test('regular files in a snapshot are linked as they are', async () => {
  const { dir, publisher, other } = fresh();
  other.file(`${REPO}/snapshots/${COMMIT}/model.bin`, 'weights');
  await linkReused(dir.path, { hubs: [other.path], torchHomes: [] }, publisher);
  const path = `snapshots/${COMMIT}/model.bin`;
  assert.equal(readlinkSync(dir.at(`hub/${REPO}/${path}`)), other.at(`${REPO}/${path}`));
});

test('unfinished downloads, and what is no repo, are left', async () => {
  const { dir, publisher, other } = fresh();
  const { weights } = other.repo(REPO);
  other.file(`${REPO}/blobs/${sha256('half')}.0a1b2c3d.incomplete`, 'half');
  other.file(`${REPO}/refs/main.0a1b2c3d.tmp`, COMMIT);
  other.file('models--only--blobs/blobs/x', 'x');
  other.file('token', 'hf_secret');
  await linkReused(dir.path, { hubs: [other.path], torchHomes: [] }, publisher);
  assert.equal(existsSync(dir.at(`hub/${REPO}/blobs/${weights}`)), true);
  assert.equal(
    lstatSync(dir.at(`hub/${REPO}/blobs/${sha256('half')}.0a1b2c3d.incomplete`), { throwIfNoEntry: false }),
    undefined,
  );
  assert.equal(existsSync(dir.at(`hub/${REPO}/refs/main.0a1b2c3d.tmp`)), false);
  assert.equal(existsSync(dir.at('hub/token')), false);
});

test('a snapshot link whose blob is not there is not taken over: it would dangle here, too', async () => {
  const { dir, publisher, other } = fresh();
  other.repo(REPO);
  other.link(`${REPO}/snapshots/${COMMIT}/missing.bin`, `../../blobs/${sha256('missing')}`);
  await linkReused(dir.path, { hubs: [other.path], torchHomes: [] }, publisher);
  const path = dir.at(`hub/${REPO}/snapshots/${COMMIT}/missing.bin`);
  assert.equal(lstatSync(path, { throwIfNoEntry: false }), undefined);
});

test('torch’s checkpoints of another home are linked', async () => {
  const { dir, publisher, other } = fresh();
  other.file('hub/checkpoints/model.pth', 'weights');
  other.file('hub/checkpoints/model.pth.0a1b.partial', 'half');
  const used = await linkReused(dir.path, { hubs: [], torchHomes: [other.path] }, publisher);
  assert.deepEqual(used, [other.path]);
  assert.equal(readFileSync(dir.at('torch/hub/checkpoints/model.pth'), 'utf8'), 'weights');
  assert.equal(existsSync(dir.at('torch/hub/checkpoints/model.pth.0a1b.partial')), false);
});

test('caches that are not there are no cause for anything', async () => {
  const { dir, publisher } = fresh();
  assert.deepEqual(
    await linkReused(dir.path, { hubs: ['/no/such/hub'], torchHomes: ['/no/such/torch'] }, publisher),
    [],
  );
  assert.equal(existsSync(dir.at('hub')), false);
});

test('the earlier of two caches wins, and the later fills what it lacks', async () => {
  const { dir, publisher, other } = fresh();
  const second = new CacheDir(scratch.path);
  const { weights } = other.repo(REPO);
  second.repo(REPO);
  second.repo('models--org--second');
  await linkReused(dir.path, { hubs: [other.path, second.path], torchHomes: [] }, publisher);
  assert.ok(readlinkSync(dir.at(`hub/${REPO}/blobs/${weights}`)).startsWith(other.path));
  assert.ok(existsSync(dir.at(`hub/models--org--second/snapshots/${COMMIT}/config.yaml`)));
});

test('a reused cache is read through its links by the scan', async () => {
  const { dir, publisher, other } = fresh();
  const { weights, config } = other.repo(REPO);
  await linkReused(dir.path, { hubs: [other.path], torchHomes: [] }, publisher);
  const found = contentsOf(await dir.scan({ reuse: [other.path] }))[`hub/${REPO}`];
  assert.ok(found?.includes(`blobs/${weights}`) && found.includes(`blobs/${config}`));
});

test('a link in the way of one repo does not keep the others from being linked', async () => {
  const { dir, publisher, other } = fresh();
  other.repo('models--a--first');
  other.repo('models--b--second');
  dir.link('hub/models--a--first/snapshots', scratch.path);
  await linkReused(dir.path, { hubs: [other.path], torchHomes: [] }, publisher);
  assert.ok(existsSync(dir.at(`hub/models--b--second/snapshots/${COMMIT}/config.yaml`)));
});

test('a repo directly below the dir is linked where the variables look', async () => {
  const { dir, publisher } = fresh();
  const { weights } = dir.repo(REPO);
  await linkLegacyRepos(dir.path, publisher);
  await linkLegacyRepos(dir.path, publisher);
  assert.equal(readlinkSync(dir.at(`hub/${REPO}`)), `../${REPO}`);
  assert.equal(readFileSync(dir.at(`hub/${REPO}/blobs/${weights}`), 'utf8'), 'weights');
});

test('a repo that is at both places is completed under hub from the other', async () => {
  const { dir, publisher } = fresh();
  const { weights } = dir.repo(REPO);
  dir.file(`hub/${REPO}/refs/main`, COMMIT);
  await linkLegacyRepos(dir.path, publisher);
  assert.equal(readFileSync(dir.at(`hub/${REPO}/snapshots/${COMMIT}/sub/model.bin`), 'utf8'), 'weights');
  assert.equal(lstatSync(dir.at(`${REPO}/blobs/${weights}`)).isFile(), true);
});

test('what nobody could read is not linked, and nobody waits for it', async () => {
  const { dir, publisher, other } = fresh();
  const { weights } = other.repo(REPO);
  const pipe = (path: string): void => {
    mkdirSync(dirname(other.at(path)), { recursive: true });
    assert.equal(spawnSync('mkfifo', [other.at(path)]).status, 0);
  };
  const planted = [
    `${REPO}/refs/pipe`,
    `${REPO}/blobs/${sha256('pipe')}`,
    `${REPO}/snapshots/${COMMIT}/pipe.bin`,
    'hub/checkpoints/pipe.pth',
  ];
  for (const path of planted) pipe(path);
  other.link(`${REPO}/snapshots/${COMMIT}/device.bin`, '/dev/zero');
  other.link(`${REPO}/blobs/${sha256('device')}`, '/dev/zero');
  other.link('hub/checkpoints/tty.pth', '/dev/tty');
  await linkReused(dir.path, { hubs: [other.path], torchHomes: [other.path] }, publisher);
  assert.deepEqual(readdirSync(dir.at(`hub/${REPO}/blobs`)).includes(weights), true);
  assert.deepEqual(readdirSync(dir.at(`hub/${REPO}/blobs`)).length, 2);
  assert.deepEqual(readdirSync(dir.at(`hub/${REPO}/snapshots/${COMMIT}`)).toSorted(), ['config.yaml', 'sub']);
  assert.deepEqual(readdirSync(dir.at(`hub/${REPO}/refs`)), ['main']);
  assert.equal(existsSync(dir.at('torch')), false);
});

test('whoever stops the start stops it', async () => {
  const { dir, publisher, other } = fresh();
  other.repo(REPO);
  const stopped = AbortSignal.abort(new Error('stopped'));
  const caches = { hubs: [other.path], torchHomes: [] };
  await assert.rejects(linkReused(dir.path, caches, publisher, stopped), { message: 'stopped' });
  assert.equal(existsSync(dir.at('hub')), false);
});

test('a ref that is no commit is not taken over: nobody would find it', async () => {
  const { dir, publisher, other } = fresh();
  other.repo(REPO);
  other.file(`${REPO}/refs/newline`, `${COMMIT}\n`);
  other.file(`${REPO}/refs/branch`, 'main');
  other.file(`${REPO}/refs/endless`, 'x'.repeat(1_000_000));
  await linkReused(dir.path, { hubs: [other.path], torchHomes: [] }, publisher);
  assert.deepEqual(readdirSync(dir.at(`hub/${REPO}/refs`)), ['main']);
});

for (const planted of ['a link', 'a file', 'an empty folder'] as const) {
  test(`${planted} directly below the dir that is called like a repo does not bar its place under hub/`, async () => {
    const { dir, publisher, other } = fresh();
    if (planted === 'a link') dir.link(REPO, other.path);
    else if (planted === 'a file') dir.file(REPO, 'x');
    else mkdirSync(dir.at(REPO));
    await linkLegacyRepos(dir.path, publisher);
    assert.equal(lstatSync(dir.at(`hub/${REPO}`), { throwIfNoEntry: false }), undefined);
    publisher.publishRef(`hub/${REPO}/refs/main`, COMMIT);
  });
}

function fresh(): { readonly dir: CacheDir; readonly publisher: Publisher; readonly other: CacheDir } {
  const dir = new CacheDir(scratch.path).prepared();
  return { dir, publisher: new Publisher(dir.path, undefined), other: new CacheDir(scratch.path) };
}
