import assert from 'node:assert/strict';
import { mkdtemp, readFile, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { gitBlobSha1, type Hub, sha256, startHub } from './hub.ts';
import { download, downloadSnapshot, HUB_LIBRARIES } from './python.ts';

const COMMIT = 'c1'.repeat(20);
const WEIGHTS = Buffer.alloc(300_000, 'weights');
const CONFIG = Buffer.from('sample_rate: 24000\n');
const REPO = 'org/model';

let hub: Hub;
let cache: string;
before(async () => {
  hub = await startHub();
  hub.addCommit(REPO, COMMIT, {
    'config.yaml': { content: CONFIG },
    'sub/model.safetensors': { content: WEIGHTS, lfs: true },
  });
});
after(() => hub.stop());
beforeEach(async () => {
  cache = await realpath(await mkdtemp(join(tmpdir(), 'hub-cache-')));
  hub.requests.length = 0;
  hub.throttle(undefined);
});
afterEach(() => rm(cache, { recursive: true, force: true }));

const env = () => ({ HF_ENDPOINT: hub.endpoint, HF_HUB_CACHE: cache });
const url = (path: string) => `${hub.endpoint}/${path}`;

for (const library of HUB_LIBRARIES) {
  test(`${library} downloads a small and an LFS file: one HEAD and one GET each, names are checksums`, async () => {
    const sentBefore = hub.bytesSent;
    const paths = await download(library, [`${REPO}:config.yaml`, `${REPO}:sub/model.safetensors`], env());
    const folder = join(cache, 'models--org--model');
    assert.deepEqual(paths, [
      join(folder, 'snapshots', COMMIT, 'config.yaml'),
      join(folder, 'snapshots', COMMIT, 'sub', 'model.safetensors'),
    ]);
    const blobs = await Promise.all(paths.map(async (path) => basename(await realpath(path))));
    assert.deepEqual(blobs, [gitBlobSha1(CONFIG), sha256(WEIGHTS)]);
    assert.deepEqual(await readFile(paths[1] ?? ''), WEIGHTS);
    assert.equal(await readFile(join(folder, 'refs', 'main'), 'utf8'), COMMIT);
    assert.deepEqual(
      hub.requests.map((request) => `${request.method} ${request.url}`),
      [
        'HEAD /org/model/resolve/main/config.yaml',
        `GET /org/model/resolve/main/config.yaml`,
        'HEAD /org/model/resolve/main/sub/model.safetensors',
        `GET /cdn/${sha256(WEIGHTS)}`,
      ],
    );
    assert.equal(hub.bytesSent - sentBefore, CONFIG.length + WEIGHTS.length);
  });

  test(`${library} downloads a whole repository`, async () => {
    const [folder = ''] = await downloadSnapshot(library, [REPO], env());
    assert.deepEqual(await readFile(join(folder, 'sub/model.safetensors')), WEIGHTS);
    assert.deepEqual(await readFile(join(folder, 'config.yaml')), CONFIG);
  });
}

test('a newer commit moves the ref, the older one stays', async () => {
  const [older, newer] = ['0a'.repeat(20), '0b'.repeat(20)];
  hub.addCommit('org/moving', older, { a: { content: Buffer.from('1') } });
  hub.addCommit('org/moving', newer, { a: { content: Buffer.from('2') } });
  hub.addCommit('org/moving', older, { a: { content: Buffer.from('1') } }, { ref: 'refs/pr/1' });
  assert.equal(await text('org/moving/resolve/main/a'), '2');
  assert.equal(await text(`org/moving/resolve/${older}/a`), '1');
  assert.equal(await text('org/moving/resolve/refs%2Fpr%2F1/a'), '1');
});

test('what is not there is refused as the real Hub does it', async () => {
  const codes = ['org/none/resolve/main/a', 'org/model/resolve/nope/a', 'org/model/resolve/main/nope'].map(
    async (path) => {
      const response = await fetch(url(path), { method: 'HEAD' });
      return [response.status, response.headers.get('x-error-code'), response.headers.get('x-repo-commit')];
    },
  );
  assert.deepEqual(await Promise.all(codes), [
    [404, 'RepoNotFound', null],
    [404, 'RevisionNotFound', null],
    [404, 'EntryNotFound', COMMIT],
  ]);
});

test('ranges are answered', async () => {
  const part = await fetch(url(`cdn/${sha256(WEIGHTS)}`), { headers: { range: 'bytes=5-9' } });
  assert.equal(part.status, 206);
  assert.equal(part.headers.get('content-range'), `bytes 5-9/${WEIGHTS.length}`);
  assert.deepEqual(Buffer.from(await part.arrayBuffer()), WEIGHTS.subarray(5, 10));
  const beyond = await fetch(url(`cdn/${sha256(WEIGHTS)}`), {
    headers: { range: `bytes=${WEIGHTS.length}-` },
  });
  assert.equal(beyond.status, 416);
});

test('a tree can be listed by level', async () => {
  const paths = async (query: string) =>
    ((await (await fetch(url(`api/models/${REPO}/tree/main${query}`))).json()) as { path: string }[]).map(
      (entry) => entry.path,
    );
  assert.deepEqual(await paths(''), ['config.yaml', 'sub']);
  assert.deepEqual(await paths('/sub'), ['sub/model.safetensors']);
  assert.deepEqual(await paths('?recursive=True'), ['config.yaml', 'sub', 'sub/model.safetensors']);
});

test('a throttled download is slow, until the throttle is lifted', async () => {
  hub.throttle(100_000);
  const start = Date.now();
  const body = (await fetch(url(`cdn/${sha256(WEIGHTS)}`))).arrayBuffer();
  setTimeout(() => hub.throttle(undefined), 300);
  assert.equal((await body).byteLength, WEIGHTS.length);
  const took = Date.now() - start;
  assert.ok(took >= 250 && took < 2_000, `took ${took} ms`);
});

test('a commit that is none is refused', () => {
  assert.throws(() => hub.addCommit(REPO, 'main', {}), /40 hex digits, found 'main'/);
});

async function text(path: string): Promise<string> {
  return (await fetch(url(path))).text();
}
