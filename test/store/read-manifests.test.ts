import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ModelCacheError } from '../../src/errors.ts';
import { FORMAT_BYTES, FORMAT_KEY, manifestKey } from '../../src/model/bucket.ts';
import { serializeManifest, type NamedManifest } from '../../src/model/manifest.ts';
import { readManifests, refuseUnknownFormat } from '../../src/store/read-manifests.ts';
import type { ObjectBody, StoredObject } from '../../src/store/store.ts';
import { lfsBlob, manifest, plainFile, REPO, TORCH } from '../model/builders.ts';
import { MiB } from './bodies.ts';
import { bodyOf, storeOf, type Content } from './one-bucket.ts';

const GIB = 1024 * MiB;
const HONEST = manifest({ files: [lfsBlob('weights')] });
const KEY = keyOf(REPO, HONEST);
const EVIL_KEY = manifestKey('hub/models--evil--model', 'e'.repeat(64));

describe('a manifest that does not come at once', () => {
  const honest = bytesOf(HONEST);
  const flipped = Buffer.from(honest);
  flipped[7] = (flipped[7] ?? 0) ^ 1;
  const broken = (): ObjectBody => ({ ...bodyOf(honest), chunks: breakingOff(honest) });
  for (const [name, answers] of [
    ['other bytes, and then its own', [flipped, honest]],
    ['a body that breaks off twice', [broken, broken, honest]],
    ['other bytes, a body that breaks off, and then its own', [flipped, broken, honest]],
  ] as const)
    test(`is there after ${name}`, async () => {
      const left: Content[] = [...answers];
      const next = (): ObjectBody => {
        const answer = left.shift() ?? assert.fail('it was asked for once more');
        return Buffer.isBuffer(answer) ? bodyOf(answer) : answer();
      };
      const { views, refused } = await readManifests(storeOf(new Map([[KEY, next]]), []), [
        listedAs(KEY, honest.length),
      ]);
      assert.deepEqual([views.map(({ tree }) => tree), refused], [[REPO], []]);
    });

  test('is what the store says when it breaks off again and again', async () => {
    const reading = readManifests(storeOf(new Map([[KEY, broken]]), []), [listedAs(KEY, honest.length)]);
    await assert.rejects(reading, { code: 'store-unreachable' });
  });

  test('is like format.json: one that is another is asked for once more', async () => {
    const answers = [Buffer.from('{"format":"modem-cache","version":1}'), FORMAT_BYTES];
    const store = storeOf(new Map([[FORMAT_KEY, () => bodyOf(answers.shift() ?? assert.fail())]]), []);
    await refuseUnknownFormat(store);
    assert.equal(answers.length, 0);
  });
});

// oxlint-disable-next-line typescript/require-await -- what comes from a store comes later
async function* breakingOff(bytes: Buffer): AsyncGenerator<Buffer> {
  yield bytes.subarray(0, 10);
  throw new ModelCacheError('store-unreachable', 'the connection ended');
}

describe('an object that is no manifest is left out, and the honest one beside it counts', () => {
  test('one that is listed as larger than a manifest may be is not even asked for', async () => {
    const reading = await readBoth(() => assert.fail('it was asked for'), 16 * MiB + 1);
    assert.match(reading, /larger than a manifest may be/);
  });

  test('one that turns out to be larger than it was listed is not read', async () => {
    let asked = 0;
    const endless = (): ObjectBody => ({
      ...bodyOf(Buffer.alloc(0)),
      objectSize: GIB,
      chunks: zeros(() => (asked += 1)),
    });
    assert.match(await readBoth(endless, 1000), /larger than the format allows/);
    assert.equal(asked, 0);
  });

  test('one that does not say how large it is is read no further than it was listed', async () => {
    let asked = 0;
    const endless = (): ObjectBody => ({
      ...bodyOf(Buffer.alloc(0)),
      objectSize: undefined,
      chunks: zeros(() => (asked += 1)),
    });
    assert.match(await readBoth(endless, 1000), /larger than the format allows/);
    assert.equal(asked, 1);
  });

  test('one of other bytes', async () => {
    assert.match(await readBoth(Buffer.from('{}'), 2), /not what its name says/);
  });

  test('one whose bytes are others twice, on different connections', async () => {
    const options: (boolean | undefined)[] = [];
    const store = storeOf(new Map([[KEY, Buffer.from('{}')]]));
    const get: typeof store.get = (key, { onNewConnection } = {}) => {
      options.push(onNewConnection);
      return store.get(key);
    };
    const { views, refused } = await readManifests({ ...store, get }, [listedAs(KEY, 1000)]);
    assert.deepEqual([views.length, refused.length, options], [0, 1, [undefined, true]]);
  });

  async function readBoth(evil: Content, size: number): Promise<string> {
    const listed = [listedAs(KEY, bytesOf(HONEST).length), listedAs(EVIL_KEY, size)];
    const contents = new Map<string, Content>([
      [KEY, bytesOf(HONEST)],
      [EVIL_KEY, evil],
    ]);
    const { views, refused } = await readManifests(storeOf(contents), listed);
    assert.deepEqual(
      views.map(({ tree }) => tree),
      [REPO],
    );
    assert.equal(refused.length, 1);
    return refused[0]?.message ?? '';
  }
});

