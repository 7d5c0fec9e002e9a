import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { catalogOfListing, surveyListing, type ListedObject } from '../../src/model/listing.ts';
import { A, gitSha1, inSnapshot, REPO, sha256, TORCH } from './builders.ts';
import { CONFIG, NOTHING_READ, object, only, read, synced, WEIGHTS } from './listing-builders.ts';

function opaque(objects: readonly ListedObject[]): readonly ListedObject[] {
  return objects.map((one, index) => ({ ...one, etag: `"kms-${index}"` }));
}

describe('a cache that was synced with its links followed', () => {
  test('has its blobs, and links where copies are', () => {
    assert.deepEqual(read(synced(REPO)), {
      source: 'listing',
      trees: [
        {
          tree: REPO,
          files: [
            {
              path: CONFIG,
              size: 6,
              key: `${REPO}/${CONFIG}`,
              digests: { gitSha1: gitSha1('config') },
              executable: false,
            },
            {
              path: WEIGHTS,
              size: 7,
              key: `${REPO}/${WEIGHTS}`,
              digests: { sha256: sha256('weights') },
              executable: false,
            },
          ],
          links: [
            { path: inSnapshot(A, 'config.json'), target: `../../${CONFIG}`, to: CONFIG },
            { path: inSnapshot(A, 'sub/w.bin'), target: `../../../${WEIGHTS}`, to: WEIGHTS },
          ],
          refs: [{ path: 'refs/main', content: A }],
          retired: new Set(),
          refused: [],
        },
      ],
    });
  });

  test('is the same tree directly below the prefix as under hub/', () => {
    const below = only(read(synced('models--org--model')));
    const { tree, links, refs } = only(read(synced(REPO)));
    assert.deepEqual([below.tree, below.links, below.refs], [tree, links, refs]);
    assert.deepEqual(
      below.files.map(({ key }) => key),
      [`models--org--model/${CONFIG}`, `models--org--model/${WEIGHTS}`],
    );
  });

  test('in both places at once is one tree, each file once', () => {
    const tree = only(read([...synced(REPO), ...synced('models--org--model')]));
    assert.deepEqual(tree, only(read(synced(REPO))));
  });

  test('in a folder of its own is a tree there', () => {
    assert.equal(only(read(synced('mine/models--org--model'))).tree, 'mine/models--org--model');
  });

  test('has no refs but those that could be read', () => {
    const survey = surveyListing(synced(REPO), []);
    assert.deepEqual(only(catalogOfListing(survey, NOTHING_READ, new Map(), false)).refs, []);
  });
});

describe('a copy', () => {
  const copy = inSnapshot(A, 'w.bin');
  const rows: readonly {
    name: string;
    objects: readonly ListedObject[];
    is: 'link' | 'unplaced' | 'unverified';
  }[] = [
    {
      name: 'with the size and the ETag of one blob is a link to it',
      objects: [object(`${REPO}/${WEIGHTS}`, 'weights'), object(`${REPO}/${copy}`, 'weights')],
      is: 'link',
    },
    {
      name: 'with an ETag of its own, and the size of a blob, must be read',
      objects: [object(`${REPO}/${WEIGHTS}`, 'weights', '"1"'), object(`${REPO}/${copy}`, 'weights', '"2"')],
      is: 'unplaced',
    },
    {
      name: 'with the ETag of two blobs must be read',
      objects: [
        object(`${REPO}/${WEIGHTS}`, 'weights'),
        object(`${REPO}/blobs/${gitSha1('weights')}`, 'weights'),
        object(`${REPO}/${copy}`, 'weights'),
      ],
      is: 'unplaced',
    },
    {
      name: 'where the store says no ETags must be read',
      objects: [object(`${REPO}/${WEIGHTS}`, 'weights', ''), object(`${REPO}/${copy}`, 'WEIGHTS', '')],
      is: 'unplaced',
    },
    {
      name: 'with the ETag of a blob and another size is vouched for by nothing',
      objects: [
        object(`${REPO}/${WEIGHTS}`, 'weights', '"1"'),
        object(`${REPO}/${copy}`, 'more weights', '"1"'),
      ],
      is: 'unverified',
    },
    {
      name: 'of a blob that is in another repo only is vouched for by nothing',
      objects: [object(`hub/models--o--other/${WEIGHTS}`, 'weights'), object(`${REPO}/${copy}`, 'weights')],
      is: 'unverified',
    },
    {
      name: 'without any blob is vouched for by nothing',
      objects: [object(`${REPO}/${copy}`, 'weights')],
      is: 'unverified',
    },
  ];
  for (const { name, objects, is } of rows) {
    test(name, () => {
      const { unplaced } = surveyListing(objects, []);
      const tree = read(objects).trees.find(({ tree }) => tree === REPO)!;
      assert.deepEqual(
        unplaced.map(({ path }) => path),
        is === 'unplaced' ? [copy] : [],
      );
      assert.deepEqual(
        tree.links.map(({ path }) => path),
        is === 'link' ? [copy] : [],
      );
      assert.deepEqual(tree.refused, is === 'link' ? [] : [{ path: copy, reason: 'unverified' }]);
    });
  }

  test('that was read becomes a link to the blob that it is', () => {
    const survey = surveyListing(opaque(synced(REPO)), []);
    assert.equal(survey.unplaced.length, 2);
    const placement = new Map(
      survey.unplaced.map((one) => [one, one.path.endsWith('w.bin') ? WEIGHTS : undefined] as const),
    );
    const tree = only(catalogOfListing(survey, placement, new Map(), false));
    assert.deepEqual(tree.links, [
      { path: inSnapshot(A, 'sub/w.bin'), target: `../../../${WEIGHTS}`, to: WEIGHTS },
    ]);
    assert.deepEqual(tree.refused, [{ path: inSnapshot(A, 'config.json'), reason: 'unverified' }]);
  });

  test('belongs to its own repo', () => {
    const other = 'hub/models--o--other';
    const survey = surveyListing(opaque([...synced(REPO), ...synced(other)]), []);
    const placement = new Map(survey.unplaced.map((one) => [one, WEIGHTS] as const));
    const { trees } = catalogOfListing(survey, placement, new Map(), false);
    const expected = [inSnapshot(A, 'config.json'), inSnapshot(A, 'sub/w.bin')];
    assert.deepEqual(
      trees.map(({ tree, links }) => [tree, links.map(({ path }) => path)]),
      [
        [REPO, expected],
        [other, expected],
      ],
    );
  });
});

