import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { linkSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { layout } from '../../src/cache/layout.ts';
import { readWriteBack, WriteBackLock, type WriteBackStatus } from '../../src/cache/write-back-lock.ts';
import { CacheDir } from './cache-dir.ts';

const scratch = new CacheDir();
after(() => rmSync(scratch.path, { recursive: true }));

const WAITING: WriteBackStatus = { pid: 7, server: 1, state: 'waiting', since: '2026-11-23T23:41:47.123Z' };

test('one at a time, and another when it is released', async () => {
  const dir = fresh();
  const lock = await WriteBackLock.tryTake({ dir });
  assert.ok(lock);
  assert.equal(await WriteBackLock.tryTake({ dir }), undefined);
  await lock.release();
  const next = await WriteBackLock.tryTake({ dir });
  assert.ok(next);
  await next.release();
});

test('what the holder said last is what is read, in the same file', async () => {
  const dir = fresh();
  const lock = await WriteBackLock.tryTake({ dir });
  assert.equal(await readWriteBack(dir), undefined);
  lock?.say({ ...WAITING, state: 'uploading' });
  const { ino } = statSync(layout.writeBackLock(dir));
  lock?.say(WAITING);
  assert.deepEqual(await readWriteBack(dir), WAITING);
  assert.equal(statSync(layout.writeBackLock(dir)).ino, ino);
  assert.equal(readFileSync(layout.writeBackLock(dir), 'utf8'), `${JSON.stringify(WAITING)}\n`);
  assert.equal(await WriteBackLock.tryTake({ dir }), undefined, 'who reads disturbs no holder');
  await lock?.release();
  assert.equal(await readWriteBack(dir), undefined);
});

test('what a killed holder said is not read', async () => {
  const dir = fresh();
  const path = layout.writeBackLock(dir);
  const script = `exec 9>'${path}'; flock -x 9; echo '${JSON.stringify(WAITING)}' >&9; echo held; exec sleep 300`;
  const holder = spawn('sh', ['-c', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(holder.stdout, 'data');
  assert.deepEqual(await readWriteBack(dir), WAITING);
  holder.kill('SIGKILL');
  await once(holder, 'exit');
  assert.equal(await readWriteBack(dir), undefined);
});

for (const content of [
  '',
  'no JSON',
  'null',
  '[]',
  '{"pid":1}',
  '{"pid":1,"server":2,"state":"?","since":""}',
]) {
  test(`${JSON.stringify(content)} is no status`, async () => {
    const dir = fresh();
    const lock = await WriteBackLock.tryTake({ dir });
    lock?.say(JSON.parse(JSON.stringify(content)) as WriteBackStatus);
    assert.equal(await readWriteBack(dir), undefined);
    await lock?.release();
  });
}

test('without a file there is no write-back, and no file afterwards', async () => {
  const dir = fresh();
  assert.equal(await readWriteBack(dir), undefined);
  assert.throws(() => statSync(layout.writeBackLock(dir)));
});

test('a link is not followed', async () => {
  const dir = fresh();
  symlinkSync('/dev/null', layout.writeBackLock(dir));
  await assert.rejects(WriteBackLock.tryTake({ dir }), { code: 'ELOOP' });
  assert.equal(await readWriteBack(dir), undefined);
});

test('a pipe is not waited for, and a file with another name is not written to', async () => {
  const dir = fresh();
  assert.equal(spawnSync('mkfifo', [layout.writeBackLock(dir)]).status, 0);
  await assert.rejects(WriteBackLock.tryTake({ dir }), { code: 'dir-unusable' });
  const other = fresh();
  writeFileSync(`${other}/precious`, 'x');
  linkSync(`${other}/precious`, layout.writeBackLock(other));
  await assert.rejects(WriteBackLock.tryTake({ dir: other }), { code: 'dir-unusable' });
  assert.equal(readFileSync(`${other}/precious`, 'utf8'), 'x');
});

test('nothing is made where our folder is a link', async () => {
  const dir = new CacheDir(scratch.path);
  const elsewhere = new CacheDir(scratch.path);
  dir.link('.model-cache', elsewhere.path);
  await assert.rejects(WriteBackLock.tryTake({ dir: dir.path }), { code: 'dir-unusable' });
  assert.deepEqual(readdirSync(elsewhere.path), []);
});

function fresh(): string {
  return new CacheDir(scratch.path).prepared().path;
}
