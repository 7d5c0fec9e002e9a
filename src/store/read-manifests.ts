import { getHeapStatistics } from 'node:v8';
import { ModelCacheError, toModelCacheError } from '../errors.ts';
import { mapLimited } from '../map-limited.ts';
import { checkFormat, FORMAT_KEY, parseManifestKey } from '../model/bucket.ts';
import { TreeManifests } from '../model/heads.ts';
import { MANIFEST_LIMITS, type NamedManifest } from '../model/manifest.ts';
import type { TreeView } from '../model/merge.ts';
import type { TreeName } from '../model/tree.ts';
import { readManifest, type ManifestName } from './read-manifest.ts';
import { readIfThere } from './small-object.ts';
import type { Store, StoredObject } from './store.ts';

export interface ManifestReading {
  readonly views: readonly TreeView[];
  /** Manifests that could not be used, each with its reason; the others count all the same. */
  readonly refused: readonly ModelCacheError[];
}

const AT_ONCE = 8;
/** Larger ones are read one after the other, so that few bytes are in memory before it is known what they are. */
const LARGE_BYTES = 1024 * 1024;
/** A history of years, for each of a thousand models. */
const MAX_MANIFESTS = 50_000;
/** What all heads may take: unfolded, and made into a plan, they are some ten times as large. */
const MAX_HEAD_BYTES = 128 * 1024 * 1024;
const SHARE_OF_HEAP = 16;
/** Told one by one; what a bucket may have of them has no end. */
const MAX_REFUSALS = 20;

/**
 * Reads the manifests among `objects` and merges them tree by tree; `memory` is what the bytes of all heads may take.
 * Throws only for the store itself.
 */
export async function readManifests(
  store: Store,
  objects: readonly StoredObject[],
  signal?: AbortSignal,
  memory = Math.min(MAX_HEAD_BYTES, getHeapStatistics().heap_size_limit / SHARE_OF_HEAP),
): Promise<ManifestReading> {
  const found = manifestsAmong(objects);
  const refusals = new Refusals();
  const heads = new Heads(memory);
  const read = async (found: FoundManifest): Promise<void> => {
    const { object } = found;
    signal?.throwIfAborted();
    try {
      if (object.size > MANIFEST_LIMITS.bytes) throw tooLarge(object);
      if (object.size > memory) throw noMemory(found);
      heads.add(await readManifest(store, found, object.size, signal), object.size);
    } catch (error) {
      const reason = toModelCacheError(error);
      if (reason.code.startsWith('store-') || signal?.aborted === true) throw error;
      refusals.add(reason);
    }
  };
  const [large, small] = bySize(found.slice(0, MAX_MANIFESTS));
  for (const manifest of large) await read(manifest);
  await mapLimited(AT_ONCE, small, read);
  // Only where memory is short: what came first may have been superseded since.
  for (const manifest of among(found, heads.unkept())) await read(manifest);
  for (const manifest of among(found, heads.unkept())) refusals.add(noMemory(manifest));
  for (const { object } of found.slice(MAX_MANIFESTS)) refusals.add(tooMany(object));
  return { views: heads.views(), refused: refusals.all() };
}

interface FoundManifest extends ManifestName {
  readonly object: StoredObject;
}

function manifestsAmong(objects: readonly StoredObject[]): readonly FoundManifest[] {
  const distinct = new Map(objects.map((object) => [object.key, object]));
  return Array.from(distinct.values(), (object) => ({ ...parseManifestKey(object.key), object })).filter(
    (found): found is FoundManifest => found.tree !== undefined && found.name !== undefined,
  );
}

function bySize(
  found: readonly FoundManifest[],
): readonly [large: readonly FoundManifest[], small: readonly FoundManifest[]] {
  const isLarge = ({ object }: FoundManifest): boolean => object.size > LARGE_BYTES;
  return [found.filter(isLarge), found.filter((manifest) => !isLarge(manifest))];
}

function among(found: readonly FoundManifest[], names: ReadonlySet<string>): readonly FoundManifest[] {
  return names.size === 0 ? [] : found.filter(({ name }) => names.has(name));
}

/** The heads of all trees, as many as there is memory for. */
class Heads {
  readonly #trees = new Map<TreeName, TreeManifests>();
  readonly #most: number;
  #bytes = 0;

  constructor(most: number) {
    this.#most = most;
  }

  add(named: NamedManifest, bytes: number): void {
    const { tree } = named.manifest;
    const manifests = this.#trees.get(tree) ?? new TreeManifests(tree);
    this.#trees.set(tree, manifests);
    const before = manifests.bytes;
    manifests.add(named, bytes, this.#most - this.#bytes);
    this.#bytes += manifests.bytes - before;
  }

  /** Names of heads for which there was no room. */
  unkept(): ReadonlySet<string> {
    return new Set([...this.#trees.values()].flatMap((manifests) => manifests.unkept));
  }

  views(): readonly TreeView[] {
    return Array.from(this.#trees.values(), (manifests) => manifests.view());
  }
}

/** The first of them, and how many more there were. */
class Refusals {
  readonly #first: ModelCacheError[] = [];
  #more = 0;

  add(reason: ModelCacheError): void {
    if (this.#first.length < MAX_REFUSALS) this.#first.push(reason);
    else this.#more += 1;
  }

  all(): readonly ModelCacheError[] {
    if (this.#more === 0) return this.#first;
    return [...this.#first, new ModelCacheError('manifest-invalid', `${this.#more} more manifests`)];
  }
}

function tooLarge({ key, size }: StoredObject): ModelCacheError {
  return new ModelCacheError('manifest-invalid', `${key} is larger than a manifest may be`, {
    wanted: `at most ${MANIFEST_LIMITS.bytes} bytes`,
    found: `${size} bytes`,
  });
}

function tooMany({ key }: StoredObject): ModelCacheError {
  return new ModelCacheError('manifest-invalid', `${key} is one of more manifests than are read`, {
    wanted: `at most ${MAX_MANIFESTS}`,
    found: 'more',
  });
}

function noMemory({ tree, name }: ManifestName): ModelCacheError {
  return new ModelCacheError('manifest-invalid', `manifest ${name} of ${tree} does not fit into memory`, {
    hint: 'give the program more memory, or name a prefix with fewer models in --store',
  });
}

/** Throws `format-unknown` when the bucket is in a format of another program or version. */
export async function refuseUnknownFormat(store: Store, signal?: AbortSignal): Promise<void> {
  await readIfThere(store, FORMAT_KEY, 4096, signal, checkFormat);
}
