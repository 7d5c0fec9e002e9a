import { toModelCacheError } from '../errors.ts';
import { clearLeftovers } from '../cache/leftovers.ts';
import { filesAtOnce } from './files-at-once.ts';
import { createPace } from '../cache/pace.ts';
import type { Publisher } from '../cache/publish.ts';
import { freeBytes } from '../cache/space.ts';
import { isResumable, withSmallStaged, withStaged } from '../cache/staging.ts';
import type { State } from '../cache/state.ts';
import { bytesShort } from '../model/budget.ts';
import type { CatalogFile } from '../model/catalog.ts';
import type { FileFailure } from '../model/file-failure.ts';
import type { PaceBounds } from '../model/pace.ts';
import { snapshotPath } from '../model/paths.ts';
import { isFetchReason, type PlanItem, type RestorePlan } from '../model/plan.ts';
import type { TreeName } from '../model/tree.ts';
import type { Store } from '../store/store.ts';
import { Downloader, type VerifiedFile } from './download.ts';
import type { Progress } from './progress.ts';

type FileItem = Extract<PlanItem, { kind: 'file' }>;
type LinkItem = Extract<PlanItem, { kind: 'link' }>;
type RefItem = Extract<PlanItem, { kind: 'ref' }>;

export interface RestoreTools {
  readonly store: Store;
  readonly publisher: Publisher;
  readonly state: State;
  readonly progress: Progress;
  readonly bounds: PaceBounds;
  readonly signal: AbortSignal;
  readonly onFailure: (failure: FileFailure) => void;
  readonly onResumed: (file: CatalogFile, bytes: number) => void;
}

/**
 * Carries out a plan: each file as soon as it is proved, a link after the file it leads to, a ref after everything
 * that is wanted of its commit. One file that cannot be had does not stop the others; a store that fails does.
 * What a stop signal interrupts stays for the next run, which goes on with it.
 */
export async function executeRestore(plan: RestorePlan, tools: RestoreTools): Promise<void> {
  const run = new RestoreRun(plan, tools);
  tools.progress.expect(plan.fetch.files, plan.fetch.bytes);
  await run.clearLeftovers();
  await run.linkWhatIsHere();
  await run.fetchFiles();
  run.publishRefs();
}

class RestoreRun {
  readonly #plan: RestorePlan;
  readonly #tools: RestoreTools;
  readonly #downloader: Downloader;
  /** Ends what is under way when the store has failed one of the files. */
  readonly #storeFailed = new AbortController();
  readonly #signal: AbortSignal;
  /** File → the links that lead to it. */
  readonly #linksTo: ReadonlyMap<string, readonly LinkItem[]>;
  /** `tree commit` of which something wanted is not here. */
  readonly #brokenCommits = new Set<string>();

