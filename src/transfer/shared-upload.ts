import type { FileHandle } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { ModelCacheError, toModelCacheError, type ErrorCode } from '../errors.ts';
import { meetingPoint, placeAmong, type Place } from '../model/part-sharing.ts';
import type { Multiparts, OpenUpload, SentPart, Store } from '../store/store.ts';
import type { Lanes } from './lanes.ts';
import { sendMissingParts, type Meeting, type RaceTools } from './part-race.ts';
import { OpaqueEtags } from './part-sender.ts';
import type { PartsProof } from './parts-proof.ts';
import type { Progress } from './progress.ts';
import type { Throttle } from './throttle.ts';

export interface SharingTools {
  readonly store: Store;
  readonly progress: Progress;
  readonly throttle: Throttle;
  /** For the parts of all files together. */
  readonly lanes: Lanes;
  readonly signal: AbortSignal;
  /** Uploads that nobody has added to since then, in ms since 1970, are taken back and not joined. */
  readonly abandonedBefore: number;
  readonly onUnshared: (why: string) => void;
}

export interface ObjectToShare {
  readonly key: string;
  /** The ETag of an object that is to be replaced: it does not count as being there. */
  readonly replaces?: string | undefined;
  /** Those of a lower turn are sent before others. */
  readonly turn: number;
}

/** An upload that everybody joins, and the one by which the others know of this pod: its own, or the same. */
interface Joined extends Meeting {
  readonly own: OpenUpload;
}

const MEETINGS = 4;
/** Two pods that begin an upload at the same moment may not see each other's at once. */
const SECOND_LOOK_MS = 300;
/** Also when we were stopped ourselves. */
const ABORT_WITHIN_MS = 4000;

/** Sends large objects together with whoever else sends them: the multipart upload is where pods meet. */
export class SharedUploads {
  readonly #tools: SharingTools & RaceTools;
  #isPossible = true;

  private constructor(tools: SharingTools, multiparts: Multiparts) {
    this.#tools = { ...tools, multiparts: waitedFor(multiparts, tools.progress) };
  }

  /** Undefined where objects are written in one go. */
  static of(tools: SharingTools): SharedUploads | undefined {
    const { multiparts } = tools.store;
    return multiparts === undefined ? undefined : new SharedUploads(tools, multiparts);
  }

  /**
   * Whether the object is in the bucket now, whoever completed it. False where it turns out that this store's uploads
   * cannot be shared; then nothing of ours is left there. Stopped half-way, what was sent stays for whoever comes next;
   * of a file that is not what it should be, nothing does, unless others take part.
   */
  async send(object: ObjectToShare, file: FileHandle, own: PartsProof): Promise<boolean> {
    if (!this.#isPossible) return false;
    for (let meetings = 1, isReplaced = false; ; meetings += 1) {
      const isThere = (): Promise<boolean> => this.#isThere(object, own.size, isReplaced);
      if (await isThere()) {
        // What was on its way while somebody else completed it may stand there as an upload without parts (MinIO).
        if (meetings > 1) await this.#abortAll(object.key);
        return true;
      }
      try {
        const joined = await this.#join(object, own, isThere);
        if (joined === undefined) return true;
        await this.#sendTo(joined, file, own);
        await this.#abortAll(object.key);
        return true;
      } catch (error) {
        if (error instanceof NotShared) return this.#giveUp(error.message);
        if (!isGone(error) || meetings >= MEETINGS) throw error;
        // Whoever has completed it may have made an object of the same ETag as the wrong one had. But one that is gone
        // before all its parts were there may just as well have been taken back.
        isReplaced ||= error instanceof GoneWhenWhole;
      }
    }
  }

  async #isThere({ key, replaces }: ObjectToShare, size: number, isReplaced: boolean): Promise<boolean> {
    const { store, progress, signal } = this.#tools;
    const there = await progress.whileWaiting(() => store.head(key, signal));
    return there?.size === size && (isReplaced || there.etag !== replaces);
  }

