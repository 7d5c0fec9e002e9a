import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { after, before, describe, test, type TestContext } from 'node:test';
import { DOUBLED_SHARE } from '../../src/model/stragglers.ts';
import { wholeBlocks } from '../../src/model/arrival.ts';
import { bytesIn as bytesInRanges, parseJournal } from '../../src/model/partial.ts';
import { sha256 } from '../support/hub.ts';
import { makeLargeBlob, type LargeBlob } from '../support/large-blob.ts';
import { startMinio, type Minio } from '../support/minio.ts';
import { finished, modelCache, scratchDir, startModelCache } from '../support/program.ts';
import { startRelay, type Relay } from '../support/relay.ts';

const MIB = 1024 * 1024;
const SIZE = 200 * MIB;
/** Of one request, and requests at once. */
const IN_FLIGHT = 8 * 16 * MIB;
/** What headers, listings and manifests take, and what is asked for twice near the end. */
const AROUND = MIB + DOUBLED_SHARE * SIZE;
const SLOW = { downloadBytesPerSecond: 100e6 };

describe('a restore that is ended in the middle', () => {
  let minio: Minio;
  let bucket: string;
  let blob: LargeBlob;
  const scratch = mkdtempSync(join(tmpdir(), 'model-cache-test-'));
  before(async () => {
    minio = await startMinio();
    bucket = await minio.createBucket();
    blob = makeLargeBlob(scratch, SIZE);
    blob.linkInto(join(scratch, 'source'));
    const uploaded = await modelCache(['upload', '--dir', join(scratch, 'source')], {
      env: minio.env(bucket),
    });
    assert.equal(uploaded.code, 0, uploaded.stderr);
  });
  after(async () => {
    await minio.stop();
    rmSync(scratch, { recursive: true });
  });

  const fresh = async (context: TestContext): Promise<{ dir: string; env: Record<string, string> }> => {
    const dir = join(await scratchDir(context), 'models');
    return { dir, env: { ...minio.env(bucket), MODEL_CACHE_DIR: dir } };
  };

  test('by SIGKILL is gone on with, and fetches again no more than was on its way', async (context) => {
    const { dir, env } = await fresh(context);
    const first = await through(context, minio, SLOW);
    await endedInTheMiddle({ ...env, ...first.env }, dir, 'SIGKILL');
    const there = bytesJournaled(dir);
    assert.ok(there > 0);
    const second = await through(context, minio);
    const result = await modelCache(['init', '--log-level', 'debug'], { env: { ...env, ...second.env } });
    assert.equal(result.code, 0, result.stderr);
    assertRestored(dir, blob);
    assert.match(result.stderr, /INFO: resumed [\d.]+ MB that an earlier start had fetched/);
    assert.match(
      result.stderr,
      /DEBUG: resumed hub\/models--org--large\/blobs\/.* of 210 MB were here already/,
    );
    const [before, now] = [first.relay.bytesReceived, second.relay.bytesReceived];
    assert.ok(now <= SIZE - there + AROUND, `${now} came after ${there} were there`);
    assert.ok(before + now <= SIZE + IN_FLIGHT + 2 * AROUND, `${before} and ${now} came`);
  });

  test('by a stop signal is gone on with', async (context) => {
    const { dir, env } = await fresh(context);
    const first = await through(context, minio, SLOW);
    assert.equal(await endedInTheMiddle({ ...env, ...first.env }, dir, 'SIGTERM'), 128 + 15);
    const there = bytesJournaled(dir);
    const second = await through(context, minio);
    const result = await modelCache(['init'], { env: { ...env, ...second.env } });
    assertRestored(dir, blob);
    assert.match(result.stderr, /resumed/);
    assert.ok(second.relay.bytesReceived <= SIZE - there + AROUND);
  });

  test('again and again comes to an end, and leaves no more than one partial file', async (context) => {
    const { dir, env } = await fresh(context);
    const { env: slow, relay } = await through(context, minio, SLOW);
    let kills = 0;
    for (let there = 0; there < SIZE / 2; kills += 1) {
      await endedInTheMiddle({ ...env, ...slow }, dir, 'SIGKILL', there);
      const now = bytesJournaled(dir);
      assert.ok(now > there, `${now} bytes after ${there}`);
      there = now;
      assert.equal(partialFiles(dir).length, 2);
    }
    await modelCache(['init'], { env: { ...env, ...slow } });
    assertRestored(dir, blob);
    assert.ok(relay.bytesReceived <= SIZE + kills * (IN_FLIGHT + AROUND) + AROUND);
  });

  test('by its store leaves nothing: the server is about to need the room', async (context) => {
    const { dir, env } = await fresh(context);
    const { env: slow, relay } = await through(context, minio, SLOW);
    const running = startModelCache(['init', '--', 'sh', '-c', 'ls "$HF_HOME/.model-cache/partial"'], {
      env: { ...env, ...slow, MODEL_CACHE_WRITE_BACK: 'off' },
    });
    const ended = finished(running);
    await untilJournaled(dir, 0);
    await relay.stop();
    const { code, stdout, stderr } = await ended;
    assert.equal(code, 0, stderr);
    assert.equal(stdout, '');
    assert.match(stderr, /S3 model sync failed: /);
  });

  test('by SIGKILL, and not gone on with since its object was replaced, is fetched anew', async (context) => {
    const { dir, env } = await fresh(context);
    const { env: slow } = await through(context, minio, SLOW);
    await endedInTheMiddle({ ...env, ...slow }, dir, 'SIGKILL');
    const bytes = await minio.read(bucket, blob.key);
    await minio.write(bucket, blob.key, bytes);
    const result = await modelCache(['init'], { env });
    assert.equal(result.code, 0, result.stderr);
    assertRestored(dir, blob);
    assert.doesNotMatch(result.stderr, /resumed/);
  });
});

