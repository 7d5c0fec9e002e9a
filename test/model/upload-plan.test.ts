import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { isBlob, type Listing } from '../../src/model/bucket.ts';
import type { LocalContent, LocalTree } from '../../src/model/inventory.ts';
import { filesToProveForUpload, planUpload, type UploadPlan } from '../../src/model/upload-plan.ts';
import {
  A,
  gitBlob,
  gitSha1,
  inSnapshot,
  inventory,
  lfsBlob,
  listing,
  local,
  plainFile,
  REPO,
  sha256,
  TORCH,
  withFile,
} from './builders.ts';

const EMPTY: Listing = new Map();
const LFS = lfsBlob('weights');
const GIT = gitBlob('config');
const VGG = plainFile('vgg.pth', 'vgg');
const COPY = plainFile(inSnapshot(A, 'w.bin'), 'weights');
const DATA = '.model-cache/v1/data';

function paths(contents: readonly LocalContent[]): readonly string[] {
  return contents.map(({ file }) => file.path);
}

/** As a scan finds it: nothing is hashed. */
function unhashed(tree: LocalTree): LocalTree {
  return [...tree.files.keys()].reduce((found, path) => withFile(found, path, { digests: undefined }), tree);
}

describe('before an upload is hashed', () => {
  const rows: readonly { name: string; here: LocalTree; bucket: Listing; hashed: readonly string[] }[] = [
    {
      name: 'no blob that the bucket lacks: it is hashed while it is sent',
      here: local({ files: [LFS, GIT] }),
      bucket: EMPTY,
      hashed: [],
    },
    {
      name: 'a blob that the bucket has: it will be named',
      here: local({ files: [LFS, GIT] }),
      bucket: listing({ files: [LFS] }),
      hashed: [LFS.path],
    },
    {
      name: 'no blob that the bucket has in another size',
      here: local({ files: [LFS] }),
      bucket: new Map([[`${REPO}/${LFS.path}`, 3]]),
      hashed: [],
    },
    {
      name: 'a copy in a snapshot: its content is its key',
      here: local({ files: [COPY] }),
      bucket: EMPTY,
      hashed: [COPY.path],
    },
    {
      name: 'every file of a folder',
      here: local({ tree: TORCH, files: [VGG] }),
      bucket: EMPTY,
      hashed: [VGG.path],
    },
  ];
  for (const { name, here, bucket, hashed } of rows) {
    test(name, () =>
      assert.deepEqual(paths(filesToProveForUpload(inventory(unhashed(here)), bucket)), hashed),
    );
  }
});

