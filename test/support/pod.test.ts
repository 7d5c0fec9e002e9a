import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { canMakePidNamespaces, hubServer, hubVariables, startPod, startPodInPidNamespace } from './pod.ts';
import { startHub } from './hub.ts';
import { scratchDir } from './program.ts';

/** Leaves a process behind as a daemon does, under another name, in a session of its own. */
const DAEMON = `process.title = 'renamed'; console.log('daemon ' + process.pid); setInterval(() => {}, 1000);`;
const LEAVES_DAEMON = `(setsid "$0" -e "$1" &); echo server; exec sleep 60`;
const daemonServer = ['sh', '-c', LEAVES_DAEMON, process.execPath, DAEMON];

test('a process that has left its parents, its session and its name is found and killed, and no other', async (context) => {
  const bystander = spawn('sleep', ['60']);
  context.after(() => bystander.kill());
  const pod = await startPod(context, { env: await quietEnv(context), server: daemonServer });
  const daemon = Number((await pod.until(/^daemon/)).split(' ')[1]);
  await pod.until(/^server/);
  const found = new Map(pod.processes().map(({ pid, command }) => [pid, command]));
  assert.deepEqual(new Set(found.keys()), new Set([pod.pid, daemon]));
  assert.equal(found.get(daemon), 'renamed');
  await pod.killAll();
  assert.deepEqual(pod.processes(), []);
  assert.deepEqual(await pod.ended, { code: null, signal: 'SIGKILL' });
  assert.equal(bystander.exitCode ?? bystander.signalCode, null);
});

test('lines of both streams and the exit code are those of the server', async (context) => {
  const server = ['sh', '-c', 'echo out; echo err >&2; echo again >/proc/self/fd/2; exit 7'];
  const pod = await startPod(context, { env: await quietEnv(context), server });
  await pod.gone();
  assert.deepEqual(await pod.ended, { code: 7, signal: null });
  await pod.until(/^again$/);
  assert.deepEqual(pod.lines.slice(-3), ['out', 'err', 'again']);
});

test('stop ends a server with SIGTERM', async (context) => {
  const pod = await startPod(context, {
    env: await quietEnv(context),
    server: ['sh', '-c', 'echo running; exec sleep 60'],
  });
  await pod.until(/^running$/);
  assert.deepEqual(await pod.stop(), { code: null, signal: 'SIGTERM' });
});

const unlessPossible = { skip: canMakePidNamespaces() ? false : 'no PID namespaces here' };
test(
  'in a PID namespace init and the server are PID 1, and its end is the end of all',
  unlessPossible,
  async (context) => {
    const server = [
      'sh',
      '-c',
      `echo "I am $$"; trap 'exit 5' TERM; ${LEAVES_DAEMON.replace('exec sleep 60', 'while :; do sleep 0.05; done')}`,
      ...daemonServer.slice(3),
    ];
    const pod = await startPodInPidNamespace(context, { env: await quietEnv(context), server });
    await pod.until(/^I am 1$/);
    await pod.until(/^daemon/);
    assert.ok(pod.processes().length >= 3, JSON.stringify(pod.processes()));
    assert.equal((await pod.stop()).code, 5);
  },
);

test('the Python server gets its files, one more at SIGUSR1, and ends with 0', async (context) => {
  const hub = await startHub();
  context.after(() => hub.stop());
  hub.addCommit('org/model', 'c1'.repeat(20), {
    a: { content: Buffer.from('1') },
    b: { content: Buffer.from('2'), lfs: true },
  });
  const env = { ...(await quietEnv(context)), ...hubVariables(hub.endpoint), SERVER_LATER: 'org/model:b' };
  const pod = await startPod(context, { env, server: await hubServer('hub-2', ['org/model:a']) });
  await pod.until(/^ready$/);
  assert.equal(await pod.until(/^pid /), `pid ${pod.pid}`);
  assert.match(await pod.until(/^got/), /^got org\/model:a 6b86b273ff34/);
  pod.signal('SIGUSR1');
  assert.match(await pod.until(/^got org\/model:b/), /d4735e3a265e/);
  assert.equal((await pod.stop()).code, 0);
});

/** Without a store nothing is restored, and init leaves nothing behind. */
async function quietEnv(context: TestContext): Promise<Record<string, string>> {
  return { MODEL_CACHE_DIR: join(await scratchDir(context), 'models') };
}
