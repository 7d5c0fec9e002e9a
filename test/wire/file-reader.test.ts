import assert from 'node:assert/strict';
import {
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { DiskSigns } from '../../src/threads/disk-signs.ts';
import { DiskFailed } from '../../src/wire/at-disk.ts';
import { OtherObject } from '../../src/wire/content.ts';
import { FileReader } from '../../src/wire/file-reader.ts';
import { sha256 } from '../cache/cache-dir.ts';

const scratch = mkdtempSync(join(tmpdir(), 'file-reader-'));
after(() => rmSync(scratch, { recursive: true }));
let paths = 0;
const freshPath = (): string => join(scratch, `file-${(paths += 1)}`);

const FOUND = { etag: '"e"', size: 10 };

test('what comes is written and hashed, and its bytes are told of once', () => {
  const path = freshPath();
  const reader = readerInto(path);
  reader.begin(FOUND);
  for (const piece of ['0123', '456', '789']) reader.take(Buffer.from(piece));
  reader.finish();
  assert.deepEqual([reader.etag, reader.digests], ['"e"', { sha256: sha256('0123456789') }]);
  assert.deepEqual([reader.takeMoved(), reader.takeMoved()], [10, 0]);
  assert.equal(readFileSync(path, 'utf8'), '0123456789');
});

test('an object of another size is refused before there is a file', () => {
  const path = freshPath();
  const reader = readerInto(path);
  assert.throws(() => reader.begin({ etag: '"e"', size: 11 }), OtherObject);
  reader.giveUp();
  assert.equal(existsSync(path), false);
});

test('a file is made with its mode', () => {
  const path = freshPath();
  const reader = readerInto(path, 0o640);
  reader.begin(FOUND);
  reader.finish();
  assert.equal(statSync(path).mode & 0o777, 0o640 & ~process.umask());
});

test('a file that is there already, or a link that leads elsewhere, is left alone', () => {
  const [file, link, elsewhere] = [freshPath(), freshPath(), freshPath()];
  writeFileSync(file, 'mine');
  symlinkSync(elsewhere, link);
  for (const path of [file, link]) {
    const reader = readerInto(path);
    assert.throws(() => reader.begin(FOUND), ofDisk('EEXIST'));
    reader.giveUp();
  }
  assert.equal(readFileSync(file, 'utf8'), 'mine');
  assert.equal(existsSync(elsewhere), false);
});

test('a file is removed when it did not come, and may be gone by then', () => {
  for (const isGone of [false, true]) {
    const path = freshPath();
    const reader = readerInto(path);
    reader.begin(FOUND);
    reader.take(Buffer.from('01234'));
    if (isGone) rmSync(path);
    reader.giveUp();
    assert.equal(existsSync(path), false);
  }
});

test('no descriptor is kept, whether it came or not', () => {
  const before = openDescriptor();
  for (const isWhole of [true, false]) {
    const reader = readerInto(freshPath());
    reader.begin(FOUND);
    if (isWhole) reader.finish();
    else reader.giveUp();
  }
  assert.equal(openDescriptor(), before);
});

function ofDisk(code: string): (error: unknown) => boolean {
  return (error) => error instanceof DiskFailed && (error.cause as NodeJS.ErrnoException).code === code;
}

function openDescriptor(): number {
  const fd = openSync('/dev/null', 'r');
  closeSync(fd);
  return fd;
}

function readerInto(path: string, mode = 0o600): FileReader {
  const file = { target: '/k', signature: '', size: 10, path, mode, algorithms: ['sha256'] } as const;
  return new FileReader(file, new DiskSigns());
}
