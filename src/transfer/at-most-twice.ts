import { toModelCacheError } from '../errors.ts';
import type { ByteRange } from '../model/parts.ts';
import { withRetries } from './retry.ts';
import { WrongContent } from './wrong-content.ts';

/** An object that was read whole twice, on different connections, and was wrong both times. */
export interface CorruptObject {
  readonly key: string;
  readonly etag: string;
}

export interface WholeTries {
  readonly key: string;
  readonly signal: AbortSignal;
  readonly onCorrupt: (object: CorruptObject) => void;
  readonly there?: readonly ByteRange[];
}

/**
 * `attempt` is called a second time, on new connections, where the object was replaced meanwhile or arrived wrong; `right`
 * is there already, to begin with what `there` says.
 */
export async function atMostTwice<T>(
  { key, signal, onCorrupt, there = [] }: WholeTries,
  attempt: (onNewConnection: boolean, right: readonly ByteRange[]) => Promise<T>,
): Promise<T> {
  const wrong: (string | undefined)[] = [];
  let onNewConnection = false;
  let right = there;
  return withRetries(2, isWorthAnotherStart, signal, async () => {
    try {
      return await attempt(onNewConnection, right);
    } catch (error) {
      onNewConnection = true;
      right = error instanceof WrongContent ? error.right : [];
      if (error instanceof WrongContent) wrong.push(error.etag);
      const [first, second] = wrong;
      if (first !== undefined && first === second) onCorrupt({ key, etag: first });
      throw error;
    }
  });
}

export function isWorthAnotherStart(error: unknown): boolean {
  const { code } = toModelCacheError(error);
  return ['object-changed', 'object-digest-differs', 'object-size-differs'].includes(code);
}
