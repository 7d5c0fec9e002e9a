import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { explain, type ErrorCode } from '../../src/errors.ts';
import {
  MANIFEST_LIMITS,
  parseManifest,
  serializeManifest,
  type Manifest,
  type ManifestFile,
} from '../../src/model/manifest.ts';
import {
  A,
  B,
  gitBlob,
  gitSha1,
  inSnapshot,
  lfsBlob,
  manifest,
  random,
  REPO,
  sha256,
  shuffled,
  TORCH,
} from './builders.ts';

const WHOLE: Manifest = {
  version: 1,
  tree: REPO,
  generation: 7,
  supersedes: [sha256('one'), sha256('two')],
  files: [
    { ...lfsBlob('weights'), parts: { algorithm: 'md5', size: 8_388_608, digests: ['x', 'y'] } },
    gitBlob('config'),
    { ...lfsBlob('script'), executable: true },
  ],
  links: [
    { path: inSnapshot(A, 'w.bin'), target: `../../blobs/${sha256('weights')}` },
    { path: inSnapshot(A, 'c.json'), target: `../../blobs/${gitSha1('config')}` },
  ],
  refs: [
    { path: 'refs/main', content: A },
    { path: 'refs/refs/pr/1', content: B },
  ],
  retired: [B, A],
};

function named(value: unknown): { readonly name: string; readonly bytes: Buffer } {
  const text = JSON.stringify(value);
  return { name: sha256(text), bytes: Buffer.from(text) };
}

function parse(value: unknown, tree = REPO): Manifest {
  const { name, bytes } = named(value);
  return parseManifest(tree, name, bytes).manifest;
}

function refusal(code: ErrorCode, name: string, says: RegExp): object {
  return { code, message: new RegExp(`manifest ${name} of ${REPO}.*${says.source}`) };
}

test('a manifest that was written is read as it was, in order', () => {
  const { name, bytes } = serializeManifest(WHOLE);
  assert.deepEqual(parseManifest(REPO, name, bytes), {
    name,
    manifest: {
      ...WHOLE,
      supersedes: WHOLE.supersedes.toSorted(),
      files: WHOLE.files.toSorted(byPath),
      links: WHOLE.links.toSorted(byPath),
      refs: WHOLE.refs.toSorted(byPath),
      retired: WHOLE.retired.toSorted(),
    },
  });
});

describe('the same content gives the same bytes', () => {
  const { name } = serializeManifest(WHOLE);
  const rows: readonly { name: string; same: Manifest }[] = [
    {
      name: 'in whatever order its entries were found',
      same: {
        ...WHOLE,
        supersedes: WHOLE.supersedes.toReversed(),
        files: WHOLE.files.toReversed(),
        links: WHOLE.links.toReversed(),
        refs: WHOLE.refs.toReversed(),
        retired: WHOLE.retired.toReversed(),
      },
    },
    {
      name: 'whether a plain file says so or not',
      same: {
        ...WHOLE,
        files: WHOLE.files.map((file) => ({ ...file, executable: file.executable ?? false })),
      },
    },
    {
      name: 'in whatever order the fields of an entry were written',
      same: { ...WHOLE, files: WHOLE.files.map((file) => reversed(file)) },
    },
    {
      name: 'in whatever order the fields of parts were written',
      same: {
        ...WHOLE,
        files: WHOLE.files.map((file) =>
          file.parts === undefined ? file : { ...file, parts: reversed(file.parts) },
        ),
      },
    },
  ];
  for (const row of rows) test(row.name, () => assert.equal(serializeManifest(row.same).name, name));

  test('shuffled a hundred times', () => {
    const next = random(1);
    for (let round = 0; round < 100; round += 1) {
      const again = {
        ...WHOLE,
        files: [...shuffled(WHOLE.files, next)],
        retired: [...shuffled(WHOLE.retired, next)],
      };
      assert.equal(serializeManifest(again).name, name);
    }
  });

  test('and other content gives other bytes', () => {
    assert.notEqual(serializeManifest({ ...WHOLE, generation: 8 }).name, name);
    assert.notEqual(serializeManifest({ ...WHOLE, retired: [] }).name, name);
  });
});

