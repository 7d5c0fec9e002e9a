import type { FileHandle } from 'node:fs/promises';
import { identityOf } from '../cache/digest.ts';
import { algorithmsFor } from '../cache/prove.ts';
import type { State } from '../cache/state.ts';
import { ModelCacheError } from '../errors.ts';
import { isBlob } from '../model/bucket.ts';
import { whyUnproved, type DigestAlgorithm, type Digests } from '../model/digest.ts';
import type { PartDigests } from '../model/proof.ts';
import type { UploadItem } from '../model/upload-plan.ts';
import type { Store } from '../store/store.ts';
import type { Progress } from './progress.ts';
import type { Throttle } from './throttle.ts';

/** What was found of the very bytes that were sent. */
export interface SentContent {
  readonly digests: Digests;
  /** Of a file that is larger than one part, where they could be made. */
  readonly parts?: PartDigests | undefined;
}

/** What every way of sending a file works with. */
export interface SendingTools {
  readonly dir: string;
  readonly store: Store;
  readonly state: State;
  readonly progress: Progress;
  readonly throttle: Throttle;
  readonly signal: AbortSignal;
}

export function algorithmsOfItem({ tree, file }: UploadItem): readonly DigestAlgorithm[] {
  return algorithmsFor(tree.tree, file.path);
}

export function refuseOtherContent(item: UploadItem, found: Digests): void {
  const mismatch = whyUnproved(item.wanted, found);
  if (mismatch !== undefined) throw isOther(item, mismatch.wanted, mismatch.found);
}

export function refuseOtherLength(item: UploadItem, bytes: number): void {
  if (bytes !== item.file.size) throw isOther(item, `${item.file.size} bytes`, `${bytes} bytes`);
}

/** A prefix of a growing file is proved by its own digest all the same; a blob's name cannot lie that way. */
export async function refuseChanged({ tree, file: planned }: UploadItem, file: FileHandle): Promise<void> {
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

function isOther({ tree, file }: UploadItem, wanted: string, found: string): ModelCacheError {
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
