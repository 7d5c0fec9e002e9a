import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import * as fc from 'fast-check';
import { Publisher } from '../../src/cache/publish.ts';
import { scanCache } from '../../src/cache/scan.ts';
import { toModelCacheError } from '../../src/errors.ts';
import { catalogTree, type Catalog } from '../../src/model/catalog.ts';
import { serializeManifest, type Manifest } from '../../src/model/manifest.ts';
import { mergeTree } from '../../src/model/merge.ts';
import { isFetchReason, planRestore, type PlanItem } from '../../src/model/plan.ts';
import { isAllowedTree, TORCH_CHECKPOINTS } from '../../src/model/tree.ts';
import { A, EVERYTHING, REPO, ROOM } from '../model/builders.ts';
import { ALSO, manifest, path } from './arbitraries.ts';
import { PlantedDir, PLANTS } from './planted-dir.ts';

const RUNS = { seed: 5, numRuns: 150 } as const;

const scratch = mkdtempSync(join(tmpdir(), 'hostile-'));
after(() => rmSync(scratch, { recursive: true }));

/** Places on the way to where things are published, and such places themselves. */
const place = fc.oneof(
  fc.constantFrom(
    'hub',
    REPO,
    `${REPO}/blobs`,
    `${REPO}/snapshots`,
    `${REPO}/snapshots/${A}`,
    `${REPO}/refs`,
    `${REPO}/refs/main`,
    'torch',
    'torch/hub',
    TORCH_CHECKPOINTS,
    ALSO,
    `${ALSO}/a`,
  ),
  path.filter((each) => /^[\w/]+$/.test(each)).map((each) => `${REPO}/${each}`),
);
const plants = fc.array(fc.record({ place, plant: fc.constantFrom(...PLANTS) }), { maxLength: 4 });

test('whatever is planted in a dir, and whatever a bucket says: nothing outside is changed, and nothing waits', async () => {
  const inTrees = manifest.filter(({ tree }) => isAllowedTree(tree, [ALSO]));
  await fc.assert(
    fc.asyncProperty(
      plants,
      fc.array(inTrees, { minLength: 1, maxLength: 3 }),
      async (planted, manifests) => {
        const world = new PlantedDir(scratch);
        const { root, dir } = world;
        for (const each of planted) world.plant(each.place, each.plant);
        const before = world.surroundings();
        await publishAll(dir, catalogOf(manifests));
        assert.deepEqual(world.surroundings(), before);
        rmSync(root, { recursive: true });
      },
    ),
    RUNS,
  );
});

/** As a restore does it, with bytes that nobody checks. */
async function publishAll(dir: string, catalog: Catalog): Promise<void> {
  const state = { digestsOf: () => undefined };
  const inventory = await scanCache(dir, { also: [ALSO], state, reuse: [] });
  const { items, roots } = planRestore(catalog, inventory, EVERYTHING, ROOM);
  const publisher = new Publisher(dir, undefined);
  for (const item of items.filter(({ reason }) => isFetchReason(reason))) {
    try {
      publish(publisher, dir, `${roots[item.tree] ?? item.tree}/${item.path}`, item);
    } catch (error) {
      assert.equal(toModelCacheError(error).code, 'path-unsafe', String(error));
    }
  }
}

function publish(publisher: Publisher, dir: string, path: string, item: PlanItem): void {
  switch (item.kind) {
    case 'file': {
      const staged = join(dir, '.model-cache', 'partial', 'staged');
      writeFileSync(staged, 'bytes');
      publisher.prepare(path);
      publisher.publishFile(staged, path);
      break;
    }
    case 'link':
      publisher.publishLink(path, item.link.target);
      break;
    case 'ref':
      publisher.publishRef(path, item.content);
      break;
    case 'refused':
      assert.fail('nothing is written of what is refused');
  }
}

function catalogOf(manifests: readonly Manifest[]): Catalog {
  const named = manifests.map((each) => ({ name: serializeManifest(each).name, manifest: each }));
  const byTree = Map.groupBy(named, (each) => each.manifest.tree);
  return {
    source: 'manifests',
    trees: Array.from(byTree, ([tree, all]) => catalogTree(mergeTree(tree, all))),
  };
}