test('a key that is listed twice is read once', async () => {
  let reads = 0;
  const counted = new Map([[KEY, () => ((reads += 1), bodyOf(bytesOf(HONEST)))]]);
  const object = listedAs(KEY, bytesOf(HONEST).length);
  const { views } = await readManifests(storeOf(counted), [object, object, object]);
  assert.deepEqual(views[0]?.heads, [HONEST.name]);
  assert.equal(reads, 1);
});

test('of a history only the head is kept in memory', async () => {
  const versions: NamedManifest[] = [];
  for (let generation = 1; generation <= 20; generation += 1) {
    const before = versions.at(-1);
    versions.push(large(generation, before === undefined ? [] : [before]));
  }
  const { views, refused } = await readAll(versions, 1.5 * LARGE_BYTES);
  assert.deepEqual(refused, []);
  assert.deepEqual(views[0]?.heads, [versions.at(-1)?.name]);
});

test('heads that do not fit into memory together are left out, each by name', async () => {
  const heads = Array.from({ length: 7 }, (_, index) => large(index + 1, []));
  const { views, refused } = await readAll(heads, 5.5 * LARGE_BYTES);
  assert.equal(refused.length, 2);
  assert.match(refused[0]?.message ?? '', /does not fit into memory/);
  assert.equal(views[0]?.heads.length, 5);
});

test('of many that cannot be used, the first are told, and how many more there are', async () => {
  const listed = Array.from({ length: 1000 }, (_, index) =>
    listedAs(manifestKey(REPO, index.toString(16).padStart(64, '0')), GIB),
  );
  const { refused } = await readManifests(storeOf(new Map()), listed);
  assert.equal(refused.length, 21);
  assert.match(refused.at(-1)?.message ?? '', /980 more manifests/);
});

const LARGE_BYTES = 67_000;

/** One file, and a list of parts to fill the manifest. */
function large(generation: number, supersedes: readonly NamedManifest[]): NamedManifest {
  const digests = Array.from({ length: LARGE_BYTES / 67 }, () => 'd'.repeat(64));
  const parts = { algorithm: 'sha256', size: 1, digests };
  return manifest({
    tree: TORCH,
    generation,
    supersedes,
    files: [{ ...plainFile(`file-${generation}`, 'x'), parts }],
  });
}

function readAll(manifests: readonly NamedManifest[], memory: number): ReturnType<typeof readManifests> {
  const contents = new Map(manifests.map((named) => [keyOf(TORCH, named), () => bodyOf(bytesOf(named))]));
  const listed = manifests.map((named) => listedAs(keyOf(TORCH, named), bytesOf(named).length));
  return readManifests(storeOf(contents), listed, undefined, memory);
}

function bytesOf(named: NamedManifest): Buffer {
  return serializeManifest(named.manifest).bytes;
}

function keyOf(tree: string, { name }: NamedManifest): string {
  return manifestKey(tree, name);
}

function listedAs(key: string, size: number): StoredObject {
  return { key, size, etag: '' };
}

async function* zeros(onChunk: () => void): AsyncGenerator<Buffer> {
  for (;;) {
    onChunk();
    yield Buffer.alloc(65_536);
  }
}
