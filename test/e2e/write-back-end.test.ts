import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test, type TestContext } from 'node:test';
import { eventually } from '../support/eventually.ts';
import { makeLargeBlob, type LargeBlob } from '../support/large-blob.ts';
import { startMinio, type Minio } from '../support/minio.ts';
import { openUploads } from '../support/open-uploads.ts';
import { canMakePidNamespaces, startPod, startPodInPidNamespace, type Pod } from '../support/pod.ts';
import { modelCache, scratchDir } from '../support/program.ts';
import { startRelay, type Relay } from '../support/relay.ts';

const MIB = 1024 * 1024;
const PART = 8 * MIB;
const SMALL = 300_000;
const LARGE = 96 * MIB;
/** A part takes a second or two. */
const SLOW = 6 * MIB;
/** PID 1 must want a signal to get it. Says which it got; at TERM it ends. */
const SERVER = `for name in HUP INT QUIT USR1 USR2 WINCH CONT; do trap "echo got $name" $name; done
  trap 'echo got TERM; exit 7' TERM; echo "up as $$"; while :; do sleep 0.05; done`;
const server = ['sh', '-c', SERVER];

describe('the end of a server is the end of its write-back', () => {
  let minio: Minio;
  before(async () => {
    minio = await startMinio();
  });
  after(() => minio.stop());

  const namespaces = { skip: canMakePidNamespaces() ? false : 'no PID namespaces here' };
  for (const [where, start, options] of [
    ['', startPod, {}],
    [' in a PID namespace', startPodInPidNamespace, namespaces],
  ] as const) {
    test(`idle${where}: no process is left when the server has ended`, options, async (context) => {
      const { env } = await diskWith(context, minio, SMALL);
      const pod = await start(context, { env, server });
      await pod.until(/Models uploaded to S3/);
      assert.deepEqual(await pod.stop(), { code: 7, signal: null });
    });

    test(
      `uploading${where}: no process is left, and what was sent stays for the next pod`,
      options,
      async (context) => {
        const { env, relay, bucket, blob } = await diskWith(context, minio, LARGE, SLOW);
        const pod = await start(context, { env, options: ['--grace', '2s'], server });
        await partsOf(minio, bucket, blob, 1);
        assert.equal((await pod.stop()).code, 7);
        assert.ok(relay.bytesSent < blob.size);
        const [open] = await openUploads(minio, bucket, blob.key);
        assert.ok(open !== undefined && open.parts.length >= 1);
        assert.equal((await minio.objects(bucket)).has(blob.key), false);
      },
    );
  }

  test('a server that is killed is one that has ended', async (context) => {
    const { env } = await diskWith(context, minio, SMALL);
    const pod = await startPod(context, { env, server });
    await pod.until(/Models uploaded to S3/);
    pod.signal('SIGKILL');
    await pod.gone();
    assert.deepEqual(await pod.ended, { code: null, signal: 'SIGKILL' });
  });

  test('an upload that was stopped is parked, and the next one sends only the rest', async (context) => {
    const { env, bucket, blob } = await diskWith(context, minio, LARGE, 3 * SLOW);
    const pod = await startPod(context, { env, options: ['--grace', '1s'], server });
    await partsOf(minio, bucket, blob, 3);
    await pod.stop();
    const parked = await openUploads(minio, bucket, blob.key);
    assert.equal(parked.length, 1);
    const there = parked[0]?.parts.length ?? 0;
    assert.ok(there >= 3 && there < LARGE / PART, `${there} parts`);
    const relay = await startRelay(minio.endpoint);
    context.after(() => relay.stop());
    const through = { ...env, AWS_ENDPOINT_URL: relay.endpoint };
    const upload = await modelCache(['upload', '--log-level', 'debug'], { env: through });
    assert.equal(upload.code, 0, upload.stderr);
    const rest = blob.size - there * PART;
    const found = `${relay.bytesSent} of ${rest}\n${upload.stderr}`;
    assert.ok(relay.bytesSent >= rest && relay.bytesSent < rest + MIB, found);
    assert.deepEqual(await openUploads(minio, bucket, blob.key), []);
    await assertWhole(context, env);
  });

  test('a manual upload that gets a stop signal parks too', async (context) => {
    const { env, bucket, blob } = await diskWith(context, minio, LARGE, 3 * SLOW);
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      // Through a pod, so that it can be stopped where it runs: as the "server" of an init that does nothing else.
      const upload = await startPod(context, {
        env: { ...env, MODEL_CACHE_WRITE_BACK: 'off' },
        server: [process.execPath, join(import.meta.dirname, '../../bin/model-cache.js'), 'upload'],
      });
      const before = (await openUploads(minio, bucket, blob.key))[0]?.parts.length ?? 0;
      await partsOf(minio, bucket, blob, before + 1);
      upload.signal(signal);
      await upload.gone();
      assert.equal((await upload.ended).code, signal === 'SIGTERM' ? 143 : 130);
      assert.equal((await openUploads(minio, bucket, blob.key)).length, 1);
    }
  });

  test('two inits on one dir: one write-back works, and the other takes over', async (context) => {
    const { env } = await diskWith(context, minio, SMALL);
    const pods = await Promise.all([startPod(context, { env, server }), startPod(context, { env, server })]);
    const said = (text: string): readonly string[] =>
      pods.flatMap(({ lines }) => lines.filter((line) => line.includes(text)));
    for (const pod of pods) await pod.until(/^up/);
    await eventually('an upload', () => said('Models uploaded').length > 0);
    // Each write-back tells its own server's stderr.
    const working = pods.find(({ lines }) => lines.some((line) => line.includes('Models uploaded')));
    assert.ok(working !== undefined);
    await working.stop();
    assert.equal(said('Uploading models').length, 1);
    makeLargeBlob(await scratchDir(context), SMALL).linkInto(env['MODEL_CACHE_DIR'] ?? '');
    await eventually('an upload by the other', () => said('Models uploaded').length === 2);
    for (const pod of pods) await pod.killAll();
  });

  test('it ends when nothing new came for --write-back-idle, and the server goes on', async (context) => {
    const { env } = await diskWith(context, minio, SMALL);
    const pod = await startPod(context, { env, options: ['--write-back-idle', '3s'], server });
    await pod.until(/Models uploaded to S3/);
    await eventually('no background process', () => background(pod).length === 0);
    assert.equal((await pod.stop()).code, 7);
  });

  test('idle, it is one process of less than 50 MiB', async (context) => {
    const { env } = await diskWith(context, minio, SMALL);
    const pod = await startPod(context, { env, server });
    await pod.until(/Models uploaded to S3/);
    const only = await eventually('the end of the upload', () => {
      const [first, ...others] = background(pod);
      return others.length === 0 && first;
    });
    // Some looks at the dir later it has seen everything that it does when idle.
    const before = cpuTicks(only.pid);
    await eventually('a process that has looked again', () => cpuTicks(only.pid) > before, 500);
    const memory = memoryOf(only.pid);
    context.diagnostic(`${(memory / MIB).toFixed(1)} MiB`);
    assert.ok(memory < 50 * MIB, `${memory} bytes`);
  });
});

