import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  closeSync,
  constants,
  existsSync,
  mkdtempSync,
  openSync,
  readSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test, type TestContext } from 'node:test';
import { openFlags } from '../src/descriptors.ts';
import { LineWriter } from '../src/line-writer.ts';

const { O_NONBLOCK, O_RDWR } = constants;
const skip = existsSync('/proc/self/fd') ? false : 'without /proc a pipe cannot be opened anew';
const scratch = mkdtempSync(join(tmpdir(), 'line-writer-'));
after(() => rmSync(scratch, { recursive: true }));

test(
  'a pipe that nobody reads is not waited for longer than a while, and lines are lost',
  { skip },
  (context) => {
    const { fd, fill, read } = pipe(context);
    const writer = new LineWriter(fd);
    fill();
    for (let line = 0; line < 1000; line += 1) writer.write('lost\n');
    assert.doesNotMatch(read(), /lost/);
    writer.write('read again\n');
    assert.equal(read(), 'read again\n');
  },
);

test('the descriptor itself stays as it was: the server gets it', { skip }, (context) => {
  const { fd, read } = pipe(context);
  new LineWriter(fd).write('a line\n');
  assert.equal(openFlags('self', fd) & O_NONBLOCK, 0);
  assert.equal(read(), 'a line\n');
});

test('a file is written on where whoever opened it has come to', (context) => {
  const path = join(scratch, 'file');
  const fd = openSync(path, 'w+');
  context.after(() => closeSync(fd));
  writeSync(fd, 'before\n');
  new LineWriter(fd).write('a line\n');
  writeSync(fd, 'after\n');
  assert.equal(readAll(fd, 0), 'before\na line\nafter\n');
});

test('a descriptor that is closed is no error', () => {
  const fd = openSync('/dev/null', 'w');
  closeSync(fd);
  new LineWriter(fd).write('nobody reads this\n');
});

/** A named pipe whose other end stays open. */
function pipe(context: TestContext): { fd: number; fill: () => void; read: () => string } {
  const path = join(scratch, `pipe-${context.name.length}`);
  assert.equal(spawnSync('mkfifo', [path]).status, 0);
  const other = openSync(path, O_RDWR | O_NONBLOCK);
  const fd = openSync(path, 'w');
  context.after(() => [other, fd].forEach(closeSync));
  const fill = (): void => {
    assert.throws(
      () => {
        for (;;) writeSync(other, Buffer.alloc(4096));
      },
      { code: 'EAGAIN' },
    );
  };
  return { fd, fill, read: () => readAll(other, null) };
}

function readAll(fd: number, from: number | null): string {
  const bytes = Buffer.alloc(1024 * 1024);
  return bytes.toString('utf8', 0, readSync(fd, bytes, 0, bytes.length, from));
}
