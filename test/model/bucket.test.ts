import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  checkFormat,
  FORMAT_BYTES,
  FORMAT_KEY,
  isBlob,
  isObjectKey,
  manifestKey,
  MANIFESTS_PREFIX,
  objectKey,
  parseManifestKey,
  hasLayout,
  LAYOUT_PREFIX,
  otherLayout,
  storesBelow,
} from '../../src/model/bucket.ts';
import { A, gitBlob, inSnapshot, lfsBlob, plainFile, REPO, sha256, TORCH } from './builders.ts';

const NAME = sha256('a manifest');

describe('the key of a file', () => {
  const data = `.model-cache/v1/data/${sha256('x')}`;
  const rows: readonly { name: string; tree: string; path: string; key: string }[] = [
    {
      name: 'of a large blob is its own path',
      tree: REPO,
      path: lfsBlob('x').path,
      key: `${REPO}/blobs/${sha256('x')}`,
    },
    {
      name: 'of a small blob is its own path',
      tree: REPO,
      path: gitBlob('x').path,
      key: `${REPO}/${gitBlob('x').path}`,
    },
    { name: 'of a copy in a snapshot is its content', tree: REPO, path: inSnapshot(A, 'w.bin'), key: data },
    { name: 'of a checkpoint of torch is its content', tree: TORCH, path: 'vgg.pth', key: data },
    {
      name: 'of what looks like a blob outside a repo is its content',
      tree: 'engines',
      path: lfsBlob('x').path,
      key: data,
    },
  ];
  for (const { name, tree, path, key } of rows) {
    test(name, () => {
      assert.equal(objectKey(tree, plainFile(path, 'x')), key);
      assert.equal(isBlob(tree, path), key !== data);
    });
  }
});

describe('the key of a manifest', () => {
  const trees = [REPO, TORCH, 'one', 'mit Lücke/😀', "a!'()*/b", '100%', 'a%2Fb', 'a+b&c=d?e#f'];
  for (const tree of trees) {
    test(`carries ${tree} there and back`, () => {
      const key = manifestKey(tree, NAME);
      assert.deepEqual(parseManifestKey(key), { tree, name: NAME });
      assert.match(key.slice(MANIFESTS_PREFIX.length), /^[^/]+\/[0-9a-f]{64}\.json$/);
    });
  }

  test('is what the format says', () => {
    const tree = 'hub%2Fmodels--org--model';
    assert.equal(manifestKey(REPO, NAME), `.model-cache/v1/manifests/${tree}/${NAME}.json`);
    assert.ok(FORMAT_KEY.startsWith(LAYOUT_PREFIX) && MANIFESTS_PREFIX.startsWith(LAYOUT_PREFIX));
  });

  test('is told from that of another version, and from what is none', () => {
    assert.ok(hasLayout(['x', FORMAT_KEY]) && !hasLayout(['a/.model-cache/v1/format.json']));
    assert.equal(otherLayout(['hub/x', '.model-cache/state.json', FORMAT_KEY]), undefined);
    assert.equal(otherLayout(['.model-cache/v2/x']), '.model-cache/v2/x');
    assert.deepEqual(storesBelow([FORMAT_KEY, 'a/b/.model-cache/v1/format.json', 'a/format.json']), ['a/b']);
  });

  const foreign: readonly (readonly [name: string, key: string])[] = [
    ['another name', `${MANIFESTS_PREFIX}one/latest.json`],
    ['another ending', `${MANIFESTS_PREFIX}one/${NAME}`],
    ['another depth', `${MANIFESTS_PREFIX}hub/one/${NAME}.json`],
    ['no tree', `${MANIFESTS_PREFIX}${NAME}.json`],
    ['another folder', `.model-cache/v1/data/one/${NAME}.json`],
    ['another version', `.model-cache/v2/manifests/one/${NAME}.json`],
    ['a name in upper case', `${MANIFESTS_PREFIX}one/${NAME.toUpperCase()}.json`],
    ['a tree encoded in another way', `${MANIFESTS_PREFIX}hub%2fone/${NAME}.json`],
    ['a tree encoded without need', `${MANIFESTS_PREFIX}%6Fne/${NAME}.json`],
    ['a tree that is no encoding', `${MANIFESTS_PREFIX}%E0%A4/${NAME}.json`],
  ];
  for (const [name, key] of foreign) {
    test(`is none with ${name}`, () => assert.equal(parseManifestKey(key), undefined));
  }
});

describe('format.json', () => {
  const known = { format: 'model-cache', version: 1 };
  const accepted: readonly (readonly [name: string, bytes: Buffer])[] = [
    ['as it is written', FORMAT_BYTES],
    ['with a field of a later version', json({ ...known, since: '2031' })],
    ['with many fields of a later version', json({ ...known, note: 'n'.repeat(300) })],
    ['with blanks around', Buffer.from(`\n ${JSON.stringify(known)} \n`)],
  ];
  for (const [name, bytes] of accepted) {
    test(`${name} is accepted`, () => assert.doesNotThrow(() => checkFormat(bytes)));
  }

  const refused: readonly (readonly [name: string, bytes: Buffer])[] = [
    ['of a later version', json({ ...known, version: 2 })],
    ['with a version in words', json({ ...known, version: '1' })],
    ['of another program', json({ ...known, format: 'other' })],
    ['that says null', json(null)],
    ['that is a list', json([])],
    ['that is no JSON', Buffer.from('v1')],
    ['that is empty', Buffer.alloc(0)],
  ];
  for (const [name, bytes] of refused) {
    test(`${name} is refused by name`, () => {
      const found = bytes.toString();
      assert.throws(() => checkFormat(bytes), { code: 'format-unknown', message: /format\.json/, found });
    });
  }
});

function json(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value));
}

test('a key under which bytes lie is told from everything else', () => {
  const sha256 = 'a'.repeat(64);
  for (const key of [`hub/models--a--b/blobs/${sha256}`, `.model-cache/v1/data/${sha256}`])
    assert.ok(isObjectKey(key), key);
  for (const key of [
    'film.mkv',
    `blobs/${sha256}`,
    `hub/models--a--b/blobs/x`,
    `hub/b/blobs/${sha256}`,
    FORMAT_KEY,
  ])
    assert.ok(!isObjectKey(key), key);
});
