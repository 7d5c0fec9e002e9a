import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, realpathSync, symlinkSync, writeFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { A } from '../model/builders.ts';
import { NO_MOUNTS, withOwnMounts } from '../support/mounts.ts';
import { linesAt, modelCache, scratchDir, type Finished } from '../support/program.ts';
import { ALSO, EVIL, HONEST, HONEST_FILES, makeHostileBucket } from './hostile-bucket.ts';
import { surroundingsOf } from './surroundings.ts';

const SERVER = ['--', 'sh', '-c', 'echo "served from $HF_HOME"'];

/** Mounts everything read-only but two folders. */
const READ_ONLY_BUT = `
  mount --make-rprivate /
  mount --bind "$DIR" "$DIR"; mount --bind "$TMPDIR" "$TMPDIR"
  cut -d' ' -f5 /proc/self/mountinfo | while read -r point; do
    mount -o remount,bind,ro "$(printf '%b' "$point")" || true
  done 2>/dev/null
  mount -o remount,bind,rw "$DIR"; mount -o remount,bind,rw "$TMPDIR"
  if touch "$OUTSIDE/proof" 2>/dev/null; then echo 'it is not read-only' >&2; exit 99; fi`;

interface World {
  readonly env: Record<string, string>;
  readonly dir: string;
  /** Holds the bucket, another cache, and what planted links lead to. */
  readonly outside: string;
}

describe('a bucket and a dir that somebody has planted everything in, beside one honest repo', () => {
  test(
    'as root, with everything else read-only: the honest repo is restored, and the server runs',
    { skip: NO_MOUNTS },
    async (context) => {
      const { env, dir, outside } = await makeWorld(context);
      const before = surroundingsOf(outside);
      const script = `${READ_ONLY_BUT}
        exec $MODEL_CACHE init --also ${ALSO} --write-back off --log-level debug -- sh -c 'echo "served from $HF_HOME"'`;
      const result = await withOwnMounts(script, { ...env, DIR: dir, OUTSIDE: outside });
      assertServed(result, dir);
      assert.doesNotMatch(result.stderr, /EROFS|read-only file system/i, 'nothing else was even tried');
      assert.deepEqual(surroundingsOf(outside), before);
      assert.deepEqual(readdirSync(env['TMPDIR'] ?? ''), []);
    },
  );

  test('with little memory', async (context) => {
    const { env, dir, outside } = await makeWorld(context);
    const before = surroundingsOf(outside);
    const small = { ...env, NODE_OPTIONS: '--max-old-space-size=160' };
    const result = await modelCache(['init', '--also', ALSO, '--write-back', 'off', ...SERVER], {
      env: small,
    });
    assertServed(result, dir);
    assert.deepEqual(surroundingsOf(outside), before);
  });

  test('a second start, and commands that look at it, are no worse off', async (context) => {
    const { env, dir, outside } = await makeWorld(context);
    const before = surroundingsOf(outside);
    for (let round = 0; round < 2; round += 1)
      assertServed(await modelCache(['init', '--write-back', 'off', ...SERVER], { env }), dir);
    for (const command of ['status', 'verify']) {
      const { code, stderr } = await modelCache([command], { env });
      assert.ok(code === 0 || code === 1, stderr);
      assert.doesNotMatch(stderr, /this is a bug/);
    }
    assert.deepEqual(surroundingsOf(outside), before);
  });
});

function assertServed(result: Finished, dir: string): void {
  assert.equal(result.stdout, `served from ${dir}\n`, result.stderr);
  assert.equal(result.code, 0);
  for (const [path, content] of Object.entries(HONEST_FILES)) {
    const restored = join(dir, HONEST, 'snapshots', A, path);
    assert.ok(realpathSync(restored).startsWith(`${join(dir, HONEST, 'blobs')}/`));
    assert.ok(readFileSync(restored).equals(content), path);
  }
  assert.equal(readFileSync(join(dir, HONEST, 'refs', 'main'), 'utf8'), A);
  assert.doesNotMatch(result.stderr, /this is a bug/);
  // oxlint-disable-next-line no-control-regex -- control characters are exactly what must not get through
  assert.doesNotMatch(result.stderr, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/);
  assert.ok(linesAt('WARN', result).length < 60, 'not a line for each of thousands');
}

async function makeWorld(context: TestContext): Promise<World> {
  const scratch = await scratchDir(context);
  const [dir, outside, temporary] = ['dir', 'outside', 'tmp'].map((name) => join(scratch, name)) as [
    string,
    string,
    string,
  ];
  const bucket = join(outside, 'bucket');
  const other = join(outside, 'other-cache');
  for (const folder of [dir, temporary, bucket, other, join(outside, 'elsewhere', 'blobs')])
    mkdirSync(folder, { recursive: true });
  writeFileSync(join(outside, 'elsewhere', 'precious'), 'not yours');
  makeHostileBucket(bucket);
  plantInDir(dir, join(outside, 'elsewhere'));
  plantInOtherCache(other);
  const env = {
    MODEL_CACHE_STORE: `file://${bucket}`,
    MODEL_CACHE_DIR: dir,
    TMPDIR: temporary,
    HF_HOME: other,
  };
  return { env, dir, outside };
}

/** Everywhere but on the way to the honest repo, where nothing could be restored then. */
function plantInDir(dir: string, elsewhere: string): void {
  const at = (path: string): string => {
    const absolute = join(dir, path);
    mkdirSync(join(absolute, '..'), { recursive: true });
    return absolute;
  };
  for (const path of [
    'torch',
    ALSO,
    'models--evil--model',
    'hub/models--evil--linked',
    'hub/blobs',
    'hub/.locks',
    `${EVIL}/snapshots`,
    `${EVIL}/refs`,
    '.model-cache/partial/a-link',
  ])
    symlinkSync(elsewhere, at(path));
  for (const path of ['.model-cache/env', '.model-cache/write-back.log', `${EVIL}/blobs/${'b'.repeat(64)}`])
    symlinkSync(join(elsewhere, 'precious'), at(path));
  for (const path of [
    '.model-cache/state.json',
    '.model-cache/report.json',
    '.model-cache/write-back.lock',
    '.model-cache/partial/a-pipe',
    `${EVIL}/blobs/${'c'.repeat(64)}`,
    `${HONEST}/refs/pipe`,
    `${HONEST}/snapshots/${A}/pipe`,
  ])
    assert.equal(spawnSync('mkfifo', [at(path)]).status, 0, path);
}

function plantInOtherCache(home: string): void {
  const repo = join(home, 'hub', 'models--other--model');
  for (const folder of ['blobs', 'refs', `snapshots/${A}`])
    mkdirSync(join(repo, folder), { recursive: true });
  for (const path of [`blobs/${'d'.repeat(64)}`, 'refs/main', `snapshots/${A}/pipe`])
    assert.equal(spawnSync('mkfifo', [join(repo, path)]).status, 0, path);
  symlinkSync('/dev/zero', join(repo, 'refs', 'zero'));
  symlinkSync('/', join(home, 'hub', 'models--root--model'));
}
