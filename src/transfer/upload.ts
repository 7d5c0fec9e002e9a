import { constants } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import pLimit from 'p-limit';
import { ModelCacheError, toModelCacheError } from '../errors.ts';
import { identityOf } from '../cache/digest.ts';
import { algorithmsFor } from '../cache/prove.ts';
import type { State } from '../cache/state.ts';
import { isBlob } from '../model/bucket.ts';
import { digestParts } from '../cache/part-digests.ts';
import { digestsAgree, firstMismatch, type DigestAlgorithm, type Digests } from '../model/digest.ts';
import { Digester } from '../model/digester.ts';
import { countOf } from '../model/count.ts';
import { partSizeFor } from '../model/parts.ts';
import type { UploadItem } from '../model/upload-plan.ts';
import type { Store } from '../store/store.ts';
import type { Progress } from './progress.ts';
import { SharedUploads } from './shared-upload.ts';
import { Throttle } from './throttle.ts';

export interface SentFile {
  readonly item: UploadItem;
  /** Of the very bytes that were sent. */
  readonly digests: Digests;
}

export interface UploadFailure {
  readonly item: UploadItem;
  readonly error: ModelCacheError;
}

export interface UploadTools {
  readonly dir: string;
  readonly store: Store;
  readonly state: State;
  readonly progress: Progress;
  readonly signal: AbortSignal;
  readonly onFailure: (failure: UploadFailure) => void;
  /** Undefined: as fast as it goes. */
  readonly bytesPerSecond: number | undefined;
  /** Uploads in progress that nobody has added to since then (ms since 1970) are taken back, not joined. */
  readonly abandonedBefore: number;
  /** Large objects have to be sent alone, and why. */
  readonly onUnshared: (why: string) => void;
}

/** What one run of sending works with. */
interface Sender extends UploadTools {
  readonly throttle: Throttle;
  readonly shared: SharedUploads | undefined;
}

const BLOCK = 256 * 1024;
/** Small objects are held in memory whole, large ones four parts at a time: at most about 40 MiB are in flight. */
const SMALL_AT_ONCE = 4;

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
  const throttle = new Throttle(tools.bytesPerSecond);
  const sender = { ...tools, throttle, shared: SharedUploads.of({ ...tools, throttle }) };
  const isSmall = ({ file }: UploadItem): boolean => file.size <= partSizeFor(file.size);
  const large = await sendAll(
    items.filter((item) => !isSmall(item)),
    1,
    sendLarge,
    sender,
  );
  const small = await sendAll(items.filter(isSmall), SMALL_AT_ONCE, sendSmall, sender);
  return [...large, ...small];
}

type Send = (item: UploadItem, file: FileHandle, tools: Sender) => Promise<Digests>;

async function sendAll(
  items: readonly UploadItem[],
  atOnce: number,
  send: Send,
  tools: Sender,
): Promise<readonly SentFile[]> {
  const limit = pLimit(atOnce);
  const sent: SentFile[] = [];
  try {
    await Promise.all(
      items.map((item) =>
        limit(async () => {
          const digests = await sendOrNote(item, send, tools);
          if (digests !== undefined) sent.push({ item, digests });
        }),
      ),
    );
  } finally {
    limit.clearQueue();
  }
  return sent;
}

async function sendOrNote(item: UploadItem, send: Send, tools: Sender): Promise<Digests | undefined> {
  try {
    const digests = await sendProved(item, send, tools);
    await tools.progress.whileWaiting(() => seeInBucket(item, tools));
    tools.progress.fileDone();
    return digests;
  } catch (error) {
    tools.signal.throwIfAborted();
    const reason = toModelCacheError(error);
    if (reason.code.startsWith('store-') || reason.code === 'internal') throw error;
    tools.onFailure({ item, error: reason });
    return undefined;
  }
}

/** Reads a file through one descriptor, whatever happens to its name meanwhile. */
async function sendProved(item: UploadItem, send: Send, tools: Sender): Promise<Digests> {
  const local = join(item.tree.root, item.file.path);
  const file = await open(join(tools.dir, local), constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const digests = await send(item, file, tools);
    const identity = identityOf(await file.stat({ bigint: true }));
    if (identity === item.file.identity) tools.state.remember(local, identity, digests);
    return digests;
  } finally {
    await file.close();
  }
}