async function through(
  context: TestContext,
  minio: Minio,
  options: Parameters<typeof startRelay>[1] = {},
): Promise<{ relay: Relay; env: Record<string, string> }> {
  const relay = await startRelay(minio.endpoint, options);
  context.after(() => relay.stop());
  return { relay, env: { AWS_ENDPOINT_URL: relay.endpoint } };
}

/** Ends an `init` as soon as more than `there` bytes of the blob are known to be on the disk. Returns its exit code. */
async function endedInTheMiddle(
  env: Record<string, string>,
  dir: string,
  signal: NodeJS.Signals,
  there = 0,
): Promise<number | null> {
  const running = startModelCache(['init'], { env });
  const exited = once(running, 'exit');
  await untilJournaled(dir, there);
  running.kill(signal);
  const [code] = (await exited) as [number | null];
  return code;
}

async function untilJournaled(dir: string, there: number): Promise<void> {
  while (bytesJournaled(dir) <= there) await sleep(5);
}

/** What a later run can go on with. */
function bytesJournaled(dir: string): number {
  const counts = partialFiles(dir)
    .filter((name) => name.endsWith('.parts'))
    .map((name) => bytesIn(join(dir, '.model-cache/partial', name)));
  return Math.max(0, ...counts);
}

function bytesIn(journal: string): number {
  return bytesInRanges(wholeBlocks(SIZE, parseJournal(textOf(journal))?.done ?? []));
}

/** The next start may just be giving it its own name. */
function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function partialFiles(dir: string): readonly string[] {
  const folder = join(dir, '.model-cache/partial');
  return existsSync(folder) ? readdirSync(folder) : [];
}

function assertRestored(dir: string, blob: LargeBlob): void {
  const path = join(dir, 'hub/models--org--large/blobs', blob.sha256);
  assert.equal(sha256(readFileSync(path)), blob.sha256);
  assert.deepEqual(partialFiles(dir), []);
}
