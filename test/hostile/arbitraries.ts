import * as fc from 'fast-check';
import type { ListedObject } from '../../src/model/listing.ts';
import { serializeManifest, type Manifest, type NamedManifest } from '../../src/model/manifest.ts';
import { TORCH_CHECKPOINTS, type TreeName } from '../../src/model/tree.ts';
import { A, B, gitSha1, REPO, sha256 } from '../model/builders.ts';

/** A folder that --also names. */
export const ALSO: TreeName = 'engines';

const LFS = sha256('weights');
const GIT = gitSha1('config');

/** Names that are meant to lead somewhere, to be taken for another, or to break something. */
const NASTY = [
  '..',
  '.',
  '',
  '...',
  'a',
  'A',
  'a\\b',
  'a\0b',
  'a\nb',
  '\u001b[2J',
  '\ud800',
  '\u00e9',
  'e\u0301',
  'n'.repeat(255),
  'n'.repeat(256),
  'token',
  '.env',
  'key.pem',
  'x.py',
  'blobs',
  'snapshots',
  'refs',
  'main',
  'hub',
  'torch',
  'modules',
  '.locks',
  '.model-cache',
  'models--a--b',
  '__proto__',
  'constructor',
  '%2e%2e',
  LFS,
  GIT,
  A,
  B,
];

const nasty = fc.oneof({ weight: 4, arbitrary: fc.constantFrom(...NASTY) }, fc.string({ unit: 'binary' }));

/** Any path, with names that matter. */
const anyPath: fc.Arbitrary<string> = fc
  .tuple(fc.constantFrom('', '', '', '/', './', '../'), fc.array(nasty, { minLength: 1, maxLength: 6 }))
  .map(([start, names]) => start + names.join('/'));

/** Paths that are allowed each for itself, and stand in each other's way. */
const crowded: fc.Arbitrary<string> = fc
  .tuple(
    fc.constantFrom('', '', `snapshots/${A}/`, `snapshots/${B}/`, 'refs/', 'blobs/'),
    fc.array(fc.constantFrom('a', 'b', 'main', 'token', 'models--a--b', 'blobs', LFS, GIT), {
      minLength: 1,
      maxLength: 4,
    }),
  )
  .map(([start, names]) => start + names.join('/'));

export const path: fc.Arbitrary<string> = fc.oneof(
  { weight: 3, arbitrary: crowded },
  anyPath,
  fc.constantFrom(`blobs/${LFS}`, `blobs/${GIT}`, `snapshots/${A}/w.bin`, 'refs/main'),
);

const target: fc.Arbitrary<string> = fc.oneof(
  fc.constantFrom(
    `../../blobs/${LFS}`,
    `../../../blobs/${GIT}`,
    `../../../../blobs/${LFS}`,
    '/etc/passwd',
    'b',
    '..',
  ),
  anyPath,
  crowded,
);

export const tree: fc.Arbitrary<TreeName> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.constantFrom(REPO, 'hub/models--a--b', TORCH_CHECKPOINTS, ALSO, `${ALSO}/models--a--b`),
  },
  fc.constantFrom(
    'models--a--b',
    'hub/models--A--b',
    'hub',
    'torch',
    `${REPO}/blobs/models--a--b`,
    `${REPO}/snapshots/${A}/models--a--b`,
    `${TORCH_CHECKPOINTS}/models--a--b`,
    'mine/models--a--b',
    'modules/models--a--b',
    '.model-cache/models--a--b',
    '.Model-Cache/partial/models--a--b',
    'hub/.locks/models--a--b',
    '../models--a--b',
    '/models--a--b',
    '__proto__',
    'constructor',
  ),
  anyPath,
);

const size = fc.oneof(fc.nat(1000), fc.constantFrom(0, 2 ** 31, 2 ** 40, Number.MAX_SAFE_INTEGER));
const commit = fc.constantFrom(A, B, GIT);
const content = fc.oneof({ weight: 3, arbitrary: commit }, fc.constantFrom(`${A}\n`, '', 'main', '../../x'));

const file = fc.record(
  {
    path,
    size,
    sha256: fc.constantFrom(LFS, sha256('other')),
    gitSha1: fc.constantFrom(GIT, gitSha1('other')),
    executable: fc.boolean(),
    parts: plain({
      algorithm: fc.string(),
      size: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
      digests: fc.array(fc.string(), { maxLength: 2 }),
    }),
  },
  { requiredKeys: ['path', 'size', 'sha256'], noNullPrototype: true },
);

const link = fc.oneof(
  plain({ path, target }),
  fc.constantFrom(
    { path: `snapshots/${A}/w.bin`, target: `../../blobs/${LFS}` },
    { path: `snapshots/${A}/a/b`, target: `../../../blobs/${GIT}` },
    { path: `snapshots/${A}/a`, target: `../../blobs/${GIT}` },
    { path: 'a', target: 'b' },
    { path: 'a/b', target: '../b' },
  ),
);

const ref = plain({
  path: fc.oneof(path, fc.constantFrom('refs/main', 'refs/main/x', 'refs/pr/1')),
  content,
});

/** What follows the format, whatever it says. */
export const manifest: fc.Arbitrary<Manifest> = manifestOf(
  tree,
  fc.array(fc.constantFrom(LFS, sha256('other')), { maxLength: 2 }),
);

/** Manifests of one tree as nobody could write them: under any name, superseding each other in any way. */
export const nonsense: fc.Arbitrary<readonly NamedManifest[]> = fc.array(
  fc.record({
    name: fc.constantFrom('a', 'b', 'c', 'd'),
    manifest: manifestOf(fc.constant(REPO), fc.subarray(['a', 'b', 'c', 'd'])),
  }),
  { maxLength: 5 },
);

export const manifests: fc.Arbitrary<readonly NamedManifest[]> = fc.array(
  manifest.map((each) => ({ name: serializeManifest(each).name, manifest: each })),
  { maxLength: 6 },
);

export const objects: fc.Arbitrary<readonly ListedObject[]> = fc.array(
  fc.record({
    key: fc.oneof(
      fc.tuple(tree, path).map((names) => names.join('/')),
      anyPath,
    ),
    size,
    etag: fc.constantFrom('', '"e"', '"f"'),
  }),
  { maxLength: 20 },
);

/** Records as JSON has them: fast-check would also make some without a prototype. */
function plain<T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> {
  return fc.record(model, { noNullPrototype: true });
}

function manifestOf(
  trees: fc.Arbitrary<TreeName>,
  supersedes: fc.Arbitrary<string[]>,
): fc.Arbitrary<Manifest> {
  return plain({
    version: fc.constant(1 as const),
    tree: trees,
    generation: fc.oneof(fc.integer({ min: 1, max: 4 }), fc.constant(Number.MAX_SAFE_INTEGER)),
    supersedes,
    files: fc.array(file, { maxLength: 8 }),
    links: fc.array(link, { maxLength: 8 }),
    refs: fc.array(ref, { maxLength: 4 }),
    retired: fc.array(commit, { maxLength: 2 }),
  });
}
