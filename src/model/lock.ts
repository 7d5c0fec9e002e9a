import { catalogTree } from './catalog.ts';
import { countOf, type Count } from './count.ts';
import type { Lock } from './lock-file.ts';
import type { TreeView } from './merge.ts';
import { isFetchReason, planRestore } from './plan.ts';
import type { Selection } from './selection.ts';
import { isAllowedTree, type TreeName } from './tree.ts';

export interface LockDecision {
  readonly lock: Lock;
  /** What a locked start restores on an empty disk. */
  readonly restores: Count;
  /** `--model`s that nothing in the bucket answers to. */
  readonly unmatched: readonly string[];
  /** Paths that no start restores, because of what they are. */
  readonly refused: number;
}

/** The heads of those trees of which a restore of this selection takes something, on an empty disk. */
export function lockOf(
  views: readonly TreeView[],
  selection: Selection,
  also: readonly TreeName[],
): LockDecision {
  const allowed = views.filter(({ tree }) => isAllowedTree(tree, also));
  const plan = planRestore(
    { source: 'manifests', trees: allowed.map(catalogTree) },
    { dir: '', trees: [], skipped: [], foreign: [], stores: [] },
    selection,
    { freeBytes: Number.POSITIVE_INFINITY },
  );
  const wanted = plan.items.filter(({ reason }) => isFetchReason(reason));
  const trees = new Set(wanted.map(({ tree }) => tree));
  return {
    lock: {
      selection,
      also,
      manifests: allowed
        .filter(({ tree }) => trees.has(tree))
        .flatMap(({ tree, heads }) => heads.map((name) => ({ tree, name }))),
    },
    restores: countOf(wanted.flatMap((item) => (item.kind === 'file' ? [item.file] : []))),
    unmatched: plan.unmatched,
    refused: plan.items.filter(({ kind, tree }) => kind === 'refused' && trees.has(tree)).length,
  };
}