describe('--write-back wait: this program stays in front of the server', () => {
  let minio: Minio;
  before(async () => {
    minio = await startMinio();
  });
  after(() => minio.stop());
  const options = ['--write-back', 'wait'];

  test('every signal reaches the server, and its exit code is passed on', async (context) => {
    const { env } = await diskWith(context, minio, SMALL);
    const pod = await startPod(context, { env, options, server });
    const serverPid = Number((await pod.until(/^up as/)).split(' ')[2]);
    assert.notEqual(serverPid, pod.pid);
    for (const name of ['HUP', 'INT', 'QUIT', 'USR1', 'USR2', 'WINCH', 'CONT'] as const) {
      pod.signal(`SIG${name}`);
      await pod.until(new RegExp(`^got ${name}$`));
    }
    assert.deepEqual(await pod.stop(), { code: 7, signal: null });
    assert.ok(pod.lines.includes('got TERM'));
  });

  test('a server that a signal has ended: 128 and its number', async (context) => {
    const { env } = await diskWith(context, minio, SMALL);
    const pod = await startPod(context, { env, options, server });
    process.kill(Number((await pod.until(/^up as/)).split(' ')[2]), 'SIGKILL');
    await pod.gone();
    assert.deepEqual(await pod.ended, { code: 137, signal: null });
  });

  test('the upload is finished when the grace is long enough, even if the server ends at once', async (context) => {
    const { env } = await diskWith(context, minio, 20 * MIB);
    const pod = await startPod(context, {
      env,
      options: [...options, '--grace', '60s'],
      server: ['sh', '-c', 'exit 9'],
    });
    await pod.gone();
    assert.equal((await pod.ended).code, 9);
    assert.ok(
      pod.lines.some((line) => line.includes('INFO: Models uploaded to S3')),
      pod.lines.join('\n'),
    );
    await assertWhole(context, env);
  });

  test('else it is parked, and the server’s exit code stands', async (context) => {
    const { env, bucket, blob } = await diskWith(context, minio, LARGE, SLOW);
    const pod = await startPod(context, { env, options: [...options, '--grace', '2s'], server });
    await partsOf(minio, bucket, blob, 1);
    assert.equal((await pod.stop()).code, 7);
    assert.ok(
      pod.lines.some((line) => line.includes('INFO: The upload was stopped')),
      pod.lines.join('\n'),
    );
    assert.ok(((await openUploads(minio, bucket, blob.key))[0]?.parts.length ?? 0) >= 1);
    assert.equal((await minio.objects(bucket)).has(blob.key), false);
  });
});

