import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test, type TestContext } from 'node:test';
import { forwardTo, withServer, type Script } from '../store/scripted-s3.ts';
import { eventually } from '../support/eventually.ts';
import { sha256 } from '../support/hub.ts';
import { limitedMemory } from '../support/memory-limit.ts';
import { startMinio, type Minio } from '../support/minio.ts';
import { NO_MOUNTS, withOwnMounts } from '../support/mounts.ts';
import { linesAt, modelCache, scratchDir, type Finished } from '../support/program.ts';
import { makeRepo, type RepoFiles } from '../support/tree.ts';

const MIB = 1024 * 1024;
const COMMIT = 'c1'.repeat(20);
/** Two ranges, and something that comes beside them. */
const LARGE = randomBytes(24 * MIB);
const SMALL = randomBytes(MIB);
const BOTH = [LARGE, SMALL].map(sha256).toSorted();

/** The server of these tests: a line for each blob, and for each partial file. */
const SERVER = `echo "served from $HF_HOME"; cd "$HF_HOME"
  find hub -type f -path '*/blobs/*' -exec sha256sum {} + 2>/dev/null
  ls -A .model-cache/partial | sed 's/^/partial /'`;
const INIT = '$MODEL_CACHE init --write-back off --report "$SIGNS/report.json" -- sh -c "$SERVER"';
const EXT4 = `truncate -s 128M "$SIGNS/disk"; mkfs.ext4 -q "$SIGNS/disk"
  mount -o loop,errors=remount-ro "$SIGNS/disk" "$MODEL_CACHE_DIR"`;

let minio: Minio;
let store: Record<string, string>;
before(async () => {
  minio = await startMinio();
  store = await bucketWith({ 'large.bin': { content: LARGE }, 'small.bin': { content: SMALL } });
});
after(() => minio.stop());

describe('a disk that fails in the middle: what was verified stays, partial data goes, the server starts', () => {
  test('a tmpfs that somebody else fills', { skip: NO_MOUNTS }, async (context) => {
    const result = await failingInTheMiddle(
      context,
      'mount -t tmpfs -o size=64m tmpfs "$MODEL_CACHE_DIR"',
      'head -c 64M /dev/zero >"$MODEL_CACHE_DIR/other" || true',
    );
    assertStarted(result, 'disk-full', /ENOSPC.*free some space, or name a larger disk with --dir/);
    assert.deepEqual(blobsIn(result.stdout), [sha256(SMALL)]);
    assert.deepEqual(partialIn(result.stdout), []);
  });

  test('a disk that somebody else fills', { skip: NO_MOUNTS }, async (context) => {
    const result = await failingInTheMiddle(
      context,
      EXT4,
      'head -c 128M /dev/zero >"$MODEL_CACHE_DIR/other" || true',
    );
    assertStarted(result, 'disk-full', /ENOSPC/);
    assert.deepEqual(blobsIn(result.stdout), [sha256(SMALL)]);
    assert.deepEqual(partialIn(result.stdout), []);
  });

  test(
    'a disk that becomes read-only, where what is partial goes at the next start',
    { skip: NO_MOUNTS },
    async (context) => {
      const device = '$(basename "$(findmnt -no SOURCE "$MODEL_CACHE_DIR")")';
      const result = await failingInTheMiddle(
        context,
        EXT4,
        `echo "a fault" >"/sys/fs/ext4/${device}/trigger_fs_error"`,
        `umount "$MODEL_CACHE_DIR"; fsck.ext4 -fy "$SIGNS/disk" >/dev/null 2>&1 || true
        mount -o loop "$SIGNS/disk" "$MODEL_CACHE_DIR"
        $MODEL_CACHE init --write-back off -- sh -c "$SERVER" 2>/dev/null`,
      );
      const [first = '', second = ''] = result.stdout.split(/^(?=served)/m);
      assertStarted({ ...result, stdout: first }, 'disk-failed', /EROFS/);
      assert.deepEqual(blobsIn(second), BOTH);
      assert.deepEqual(partialIn(second), []);
    },
  );

  test('a process that may open few files restores all the same', async (context) => {
    const contents = Array.from({ length: 12 }, () => randomBytes(8 * MIB));
    const many = Array.from({ length: 50 }, (_, index) => randomBytes(1000 + index));
    const files = [...contents, ...many].map((content, index) => [`${index}.bin`, { content }] as const);
    const env = await bucketWith(Object.fromEntries(files));
    const result = await run(await scratchDir(context), `ulimit -n 48; ${INIT}`, env);
    assertStarted(result, 'ok');
    assert.equal(blobsIn(result.stdout).length, files.length);
  });
});

