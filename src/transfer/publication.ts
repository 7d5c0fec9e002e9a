import { createPace } from '../cache/pace.ts';
import type { Publisher } from '../cache/publish.ts';
import type { State } from '../cache/state.ts';
import { toModelCacheError } from '../errors.ts';
import type { FileFailure } from '../model/file-failure.ts';
import { snapshotPath } from '../model/paths.ts';
import {
  isFetchReason,
  isFileToFetch,
  type FileItem,
  type PlanItem,
  type RestorePlan,
} from '../model/plan.ts';
import type { TreeName } from '../model/tree.ts';
import { isAboutOnePath, succeeds } from './one-path.ts';
import type { VerifiedFile } from './verified-file.ts';

type LinkItem = Extract<PlanItem, { kind: 'link' }>;
type RefItem = Extract<PlanItem, { kind: 'ref' }>;

export interface PublicationTools {
  readonly publisher: Publisher;
  readonly state: State;
  readonly onFailure: (failure: FileFailure) => void;
}

/**
 * Gives what a plan restores its names: each file's, with it those of the links that lead to it, and last the refs, of
 * commits of which everything that is wanted is here.
 */
export class Publication {
  readonly #plan: RestorePlan;
  readonly #tools: PublicationTools;
  /** Tree → file → the links that lead to it. */
  readonly #linksTo: ReadonlyMap<TreeName, ReadonlyMap<string, readonly LinkItem[]>>;
  /** `tree commit` of which something wanted is not here. */
  readonly #brokenCommits = new Set<string>();

  constructor(plan: RestorePlan, tools: PublicationTools) {
    this.#plan = plan;
    this.#tools = tools;
    const linksOf = Map.groupBy(plan.items.filter(isLink), ({ tree }) => tree);
    this.#linksTo = new Map(
      Array.from(linksOf, ([tree, links]) => [tree, Map.groupBy(links, ({ link }) => link.to)]),
    );
  }

  /** Links to files that need no fetching. */
  async linkWhatIsHere(signal: AbortSignal): Promise<void> {
    const pace = createPace();
    const fetched = Map.groupBy(this.#plan.items.filter(isFileToFetch), ({ tree }) => tree);
    for (const [tree, linksOf] of this.#linksTo) {
      const paths = new Set(fetched.get(tree)?.map(({ path }) => path));
      for (const to of linksOf.keys()) {
        const pause = pace();
        if (pause !== undefined) await pause;
        signal.throwIfAborted();
        if (!paths.has(to)) this.#publishLinksTo(tree, to);
      }
    }
  }

  /** Throws `path-unsafe` when the file cannot be published: better known before its bytes are fetched. */
  prepare({ tree, path }: FileItem): void {
    this.#tools.publisher.prepare(this.#localPath(tree, path));
  }

  publish({ tree, path }: FileItem, stagedPath: string, { digests, isFlushed }: VerifiedFile): void {
    const { publisher, state } = this.#tools;
    const local = this.#localPath(tree, path);
    state.remember(local, publisher.publishFile(stagedPath, local), digests, isFlushed);
    this.#publishLinksTo(tree, path);
  }

  /** When everything else is done. */
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

  /** It is not here, and so neither are the links that lead to it, nor all of their commits. */
  noteFailure({ tree, path }: PlanItem, error: unknown): void {
    const lost = [path, ...this.#linksOf(tree, path).map((link) => link.path)];
    for (const commit of lost.map((name) => snapshotPath(name)?.commit)) {
      if (commit !== undefined) this.#brokenCommits.add(nameOf(tree, commit));
    }
    this.#tools.onFailure({ tree, path, error: toModelCacheError(error) });
  }

  #publishLinksTo(tree: TreeName, file: string): void {
    for (const item of this.#linksOf(tree, file).filter(isToMake)) {
      const path = this.#localPath(item.tree, item.path);
      this.#noteFailures(item, () => this.#tools.publisher.publishLink(path, item.link.target));
    }
  }

  /** Whether `publish` went well. A disk that fails altogether still ends everything. */
  #noteFailures(item: LinkItem | RefItem, publish: () => void): boolean {
    return succeeds(publish, (error) => {
      if (!isAboutOnePath(error)) throw error;
      this.noteFailure(item, error);
    });
  }

  #linksOf(tree: TreeName, file: string): readonly LinkItem[] {
    return this.#linksTo.get(tree)?.get(file) ?? [];
  }

  #localPath(tree: TreeName, path: string): string {
    return `${Object.hasOwn(this.#plan.roots, tree) ? this.#plan.roots[tree] : tree}/${path}`;
  }
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
