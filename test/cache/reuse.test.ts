import assert from 'node:assert/strict';
import { existsSync, lstatSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { after, test } from 'node:test';
import { Publisher } from '../../src/cache/publish.ts';
import { linkLegacyRepos, linkReused } from '../../src/cache/reuse.ts';
import { CacheDir, COMMIT, contentsOf, sha256 } from './cache-dir.ts';

const scratch = new CacheDir();
after(() => rmSync(scratch.path, { recursive: true }));

const REPO = 'models--org--name';

test('blobs of another cache are linked, its snapshot links stay relative, its refs are copied', () => {
  const { dir, publisher, other } = fresh();
  const { weights } = other.repo(REPO);
  const used = linkReused(dir.path, { hubs: [other.path], torchHomes: [] }, publisher);
  assert.deepEqual(used, [other.path]);
  assert.equal(readlinkSync(dir.at(`hub/${REPO}/blobs/${weights}`)), other.at(`${REPO}/blobs/${weights}`));
  const link = `hub/${REPO}/snapshots/${COMMIT}/sub/model.bin`;
  assert.equal(readlinkSync(dir.at(link)), `../../../blobs/${weights}`);
  assert.equal(readFileSync(dir.at(link), 'utf8'), 'weights');
  assert.equal(readFileSync(dir.at(`hub/${REPO}/refs/main`), 'utf8'), COMMIT);
  assert.equal(lstatSync(dir.at(`hub/${REPO}/refs/main`)).isFile(), true);
});

test('nothing that is here is touched', () => {
  const { dir, publisher, other } = fresh();
  const { weights } = other.repo(REPO);
  dir.file(`hub/${REPO}/blobs/${weights}`, 'ours');
  dir.file(`hub/${REPO}/refs/main`, 'd'.repeat(40));
  dir.link(`hub/${REPO}/snapshots/${COMMIT}/config.yaml`, 'dangling');
  linkReused(dir.path, { hubs: [other.path], torchHomes: [] }, publisher);
  assert.equal(readFileSync(dir.at(`hub/${REPO}/blobs/${weights}`), 'utf8'), 'ours');
  assert.equal(readFileSync(dir.at(`hub/${REPO}/refs/main`), 'utf8'), 'd'.repeat(40));
  assert.equal(readlinkSync(dir.at(`hub/${REPO}/snapshots/${COMMIT}/config.yaml`)), 'dangling');
});

test('the other cache is not changed, and a second run has nothing to do', () => {
  const { dir, publisher, other } = fresh();
  other.repo(REPO);
  const caches = { hubs: [other.path], torchHomes: [] };
  linkReused(dir.path, caches, publisher);
  assert.deepEqual(linkReused(dir.path, caches, publisher), []);
  assert.equal(existsSync(other.at('.model-cache')), false);
});

test('regular files in a snapshot are linked as they are', () => {
  const { dir, publisher, other } = fresh();
  other.file(`${REPO}/snapshots/${COMMIT}/model.bin`, 'weights');
  linkReused(dir.path, { hubs: [other.path], torchHomes: [] }, publisher);
  const path = `snapshots/${COMMIT}/model.bin`;
  assert.equal(readlinkSync(dir.at(`hub/${REPO}/${path}`)), other.at(`${REPO}/${path}`));
});

test('unfinished downloads, and what is no repo, are left', () => {
  const { dir, publisher, other } = fresh();
  const { weights } = other.repo(REPO);
  other.file(`${REPO}/blobs/${sha256('half')}.0a1b2c3d.incomplete`, 'half');
  other.file(`${REPO}/refs/main.0a1b2c3d.tmp`, COMMIT);
  other.file('models--only--blobs/blobs/x', 'x');
  other.file('token', 'hf_secret');
  linkReused(dir.path, { hubs: [other.path], torchHomes: [] }, publisher);
  assert.equal(existsSync(dir.at(`hub/${REPO}/blobs/${weights}`)), true);
  assert.equal(
    lstatSync(dir.at(`hub/${REPO}/blobs/${sha256('half')}.0a1b2c3d.incomplete`), { throwIfNoEntry: false }),
    undefined,
  );
  assert.equal(existsSync(dir.at(`hub/${REPO}/refs/main.0a1b2c3d.tmp`)), false);
  assert.equal(existsSync(dir.at('hub/token')), false);
});

test('a snapshot link whose blob is not there is not taken over: it would dangle here, too', () => {
  const { dir, publisher, other } = fresh();
  other.repo(REPO);
  other.link(`${REPO}/snapshots/${COMMIT}/missing.bin`, `../../blobs/${sha256('missing')}`);
  linkReused(dir.path, { hubs: [other.path], torchHomes: [] }, publisher);
  const path = dir.at(`hub/${REPO}/snapshots/${COMMIT}/missing.bin`);
  assert.equal(lstatSync(path, { throwIfNoEntry: false }), undefined);
});

test('torch’s checkpoints of another home are linked', () => {
  const { dir, publisher, other } = fresh();
  other.file('hub/checkpoints/model.pth', 'weights');
  other.file('hub/checkpoints/model.pth.0a1b.partial', 'half');
  const used = linkReused(dir.path, { hubs: [], torchHomes: [other.path] }, publisher);
  assert.deepEqual(used, [other.path]);
  assert.equal(readFileSync(dir.at('torch/hub/checkpoints/model.pth'), 'utf8'), 'weights');
  assert.equal(existsSync(dir.at('torch/hub/checkpoints/model.pth.0a1b.partial')), false);
});

test('caches that are not there are no cause for anything', () => {
  const { dir, publisher } = fresh();
  assert.deepEqual(
    linkReused(dir.path, { hubs: ['/no/such/hub'], torchHomes: ['/no/such/torch'] }, publisher),
    [],
  );
  assert.equal(existsSync(dir.at('hub')), false);
});

test('the earlier of two caches wins, and the later fills what it lacks', () => {
  const { dir, publisher, other } = fresh();
  const second = new CacheDir(scratch.path);
  const { weights } = other.repo(REPO);
  second.repo(REPO);
  second.repo('models--org--second');
  linkReused(dir.path, { hubs: [other.path, second.path], torchHomes: [] }, publisher);
  assert.ok(readlinkSync(dir.at(`hub/${REPO}/blobs/${weights}`)).startsWith(other.path));
  assert.ok(existsSync(dir.at(`hub/models--org--second/snapshots/${COMMIT}/config.yaml`)));
});

test('a reused cache is read through its links by the scan', async () => {
  const { dir, publisher, other } = fresh();
  const { weights, config } = other.repo(REPO);
  linkReused(dir.path, { hubs: [other.path], torchHomes: [] }, publisher);
  const found = contentsOf(await dir.scan({ reuse: [other.path] }))[`hub/${REPO}`];
  assert.ok(found?.includes(`blobs/${weights}`) && found.includes(`blobs/${config}`));
});

test('a link in the way of one repo does not keep the others from being linked', () => {
  const { dir, publisher, other } = fresh();
  other.repo('models--a--first');
  other.repo('models--b--second');
  dir.link('hub/models--a--first/snapshots', scratch.path);
  linkReused(dir.path, { hubs: [other.path], torchHomes: [] }, publisher);
  assert.ok(existsSync(dir.at(`hub/models--b--second/snapshots/${COMMIT}/config.yaml`)));
});

test('a repo directly below the dir is linked where the variables look', () => {
  const { dir, publisher } = fresh();
  const { weights } = dir.repo(REPO);
  linkLegacyRepos(dir.path, publisher);
  linkLegacyRepos(dir.path, publisher);
  assert.equal(readlinkSync(dir.at(`hub/${REPO}`)), `../${REPO}`);
  assert.equal(readFileSync(dir.at(`hub/${REPO}/blobs/${weights}`), 'utf8'), 'weights');
});

test('a repo that is at both places is completed under hub from the other', () => {
  const { dir, publisher } = fresh();
  const { weights } = dir.repo(REPO);
  dir.file(`hub/${REPO}/refs/main`, COMMIT);
  linkLegacyRepos(dir.path, publisher);
  assert.equal(readFileSync(dir.at(`hub/${REPO}/snapshots/${COMMIT}/sub/model.bin`), 'utf8'), 'weights');
  assert.equal(lstatSync(dir.at(`${REPO}/blobs/${weights}`)).isFile(), true);
});

function fresh(): { readonly dir: CacheDir; readonly publisher: Publisher; readonly other: CacheDir } {
  const dir = new CacheDir(scratch.path).prepared();
  return { dir, publisher: new Publisher(dir.path, undefined), other: new CacheDir(scratch.path) };
}
