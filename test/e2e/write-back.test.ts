import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, beforeEach, describe, test, type TestContext } from 'node:test';
import { eventually } from '../support/eventually.ts';
import { gitBlobSha1, sha256, startHub, type Hub } from '../support/hub.ts';
import { startMinio, type Minio } from '../support/minio.ts';
import { hubServer, hubVariables, startPod, startShell, type Pod } from '../support/pod.ts';
import { modelCache, scratchDir } from '../support/program.ts';
import { readerKey } from '../support/reader-key.ts';
import { makeRepo } from '../support/tree.ts';

const MIB = 1024 * 1024;
const F5 = 'SWivid/F5-TTS';
const VOCOS = 'charactr/vocos-mel-24khz';
const WHISPER = 'openai/whisper-large-v3-turbo';
const F5_COMMIT = 'f5'.repeat(20);
const VOCOS_COMMIT = 'c0'.repeat(20);
const WHISPER_COMMIT = '3e'.repeat(20);
const WEIGHTS = randomBytes(24 * MIB + 5);
const VOCODER = randomBytes(300_000);
const CONFIG = Buffer.from('sample_rate: 24000\n');
const LATE = randomBytes(9 * MIB);
/** In the order in which F5-TTS gets them. */
const FILES = [`${VOCOS}:config.yaml`, `${VOCOS}:pytorch_model.bin`, `${F5}:model.safetensors`];
const SLOW = 16 * MIB;
const WEIGHTS_KEY = `models/hub/models--SWivid--F5-TTS/blobs/${sha256(WEIGHTS)}`;

