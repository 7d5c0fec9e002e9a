import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { ModelCacheError } from '../../src/errors.ts';
import { catalogTree, type Catalog } from '../../src/model/catalog.ts';
import { catalogOfListing, surveyListing } from '../../src/model/listing.ts';
import {
  parseManifest,
  serializeManifest,
  type Manifest,
  type ManifestFile,
  type NamedManifest,
} from '../../src/model/manifest.ts';
import { mergeTree } from '../../src/model/merge.ts';
import { isFetchReason, planRestore } from '../../src/model/plan.ts';
import { isAllowedTree } from '../../src/model/tree.ts';
import { withoutTwins } from '../../src/model/twins.ts';
import { EVERYTHING, inventory, local, REPO, ROOM, said } from '../model/builders.ts';
import { ALSO, manifest, manifests, nonsense, objects } from './arbitraries.ts';
import { assertHarmless } from './harmless.ts';

const RUNS = { seed: 5, numRuns: 500 } as const;

describe('whatever manifests say', () => {
  test('what is believed of them stays below its tree, is allowed there, and is in nobody’s way', () => {
    check(manifests, (given) => assertHarmless(catalogOf(given)));
  });

  test('a plan fetches nothing else, whatever is on the disk already', () => {
    check(fc.tuple(manifests, manifest), ([given, here]) => {
      const catalog = catalogOf(given);
      const disk = isAllowedTree(here.tree, [ALSO]) ? [local({ tree: here.tree, files: here.files })] : [];
      const { items } = planRestore(catalog, inventory(...disk), EVERYTHING, ROOM);
      const known = new Set(
        catalog.trees.flatMap(({ tree, files, links, refs }) =>
          [...files, ...links, ...refs].map(({ path }) => `${tree} ${path}`),
        ),
      );
      for (const item of items.filter(({ reason }) => isFetchReason(reason)))
        assert.ok(known.has(`${item.tree} ${item.path}`), item.path);
    });
  });

  test('a merge ends, with a head, and heeds no order', () => {
    check(nonsense, (given) => {
      const merged = mergeTree(REPO, given);
      assert.equal(merged.heads.length > 0, given.length > 0);
      const distinct = [...new Map(given.map((each) => [each.name, each])).values()];
      assert.deepEqual(said(mergeTree(REPO, distinct.toReversed())), said(mergeTree(REPO, distinct)));
      assertHarmless({ source: 'manifests', trees: [catalogTree(merged)] });
    });
  });

  test('on a file system that folds names, no two of them meet', () => {
    check(manifests, (given) => {
      const catalog = withoutTwins(catalogOf(given), { ofCase: true, ofForm: true });
      assertHarmless(catalog);
      const folded = catalog.trees.flatMap(({ tree, files, links, refs }) =>
        [...files, ...links, ...refs].map(({ path }) => `${tree}/${path}`.normalize('NFD').toLowerCase()),
      );
      assert.equal(new Set(folded).size, folded.length);
    });
  });
});

describe('a manifest', () => {
  test('that was written is read as it was', () => {
    check(manifest, (given) => {
      const { name, bytes } = serializeManifest(given);
      const read = parseManifest(given.tree, name, bytes);
      assert.deepEqual(read, { name, manifest: canonical(given) });
      assert.deepEqual(serializeManifest(read.manifest), { name, bytes });
    });
  });

  test('whose bytes were changed is a manifest, or is refused in words', () => {
    const changes = fc.array(
      fc.record({ at: fc.nat(), cut: fc.nat(3), put: fc.oneof(fc.constantFrom(...SPLINTERS), fc.string()) }),
      { minLength: 1, maxLength: 5 },
    );
    check(fc.tuple(manifest, changes), ([given, cuts]) => {
      const text = cuts.reduce(
        (before, { at, cut, put }) =>
          before.slice(0, at % before.length) + put + before.slice((at % before.length) + cut),
        serializeManifest(given).bytes.toString(),
      );
      assertReadOrRefused(given, Buffer.from(text));
    });
  });

  test('of any bytes is refused in words', () => {
    check(fc.tuple(manifest, fc.uint8Array()), ([given, bytes]) =>
      assertReadOrRefused(given, Buffer.from(bytes)),
    );
  });

  test('of any JSON is refused in words', () => {
    check(fc.tuple(manifest, fc.json({ maxDepth: 5 })), ([given, text]) =>
      assertReadOrRefused(given, Buffer.from(text)),
    );
  });
});

test('whatever keys a bucket lists, what is believed of them stays in its place', () => {
  check(fc.tuple(objects, fc.boolean()), ([listed, acceptUnverified]) => {
    const survey = surveyListing(listed, [ALSO]);
    const refs = [...survey.trees.values()].flatMap((tree) => tree.refs.map(({ object }) => object.key));
    const contents = new Map(refs.map((key) => [key, 'a'.repeat(40)]));
    for (const known of [new Map<string, string>(), contents])
      assertHarmless(catalogOfListing(survey, new Map(), known, acceptUnverified));
  });
});

/** Pieces that JSON, numbers and text are broken with. */
const SPLINTERS = [
  '"',
  '\\',
  '{',
  '[',
  '}',
  ',',
  '1e400',
  '-0',
  '9007199254740993',
  'null',
  '"__proto__":1,',
  '\\ud800',
  '[]'.repeat(50),
];

function catalogOf(given: readonly NamedManifest[]): Catalog {
  const byTree = Map.groupBy(given, (each) => each.manifest.tree);
  const views = Array.from(byTree, ([tree, all]) => mergeTree(tree, all));
  return {
    source: 'manifests',
    trees: views.filter(({ tree }) => isAllowedTree(tree, [ALSO])).map(catalogTree),
  };
}

function assertReadOrRefused({ tree }: Manifest, bytes: Buffer): void {
  const name = createHash('sha256').update(bytes).digest('hex');
  try {
    assert.equal(parseManifest(tree, name, bytes).manifest.tree, tree);
  } catch (error) {
    assert.ok(error instanceof ModelCacheError, String(error));
    assert.match(error.code, /^(manifest-invalid|format-unknown)$/);
  }
}

function canonical(given: Manifest): Manifest {
  return {
    ...given,
    supersedes: given.supersedes.toSorted(),
    files: given.files.toSorted(byPath).map(withoutNo),
    links: given.links.toSorted(byPath),
    refs: given.refs.toSorted(byPath),
    retired: given.retired.toSorted(),
  };
}

/** What is not executable does not say so. */
function withoutNo(file: ManifestFile): ManifestFile {
  const { executable, ...rest } = file;
  return executable === true ? file : rest;
}

function byPath(a: { readonly path: string }, b: { readonly path: string }): number {
  return a.path < b.path ? -1 : Number(a.path > b.path);
}

function check<T>(values: fc.Arbitrary<T>, holds: (value: T) => void): void {
  fc.assert(fc.property(values, holds), RUNS);
}