describe('what nothing can vouch for', () => {
  const objects = [
    object(`${TORCH}/vgg16-397923af.pth`, 'vgg'),
    object(`${REPO}/${inSnapshot(A, 'w.bin')}`, 'weights'),
  ];
  const paths = ['vgg16-397923af.pth', inSnapshot(A, 'w.bin')];

  test('is left out', () => {
    const { trees } = read(objects);
    assert.deepEqual(
      trees.flatMap(({ files }) => files),
      [],
    );
    assert.deepEqual(
      trees.flatMap(({ refused }) => refused),
      paths.map((path) => ({ path, reason: 'unverified' })),
    );
  });

  test('comes with --accept-unverified, without a digest', () => {
    const { trees } = read(objects, { acceptUnverified: true });
    assert.deepEqual(
      trees.flatMap(({ files }) =>
        files.map(({ path, size, digests, executable }) => ({ path, size, digests, executable })),
      ),
      [
        { path: paths[0], size: 3, digests: undefined, executable: false },
        { path: paths[1], size: 7, digests: undefined, executable: false },
      ],
    );
    assert.deepEqual(
      trees.flatMap(({ refused }) => refused),
      [],
    );
  });

  test('is never two things at one path: S3 has keys below keys, a disk has not', () => {
    const copies = [
      object(`${REPO}/${inSnapshot(A, 'a')}`, 'x'),
      object(`${REPO}/${inSnapshot(A, 'a/b')}`, 'y'),
    ];
    const { files } = only(read(copies, { acceptUnverified: true }));
    const nested = files.filter(({ path }) => files.some((other) => path.startsWith(`${other.path}/`)));
    assert.deepEqual(nested, []);
  });
});

test('a link is never the folder of another', () => {
  const copies = [inSnapshot(A, 'a'), inSnapshot(A, 'a/b')].map((path) =>
    object(`${REPO}/${path}`, 'weights'),
  );
  const { links } = only(read([object(`${REPO}/${WEIGHTS}`, 'weights'), ...copies]));
  const nested = links.filter(({ path }) => links.some((other) => path.startsWith(`${other.path}/`)));
  assert.deepEqual(nested, []);
});

test('of a hundred thousand blobs that look alike, no copy is taken for a link to one of them', () => {
  const listed = Array.from({ length: 200_000 }, (_, index) => {
    const name = index.toString(16).padStart(64, '0');
    const path = index % 2 === 0 ? `blobs/${name}` : inSnapshot(A, name);
    return { key: `${REPO}/${path}`, size: 1, etag: '"same"' };
  });
  assert.equal(surveyListing(listed, []).unplaced.length, 100_000);
});
