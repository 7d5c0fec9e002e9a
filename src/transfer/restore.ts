import pLimit from 'p-limit';
import { toModelCacheError, type ModelCacheError } from '../errors.ts';
import { createPace } from '../cache/pace.ts';
import type { Publisher } from '../cache/publish.ts';
import { withStaged } from '../cache/staging.ts';
import type { State } from '../cache/state.ts';
import { snapshotPath } from '../model/paths.ts';
import { isFetchReason, type PlanItem, type RestorePlan } from '../model/plan.ts';
import type { TreeName } from '../model/tree.ts';
import type { Store } from '../store/store.ts';
import { Downloader } from './download.ts';
import type { Progress } from './progress.ts';

type FileItem = Extract<PlanItem, { kind: 'file' }>;
type LinkItem = Extract<PlanItem, { kind: 'link' }>;
type RefItem = Extract<PlanItem, { kind: 'ref' }>;

export interface Failure {
  readonly tree: TreeName;
  readonly path: string;
  readonly error: ModelCacheError;
}

export interface RestoreTools {
  readonly store: Store;
  readonly publisher: Publisher;
  readonly state: State;
  readonly progress: Progress;
  readonly signal: AbortSignal;
  readonly onFailure: (failure: Failure) => void;
}

const FILES_AT_ONCE = 16;

/**
 * Carries out a plan: each file as soon as it is proved, a link after the file it leads to, a ref after everything
 * that is wanted of its commit. One file that cannot be had does not stop the others; a store that fails does.
 */
export async function executeRestore(plan: RestorePlan, tools: RestoreTools): Promise<void> {
  const run = new RestoreRun(plan, tools);
  tools.progress.expect(plan.fetch.files, plan.fetch.bytes);
  await run.linkWhatIsHere();
  await run.fetchFiles();
  run.publishRefs();
}

class RestoreRun {
  readonly #plan: RestorePlan;
  readonly #tools: RestoreTools;
  readonly #downloader: Downloader;
  /** File → the links that lead to it. */
  readonly #linksTo = new Map<string, LinkItem[]>();
  /** `tree commit` of which something wanted is not here. */
  readonly #brokenCommits = new Set<string>();

  constructor(plan: RestorePlan, tools: RestoreTools) {
    this.#plan = plan;
    this.#tools = tools;
    this.#downloader = new Downloader(tools.store, tools.progress, tools.signal);
    for (const item of plan.items.filter(isLink)) {
      const to = nameOf(item.tree, item.link.to);
      this.#linksTo.set(to, [...(this.#linksTo.get(to) ?? []), item]);
    }
  }

  /** Links to files that need no fetching. */
  async linkWhatIsHere(): Promise<void> {
    const pace = createPace();
    const fetched = new Set(
      this.#plan.items.filter(isFileToFetch).map(({ tree, path }) => nameOf(tree, path)),
    );
    for (const to of this.#linksTo.keys()) {
      await pace();
      if (!fetched.has(to)) this.#publishLinksTo(to);
    }
  }

  async fetchFiles(): Promise<void> {
    const limit = pLimit(FILES_AT_ONCE);
    const biggestFirst = this.#plan.items
      .filter(isFileToFetch)
      .map((item) => ({ item, luck: Math.random() }))
      .toSorted((a, b) => b.item.file.size - a.item.file.size || a.luck - b.luck);
    try {
      await Promise.all(biggestFirst.map(({ item }) => limit(() => this.#fetchOrNote(item))));
    } finally {
      limit.clearQueue();
    }
  }

  publishRefs(): void {
    for (const item of this.#plan.items.filter(isRefToWrite)) {
      if (this.#brokenCommits.has(nameOf(item.tree, item.content))) continue;
      this.#tools.publisher.publishRef(this.#localPath(item.tree, item.path), item.content);
    }
    for (const item of this.#plan.items) {
      if (item.kind === 'ref') this.#tools.state.agreeOnRef(item.tree, item.path, item.content);
    }
  }

  async #fetchOrNote(item: FileItem): Promise<void> {
    try {
      await this.#fetch(item);
      this.#tools.progress.fileDone();
    } catch (error) {
      this.#tools.signal.throwIfAborted();
      const reason = toModelCacheError(error);
      if (!isAboutOneFile(reason)) throw error;
      this.#noteFailure(item, reason);
    }
  }

  async #fetch({ tree, path, file }: FileItem): Promise<void> {
    const { publisher, state, signal } = this.#tools;
    await withStaged(
      this.#plan.dir,
      file,
      (staging) => this.#downloader.download(file, staging),
      (stagedPath, { digests }) => {
        signal.throwIfAborted();
        const local = this.#localPath(tree, path);
        state.remember(local, publisher.publishFile(stagedPath, local), digests);
        this.#publishLinksTo(nameOf(tree, path));
      },
    );
  }

  #publishLinksTo(to: string): void {
    for (const { tree, path, link } of (this.#linksTo.get(to) ?? []).filter(isToMake)) {
      this.#tools.publisher.publishLink(this.#localPath(tree, path), link.target);
    }
  }

  #noteFailure({ tree, path }: FileItem, error: ModelCacheError): void {
    const lost = [path, ...(this.#linksTo.get(nameOf(tree, path)) ?? []).map((link) => link.path)];
    for (const commit of lost.map((name) => snapshotPath(name)?.commit)) {
      if (commit !== undefined) this.#brokenCommits.add(nameOf(tree, commit));
    }
    this.#tools.onFailure({ tree, path, error });
  }

  #localPath(tree: TreeName, path: string): string {
    return `${this.#plan.roots[tree] ?? tree}/${path}`;
  }
}

/** Everything else would fail for the next file too. */
function isAboutOneFile({ code }: ModelCacheError): boolean {
  return code.startsWith('object-') || code === 'path-unsafe';
}

function isFileToFetch(item: PlanItem): item is FileItem {
  return item.kind === 'file' && isFetchReason(item.reason);
}

function isLink(item: PlanItem): item is LinkItem {
  return item.kind === 'link';
}

function isToMake({ reason }: LinkItem): boolean {
  return isFetchReason(reason);
}

function isRefToWrite(item: PlanItem): item is RefItem {
  return item.kind === 'ref' && isFetchReason(item.reason);
}

function nameOf(tree: TreeName, name: string): string {
  return `${tree} ${name}`;
}