interface Disk {
  readonly env: Record<string, string>;
  readonly relay: Relay;
  readonly bucket: string;
  readonly blob: LargeBlob;
}

/** A cache that holds one blob which an empty bucket lacks, and a way to that bucket. */
async function diskWith(
  context: TestContext,
  minio: Minio,
  size: number,
  uploadBytesPerSecond?: number,
): Promise<Disk> {
  const scratch = await scratchDir(context);
  const bucket = await minio.createBucket();
  const relay = await startRelay(
    minio.endpoint,
    uploadBytesPerSecond === undefined ? {} : { uploadBytesPerSecond },
  );
  context.after(() => relay.stop());
  const blob = makeLargeBlob(scratch, size);
  const dir = join(scratch, 'models');
  blob.linkInto(dir);
  return {
    env: { ...minio.env(bucket), AWS_ENDPOINT_URL: relay.endpoint, MODEL_CACHE_DIR: dir },
    relay,
    bucket,
    blob,
  };
}

function partsOf(minio: Minio, bucket: string, { key }: LargeBlob, count: number): Promise<true> {
  return eventually(`${count} parts in the bucket`, async () => {
    const [open] = await openUploads(minio, bucket, key);
    return (open?.parts.length ?? 0) >= count;
  });
}

/** What is in the bucket is all that the dir holds, and right. */
async function assertWhole(context: TestContext, env: Record<string, string>): Promise<void> {
  const status = await modelCache(['status', '--check'], { env });
  assert.equal(status.code, 0, status.stdout);
  const other = { ...env, MODEL_CACHE_DIR: join(await scratchDir(context), 'models') };
  assert.equal((await modelCache(['init', '--strict'], { env: other })).code, 0);
  assert.equal((await modelCache(['verify'], { env: other })).code, 0);
}

/** All but the server and what it runs: shells, between fork and exec too, and sleeps. */
function background(pod: Pod): readonly { readonly pid: number }[] {
  return pod.processes().filter(({ pid, command }) => pid !== pod.pid && !/^(sh|sleep) /.test(command));
}

function memoryOf(pid: number): number {
  const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kilobytes) * 1024;
}

/** User and system time so far, in hundredths of a second. */
function cpuTicks(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return Number(fields[11]) + Number(fields[12]);
}
