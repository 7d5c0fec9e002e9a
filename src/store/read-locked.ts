import { ModelCacheError, toModelCacheError } from '../errors.ts';
import { mapLimited } from '../map-limited.ts';
import { catalogTree, type CatalogTree } from '../model/catalog.ts';
import type { LockedManifest } from '../model/lock-file.ts';
import { MANIFEST_LIMITS, type NamedManifest } from '../model/manifest.ts';
import { mergeTree } from '../model/merge.ts';
import type { TreeName } from '../model/tree.ts';
import { isDenied, missingOrDenied } from './may-not-list.ts';
import type { CatalogReading } from './read-catalog.ts';
import { readManifest } from './read-manifest.ts';
import type { Store } from './store.ts';

const AT_ONCE = 8;

/**
 * What the store holds of exactly these manifests. Nothing is listed, so nothing that somebody has put there since is
 * seen, and each manifest is proved by its name. A tree is withheld when one of its manifests cannot be had: the others
 * say less than what was locked. Throws only for the store itself.
 */
export async function readLocked(
  store: Store,
  manifests: readonly LockedManifest[],
  signal?: AbortSignal,
): Promise<CatalogReading> {
  const answers = await mapLimited(AT_ONCE, manifests, (locked) => answerFor(store, locked, signal));
  refuseIfNoneMayBeRead(answers);
  const trees: CatalogTree[] = [];
  const refused = new Map<TreeName, ModelCacheError>();
  for (const [tree, found] of Map.groupBy(answers, (answer) => answer.tree)) {
    const [error] = found.flatMap((answer) => answer.error ?? []);
    if (error !== undefined) refused.set(tree, notAsLocked(tree, error));
    else
      trees.push(
        catalogTree(
          mergeTree(
            tree,
            found.flatMap(({ manifest }) => manifest ?? []),
          ),
        ),
      );
  }
  return {
    catalog: { source: 'lock', trees, withheld: [...refused.keys()] },
    refused: [...refused.values()],
  };
}

interface Answer {
  readonly tree: TreeName;
  readonly manifest?: NamedManifest;
  /** Why there is no manifest. */
  readonly error?: ModelCacheError;
}

async function answerFor(
  store: Store,
  locked: LockedManifest,
  signal: AbortSignal | undefined,
): Promise<Answer> {
  const { tree } = locked;
  try {
    return { tree, manifest: await readManifest(store, locked, MANIFEST_LIMITS.bytes, signal) };
  } catch (error) {
    const reason = toModelCacheError(error);
    const isAboutStore = reason.code.startsWith('store-') && !isDenied(reason);
    if (isAboutStore || signal?.aborted === true) throw error;
    return { tree, error: reason };
  }
}

function refuseIfNoneMayBeRead(answers: readonly Answer[]): void {
  const denied = answers.flatMap(({ error }) => (isDenied(error) ? [error] : []));
  const [first] = denied;
  if (first === undefined || denied.length < answers.length) return;
  throw new ModelCacheError(
    'store-denied',
    `${first.message}: none of the locked manifests may be read, or none is there`,
    {
      hint: 'give the key s3:GetObject on the prefix; without s3:ListBucket it gets this answer for what is not there, too',
      cause: first.cause,
    },
  );
}

function notAsLocked(tree: TreeName, error: ModelCacheError): ModelCacheError {
  const { code, message, wanted, found, cause } = isDenied(error) ? missingOrDenied(error) : error;
  return new ModelCacheError(code, `${tree}: its locked manifest cannot be had: ${message}`, {
    wanted,
    found,
    hint: 'put back into the bucket what was locked, or lock what is there now with `model-cache lock`',
    cause,
  });
}