describe('what a later version may add is ignored', () => {
  test('fields, wherever they are', () => {
    const [file, ...files] = WHOLE.files;
    const more = {
      ...WHOLE,
      writtenBy: 'model-cache 9',
      files: [{ ...file, compression: 'zstd' }, ...files],
      links: WHOLE.links.map((link) => ({ ...link, kind: 'soft' })),
      refs: WHOLE.refs.map((ref) => ({ ...ref, at: 1 })),
    };
    assert.deepEqual(parse(more), WHOLE);
  });

  test('algorithms of parts, and they are kept', () => {
    const parts = { algorithm: 'blake9-tree', size: 1, digests: ['?'] };
    assert.deepEqual(parse({ ...WHOLE, files: [{ ...lfsBlob('w'), parts }] }).files[0]?.parts, parts);
  });
});

describe('a version this program does not know is refused by name', () => {
  const { version: _, ...none } = WHOLE;
  const rows: readonly { name: string; value: unknown; found: string }[] = [
    { name: 'a later one', value: { ...WHOLE, version: 2 }, found: 'version 2' },
    { name: 'one that looks alike', value: { ...WHOLE, version: '1' }, found: 'version "1"' },
    { name: 'whatever else it holds', value: { version: 3, trees: {} }, found: 'version 3' },
    { name: 'none', value: none, found: 'version none' },
    { name: 'a list', value: [], found: 'version none' },
    { name: 'null', value: null, found: 'version none' },
  ];
  for (const { name, value, found } of rows) {
    test(name, () => {
      const expected = {
        ...refusal('format-unknown', named(value).name, /version/),
        wanted: 'version 1',
        found,
      };
      assert.throws(() => parse(value), expected);
    });
  }
});

describe('a manifest that breaks the format is refused by name', () => {
  const file: ManifestFile = lfsBlob('w');
  const rows: readonly { name: string; change: object }[] = [
    { name: 'generation 0', change: { generation: 0 } },
    { name: 'half a generation', change: { generation: 1.5 } },
    { name: 'a generation that cannot be counted on from', change: { generation: 2 ** 53 } },
    { name: 'a size that is no whole number any more', change: { files: [{ ...file, size: 2 ** 53 }] } },
    { name: 'a negative size', change: { files: [{ ...file, size: -1 }] } },
    { name: 'a size in words', change: { files: [{ ...file, size: '1' }] } },
    { name: 'a file without SHA-256', change: { files: [{ path: file.path, size: 1 }] } },
    { name: 'a SHA-256 in upper case', change: { files: [{ ...file, sha256: file.sha256.toUpperCase() }] } },
    { name: 'a git SHA-1 that is none', change: { files: [{ ...file, gitSha1: 'x' }] } },
    {
      name: 'parts of no bytes',
      change: { files: [{ ...file, parts: { algorithm: 'a', size: 0, digests: [] } }] },
    },
    { name: 'a link without target', change: { links: [{ path: 'x' }] } },
    { name: 'a ref too long', change: { refs: [{ path: 'refs/main', content: 'x'.repeat(257) }] } },
    { name: 'a retired branch', change: { retired: ['main'] } },
    { name: 'a superseded number', change: { supersedes: [1] } },
    { name: 'no files', change: { files: undefined } },
    { name: 'another tree', change: { tree: TORCH } },
  ];
  for (const { name, change } of rows) {
    test(name, () => {
      const value = { ...WHOLE, ...change };
      assert.throws(() => parse(value), refusal('manifest-invalid', named(value).name, /./));
    });
  }

  test('no JSON', () => {
    const name = sha256('{');
    const expected = refusal('manifest-invalid', name, /no JSON/);
    assert.throws(() => parseManifest(REPO, name, Buffer.from('{')), expected);
  });

  test('bytes that are not what the name says', () => {
    const { name, bytes } = serializeManifest(WHOLE);
    const other = serializeManifest({ ...WHOLE, generation: 8 }).name;
    assert.throws(() => parseManifest(REPO, other, bytes), {
      ...refusal('manifest-invalid', other, /not what its name says/),
      wanted: `sha256 ${other}`,
      found: `sha256 ${name}`,
    });
    assert.throws(() => parseManifest(REPO, name, bytes.subarray(1)), { code: 'manifest-invalid' });
  });
});

