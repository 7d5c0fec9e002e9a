import { setImmediate as nextTurn } from 'node:timers/promises';
import { isInterrupted, toModelCacheError } from '../errors.ts';
import { clearLeftovers } from '../cache/leftovers.ts';
import { filesAtOnce, withinOpenFiles } from './files-at-once.ts';
import { createPace } from '../cache/pace.ts';
import { freeBytes } from '../cache/space.ts';
import { isResumable, publishSmall, smallStagedPath, withStaged } from '../cache/staging.ts';
import { bytesShort } from '../model/budget.ts';
import type { CatalogFile } from '../model/catalog.ts';
import type { PaceBounds } from '../model/pace.ts';
import { handfuls } from '../model/handfuls.ts';
import { isFileToFetch, isPresentFile, type FileItem, type RestorePlan } from '../model/plan.ts';
import type { Store } from '../store/store.ts';
import { Downloader } from './download.ts';
import { InTurn } from './in-turn.ts';
import { isAboutOnePath, succeeds } from './one-path.ts';
import type { Progress } from './progress.ts';
import { Publication, type PublicationTools } from './publication.ts';
import type { VerifiedFile } from './verified-file.ts';

export interface RestoreTools extends PublicationTools {
  readonly store: Store;
  readonly progress: Progress;
  readonly bounds: PaceBounds;
  readonly signal: AbortSignal;
  readonly onResumed: (file: CatalogFile, bytes: number) => void;
}

/**
 * Carries out a plan: each file as soon as it is proved, a link after the file it leads to, a ref after everything
 * that is wanted of its commit. One file that cannot be had does not stop the others; a store that fails does.
 * What a stop signal interrupts stays for the next run, which goes on with it.
 */
export async function executeRestore(plan: RestorePlan, tools: RestoreTools): Promise<void> {
  const publication = new Publication(plan, tools);
  const run = new RestoreRun(plan, tools, publication);
  tools.progress.expect(plan.fetch.files, plan.fetch.bytes);
  try {
    await run.clearLeftovers();
    await publication.linkWhatIsHere(tools.signal);
    await run.fetchFiles();
    publication.publishRefs();
  } finally {
    run.close();
  }
}

class RestoreRun {
  readonly #plan: RestorePlan;
  readonly #tools: RestoreTools;
  readonly #publication: Publication;
  readonly #bounds: PaceBounds;
  readonly #downloader: Downloader;
  /** Ends what is under way when the store or the disk has failed one of the files. */
  readonly #ending = new AbortController();
  readonly #signal: AbortSignal;
  /** Of small files, of which many may be there at once. */
  readonly #publishing = new InTurn();
  readonly #pace = createPace();