describe('what the server downloads comes into the bucket by itself', () => {
  let minio: Minio;
  let hub: Hub;
  before(async () => {
    [minio, hub] = await Promise.all([startMinio(), startHub()]);
    hub.addCommit(F5, F5_COMMIT, { 'model.safetensors': { content: WEIGHTS, lfs: true } });
    hub.addCommit(VOCOS, VOCOS_COMMIT, {
      'config.yaml': { content: CONFIG },
      'pytorch_model.bin': { content: VOCODER, lfs: true },
    });
    hub.addCommit(WHISPER, WHISPER_COMMIT, { 'model.safetensors': { content: LATE, lfs: true } });
  });
  after(() => Promise.all([minio.stop(), hub.stop()]));
  beforeEach(() => hub.throttle(SLOW));

  for (const library of ['hub-2', 'hub-0.36'] as const) {
    test(`${library}: an empty bucket, a download, a wiped disk: the next server starts without the Hub`, async (context) => {
      const bucket = await minio.createBucket();
      const first = await freshDisk(context, minio, hub, bucket);
      const server = await hubServer(library, FILES);
      const pod = await startPod(context, { env: first, server });
      await pod.until(/^ready$/);
      await untilInSync(first);
      const status = await modelCache(['status'], { env: first });
      assert.match(status.stdout, /write-back/i);
      await pod.until(/Uploading models from .* to S3: /);
      await pod.until(/Models uploaded to S3 - future cold starts will be faster: /);
      assert.ok((await minio.read(bucket, WEIGHTS_KEY)).equals(WEIGHTS));
      assert.equal((await pod.stop()).code, 0);
      assert.doesNotMatch((await modelCache(['status'], { env: first })).stdout, /write-back/i);

      const second = { ...(await freshDisk(context, minio, hub, bucket)), HF_HUB_OFFLINE: '1' };
      hub.requests.length = 0;
      const next = await startPod(context, { env: second, server });
      await next.until(/^ready$/);
      assert.deepEqual(gotLines(next), gotLines(pod));
      assert.equal(gotLines(next).length, FILES.length);
      assert.equal((await next.stop()).code, 0);
      assert.deepEqual(hub.requests, []);
    });
  }

  test('a pod dies after the first of three files: the next one downloads two, and the bucket is whole', async (context) => {
    const bucket = await minio.createBucket();
    const [config = '', vocoder = '', model = ''] = FILES;
    const first = { ...(await freshDisk(context, minio, hub, bucket)), SERVER_LATER: vocoder };
    const pod = await startPod(context, { env: first, server: await hubServer('hub-2', [model]) });
    await pod.until(/^ready$/);
    await untilInSync(first);
    hub.throttle(20_000);
    const sentBefore = hub.bytesSent;
    pod.signal('SIGUSR1');
    await eventually('a second download that has begun', () => hub.bytesSent > sentBefore);
    await pod.killAll();

    hub.throttle(SLOW);
    const second = await freshDisk(context, minio, hub, bucket);
    const sentToFirst = hub.bytesSent;
    const files = [model, config, vocoder];
    const next = await startPod(context, { env: second, server: await hubServer('hub-2', files) });
    await next.until(/^ready$/);
    assert.equal(hub.bytesSent - sentToFirst, CONFIG.length + VOCODER.length);
    await untilInSync(second);
    assert.equal((await next.stop()).code, 0);
    assert.equal((await modelCache(['status', '--check'], { env: second })).code, 0);
    const verified = await modelCache(['verify', '--remote'], { env: second });
    assert.equal(verified.code, 0, verified.stderr);

    const third = { ...(await freshDisk(context, minio, hub, bucket)), HF_HUB_OFFLINE: '1' };
    const last = await startPod(context, { env: third, server: await hubServer('hub-2', files) });
    await last.until(/^ready$/);
    assert.deepEqual(gotLines(last), gotLines(next));
  });

  test('the Hub moves on to a new README, and the pod is killed: the ref still leads to the weights', async (context) => {
    const repo = 'org/moving';
    const [before, moved] = ['0a'.repeat(20), '0b'.repeat(20)];
    const weights = { 'model.bin': { content: randomBytes(MIB), lfs: true } };
    hub.addCommit(repo, before, weights);
    const bucket = await minio.createBucket();
    const server = await hubServer('hub-2', [`${repo}:model.bin`]);
    const first = await freshDisk(context, minio, hub, bucket);
    const pod = await startPod(context, { env: first, server });
    await pod.until(/^ready$/);
    await untilInSync(first);
    await pod.stop();

    const readme = Buffer.from('# news\n');
    hub.addCommit(repo, moved, { ...weights, 'README.md': { content: readme } });
    const second = { ...(await freshDisk(context, minio, hub, bucket)), SERVER_LATER: `${repo}:README.md` };
    const restored = await startPod(context, { env: second, server: await hubServer('hub-2', []) });
    await restored.until(/^ready$/);
    restored.signal('SIGUSR1');
    await restored.until(/^got .*README/);
    const folder = join(second.MODEL_CACHE_DIR, 'hub/models--org--moving');
    assert.equal(readFileSync(join(folder, 'refs/main'), 'utf8'), moved);
    await eventually('a manifest that knows the README', () =>
      isInManifests(minio, bucket, gitBlobSha1(readme)),
    );
    await restored.killAll();

    const third = { ...(await freshDisk(context, minio, hub, bucket)), HF_HUB_OFFLINE: '1' };
    const last = await startPod(context, { env: third, server });
    await last.until(/^ready$/);
    assert.deepEqual(gotLines(last), gotLines(pod));
  });

  test('a model that the server gets late, after the first upload, comes into the bucket too', async (context) => {
    const bucket = await minio.createBucket();
    const late = `${WHISPER}:model.safetensors`;
    const env = { ...(await freshDisk(context, minio, hub, bucket)), SERVER_LATER: late };
    const pod = await startPod(context, { env, server: await hubServer('hub-2', FILES.slice(0, 2)) });
    await pod.until(/^ready$/);
    await pod.until(/Models uploaded to S3/);
    pod.signal('SIGUSR1');
    await pod.until(/^got openai/);
    await untilInSync(env);
    const uploaded = await eventually('a second line that says so', () => {
      const lines = pod.lines.filter((line) => line.includes('Models uploaded to S3'));
      return lines.length === 2 && lines;
    });
    assert.match(uploaded[1] ?? '', /1 file, 9\.44 MB/);
    const key = `models/hub/models--openai--whisper-large-v3-turbo/blobs/${sha256(LATE)}`;
    assert.ok((await minio.read(bucket, key)).equals(LATE));
    await pod.stop();
  });

  test('a key that may only read: the server runs, one line says so, and nothing stays in the background', async (context) => {
    const bucket = await minio.createBucket();
    const owner = await freshDisk(context, minio, hub, bucket);
    makeRepo(join(owner.MODEL_CACHE_DIR, 'hub'), 'org/base', F5_COMMIT, {
      'model.bin': { content: randomBytes(1000) },
    });
    assert.equal((await modelCache(['upload'], { env: owner })).code, 0);
    const before = await minio.objects(bucket);
    const reader = { ...(await freshDisk(context, minio, hub, bucket)), ...(await readerKey(minio)) };
    const pod = await startPod(context, { env: reader, server: await hubServer('hub-2', FILES) });
    await pod.until(/^ready$/);
    const notAllowed = /Nothing is uploaded: this key is not allowed what an upload needs/;
    await pod.until(notAllowed);
    await eventually('no background process', () => background(pod).length === 0);
    assert.equal(pod.processes().length, 1);
    assert.equal(pod.lines.filter((line) => notAllowed.test(line)).length, 1, pod.lines.join('\n'));
    assert.deepEqual(await minio.objects(bucket), before);
    assert.equal((await pod.stop()).code, 0);
  });

  test('--write-back off, no store, or no server: there is no background process', async (context) => {
    const withStore = await freshDisk(context, minio, hub, await minio.createBucket());
    const server = ['sh', '-c', 'echo up; exec sleep 600'];
    const { MODEL_CACHE_STORE: _, ...withoutStore } = withStore;
    const cases = [
      { env: withStore, options: ['--write-back', 'off'], server },
      { env: { ...withStore, MODEL_CACHE_WRITE_BACK: 'off' }, server },
      { env: withoutStore, server },
      { env: { ...withStore, MODEL_CACHE_ENABLED: 'false' }, server },
      { env: withStore, server: [] },
    ];
    for (const options of cases) {
      const pod = await startPod(context, options);
      await (options.server.length === 0 ? pod.ended : pod.until(/^up$/));
      assert.deepEqual(background(pod), [], JSON.stringify(options));
      await pod.killAll();
      assert.equal(existsSync(join(withStore.MODEL_CACHE_DIR, '.model-cache/write-back.log')), false);
    }
  });

  for (const [name, script] of [
    ['$( )', 'X=$("$NODE" "$PROGRAM" init -- sh -c "$SERVER"); echo "the shell got: $X"'],
    [
      'a pipe',
      '"$NODE" "$PROGRAM" init -- sh -c "$SERVER" | sed "s/^/the shell got: /"; echo end of the pipe',
    ],
    [
      'a pipe of both streams',
      '"$NODE" "$PROGRAM" init -- sh -c "$SERVER" 2>&1 | cat; echo "the shell got: hi"',
    ],
  ] as const) {
    test(`${name} ends with the server, although the background process is still there`, async (context) => {
      const disk = await freshDisk(context, minio, hub, await minio.createBucket());
      const env = { ...disk, SERVER: 'echo "my pid is $$" >&2; echo hi; exec sleep 600' };
      const shell = await startShell(context, `${script}; exec sleep 600`, env);
      const server = await eventually('the server', () =>
        shell.processes().find(({ command, pid }) => command === 'sleep 600' && pid !== shell.pid),
      );
      // A process that is stopped can close nothing: what it holds open, it holds.
      const left = await eventually('a background process', () => {
        const found = shell.processes().filter(({ pid }) => outputOf(pid) === '/dev/null');
        return found.length > 0 && found;
      });
      for (const { pid } of left) signalTo(pid, 'SIGSTOP');
      process.kill(server.pid, 'SIGTERM');
      await shell.until(/^the shell got: hi$/);
      for (const { pid } of left) signalTo(pid, 'SIGCONT');
      await eventually('no background process', () => background(shell).length === 0);
    });
  }
});

