import assert from 'node:assert/strict';
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  constants,
  existsSync,
  linkSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { after, test } from 'node:test';
import { layout } from '../../src/cache/layout.ts';
import { logFile } from '../../src/write-back/log-file.ts';
import { serverStderr } from '../../src/write-back/server-stderr.ts';
import { CacheDir } from '../cache/cache-dir.ts';
import { serverOf } from './real-server.ts';

const scratch = new CacheDir();
after(() => rmSync(scratch.path, { recursive: true }));
const skip = existsSync('/proc/self/fdinfo') ? false : 'no /proc here';

test('the log is appended to, and begun anew when it has grown large', () => {
  const dir = new CacheDir(scratch.path).prepared().path;
  const write = logFile({ dir });
  write('one\n');
  write('two\n');
  assert.equal(readFileSync(layout.writeBackLog(dir), 'utf8'), 'one\ntwo\n');
  writeFileSync(layout.writeBackLog(dir), 'x'.repeat(1024 * 1024 + 1));
  write('three\n');
  assert.equal(readFileSync(layout.writeBackLog(dir), 'utf8'), 'three\n');
});

test('a log that cannot be written to stops nothing, and a link is not followed', () => {
  logFile({ dir: '/nonexistent' })('line\n');
  const dir = new CacheDir(scratch.path).prepared();
  symlinkSync(dir.at('elsewhere'), layout.writeBackLog(dir.path));
  logFile({ dir: dir.path })('line\n');
  assert.equal(existsSync(dir.at('elsewhere')), false);
});

test('a log that is a pipe, has another name, or lies where a link leads is left alone', () => {
  const elsewhere = new CacheDir(scratch.path);
  elsewhere.file('precious', 'mine');
  const dirs = [1, 2, 3].map(() => new CacheDir(scratch.path));
  const [pipe, shared, linked] = dirs as [CacheDir, CacheDir, CacheDir];
  spawnSync('mkfifo', [layout.writeBackLog(pipe.prepared().path)]);
  linkSync(elsewhere.at('precious'), layout.writeBackLog(shared.prepared().path));
  linked.link('.model-cache', elsewhere.path);
  for (const dir of dirs) logFile({ dir: dir.path })('line\n');
  assert.equal(readFileSync(elsewhere.at('precious'), 'utf8'), 'mine');
  assert.equal(existsSync(elsewhere.at('write-back.log')), false);
});

for (const [how, redirect, isAppended] of [
  ['appends to its log', '2>>', true],
  ['writes over its log', '2>', false],
] as const) {
  test(
    `a server that ${how} ${isAppended ? 'finds our lines there' : 'is left alone'}`,
    { skip },
    async () => {
      const log = new CacheDir(scratch.path).at('server.log');
      const server = await started(`exec ${redirect}'${log}'; echo own >&2`);
      serverStderr(serverOf(server))('ours\n');
      await killed(server);
      assert.equal(readFileSync(log, 'utf8'), isAppended ? 'own\nours\n' : 'own\n');
    },
  );
}

test(
  'lines come out of the pipe that the server writes to; full or without a reader, it stops nothing',
  { skip },
  async () => {
    const pipe = new CacheDir(scratch.path).at('pipe');
    spawnSync('sh', ['-c', `mkfifo '${pipe}'`]);
    const reader = openSync(pipe, constants.O_RDWR | constants.O_NONBLOCK);
    const server = await started(`exec 2>'${pipe}'`);
    const write = serverStderr(serverOf(server));
    write('ours\n');
    const bytes = Buffer.alloc(100);
    assert.equal(bytes.toString('utf8', 0, readSync(reader, bytes)), 'ours\n');
    for (let lines = 0; lines < 2000; lines += 1) write(`${'x'.repeat(99)}\n`);
    closeSync(reader);
    write('nobody reads it\n');
    await killed(server);
  },
);

test('a socket, and a server that is gone, stop nothing', { skip }, async () => {
  const socket = spawn('sleep', ['300'], { stdio: ['ignore', 'ignore', 'pipe'] });
  const write = serverStderr(serverOf(socket));
  write('line\n');
  await killed(socket);
  write('line\n');
});

test('whoever has the number of the server later is not written to', { skip }, async () => {
  const log = new CacheDir(scratch.path).at('other.log');
  const other = await started(`exec 2>>'${log}'`);
  serverStderr({ ...serverOf(other), startTime: '1' })('not for you\n');
  await killed(other);
  assert.equal(readFileSync(log, 'utf8'), '');
});

async function started(script: string): Promise<ChildProcess> {
  const child = spawn('sh', ['-c', `${script}; echo up; exec sleep 300`], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  await once(child.stdout, 'data');
  return child;
}

async function killed(child: ChildProcess): Promise<void> {
  child.kill('SIGKILL');
  await once(child, 'exit');
}
