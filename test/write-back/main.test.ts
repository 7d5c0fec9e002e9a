import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { after, test, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { layout } from '../../src/cache/layout.ts';
import { readWriteBack } from '../../src/cache/write-back-lock.ts';
import type { WriteBackOrder } from '../../src/write-back/order.ts';
import { CacheDir } from '../cache/cache-dir.ts';
import { eventually } from '../support/eventually.ts';
import { serverOf } from './real-server.ts';

const MAIN = fileURLToPath(new URL('../../src/write-back/main.ts', import.meta.url));
const scratch = new CacheDir();
after(() => rmSync(scratch.path, { recursive: true }));
const skip = existsSync('/proc/self/stat') ? false : 'no /proc here';

/** A pass that says that it was here, and ends with this code. */
const PASS = (code: number): string =>
  `require('fs').appendFileSync(process.argv[2], 'pass\\n'); process.exit(${code})`;

test(
  'a download is passed on, the state is told, and the server’s end is the end',
  { skip },
  async (context) => {
    const dir = new CacheDir(scratch.path).prepared();
    const { server, writeBack } = start(context, dir, PASS(0));
    const status = await eventually('a status', () => readWriteBack(dir.path));
    assert.deepEqual([status.pid, status.server, status.state], [writeBack.pid, server.pid, 'waiting']);
    dir.repo();
    await passes(dir, 1);
    const ended = once(writeBack, 'exit');
    server.kill('SIGKILL');
    assert.deepEqual(await ended, [0, null]);
    assert.equal(await readWriteBack(dir.path), undefined);
    assert.match(readFileSync(layout.writeBackLog(dir.path), 'utf8'), /server-ended/);
  },
);

test('what came last before the server ended is passed on', { skip }, async (context) => {
  const dir = new CacheDir(scratch.path).prepared();
  const { server, writeBack } = start(context, dir, PASS(0));
  await eventually('a status', () => readWriteBack(dir.path));
  dir.repo();
  const ended = once(writeBack, 'exit');
  server.kill('SIGKILL');
  await ended;
  await passes(dir, 1);
});

test('a store that never takes it ends it at once', { skip }, async (context) => {
  const dir = new CacheDir(scratch.path).prepared();
  dir.repo();
  const { writeBack } = start(context, dir, PASS(77));
  assert.deepEqual(await once(writeBack, 'exit'), [0, null]);
  await passes(dir, 1);
});

test('after the idle time it ends, and says so', { skip }, async (context) => {
  const dir = new CacheDir(scratch.path).prepared();
  const { writeBack } = start(context, dir, PASS(0), { idle: 1000, logLevel: 'info' });
  assert.deepEqual(await once(writeBack, 'exit'), [0, null]);
  assert.match(
    readFileSync(layout.writeBackLog(dir.path), 'utf8'),
    /^\[.{23}\] INFO: write-back ended: nothing new for 1 second\n$/,
  );
});

test('a second one waits, and goes when its server does', { skip }, async (context) => {
  const dir = new CacheDir(scratch.path).prepared();
  const first = start(context, dir, PASS(0));
  await eventually('a status', () => readWriteBack(dir.path));
  const second = start(context, dir, PASS(0));
  await eventually('that it waits', () =>
    /another one/.test(readFileSync(layout.writeBackLog(dir.path), 'utf8')),
  );
  const ended = once(second.writeBack, 'exit');
  second.server.kill('SIGKILL');
  assert.deepEqual(await ended, [0, null]);
  assert.equal((await readWriteBack(dir.path))?.pid, first.writeBack.pid);
});

for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
  test(`${signal} ends it`, { skip }, async (context) => {
    const dir = new CacheDir(scratch.path).prepared();
    const { writeBack } = start(context, dir, PASS(0));
    await eventually('a status', () => readWriteBack(dir.path));
    writeBack.kill(signal);
    assert.deepEqual(await once(writeBack, 'exit'), [0, null]);
  });
}

test('a lock that cannot be had ends it, and the log says so', { skip }, async (context) => {
  const dir = new CacheDir(scratch.path).prepared();
  dir.file('.model-cache/write-back.lock/is-a-folder');
  const { writeBack } = start(context, dir, PASS(0), { logLevel: 'info' });
  assert.deepEqual(await once(writeBack, 'exit'), [0, null]);
  assert.match(
    readFileSync(layout.writeBackLog(dir.path), 'utf8'),
    /WARN: nothing will be uploaded by itself: .*EISDIR/,
  );
});

function start(
  context: TestContext,
  dir: CacheDir,
  pass: string,
  order: Partial<WriteBackOrder> = {},
): { readonly server: ChildProcess; readonly writeBack: ChildProcess } {
  const server = spawn('sleep', ['300'], { stdio: 'ignore' });
  const whole: WriteBackOrder = {
    dir: dir.path,
    server: serverOf(server),
    also: [],
    reuse: [],
    idle: 0,
    grace: 8000,
    passed: '',
    program: dir.at(dir.file('.model-cache/pass.cjs', pass)),
    passArgs: [dir.at('.model-cache/passes')],
    logFormat: 'text',
    logLevel: 'debug',
    ...order,
  };
  const writeBack = spawn(process.execPath, [MAIN, JSON.stringify(whole)], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  context.after(() => [server, writeBack].map((child) => child.kill('SIGKILL')));
  return { server, writeBack };
}

async function passes(dir: CacheDir, count: number): Promise<void> {
  await eventually(`${count} passes`, () => {
    const path = dir.at('.model-cache/passes');
    return existsSync(path) && readFileSync(path, 'utf8') === 'pass\n'.repeat(count);
  });
}
