import type { ArrivalMemory } from '../model/arrival.ts';
import type { ByteRange } from '../model/parts.ts';
import type { PartsOfRange } from '../model/proof.ts';
import type { Digests, DigestAlgorithm } from '../model/digest.ts';
import type { SystemFailure } from '../threads/system-failure.ts';
import type { Answer } from './answer-reader.ts';
import type { Endpoint } from './connection.ts';
import type { OwnOfGet } from './get-text.ts';

/** What crosses between a thread that receives and the one that it works for. Plain values. */

/** What a thread that receives is started with, beside what every thread is. */
export interface ReceiverData {
  readonly endpoint: Endpoint;
  /** Milliseconds; 0: never. */
  readonly patience: number;
  /** Connections to make before anything is asked for, at most; undefined: none. */
  readonly ahead?: number;
}

/** A file that stays the sender's, and is told of what has arrived. */
export interface Destination {
  readonly fd: number;
  readonly arrival: ArrivalMemory;
}

/** A range of an object, into a file that is there. */
export interface RangeErrand {
  readonly kind: 'range';
  /** The whole request. */
  readonly request: string;
  /** Of the object's bytes; an empty one of an empty object. */
  readonly range: ByteRange;
  /** Bytes of the whole object. */
  readonly size: number;
  /** Another one is refused before a byte is written; undefined: any. */
  readonly etag: string | undefined;
  readonly into: Destination;
  /** Parts to prove on their way; of the others, nothing is said. */
  readonly parts: PartsOfRange | undefined;
  readonly onNewConnection: boolean;
}

/** Small objects, one after the other; the first that fails ends it. */
export interface FilesErrand {
  readonly kind: 'files';
  /** Of their requests (`getText`): it crosses once. */
  readonly common: string;
  readonly files: readonly FileToMake[];
  readonly onNewConnection: boolean;
}

/** A file that is made of a whole object, and removed again when not all of it comes. */
export interface FileToMake extends OwnOfGet {
  /** Bytes of the object. */
  readonly size: number;
  readonly path: string;
  readonly mode: number;
  readonly algorithms: readonly DigestAlgorithm[];
}

export type FetchErrand = RangeErrand | FilesErrand;

export type FetchSaid =
  /** So many bytes more were written. */
  | { readonly kind: 'moved'; readonly bytes: number }
  /** The answer to a range is of this object; its bytes come now. */
  | { readonly kind: 'begun'; readonly etag: string }
  /** The range ends here now. */
  | { readonly kind: 'cut'; readonly end: number }
  /** The next of the files is made; so many bytes of it have not been told yet. */
  | ({ readonly kind: 'made'; readonly moved: number } & MadeFile);

export interface MadeFile {
  readonly etag: string;
  readonly digests: Digests;
}

/** To a range that has begun: it is to end here, if it has not come so far. */
export interface FetchReply {
  readonly end: number;
}

export interface Fetched {
  /** Written since it was last told. */
  readonly moved: number;
  readonly connectMs: number | undefined;
}

export type FetchFailure = { readonly moved: number } &
  /** An answer that is no content. */
  (
    | { readonly kind: 'refused'; readonly refusal: Answer }
    /** A client that knows more may be able to read it. */
    | { readonly kind: 'unusual'; readonly what: string }
    | { readonly kind: 'silent' }
    | { readonly kind: 'cancelled' }
    | { readonly kind: 'other-object'; readonly etag: string; readonly size: number }
    | { readonly kind: 'connection' | 'disk'; readonly error: SystemFailure }
    /** Of this program. */
    | { readonly kind: 'bug'; readonly stack: string }
  );