describe('the dir that is used has room', { skip: NO_MOUNTS }, () => {
  const twoDirs = async (
    context: TestContext,
    sizes: readonly [number, number],
    script: string,
  ): Promise<Started> => {
    const signs = await scratchDir(context);
    const dirs = sizes.map((_, index) => join(signs, `dir-${index}`));
    const mounts = sizes.map((size, index) => {
      const dir = `"$SIGNS/dir-${index}"`;
      return `mkdir ${dir}; mount -t tmpfs -o size=${size}m tmpfs ${dir}\n`;
    });
    const { stdout, stderr, ...result } = await run(signs, mounts.join('') + script, {
      MODEL_CACHE_DIR: dirs.join(':'),
    });
    const [out = '', err = ''] = [stdout, stderr].map((text) => text.replaceAll(`${signs}/`, ''));
    return { ...result, stdout: out, stderr: err };
  };

  test('the first one, when all have', async (context) => {
    const result = await twoDirs(context, [128, 128], INIT);
    assertServedFrom(result, 'dir-0', BOTH);
  });

  test('the next one, when the first is too small', async (context) => {
    const result = await twoDirs(context, [32, 128], INIT);
    assertServedFrom(result, 'dir-1', BOTH);
    assert.deepEqual(linesAt('WARN', result), []);
  });

  test('the one that holds a part already, when it has room for the rest', async (context) => {
    const part = '$MODEL_CACHE init --dir "$SIGNS/dir-1" --model org/model:large.bin >/dev/null';
    const result = await twoDirs(context, [128, 48], `${part}\n${INIT}`);
    assertServedFrom(result, 'dir-1', BOTH);
  });

  test('another one, when the one that holds a part has no room for the rest', async (context) => {
    const part = '$MODEL_CACHE init --dir "$SIGNS/dir-1" --model org/model:small.bin >/dev/null';
    const result = await twoDirs(context, [128, 32], `${part}\n${INIT}`);
    assertServedFrom(result, 'dir-0', BOTH);
  });

  test('none, when none has: nothing is restored, and one WARN says what each lacks', async (context) => {
    const result = await twoDirs(context, [32, 40], INIT);
    assertServedFrom(result, 'dir-1', []);
    const [warning = '', ...others] = linesAt('WARN', result);
    assert.deepEqual(others, []);
    assert.match(
      warning,
      /S3 model sync failed: dir-0 lacks [\d.]+ MB \([\d.]+ MB free, 43.\d+ MB needed\), dir-1 lacks [\d.]+ MB \([\d.]+ MB free, 43.\d+ MB needed\); nothing was restored; name a larger disk/,
    );
    assert.equal(result.reported, 'disk-full');
  });

  test('and what a killed run has left of a file counts as room', async (context) => {
    const left = `mkdir -p "$SIGNS/dir-0/.model-cache/partial"
      cp "$SIGNS/left" "$SIGNS/dir-0/.model-cache/partial/x.1"
      cp "$SIGNS/left.parts" "$SIGNS/dir-0/.model-cache/partial/x.1.parts"`;
    const journal = { version: 1, key: 'x', size: 30 * MIB, etag: 'e', boot: bootId() };
    const header = `${JSON.stringify(journal)}\n0-${16 * MIB}\n`;
    const result = await twoDirs(
      context,
      [60, 60],
      `head -c 30M /dev/zero >"$SIGNS/left"; printf '%s' '${header}' >"$SIGNS/left.parts"\n${left}\n${INIT}`,
    );
    assertServedFrom(result, 'dir-0', BOTH);
  });
});

