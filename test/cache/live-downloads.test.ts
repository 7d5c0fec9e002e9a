import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { after, test } from 'node:test';
import { hasLiveDownload } from '../../src/cache/live-downloads.ts';
import { CacheDir, sha256 } from './cache-dir.ts';

const scratch = new CacheDir();
after(() => rmSync(scratch.path, { recursive: true }));

const REPO = 'hub/models--org--name';
const ETAG = sha256('weights');
const LOCK = `hub/.locks/models--org--name/${ETAG}.lock`;

for (const unfinished of [`${ETAG}.incomplete`, `${ETAG}.0a1b2c3d.incomplete`]) {
  test(`${unfinished.slice(64)}: live while somebody holds its lock, debris after a kill`, async () => {
    const dir = new CacheDir(scratch.path);
    dir.file(`${REPO}/blobs/${unfinished}`, 'half');
    dir.file(LOCK);
    assert.equal(await hasLiveDownload(dir.path, [REPO]), false);
    const downloader = await holding(dir.at(LOCK));
    assert.equal(await hasLiveDownload(dir.path, ['hub/models--another--one', REPO]), true);
    await killed(downloader);
    assert.equal(await hasLiveDownload(dir.path, [REPO]), false);
    assert.ok(existsSync(dir.at(LOCK)));
  });
}

test('a repo directly below the dir has its locks there', async () => {
  const dir = new CacheDir(scratch.path);
  dir.file(`models--org--name/blobs/${ETAG}.incomplete`, 'half');
  const lock = dir.file(`.locks/models--org--name/${ETAG}.lock`);
  const downloader = await holding(dir.at(lock));
  assert.equal(await hasLiveDownload(dir.path, ['models--org--name']), true);
  await killed(downloader);
});

test('a lock that is held for a finished file is no download', async () => {
  const dir = new CacheDir(scratch.path);
  dir.file(`${REPO}/blobs/${ETAG}`, 'weights');
  dir.file(LOCK);
  const downloader = await holding(dir.at(LOCK));
  assert.equal(await hasLiveDownload(dir.path, [REPO]), false);
  await killed(downloader);
});

test('without a lock file there is none afterwards', async () => {
  const dir = new CacheDir(scratch.path);
  dir.file(`${REPO}/blobs/${ETAG}.incomplete`, 'half');
  assert.equal(await hasLiveDownload(dir.path, [REPO, 'hub/models--not--there']), false);
  assert.deepEqual(readdirSync(dir.at('hub')), ['models--org--name']);
});

async function holding(lock: string): Promise<ChildProcess> {
  const holder = spawn('sh', ['-c', `exec 9<'${lock}'; flock -x 9; echo held; exec sleep 300`], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(holder.stdout, 'data');
  return holder;
}

async function killed(holder: ChildProcess): Promise<void> {
  holder.kill('SIGKILL');
  await once(holder, 'exit');
}
