import type { ArrivalMemory } from '../model/arrival.ts';
import type { PartsOfRange } from '../model/proof.ts';
import type { Digests, DigestAlgorithm } from '../model/digest.ts';
import type { SystemFailure } from '../threads/system-failure.ts';
import type { Answer } from './answer-reader.ts';
import type { Endpoint } from './connection.ts';

/** What crosses between a thread that receives and the one that it works for. Plain values. */

/** What a thread that receives is started with, beside what every thread is. */
export interface ReceiverData {
  readonly endpoint: Endpoint;
  /** Milliseconds; 0: never. */
  readonly patience: number;
  /** Connections to make before anything is asked for, at most; undefined: none. */
  readonly ahead?: number;
}

/** Where bytes go. */
export type Destination =
  /** A file that stays the sender's, and is told of what has arrived. */
  | { readonly fd: number; readonly arrival: ArrivalMemory }
  /** A file that is made for them, and removed again when they do not come. */
  | { readonly path: string; readonly mode: number };

export interface FetchErrand {
  /** The whole request. */
  readonly request: string;
  /** Of the object's bytes; without any, all of it is asked for, and has none. */
  readonly start: number;
  readonly end: number;
  /** Bytes of the whole object. */
  readonly size: number;
  /** Another one is refused before a byte is written; undefined: any. */
  readonly etag: string | undefined;
  readonly into: Destination;
  /** Of the bytes of this range; by these it may be a whole small object. */
  readonly algorithms: readonly DigestAlgorithm[];
  /** Parts to prove on their way; of the others, nothing is said. */
  readonly parts?: PartsOfRange | undefined;
  readonly onNewConnection: boolean;
}

export type FetchSaid =
  /** The answer is of this object; its bytes come now. Not told of files that are made here. */
  | { readonly kind: 'begun'; readonly etag: string }
  /** So many bytes more were written. */
  | { readonly kind: 'moved'; readonly bytes: number }
  /** It ends here now. */
  | { readonly kind: 'cut'; readonly end: number };

/** To a fetch that has begun: it is to end here, if it has not come so far. */
export interface FetchReply {
  readonly end: number;
}

export interface Fetched {
  /** Written since it was last told. */
  readonly moved: number;
  readonly etag: string;
  readonly digests: Digests;
  readonly connectMs: number | undefined;
}

/** An answer that is no content. */
export type Refusal = Answer;

export type FetchFailure = { readonly moved: number } & (
  | { readonly kind: 'refused'; readonly refusal: Refusal }
  /** A client that knows more may be able to read it. */
  | { readonly kind: 'unusual'; readonly what: string }
  | { readonly kind: 'silent' }
  | { readonly kind: 'cancelled' }
  | { readonly kind: 'other-object'; readonly etag: string; readonly size: number }
  | { readonly kind: 'connection' | 'disk'; readonly error: SystemFailure }
);
