import { ModelCacheError } from '../errors.ts';
import type { ByteRange } from '../model/parts.ts';
import { otherContent } from '../store/object-errors.ts';

export interface Mismatch {
  readonly wanted: string;
  readonly found: string;
}

/** All of an object came, and is not what it should be. */
export class WrongContent extends ModelCacheError {
  readonly etag: string | undefined;
  /** What of it is known to be right. */
  readonly right: readonly ByteRange[];

  constructor(key: string, mismatch: Mismatch, etag: string | undefined, right: readonly ByteRange[] = []) {
    const { code, message, wanted, found, hint } = otherContent(key, mismatch);
    super(code, message, { wanted, found, hint });
    this.etag = etag;
    this.right = right;
  }
}
