import { constants } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { identityOf } from '../cache/digest.ts';
import { PartDigester } from '../cache/part-digester.ts';
import { toModelCacheError, type ModelCacheError } from '../errors.ts';
import type { Listing } from '../model/bucket.ts';
import { countOf } from '../model/count.ts';
import { Digester } from '../model/digester.ts';
import { partSizeFor } from '../model/parts.ts';
import type { UploadItem } from '../model/upload-plan.ts';
import { ByteBudget } from './byte-budget.ts';
import { connectionsAtOnce } from './files-at-once.ts';
import { Lanes } from './lanes.ts';
import { seeInBucket, seeTogether } from './see-in-bucket.ts';
import { sendLarge } from './send-large.ts';
import { SharedUploads } from './shared-upload.ts';
import { SpareMemory } from './spare-memory.ts';
import { Throttle } from './throttle.ts';
import {
  algorithmsOfItem,
  refuseChanged,
  refuseOtherContent,
  refuseOtherLength,
  type SendingTools,
  type SentContent,
} from './upload-item.ts';

export interface SentFile extends SentContent {
  readonly item: UploadItem;
}

export interface UploadFailure {
  readonly item: UploadItem;
  readonly error: ModelCacheError;
}

export interface UploadTools extends Omit<SendingTools, 'throttle'> {
  readonly onFailure: (failure: UploadFailure) => void;
  /** What the bucket held before. */
  readonly listing: Listing;
  /** Undefined: as fast as it goes. */
  readonly bytesPerSecond: number | undefined;
  /** Uploads in progress that nobody has added to since then (ms since 1970) are taken back, not joined. */
  readonly abandonedBefore: number;
  /** Large objects have to be sent alone, and why. */
  readonly onUnshared: (why: string) => void;
}

/** Parts on their way, of all files together, each with less than a MiB of it in memory. */
const PARTS_AT_ONCE = 4;
/** While the end of one is on its way, the next one begins. */
const LARGE_AT_ONCE = 2;
/** Small objects are held in memory whole. */
const SMALL = { bytes: 32 * 1024 * 1024, count: 16 };

type Send = (item: UploadItem, file: FileHandle) => Promise<SentContent>;

/**
 * Sends files, and returns those that were proved while they were sent and then seen in the bucket. A file that
 * turns out to be something else than its name says never becomes an object. A store that fails stops everything.
 */
export async function sendFiles(
  items: readonly UploadItem[],
  tools: UploadTools,
): Promise<readonly SentFile[]> {
  const { files, bytes } = countOf(items.map(({ file }) => file));
  tools.progress.expect(files, bytes);
  return new Sending(tools).send(items);
}

class Sending {
  readonly #tools: UploadTools & SendingTools;
  readonly #stop = new AbortController();
  readonly #prover = new PartDigester();

  constructor(tools: UploadTools) {
    const signal = AbortSignal.any([tools.signal, this.#stop.signal]);
    this.#tools = { ...tools, signal, throttle: new Throttle(tools.bytesPerSecond) };
  }

  async send(items: readonly UploadItem[]): Promise<readonly SentFile[]> {
    const isSmall = ({ file }: UploadItem): boolean => file.size <= partSizeFor(file.size);
    try {
      const large = await this.#sendLarge(items.filter((item) => !isSmall(item)));
      const small = await this.#sendSmall(items.filter(isSmall));
      return [...large, ...small];
    } finally {
      this.#prover.close();
    }
  }

  #sendLarge(items: readonly UploadItem[]): Promise<readonly SentFile[]> {
    const shared = SharedUploads.of({ ...this.#tools, lanes: new Lanes(PARTS_AT_ONCE) });
    const lanes = new Lanes(LARGE_AT_ONCE);
    const tools = { ...this.#tools, prover: this.#prover, shared };
    return this.#all(items, (item, turn) =>
      lanes.run(turn, () =>
        this.#sendOrNote(item, async () => {
          const sent = await this.#proved(item, (_, file) => sendLarge(item, file, turn, tools));
          await seeInBucket(item, this.#tools);
          this.#tools.progress.fileDone();
          return sent;
        }),
      ),
    );
  }

  async #sendSmall(items: readonly UploadItem[]): Promise<readonly SentFile[]> {
    const count = Math.min(SMALL.count, connectionsAtOnce());
    const budget = new ByteBudget({ bytes: SMALL.bytes, count });
    const memory = new SpareMemory();
    const sent = await this.#all(items, (item) =>
      budget.run(item.file.size, () =>
        this.#sendOrNote(item, async () => {
          const content = await this.#proved(item, (_, file) =>
            memory.lend(item.file.size, (bytes) => sendSmall(item, file, bytes, this.#tools)),
          );
          this.#tools.progress.fileDone();
          return content;
        }),
      ),
    );
    const isThere = await seeTogether(
      sent.map(({ item }) => item),
      this.#tools,
    );
    return sent.filter(({ item }) => isThere(item));
  }

  /** Settles when nothing is sent any more. The first failure stops the others. */
  async #all(
    items: readonly UploadItem[],
    send: (item: UploadItem, turn: number) => Promise<SentContent | undefined>,
  ): Promise<readonly SentFile[]> {
    const sent: SentFile[] = [];
    let failure: { readonly error: unknown } | undefined;
    await Promise.all(
      items.map(async (item, turn) => {
        try {
          const content = await send(item, turn);
          if (content !== undefined) sent.push({ item, ...content });
        } catch (error) {
          failure ??= { error };
          this.#stop.abort(error);
        }
      }),
    );
    if (failure !== undefined) throw failure.error;
    return sent;
  }

  async #sendOrNote(item: UploadItem, send: () => Promise<SentContent>): Promise<SentContent | undefined> {
    this.#tools.signal.throwIfAborted();
    try {
      return await send();
    } catch (error) {
      this.#tools.signal.throwIfAborted();
      const reason = toModelCacheError(error);
      if (reason.code.startsWith('store-') || reason.code === 'internal') throw error;
      this.#tools.onFailure({ item, error: reason });
      return undefined;
    }
  }

  /** Reads a file through one descriptor, whatever happens to its name meanwhile. */
  async #proved(item: UploadItem, send: Send): Promise<SentContent> {
    const { dir, state } = this.#tools;
    const local = join(item.tree.root, item.file.path);
    const file = await open(join(dir, local), constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const sent = await send(item, file);
      const identity = identityOf(await file.stat({ bigint: true }));
      if (identity === item.file.identity) state.remember(local, identity, sent.digests);
      return sent;
    } finally {
      await file.close();
    }
  }
}

async function sendSmall(
  item: UploadItem,
  file: FileHandle,
  bytes: Buffer,
  { store, progress, throttle, signal }: SendingTools,
): Promise<SentContent> {
  const { size } = item.file;
  const { bytesRead } = size === 0 ? { bytesRead: 0 } : await file.read(bytes, 0, size, 0);
  refuseOtherLength(item, bytesRead);
  const digester = new Digester(algorithmsOfItem(item), size);
  digester.update(bytes);
  const digests = digester.digests();
  refuseOtherContent(item, digests);
  await refuseChanged(item, file);
  await throttle.take(size, signal);
  await progress.whileWaiting(() => store.put(item.key, bytes, signal));
  progress.addBytes(size);
  return { digests };
}