describe('the limits', () => {
  test('of 16 MiB: the last byte is read, one more is refused', () => {
    const padded = JSON.stringify(WHOLE).padEnd(MANIFEST_LIMITS.bytes);
    assert.equal(MANIFEST_LIMITS.bytes, 16_777_216);
    assert.equal(parseManifest(REPO, sha256(padded), Buffer.from(padded)).manifest.generation, 7);
    const more = `${padded} `;
    const expected = refusal('manifest-invalid', sha256(more), /too large/);
    assert.throws(() => parseManifest(REPO, sha256(more), Buffer.from(more)), expected);
  });

  test('hold for the writer', () => {
    const link = { path: 'p'.repeat(1000), target: 't' };
    const large = { ...WHOLE, links: Array.from({ length: 17_000 }, () => link) };
    assert.throws(() => serializeManifest(large), {
      code: 'manifest-invalid',
      message: /new manifest of .* too large/,
    });
    const many = {
      ...WHOLE,
      files: Array.from({ length: 400_000 }, () => WHOLE.files[0]!),
      links: Array.from({ length: 400_000 }, () => link),
      refs: Array.from({ length: 200_001 }, () => WHOLE.refs[0]!),
    };
    assert.throws(() => serializeManifest(many), { code: 'manifest-invalid', message: /too many entries/ });
  });
});

describe('a manifest that is made to fill memory is refused before it is unfolded', () => {
  const rows: readonly { name: string; text: string; says: RegExp }[] = [
    {
      name: 'nested arrays',
      text: `${'['.repeat(100_000)}${']'.repeat(100_000)}`,
      says: /nested too deeply/,
    },
    {
      name: 'nested objects',
      text: `${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}`,
      says: /nested too deeply/,
    },
    { name: 'empty objects', text: `[${'{},'.repeat(100_000)}{}]`, says: /too many values/ },
    { name: 'numbers', text: `[${'0,'.repeat(100_000)}0]`, says: /too many values/ },
    {
      name: 'what is beside a manifest',
      text: `${JSON.stringify(WHOLE).slice(0, -1)},"more":[${'[],'.repeat(100_000)}0]}`,
      says: /too many values/,
    },
  ];
  for (const { name, text, says } of rows) {
    test(name, () => {
      const expected = refusal('manifest-invalid', sha256(text), says);
      assert.throws(() => parseManifest(REPO, sha256(text), Buffer.from(text)), expected);
    });
  }

  test('and the densest that is one is read', () => {
    const links = Array.from({ length: 100_000 }, (_, index) => ({ path: index.toString(36), target: 'x' }));
    const { name, bytes } = serializeManifest({ ...WHOLE, tree: TORCH, links });
    assert.equal(parseManifest(TORCH, name, bytes).manifest.links.length, 100_000);
  });
});

test('what a manifest says is not repeated at length', () => {
  const long = 'x'.repeat(1_000_000);
  for (const change of [
    { version: long },
    { tree: long },
    { generation: long },
    { files: [{ path: 1, size: long }] },
  ])
    assert.throws(
      () => parse({ ...WHOLE, ...change }),
      (error) => explain(error).length < 2000,
    );
});

test('a size of -0 is 0', () => {
  const text = JSON.stringify({ ...WHOLE, files: [{ ...lfsBlob(''), size: 77 }] }).replace('77', '-0');
  const [file] = parseManifest(REPO, sha256(text), Buffer.from(text)).manifest.files;
  assert.ok(Object.is(file?.size, 0));
});

test('a name proves the bytes', () => {
  const { name, manifest: value } = manifest({
    snapshots: { [A]: { 'w.bin': 'weights' } },
    refs: { main: A },
  });
  const { bytes } = serializeManifest(value);
  assert.equal(name, sha256(bytes.toString()));
});

function reversed<T extends object>(value: T): T {
  return Object.fromEntries(Object.entries(value).toReversed()) as T;
}

function byPath(a: { readonly path: string }, b: { readonly path: string }): number {
  return a.path < b.path ? -1 : 1;
}