test('a tmpfs has no more room than the container has memory', { skip: NO_MOUNTS }, async (context) => {
  const limited = limitedMemory(context, 256 * MIB);
  if ('why' in limited) return context.skip(limited.why);
  const script = `echo $$ >"${limited.joinFile}"
    head -c 200M /dev/zero >"$SIGNS/read"; sync "$SIGNS/read"; cat "$SIGNS/read" >/dev/null
    mkdir "$MODEL_CACHE_DIR"; mount -t tmpfs -o size=1g tmpfs "$MODEL_CACHE_DIR"
    ${INIT}`;
  const fits = await run(await scratchDir(context), script);
  assertStarted(fits, 'ok');
  assert.deepEqual(blobsIn(fits.stdout), BOTH);
  const parts = [1, 2, 3, 4].map((index) => [`${index}.bin`, { content: randomBytes(60 * MIB) }] as const);
  const env = await bucketWith(Object.fromEntries(parts));
  const tooMuch = await run(await scratchDir(context), script, env);
  assertStarted(tooMuch, 'disk-full', /lacks [\d.]+ MB/);
  assert.deepEqual(blobsIn(tooMuch.stdout), []);
});

interface Started extends Finished {
  /** The code in the report. */
  readonly reported: string;
}

/** Runs a script with mounts of its own; `$SIGNS` is a folder that is seen from here, too. */
async function run(
  signs: string,
  script: string,
  env: Readonly<Record<string, string>> = {},
): Promise<Started> {
  const result = await withOwnMounts(script, {
    ...store,
    SERVER,
    SIGNS: signs,
    MODEL_CACHE_DIR: join(signs, 'models'),
    ...env,
  });
  const report = join(signs, 'report.json');
  const { code } = existsSync(report)
    ? (JSON.parse(readFileSync(report, 'utf8')) as { code: string })
    : { code: 'no report' };
  return { ...result, reported: code };
}

async function bucketWith(files: RepoFiles): Promise<Record<string, string>> {
  const env = minio.env(await minio.createBucket());
  const source = mkdtempSync(join(tmpdir(), 'model-cache-test-'));
  makeRepo(join(source, 'hub'), 'org/model', COMMIT, files);
  const uploaded = await modelCache(['upload', '--dir', source], { env });
  rmSync(source, { recursive: true });
  assert.equal(uploaded.code, 0, uploaded.stderr);
  return env;
}

/** A start during which `fault` happens, when the small file is here and of the large one half. */
async function failingInTheMiddle(
  context: TestContext,
  mount: string,
  fault: string,
  next = '',
): Promise<Started> {
  const signs = await scratchDir(context);
  const [asked, done] = [join(signs, 'asked'), join(signs, 'done')];
  const holdLastRanges: Script = (request, response, count) => {
    const start = Number(/^bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
    const isHeld = start >= 16 * MIB && !existsSync(done);
    if (isHeld) writeFileSync(asked, '');
    const isOver = isHeld ? eventually('the fault', () => existsSync(done), 10) : Promise.resolve();
    void isOver.then(() => forwardTo(minio.endpoint)(request, response, count));
  };
  const script = `mkdir "$MODEL_CACHE_DIR"; ${mount}
    ( until [ -e "$SIGNS/asked" ] && ls "$MODEL_CACHE_DIR"/hub/*/blobs/$SMALL >/dev/null 2>&1; do sleep 0.02; done
      ${fault}
      touch "$SIGNS/done" ) &
    ${INIT}
    wait
    ${next}`;
  return withServer(holdLastRanges, ({ endpoint }) =>
    run(signs, script, { AWS_ENDPOINT_URL: endpoint, SMALL: sha256(SMALL) }),
  );
}

function assertStarted(result: Started, code: string, says?: RegExp): void {
  assert.equal(result.code, 0, result.stderr);
  assert.match(result.stdout, /^served from /, result.stderr);
  const warnings = linesAt('WARN', result);
  assert.equal(warnings.length, says === undefined ? 0 : 1, result.stderr);
  if (says !== undefined) assert.match(warnings[0] ?? '', says);
  assert.equal(result.reported, code);
}

function assertServedFrom(result: Started, dir: string, blobs: readonly string[]): void {
  assert.equal(result.code, 0, result.stderr);
  assert.match(result.stdout, new RegExp(`^served from ${dir}$`, 'm'), result.stderr);
  assert.deepEqual(blobsIn(result.stdout), blobs);
  assert.deepEqual(partialIn(result.stdout), []);
}

/** What the server found, by the digests of the content. */
function blobsIn(stdout: string): readonly string[] {
  return [...stdout.matchAll(/^([0-9a-f]{64}) +.*\/blobs\/\1$/gm)]
    .map(([, digest = '']) => digest)
    .toSorted();
}

function partialIn(stdout: string): readonly string[] {
  return [...stdout.matchAll(/^partial (.*)$/gm)].map(([, name = '']) => name);
}

function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
}
