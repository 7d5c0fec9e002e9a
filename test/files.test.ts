import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import fs, { closeSync, constants, openSync, readFileSync, rmSync, statSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { after, describe, test } from 'node:test';
import { makeFolders, readRegularFile, replaceFile, writeInto } from '../src/files.ts';
import { CacheDir } from './cache/cache-dir.ts';

const dir = new CacheDir();
after(() => rmSync(dir.path, { recursive: true }));

function pipe(name: string): string {
  const path = dir.at(name);
  assert.equal(spawnSync('mkfifo', [path]).status, 0);
  return path;
}

describe('a regular file', () => {
  test('is read as it is, through a link too', () => {
    dir.file('file', 'content');
    dir.link('link', 'file');
    for (const name of ['file', 'link']) assert.equal(readRegularFile(dir.at(name), 7).toString(), 'content');
    dir.file('empty');
    assert.equal(readRegularFile(dir.at('empty'), 7).length, 0);
  });

  test('is read no further than it may be long', () => {
    dir.file('long', 'contents');
    assert.throws(() => readRegularFile(dir.at('long'), 7), {
      code: 'path-unsafe',
      message: /larger than 7/,
    });
  });

  test('is read although the system says that it is empty', () => {
    assert.match(readRegularFile('/proc/self/status', 100_000).toString(), /^Name:/);
  });
});

test('what is none is neither read nor waited for', () => {
  for (const path of [pipe('to-read'), dir.path, '/dev/zero', '/dev/null'])
    assert.throws(() => readRegularFile(path, 10), { code: 'path-unsafe' }, path);
});

describe('to write into what is there', () => {
  test('is to follow a link, and to leave it there', () => {
    dir.file('target', 'something longer than what is written');
    dir.link('to-target', 'target');
    writeInto(dir.at('to-target'), 'new');
    assert.equal(readFileSync(dir.at('target'), 'utf8'), 'new');
  });

  test('is possible for a device', () => writeInto('/dev/null', 'x'));

  test('gives a reader of a pipe everything, more than the pipe holds', async () => {
    const path = pipe('with-reader');
    const reader = spawn('sh', ['-c', `exec 3<>'${path}'; echo open; head -c 300000 <&3 | wc -c`], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [open] = (await once(reader.stdout, 'data')) as [Buffer];
    assert.equal(open.toString(), 'open\n');
    writeInto(path, 'x'.repeat(300_000));
    const [count] = (await once(reader.stdout, 'data')) as [Buffer];
    assert.equal(Number(count), 300_000);
  });

  test('is an error at once for a pipe without a reader', () => {
    assert.throws(() => writeInto(pipe('without-reader'), 'x'), { code: 'ENXIO' });
  });

  test('is an error in the end for a pipe whose reader does not read', () => {
    const path = pipe('with-sleeper');
    const reader = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
    try {
      assert.throws(() => writeInto(path, 'x'.repeat(300_000)), { code: 'EAGAIN' });
    } finally {
      closeSync(reader);
    }
  });
});

test('a pipe in the place of a file is replaced', () => {
  const path = pipe('replaced');
  replaceFile(path, 'content');
  assert.equal(readFileSync(path, 'utf8'), 'content');
});

describe('folders', () => {
  test('that another process makes at the same time are as good as made', (context) => {
    const [parent, path] = [dir.at('parent'), dir.at('parent/child')];
    const real = fs.mkdirSync;
    context.mock.method(fs, 'mkdirSync', (name: string) => {
      real(name);
      if (name === parent) real(path);
    });
    syncBuiltinESMExports();
    context.after(() => {
      context.mock.restoreAll();
      syncBuiltinESMExports();
    });
    makeFolders(path);
    assert.ok(statSync(path).isDirectory());
  });

  test('are not made where a file is in the way', () => {
    dir.file('in-the-way');
    assert.throws(() => makeFolders(dir.at('in-the-way')), { code: 'EEXIST' });
    assert.throws(() => makeFolders(dir.at('in-the-way/below')), { code: 'ENOTDIR' });
  });
});
