import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import fsPromises, { open, type FileHandle } from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { after, test } from 'node:test';
import { isHeld, lockOf, tryLock } from '../../src/cache/flock.ts';
import { openFlags } from '../../src/descriptors.ts';
import { CacheDir } from './cache-dir.ts';
import { withSpawn } from './with-spawn.ts';

const dir = new CacheDir();
after(() => rmSync(dir.path, { recursive: true }));

test('a lock is free, held by whoever has it, and free again', async () => {
  const path = dir.at(dir.file('a'));
  assert.equal(await lockOf(path), 'free');
  const holder = await open(path, 'r+');
  assert.equal(await tryLock(holder), 'locked');
  assert.equal(await lockOf(path), 'held');
  assert.equal(await isHeld(path), true);
  await holder.close();
  assert.equal(await lockOf(path), 'free');
});

test('what is not there is free; of a link nothing is known', async () => {
  assert.equal(await lockOf(dir.at('nothing')), 'free');
  dir.link('link', dir.file('target'));
  assert.equal(await lockOf(dir.at('link')), 'unknown');
});

test('a program that cannot be started tells nothing, whichever way the system says so', async (context) => {
  const path = dir.at(dir.file('b'));
  let code = '';
  withSpawn(context, () => {
    throw Object.assign(new Error(code), { code });
  });
  for (code of ['ENOTDIR', 'ENOMEM', 'EPERM']) {
    const file = await open(path, 'r+');
    assert.equal(await tryLock(file), 'unknown', code);
    await file.close();
    assert.deepEqual([await lockOf(path), await isHeld(path)], ['unknown', false], code);
  }
});

test('the program is one of the system, whatever PATH is', async (context) => {
  const started: string[] = [];
  withSpawn(context, (program) => {
    started.push(program);
    throw new Error('not started');
  });
  await lockOf(dir.at(dir.file('c')));
  assert.match(started.join(), /^(\/usr\/bin|\/bin|\/usr\/local\/bin)\/flock$/);
});

test('a file is opened for writing to be locked, and for reading where it cannot be written to', async (context) => {
  const path = dir.at(dir.file('d'));
  const modes: number[] = [];
  let refusal: string | undefined;
  const real = fsPromises.open;
  context.mock.method(fsPromises, 'open', async (name: string, flags: number): Promise<FileHandle> => {
    const isToWrite = (flags & 0o3) !== 0;
    if (isToWrite && refusal !== undefined) throw Object.assign(new Error(refusal), { code: refusal });
    const file = await real(name, flags);
    modes.push(openFlags('self', file.fd) & 0o3);
    return file;
  });
  syncBuiltinESMExports();
  context.after(() => {
    context.mock.restoreAll();
    syncBuiltinESMExports();
  });
  for (const code of [undefined, 'EACCES', 'EROFS', 'EPERM']) {
    refusal = code;
    assert.equal(await lockOf(path), 'free', code);
  }
  assert.deepEqual(modes, [2, 0, 0, 0]);
  refusal = 'EIO';
  assert.equal(await lockOf(path), 'unknown');
});
