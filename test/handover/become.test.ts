import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { launch } from './run-launcher.ts';

test('this process becomes the server: same PID, its exit code', async () => {
  const { child, ended } = launch(['become', 'sh', '-c', 'echo server $$; exit 42']);
  const { out, end } = await ended;
  assert.match(out, new RegExp(`server ${child.pid}\n`));
  assert.equal(end, 42);
});

test('the server has exactly the environment that is meant for it', async () => {
  const odd = { EMPTY: '', EQUALS: 'a=b=c', LINES: 'one\ntwo', PATH: process.env['PATH'] ?? '' };
  const { ended } = launch(['become', process.execPath, '-p', 'JSON.stringify(process.env)'], odd);
  const found = /^\{.*\}$/m.exec((await ended).out)?.[0] ?? '{}';
  assert.deepEqual(JSON.parse(found), odd);
});

test('the server has its words, and the first of them is its name', async () => {
  const words = ['sh', '-c', 'tr "\\0" "|" </proc/$$/cmdline', 'a b', '--flag'];
  assert.match((await launch(['become', ...words]).ended).out, /sh\|-c\|tr .*\|a b\|--flag\|/);
});

test('standard input is the server’s, from the first byte', async () => {
  const { child, ended } = launch(['become', 'sh', '-c', 'cat']);
  child.stdin?.end('every byte');
  assert.match((await ended).out, /every byte/);
});

test('a server in a shell dies of a closed pipe as usual: SIGPIPE is not ignored', async () => {
  const { out } = await launch(['become', 'grep', 'SigIgn', '/proc/self/status']).ended;
  const ignored = BigInt(`0x${/SigIgn:\s*([0-9a-f]+)/.exec(out)?.[1] ?? 'f'}`);
  assert.equal(ignored & (1n << 12n), 0n, out);
});

test('no descriptor of ours is handed on, and the standard streams are not non-blocking', async () => {
  const look = 'for fd in /proc/$$/fdinfo/*; do echo "fd ${fd##*/} $(grep flags $fd)"; done';
  const descriptors = (text: string): readonly string[] =>
    [...text.matchAll(/^fd (\d+) flags:/gm)].map(([, fd = '']) => fd);
  const { out } = await launch(['become', 'sh', '-c', look]).ended;
  // What whoever runs the tests has left open is open here, too.
  const { stdout } = spawnSync('sh', ['-c', look], { stdio: ['pipe', 'pipe', 'pipe'], encoding: 'utf8' });
  assert.deepEqual(descriptors(out), descriptors(stdout), out);
  for (const [, fd, flags = '0'] of out.matchAll(/^fd ([012]) flags:\s*(\d+)$/gm))
    assert.equal(Number.parseInt(flags, 8) & 0o4000, 0, `fd ${fd}`);
});

for (const [signal, code] of [
  ['SIGTERM', 143],
  ['SIGINT', 130],
  ['SIGHUP', 129],
] as const) {
  test(`${signal} while we are busy is not lost: the server never starts, and the code is ${code}`, async () => {
    const { child, said, ended } = launch(['become', 'sh', '-c', 'echo started'], {
      LAUNCHER_IS_BUSY: '500',
    });
    await said('launcher');
    child.kill(signal);
    const { out, end } = await ended;
    assert.doesNotMatch(out, /started/);
    assert.equal(end, code);
  });

  test(`${signal} between the last look for signals and the end of our handlers is not lost either`, async () => {
    const { ended } = launch(['become', 'sh', '-c', 'echo started'], { LAUNCHER_GETS_LATE: signal });
    const { out, end } = await ended;
    assert.doesNotMatch(out, /started/);
    assert.equal(end, code);
  });
}

test('after the hand-over a signal does what it does to the server', async () => {
  const { child, said, ended } = launch(['become', 'sleep', '300']);
  await said('launcher');
  for (let tries = 0; tries < 400 && !(await isProgram(child.pid ?? 0, 'sleep')); tries += 1)
    await new Promise((done) => setTimeout(done, 25));
  child.kill('SIGTERM');
  assert.equal((await ended).end, 'SIGTERM');
});

test('a script without a shebang becomes the shell that runs it', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'become-'));
  await writeFile(`${dir}/start`, 'echo plain script $1', { mode: 0o755 });
  assert.match((await launch(['become', `${dir}/start`, 'here']).ended).out, /plain script here/);
  await rm(dir, { recursive: true });
});

async function isProgram(pid: number, name: string): Promise<boolean> {
  return (await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => '')).trim() === name;
}
