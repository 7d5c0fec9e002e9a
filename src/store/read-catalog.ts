import { toModelCacheError, type ModelCacheError } from '../errors.ts';
import { mapLimited } from '../map-limited.ts';
import { hasLayout, MANIFESTS_PREFIX } from '../model/bucket.ts';
import { catalogTree, type Catalog } from '../model/catalog.ts';
import { COMMIT_BYTES, isCommit } from '../model/digest.ts';
import { Digester } from '../model/digester.ts';
import { catalogOfListing, surveyListing, type ListingSurvey, type UnplacedCopy } from '../model/listing.ts';
import { isAllowedTree, type TreeName } from '../model/tree.ts';
import { readManifests, refuseUnknownFormat } from './read-manifests.ts';
import { ownObjects } from './own-objects.ts';
import { readIfThere } from './small-object.ts';
import type { Store } from './store.ts';
import { wholeListing } from './whole-listing.ts';

export interface CatalogOptions {
  /** Trees named by --also. */
  readonly also: readonly TreeName[];
  readonly acceptUnverified: boolean;
  readonly signal?: AbortSignal;
}

export interface CatalogReading {
  readonly catalog: Catalog;
  readonly refused: readonly ModelCacheError[];
}

const AT_ONCE = 8;
const MAX_BYTES_TO_PLACE = 64 * 1024 ** 3;

/** What the store holds: from its manifests, or, when it has none, from its listing. */
export async function readCatalog(store: Store, options: CatalogOptions): Promise<CatalogReading> {
  const [manifests] = await Promise.all([
    wholeListing(store, MANIFESTS_PREFIX, options.signal),
    refuseUnknownFormat(store, options.signal),
  ]);
  if (manifests.length === 0) return { catalog: await catalogFromListing(store, options), refused: [] };
  const { views, refused } = await readManifests(store, manifests, options.signal);
  const { asked = [], unasked = [] } = Object.groupBy(views, ({ tree }) =>
    isAllowedTree(tree, options.also) ? 'asked' : 'unasked',
  );
  const trees = asked.map(catalogTree);
  const source = trees.length === 0 ? 'nothing' : 'manifests';
  return { catalog: { source, trees, unasked: unasked.map(({ tree }) => tree) }, refused };
}

async function catalogFromListing(
  store: Store,
  { also, acceptUnverified, signal }: CatalogOptions,
): Promise<Catalog> {
  const objects = await wholeListing(store, '', signal);
  // Uploads that never came to their first manifest: nothing is said of them yet.
  if (hasLayout(objects.map(({ key }) => key))) return { source: 'nothing', trees: [] };
  const survey = surveyListing(ownObjects(store, objects, also), also);
  const placement = new Map(
    await mapLimited(
      AT_ONCE,
      worthReading(survey.unplaced),
      async (copy) => [copy, await placeByContent(store, survey, copy, signal)] as const,
    ),
  );
  const refs = Array.from(survey.trees.values()).flatMap((tree) => tree.refs.map(({ object }) => object));
  const commits = refs.filter(({ size }) => size === COMMIT_BYTES);
  const contents = await mapLimited(
    AT_ONCE,
    commits,
    async ({ key }) => [key, await readRef(store, key, signal)] as const,
  );
  const readable = new Map(
    contents.flatMap(([key, content]) => (content === undefined ? [] : [[key, content] as const])),
  );
  return catalogOfListing(survey, placement, readable, acceptUnverified);
}

/** A whole hub may have been copied, but not one after the other without an end: the later ones are left unplaced. */
function worthReading(copies: readonly UnplacedCopy[]): readonly UnplacedCopy[] {
  let bytes = 0;
  return copies.filter(({ object: { size } }) => {
    bytes += size;
    return bytes <= MAX_BYTES_TO_PLACE;
  });
}

/** Reads a copy to find out which blob of its repo it is: the one whose name its content proves. */
async function placeByContent(
  store: Store,
  survey: ListingSurvey,
  { tree, object }: UnplacedCopy,
  signal: AbortSignal | undefined,
): Promise<string | undefined> {
  const digester = new Digester(['sha256', 'git-sha1'], object.size);
  const body = await store.get(object.key, { signal });
  for await (const chunk of body.chunks) digester.update(chunk);
  const { sha256, gitSha1 } = digester.digests();
  const blobs = survey.trees.get(tree)?.blobs;
  return [`blobs/${sha256}`, `blobs/${gitSha1}`].find((path) => blobs?.has(path));
}

async function readRef(
  store: Store,
  key: string,
  signal: AbortSignal | undefined,
): Promise<string | undefined> {
  try {
    const content = await readIfThere(store, key, 256, signal, (bytes) => bytes.toString('utf8'));
    return content !== undefined && isCommit(content) ? content : undefined;
  } catch (error) {
    if (toModelCacheError(error).code === 'object-size-differs') return undefined;
    throw error;
  }
}