  constructor(plan: RestorePlan, tools: RestoreTools, publication: Publication) {
    this.#plan = plan;
    this.#tools = tools;
    this.#publication = publication;
    this.#bounds = withinOpenFiles(tools.bounds);
    this.#signal = AbortSignal.any([tools.signal, this.#ending.signal]);
    const settings = { partsProve: plan.source === 'lock', bounds: this.#bounds };
    this.#downloader = new Downloader(tools.store, tools.progress, settings, this.#signal, {
      onCorrupt: ({ key, etag }) => tools.state.rememberCorrupt(key, etag),
      onResumed: tools.onResumed,
    });
  }

  /** What killed runs have left, but for the best of each file that is fetched now. */
  async clearLeftovers(): Promise<void> {
    const { dir, items, fetch } = this.#plan;
    const wanted = items.filter(isFileToFetch).map(({ file }) => file);
    const present = items.filter(isPresentFile).map(({ file }) => file);
    const isRoomNeeded = bytesShort(fetch.bytes, { freeBytes: freeBytes(dir) }) > 0;
    await clearLeftovers(dir, Date.now(), { wanted: wanted.filter(isResumable), present, isRoomNeeded });
  }

  /** Small ones need no staging of their own, and so many more of them may be on their way. */
  async fetchFiles(): Promise<void> {
    const files = biggestFirst(this.#plan.items.filter(isFileToFetch));
    const large = files.filter(({ file }) => !isSmall(file)).values();
    const smallAtOnce = Math.min(SMALL_AT_ONCE, this.#bounds.width);
    const small = handfuls(
      files.filter(({ file }) => isSmall(file)),
      ({ file }) => file.size,
      smallAtOnce,
    );
    const results = await Promise.allSettled([
      ...sideBySide(filesAtOnce(), async () => {
        for (const item of large) await this.#fetchLarge(item);
      }),
      ...sideBySide(smallAtOnce, async () => {
        for (const items of small) await this.#fetchSmall(items);
      }),
    ]);
    this.#signal.throwIfAborted();
    const failed = results.find((result) => result.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  }

  close(): void {
    this.#downloader.close();
  }

  /** What was fetched and then taken away from its folder is fetched once more. */
  async #fetchLarge(item: FileItem): Promise<void> {
    this.#signal.throwIfAborted();
    try {
      try {
        await this.#stageLarge(item);
      } catch (error) {
        this.#signal.throwIfAborted();
        if (!isTakenAway(error)) throw error;
        this.#tools.progress.expect(0, item.file.size);
        await this.#stageLarge(item);
      }
      this.#tools.progress.fileDone();
    } catch (error) {
      this.#failed(item, error);
      this.#signal.throwIfAborted();
    }
  }

  async #stageLarge(item: FileItem): Promise<void> {
    let hasCome = false;
    try {
      this.#publication.prepare(item);
      await withStaged(
        this.#plan.dir,
        item.file,
        async (staging) => {
          const verified = await this.#downloader.download(item.file, staging);
          hasCome = true;
          return verified;
        },
        (stagedPath, verified) => this.#publish(item, stagedPath, verified),
        () => isInterrupted(this.#tools.signal),
      );
    } catch (error) {
      if (!hasCome) this.#expectNoMore(item);
      throw error;
    }
  }

  /** The same for some small ones, each of which is published as soon as it is there. */
  async #fetchSmall(items: readonly FileItem[]): Promise<void> {
    const takenAway: FileItem[] = [];
    await this.#makeSmall(items, (item, error) => {
      if (isTakenAway(error)) takenAway.push(item);
      else this.#failed(item, error);
    });
    for (const { file } of takenAway) this.#tools.progress.expect(0, file.size);
    await this.#makeSmall(takenAway, (item, error) => this.#failed(item, error));
  }

  async #makeSmall(
    items: readonly FileItem[],
    onFailed: (item: FileItem, error: unknown) => void,
  ): Promise<void> {
    const files = [];
    for (const item of items) {
      const pause = this.#pace();
      if (pause !== undefined) await pause;
      this.#signal.throwIfAborted();
      const isPrepared = succeeds(
        () => this.#publication.prepare(item),
        (error) => {
          this.#expectNoMore(item);
          onFailed(item, error);
        },
      );
      const path = smallStagedPath(this.#plan.dir, item.file);
      if (isPrepared) files.push({ item, wanted: item.file, path });
    }
    if (files.length === 0) return;
    try {
      await this.#downloader.small.fetch(files, {
        onVerified: ({ item, path }, verified) =>
          this.#publishing.put(() => {
            const isPublished = succeeds(
              () => publishSmall(path, () => this.#publish(item, path, verified)),
              (error) => onFailed(item, error),
            );
            if (isPublished) this.#tools.progress.fileDone();
          }),
        onFailed: ({ item }, error) => onFailed(item, error),
      });
    } finally {
      await this.#publishing.settled();
    }
    this.#signal.throwIfAborted();
  }

  /** Else the others would be fetched to the end as if it came behind them. */
  #expectNoMore({ file }: FileItem): void {
    this.#tools.progress.expect(0, -file.size);
  }

  /** What is wrong with one file is noted; what is wrong with the store, or with the disk, ends all. */
  #failed(item: FileItem, error: unknown): void {
    if (this.#signal.aborted) return;
    if (isAboutOnePath(error)) this.#publication.noteFailure(item, error);
    else this.#ending.abort(error);
  }

  /** What has come when the run has ended stays without its name. */
  #publish(item: FileItem, stagedPath: string, verified: VerifiedFile): void {
    this.#signal.throwIfAborted();
    this.#publication.publish(item, stagedPath, verified);
  }
}

const BEGUN_AT_ONCE = 8;

/** Some a turn: what the first have asked for is on its way while the others get ready. */
function sideBySide(count: number, work: () => Promise<void>): Promise<void>[] {
  return Array.from({ length: count }, async (_, place) => {
    for (let turn = BEGUN_AT_ONCE; turn <= place; turn += BEGUN_AT_ONCE) await nextTurn();
    await work();
  });
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

function isTakenAway(error: unknown): boolean {
  return toModelCacheError(error).code === 'file-changed';
}
