import assert from 'node:assert/strict';
import { lstatSync, mkdirSync, rmSync } from 'node:fs';
import { after, test } from 'node:test';
import { identityOf } from '../../src/cache/digest.ts';
import { State } from '../../src/cache/state.ts';
import { explain } from '../../src/errors.ts';
import { resolveSettings } from '../../src/settings/settings.ts';
import type { Context } from '../../src/stages/context.ts';
import { verifyCache } from '../../src/stages/verify-cache.ts';
import { CacheDir, COMMIT, sha256 } from '../cache/cache-dir.ts';

const scratch = new CacheDir();
after(() => rmSync(scratch.path, { recursive: true }));

const REPO = 'hub/models--org--name';

test('a link whose blob has gone is wrong, and what to do is said', async () => {
  const { dir, weights } = repo();
  rmSync(dir.at(`${REPO}/blobs/${weights}`));
  assert.deepEqual(await failuresIn(dir), [
    `${REPO}/snapshots/${COMMIT}/sub/model.bin of org/name leads nowhere (wanted ../../../blobs/${weights}, found nothing); \`model-cache init\` fetches it again`,
  ]);
});

test('so is one that leads out of the repo to where nothing is any more', async () => {
  const { dir } = repo();
  dir.link(`${REPO}/snapshots/${COMMIT}/gone.bin`, '/nowhere/blob');
  dir.link('torch/hub/checkpoints/gone.pth', '/nowhere/gone.pth');
  const failures = await failuresIn(dir);
  assert.equal(failures.length, 2);
  for (const failure of failures) assert.match(failure, /gone\.\w+ of .* leads nowhere/);
});

test('a link to a folder, to another link or out of the tree is nothing wrong', async () => {
  const { dir } = repo();
  dir.file('engines/v1/a.plan', 'x');
  dir.link('engines/latest', 'v1');
  dir.link('engines/a.plan', 'current.plan');
  dir.link('engines/current.plan', 'v1/a.plan');
  dir.link('engines/out', '../elsewhere');
  mkdirSync(dir.at('elsewhere'));
  assert.deepEqual(await failuresIn(dir), []);
});

test('where a disk may not be touched, no link is followed', async () => {
  const { dir } = repo();
  dir.link(`${REPO}/snapshots/${COMMIT}/far.bin`, '/nowhere/blob');
  const far = dir.at(`${REPO}/snapshots/${COMMIT}/far.bin`);
  assert.deepEqual(await failuresIn(dir, { unreachable: new Set([far]) }), []);
});

test('what a file was proved to be is kept when it is something else: nobody shall take that for a new version', async () => {
  const { dir } = repo();
  const path = dir.file('torch/hub/checkpoints/m.pth', 'rotten');
  const identity = identityOf(lstatSync(dir.at(path), { bigint: true }));
  const state = State.load(dir.path);
  state.remember(path, identity, { sha256: sha256('sound!') });
  state.save(dir.path);
  for (let round = 0; round < 2; round += 1) {
    const [failure] = await failuresIn(dir);
    assert.match(failure ?? '', /m\.pth is not what it should be/);
  }
  assert.deepEqual(State.load(dir.path).digestsOf(path, identity), { sha256: sha256('sound!') });
});

test('what was hashed is remembered when the rest is not', async () => {
  const { dir, weights, config } = repo();
  const controller = new AbortController();
  let looks = 0;
  const stop = Object.assign(controller.signal, {
    throwIfAborted: () => {
      looks += 1;
      if (looks > 1) throw new Error('stopped');
    },
  });
  await assert.rejects(failuresIn(dir, { stop }), /stopped/);
  const state = State.load(dir.path);
  const proved = [weights, config].filter((blob) => {
    const path = `${REPO}/blobs/${blob}`;
    return state.digestsOf(path, identityOf(lstatSync(dir.at(path), { bigint: true }))) !== undefined;
  });
  assert.equal(proved.length, 1);
});

function repo(): { readonly dir: CacheDir; readonly weights: string; readonly config: string } {
  const dir = new CacheDir(scratch.path).prepared();
  return { dir, ...dir.repo() };
}

async function failuresIn(dir: CacheDir, tools: Partial<Context> = {}): Promise<readonly string[]> {
  const flags = { dir: [dir.path], also: ['engines'] };
  const context = {
    settings: resolveSettings(flags, {}, false),
    flags,
    env: { HOME: scratch.path },
    unreachable: new Set(),
    stop: new AbortController().signal,
    log: { debug: assert.fail },
    reporter: { add: () => undefined },
    ...tools,
  } as unknown as Context;
  return (await verifyCache(context)).failures.map(({ error }) => explain(error));
}