/** The variables of a pod that starts on an empty disk. */
async function freshDisk(
  context: TestContext,
  minio: Minio,
  hub: Hub,
  bucket: string,
): Promise<Record<string, string> & { MODEL_CACHE_DIR: string }> {
  const MODEL_CACHE_DIR = join(await scratchDir(context), 'models');
  return { ...minio.env(bucket), ...hubVariables(hub.endpoint), MODEL_CACHE_DIR };
}

/** Bytes, links and refs: the manifests know everything that is on the disk. */
async function untilInSync(env: Record<string, string>): Promise<void> {
  const isInSync = async (): Promise<boolean> =>
    (await modelCache(['status', '--check'], { env })).code === 0;
  await eventually('a bucket that holds what the disk holds', isInSync, 500);
}

async function isInManifests(minio: Minio, bucket: string, text: string): Promise<boolean> {
  for (const key of (await minio.objects(bucket)).keys()) {
    if (key.includes('/manifests/') && (await minio.read(bucket, key)).includes(text)) return true;
  }
  return false;
}

function gotLines(pod: Pod): readonly string[] {
  return pod.lines.filter((line) => line.startsWith('got '));
}

/** All but the first process; the servers of these tests have no children. */
function background(pod: Pod): readonly { readonly pid: number }[] {
  return pod.processes().filter(({ pid }) => pid !== pod.pid);
}

function outputOf(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/fd/1`);
  } catch {
    return undefined;
  }
}

/** What was only passing through is gone. */
function signalTo(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