  constructor(plan: RestorePlan, tools: RestoreTools) {
    this.#plan = plan;
    this.#tools = tools;
    this.#signal = AbortSignal.any([tools.signal, this.#storeFailed.signal]);
    const settings = { partsProve: plan.source === 'lock', bounds: tools.bounds };
    this.#downloader = new Downloader(tools.store, tools.progress, settings, this.#signal, {
      onCorrupt: ({ key, etag }) => tools.state.rememberCorrupt(key, etag),
      onResumed: tools.onResumed,
    });
    this.#linksTo = Map.groupBy(plan.items.filter(isLink), ({ tree, link }) => nameOf(tree, link.to));
  }

  /** What killed runs have left, but for the best of each file that is fetched now. */
  async clearLeftovers(): Promise<void> {
    const { dir, items, fetch } = this.#plan;
    const wanted = items.filter(isFileToFetch).map(({ file }) => file);
    const present = items.filter(isPresentFile).map(({ file }) => file);
    const isRoomNeeded = bytesShort(fetch.bytes, { freeBytes: freeBytes(dir) }) > 0;
    await clearLeftovers(dir, Date.now(), { wanted: wanted.filter(isResumable), present, isRoomNeeded });
  }

  /** Links to files that need no fetching. */
  async linkWhatIsHere(): Promise<void> {
    const pace = createPace();
    const fetched = new Set(
      this.#plan.items.filter(isFileToFetch).map(({ tree, path }) => nameOf(tree, path)),
    );
    for (const to of this.#linksTo.keys()) {
      await pace();
      this.#signal.throwIfAborted();
      if (!fetched.has(to)) this.#publishLinksTo(to);
    }
  }

  /** Small ones need no staging of their own, and so many more of them may be on their way. */
  async fetchFiles(): Promise<void> {
    const files = biggestFirst(this.#plan.items.filter(isFileToFetch));
    const large = files.filter(({ file }) => !isSmall(file));
    const small = files.filter(({ file }) => isSmall(file));
    try {
      const results = await Promise.allSettled([
        ...this.#fetchersOf(large, filesAtOnce()),
        ...this.#fetchersOf(small, SMALL_AT_ONCE),
      ]);
      const failed = results.find((result) => result.status === 'rejected');
      if (failed !== undefined) throw this.#signal.aborted ? this.#signal.reason : failed.reason;
    } finally {
      this.#downloader.close();
    }
  }

  publishRefs(): void {
    for (const item of this.#plan.items.filter(isRef)) {
      const { tree, path, content, reason, found } = item;
      const isWanted = isFetchReason(reason) && !this.#brokenCommits.has(nameOf(tree, content));
      const isWritten =
        isWanted &&
        this.#noteFailures(item, () =>
          this.#tools.publisher.publishRef(this.#localPath(tree, path), content),
        );
      // Only where this disk has what the bucket says; a ref that it keeps from elsewhere is its own news.
      if (isWritten || found === content) this.#tools.state.agreeOnRef(tree, path, content);
    }
  }

  /** So many side by side, each of which takes the next file when it is done with one. */
  #fetchersOf(files: readonly FileItem[], count: number): readonly Promise<void>[] {
    const queue = files.values();
    return Array.from({ length: count }, async () => {
      for (const item of queue) await this.#fetchOrStop(item);
    });
  }

  /** What is wrong with one file is noted; what is wrong with the store ends all. */
  async #fetchOrStop(item: FileItem): Promise<void> {
    this.#signal.throwIfAborted();
    try {
      await this.#fetchAtMostTwice(item);
      this.#tools.progress.fileDone();
    } catch (error) {
      this.#signal.throwIfAborted();
      if (!isAboutOnePath(error)) {
        this.#storeFailed.abort(error);
        throw error;
      }
      this.#noteFailure(item, error);
    }
  }

  /** What was fetched and then taken away from its folder is fetched once more. */
  async #fetchAtMostTwice(item: FileItem): Promise<void> {
    try {
      await this.#fetch(item);
    } catch (error) {
      this.#signal.throwIfAborted();
      if (toModelCacheError(error).code !== 'file-changed') throw error;
      this.#tools.progress.expect(0, item.file.size);
      await this.#fetch(item);
    }
  }

  async #fetch({ tree, path, file }: FileItem): Promise<void> {
    const { publisher, state } = this.#tools;
    const { dir } = this.#plan;
    const local = this.#localPath(tree, path);
    publisher.prepare(local);
    const publish = (stagedPath: string, { digests, isFlushed }: VerifiedFile): void => {
      this.#signal.throwIfAborted();
      state.remember(local, publisher.publishFile(stagedPath, local), digests, isFlushed);
      this.#publishLinksTo(nameOf(tree, path));
    };
    if (isSmall(file)) {
      await withSmallStaged(dir, file, (staged) => this.#downloader.downloadSmall(file, staged), publish);
      return;
    }
    await withStaged(
      dir,
      file,
      (staging) => this.#downloader.download(file, staging),
      publish,
      () => isInterrupted(this.#tools.signal),
    );
  }

  #publishLinksTo(to: string): void {
    for (const item of (this.#linksTo.get(to) ?? []).filter(isToMake)) {
      const path = this.#localPath(item.tree, item.path);
      this.#noteFailures(item, () => this.#tools.publisher.publishLink(path, item.link.target));
    }
  }

  /** Whether `publish` went well. A disk that fails altogether still ends everything. */
  #noteFailures(item: LinkItem | RefItem, publish: () => void): boolean {
    try {
      publish();
      return true;
    } catch (error) {
      if (!isAboutOnePath(error)) throw error;
      this.#noteFailure(item, error);
      return false;
    }
  }

  #noteFailure({ tree, path }: PlanItem, error: unknown): void {
    const lost = [path, ...(this.#linksTo.get(nameOf(tree, path)) ?? []).map((link) => link.path)];
    for (const commit of lost.map((name) => snapshotPath(name)?.commit)) {
      if (commit !== undefined) this.#brokenCommits.add(nameOf(tree, commit));
    }
    this.#tools.onFailure({ tree, path, error: toModelCacheError(error) });
  }

  #localPath(tree: TreeName, path: string): string {
    return `${Object.hasOwn(this.#plan.roots, tree) ? this.#plan.roots[tree] : tree}/${path}`;
  }
}

/** Files of one size in any order: pods that start together ask for different ones. */
function biggestFirst(items: readonly FileItem[]): readonly FileItem[] {
  return items
    .map((item) => ({ item, luck: Math.random() }))
    .toSorted((a, b) => b.item.file.size - a.item.file.size || a.luck - b.luck)
    .map(({ item }) => item);
}

const SMALL_AT_ONCE = 64;
const SMALL_BYTES = 1024 * 1024;

/** It comes in one request, and is hashed by whoever receives it. */
function isSmall({ size, digests }: CatalogFile): boolean {
  return size <= SMALL_BYTES && digests !== undefined;
}

/** The next run of this dir is to go on; whatever else ends a restore, the server needs the room now. */
function isInterrupted({ aborted, reason }: AbortSignal): boolean {
  return aborted && toModelCacheError(reason).code === 'interrupted';
}

/** Everything else would fail for the next path too. */
function isAboutOnePath(error: unknown): boolean {
  const { code } = toModelCacheError(error);
  return code.startsWith('object-') || code === 'path-unsafe' || code === 'file-changed';
}

function isFileToFetch(item: PlanItem): item is FileItem {
  return item.kind === 'file' && isFetchReason(item.reason);
}

function isPresentFile(item: PlanItem): item is FileItem {
  return item.kind === 'file' && item.reason === 'present';
}

function isLink(item: PlanItem): item is LinkItem {
  return item.kind === 'link';
}

function isToMake({ reason }: LinkItem): boolean {
  return isFetchReason(reason);
}

function isRef(item: PlanItem): item is RefItem {
  return item.kind === 'ref';
}

function nameOf(tree: TreeName, name: string): string {
  return `${tree} ${name}`;
}