  /** Undefined when the object has come meanwhile. */
  async #join(
    { key, turn }: ObjectToShare,
    proof: PartsProof,
    isThere: () => Promise<boolean>,
  ): Promise<Joined | undefined> {
    const { multiparts, signal } = this.#tools;
    const isFirst = (await this.#living(key)).length === 0;
    // Who comes later has something to add only when it is proved.
    if (!isFirst) {
      await proof.whole;
      if (await isThere()) return undefined;
    }
    const own = await multiparts.create(key, signal);
    try {
      const upload = isFirst ? await this.#chooseAmongFirst(key, own) : await this.#oldest(key, own);
      // The one that it was to join may have been completed, and with it, this one not yet seen.
      if (upload.id === own.id && (await isThere())) {
        await this.#abort(own);
        return undefined;
      }
      const place = async (): Promise<Place> => placeAmong(await multiparts.list(key, signal), own.id);
      return { upload, own, isOwn: upload.id === own.id, turn, place };
    } catch (error) {
      if (!(await this.#hasOthers(own))) await this.#abort(own);
      throw error;
    }
  }

  /** Who begins at the same moment must come to the same choice. Many providers tell times in whole seconds. */
  async #chooseAmongFirst(key: string, own: OpenUpload): Promise<OpenUpload> {
    const { signal } = this.#tools;
    await sleep(SECOND_LOOK_MS * (0.5 + Math.random()), undefined, { signal });
    const oldest = await this.#oldest(key, own);
    if (oldest.initiated % 1000 !== 0) return oldest;
    await sleep(1000, undefined, { signal });
    return this.#oldest(key, own);
  }

  async #oldest(key: string, own: OpenUpload): Promise<OpenUpload> {
    return meetingPoint(await this.#living(key)) ?? own;
  }

  async #living(key: string): Promise<readonly OpenUpload[]> {
    const { multiparts, signal, abandonedBefore } = this.#tools;
    const uploads = await sharable(multiparts.list(key, signal));
    const living: OpenUpload[] = [];
    for (const upload of uploads) {
      if (upload.initiated >= abandonedBefore || (await this.#newest(upload)) >= abandonedBefore)
        living.push(upload);
      else await this.#abort(upload);
    }
    return living;
  }

  async #newest(upload: OpenUpload): Promise<number> {
    const parts = await sharable(this.#tools.multiparts.parts(upload, this.#tools.signal)).catch(goneIsEmpty);
    return Math.max(upload.initiated, ...parts.map(({ modified }) => modified));
  }

  async #sendTo(joined: Joined, file: FileHandle, parts: PartsProof): Promise<void> {
    const { upload, own } = joined;
    const { multiparts, signal } = this.#tools;
    const send = async (): Promise<void> => {
      const sent = await sendMissingParts(joined, file, parts, this.#tools);
      await multiparts.complete(upload, sent, signal).catch((error: unknown) => {
        throw isGone(error) ? new GoneWhenWhole(error as ModelCacheError) : error;
      });
    };
    try {
      await send().catch((error: unknown) => {
        // A part was replaced since we saw it: what is there now counts.
        if (toModelCacheError(error).code !== 'object-part-invalid') throw error;
        return send();
      });
    } catch (error) {
      const isAlone = error instanceof OpaqueEtags || isRefusal(error);
      // Parts that others can go on with stay; an upload that only says that we are here does not.
      const isWrong = parts.failure !== undefined && !signal.aborted;
      const isOfUse = own.id === upload.id && (!isWrong || (await this.#hasOthers(own)));
      if (isAlone || !isOfUse) await this.#abort(own);
      if (!isAlone) throw error;
      throw new NotShared(
        error instanceof OpaqueEtags
          ? 'its ETags are no MD5s of what was sent'
          : toModelCacheError(error).message,
      );
    }
  }

  /** Who has found parts of a file that is wrong has sent his own over them. */
  async #hasOthers({ key, id }: OpenUpload): Promise<boolean> {
    const signal = AbortSignal.timeout(ABORT_WITHIN_MS);
    const uploads = await this.#tools.multiparts.list(key, signal).catch(() => []);
    return uploads.some((upload) => upload.id !== id);
  }

  /** Those of pods that lost a race, or were killed: the object is there, and so this must not fail. */
  async #abortAll(key: string): Promise<void> {
    const signal = AbortSignal.timeout(ABORT_WITHIN_MS);
    const uploads = await this.#tools.multiparts.list(key, signal).catch(() => []);
    for (const upload of uploads) await this.#abort(upload);
  }

  /** To leave something behind is worse than nothing, and no reason to fail. */
  async #abort(upload: OpenUpload): Promise<void> {
    const signal = AbortSignal.timeout(ABORT_WITHIN_MS);
    await this.#tools.multiparts.abort(upload, signal).catch(() => undefined);
  }

  #giveUp(why: string): false {
    this.#isPossible = false;
    this.#tools.onUnshared(why);
    return false;
  }
}

class NotShared extends Error {}

/** All parts were seen in it, so that somebody else will have completed it. */
class GoneWhenWhole extends ModelCacheError {
  constructor({ code, message, hint }: ModelCacheError) {
    super(code, message, { hint });
  }
}

function isGone(error: unknown): boolean {
  return toModelCacheError(error).code === 'object-upload-gone';
}

/** While a request is under way, the store is waited for; between them it is not. */
function waitedFor(multiparts: Multiparts, progress: Progress): Multiparts {
  return {
    list: (...call) => progress.whileWaiting(() => multiparts.list(...call)),
    create: (...call) => progress.whileWaiting(() => multiparts.create(...call)),
    parts: (...call) => progress.whileWaiting(() => multiparts.parts(...call)),
    putPart: (...call) => progress.whileWaiting(() => multiparts.putPart(...call)),
    complete: (upload, parts, signal) =>
      progress.whileWaiting(() => multiparts.complete(upload, parts, signal, () => progress.sign())),
    abort: (...call) => progress.whileWaiting(() => multiparts.abort(...call)),
  };
}

/** A key without the rights, or a provider without the calls, can still upload alone. */
const REFUSALS: ReadonlySet<ErrorCode> = new Set(['store-denied', 'store-unsupported']);

function isRefusal(error: unknown): boolean {
  return error instanceof ModelCacheError && REFUSALS.has(error.code);
}

async function sharable<T>(request: Promise<T>): Promise<T> {
  try {
    return await request;
  } catch (error) {
    throw isRefusal(error) ? new NotShared(toModelCacheError(error).message) : error;
  }
}

function goneIsEmpty(error: unknown): readonly SentPart[] {
  if (!isGone(error)) throw error;
  return [];
}