async function sendSmall(
  item: UploadItem,
  file: FileHandle,
  { store, progress, throttle, signal }: Sender,
): Promise<Digests> {
  const bytes = Buffer.alloc(item.file.size);
  const { bytesRead } = item.file.size === 0 ? { bytesRead: 0 } : await file.read(bytes, 0, bytes.length, 0);
  const digester = digesterFor(item);
  if (bytesRead !== item.file.size) throw changed(item, `${item.file.size} bytes`, `${bytesRead} bytes`);
  digester.update(bytes);
  const digests = digester.digests();
  refuseOtherContent(item, digests);
  await refuseChanged(item, file);
  await throttle.take(bytes.length, signal);
  await progress.whileWaiting(() => store.put(item.key, bytes, signal));
  progress.addBytes(bytes.length);
  return digests;
}

/** Proved first, so that nothing wrong is ever sent to where other pods send the same object; then sent with them. */
async function sendLarge(item: UploadItem, file: FileHandle, sender: Sender): Promise<Digests> {
  const { shared, progress, signal } = sender;
  if (shared === undefined) return sendAlone(item, file, sender);
  const size = item.file.size;
  const own = await digestParts(file, size, partSizeFor(size), algorithmsOfItem(item), signal);
  refuseOtherContent(item, own.digests);
  await refuseChanged(item, file);
  const isThere = await progress.whileWaiting(() => shared.send(item, file, own));
  if (!isThere) return sendAlone(item, file, sender);
  await refuseChanged(item, file);
  return own.digests;
}

/** In one go, proved while it is sent; stopped half-way, nothing of it stays. */
async function sendAlone(
  item: UploadItem,
  file: FileHandle,
  { store, progress, throttle, signal }: Sender,
): Promise<Digests> {
  const size = item.file.size;
  const digester = digesterFor(item);
  let digests: Digests = {};
  async function* chunks(): AsyncGenerator<Buffer> {
    for (let position = 0; position < size;) {
      signal.throwIfAborted();
      // Each block is its own: the store may hold on to it until its part has been answered.
      const block = Buffer.allocUnsafeSlow(Math.min(BLOCK, size - position));
      const { bytesRead } = await file.read(block, 0, block.length, position);
      if (bytesRead === 0) throw changed(item, `${size} bytes`, `${position} bytes`);
      const bytes = block.subarray(0, bytesRead);
      digester.update(bytes);
      position += bytesRead;
      await throttle.take(bytesRead, signal);
      yield bytes;
      progress.addBytes(bytesRead);
    }
    // The upload is completed only after this generator has ended: what throws here never becomes an object.
    digests = digester.digests();
    refuseOtherContent(item, digests);
    await refuseChanged(item, file);
  }
  await progress.whileWaiting(() =>
    store.putLarge(item.key, chunks(), { size, partSize: partSizeFor(size), signal }),
  );
  return digests;
}

async function seeInBucket({ key, file }: UploadItem, { store, signal }: Sender): Promise<void> {
  const seen = await store.head(key, signal);
  if (seen?.size === file.size) return;
  throw new ModelCacheError(
    'object-size-differs',
    `${key} was sent, and is not in the bucket as it was sent`,
    {
      wanted: `${file.size} bytes`,
      found: seen === undefined ? 'no object' : `${seen.size} bytes`,
      hint: 'run the upload again',
    },
  );
}

function digesterFor(item: UploadItem): Digester {
  return new Digester(algorithmsOfItem(item), item.file.size);
}

function algorithmsOfItem({ tree, file }: UploadItem): readonly DigestAlgorithm[] {
  return algorithmsFor(tree.tree, file.path);
}

function refuseOtherContent(item: UploadItem, found: Digests): void {
  if (digestsAgree(item.wanted, found)) return;
  const mismatch = firstMismatch(item.wanted, found);
  throw changed(item, mismatch?.wanted ?? 'a known digest', mismatch?.found ?? 'none');
}

/** A prefix of a growing file is proved by its own digest all the same; a blob's name cannot lie that way. */
async function refuseChanged({ tree, file: planned }: UploadItem, file: FileHandle): Promise<void> {
  if (isBlob(tree.tree, planned.path)) return;
  const found = identityOf(await file.stat({ bigint: true }));
  if (found === planned.identity) return;
  throw new ModelCacheError(
    'file-changed',
    `${tree.root}/${planned.path} changed while it was sent; it was not sent`,
    {
      hint: 'the next upload takes it',
    },
  );
}

function changed({ tree, file }: UploadItem, wanted: string, found: string): ModelCacheError {
  return new ModelCacheError(
    'file-digest-differs',
    `${tree.root}/${file.path} is not what its name says, or changed while it was sent; it was not sent`,
    {
      wanted,
      found,
      hint: 'delete it and let the server download it again, if it is finished',
    },
  );
}