describe('an upload', () => {
  interface Row {
    readonly name: string;
    readonly here: LocalTree;
    readonly bucket?: Listing;
    readonly plan: Partial<Record<keyof UploadPlan, readonly string[]>>;
  }
  const rows: readonly Row[] = [
    {
      name: 'sends what the bucket lacks',
      here: local({ files: [LFS, GIT] }),
      plan: { send: [LFS.path, GIT.path] },
    },
    {
      name: 'sends a blob that was not hashed',
      here: unhashed(local({ files: [LFS] })),
      plan: { send: [LFS.path] },
    },
    {
      name: 'does not send what the bucket has',
      here: local({ files: [LFS] }),
      bucket: listing({ files: [LFS] }),
      plan: { present: [LFS.path] },
    },
    {
      name: 'does not send what another tree has under its content',
      here: local({ tree: TORCH, files: [VGG] }),
      bucket: listing({ tree: 'other', files: [VGG] }),
      plan: { present: [VGG.path] },
    },
    {
      name: 'sends a blob that only another repo has',
      here: local({ files: [LFS] }),
      bucket: listing({ tree: 'hub/models--o--n', files: [LFS] }),
      plan: { send: [LFS.path] },
    },
    {
      name: 'sends again what is in the bucket in another size',
      here: local({ files: [LFS] }),
      bucket: new Map([[`${REPO}/${LFS.path}`, 3]]),
      plan: { send: [LFS.path] },
    },
    {
      name: 'does not send a corrupt blob',
      here: withFile(local({ files: [LFS] }), LFS.path, { digests: { sha256: sha256('other') } }),
      plan: { corrupt: [LFS.path] },
    },
    {
      name: 'does not send a corrupt small blob',
      here: withFile(local({ files: [GIT] }), GIT.path, { digests: { gitSha1: gitSha1('other') } }),
      plan: { corrupt: [GIT.path] },
    },
    {
      name: 'does not name a corrupt blob that the bucket has',
      here: withFile(local({ files: [LFS] }), LFS.path, { digests: { sha256: sha256('other') } }),
      bucket: listing({ files: [LFS] }),
      plan: { corrupt: [LFS.path] },
    },
    {
      name: 'leaves a file whose content is unknown for the next',
      here: unhashed(local({ tree: TORCH, files: [VGG] })),
      plan: {},
    },
    {
      name: 'leaves a blob that the bucket has, and that could not be hashed, for the next',
      here: unhashed(local({ files: [LFS] })),
      bucket: listing({ files: [LFS] }),
      plan: {},
    },
    {
      name: 'sends the same content once, whatever its names',
      here: local({ tree: TORCH, files: [VGG, { ...VGG, path: 'again.pth' }] }),
      plan: { send: ['vgg.pth'], present: ['again.pth'] },
    },
  ];
  for (const { name, here, bucket = EMPTY, plan: expected } of rows) {
    test(name, () => {
      const plan = planUpload(inventory(here), bucket);
      const found = Object.fromEntries(
        Object.entries(plan).map(([kind, contents]) => [kind, paths(contents)]),
      );
      assert.deepEqual(found, { send: [], present: [], corrupt: [], ...expected });
    });
  }

  test('sends the same content of two trees once', () => {
    const trees = inventory(
      local({ tree: TORCH, files: [VGG] }),
      local({ files: [{ ...VGG, path: inSnapshot(A, 'vgg') }] }),
    );
    const { send, present } = planUpload(trees, EMPTY);
    assert.deepEqual([paths(send), paths(present)], [[VGG.path], [inSnapshot(A, 'vgg')]]);
  });

  test('sends a blob under its name, and anything else under its content', () => {
    const trees = inventory(local({ files: [LFS, GIT, COPY] }), local({ tree: TORCH, files: [VGG] }));
    assert.deepEqual(
      planUpload(trees, EMPTY).send.map(({ key }) => key),
      [
        `${REPO}/${LFS.path}`,
        `${REPO}/${GIT.path}`,
        `${DATA}/${sha256('weights')}`,
        `${DATA}/${sha256('vgg')}`,
      ],
    );
  });

  test('knows what each file must turn out to be', () => {
    const { send } = planUpload(
      inventory(unhashed(local({ files: [LFS, GIT] })), local({ tree: TORCH, files: [VGG] })),
      EMPTY,
    );
    assert.deepEqual(
      send.map(({ wanted }) => wanted),
      [{ sha256: sha256('weights') }, { gitSha1: gitSha1('config') }, { sha256: sha256('vgg') }],
    );
  });

  test('says why', () => {
    const bucket = new Map([[`${REPO}/${LFS.path}`, 3]]);
    const { send } = planUpload(inventory(local({ files: [LFS, GIT] })), bucket);
    assert.deepEqual(
      send.map(({ reason }) => reason),
      ['size-differs', 'missing'],
    );
    const damaged = withFile(local({ files: [LFS] }), LFS.path, { digests: { sha256: sha256('other') } });
    const [corrupt] = planUpload(inventory(damaged), EMPTY).corrupt;
    assert.deepEqual(
      [corrupt?.wanted, corrupt?.found],
      [`sha256 ${sha256('weights')}`, `sha256 ${sha256('other')}`],
    );
  });

  test('treats a doomed object as absent', () => {
    for (const [tree, file] of [
      [REPO, LFS],
      [TORCH, VGG],
    ] as const) {
      const key = isBlob(tree, file.path) ? `${tree}/${file.path}` : `${DATA}/${file.sha256}`;
      const bucket = new Map([...listing({ tree, files: [file] }), [`.model-cache/v1/doomed/${key}`, 0]]);
      const { send } = planUpload(inventory(local({ tree, files: [file] })), bucket);
      assert.deepEqual([paths(send), send[0]?.reason], [[file.path], 'missing']);
    }
  });
});
