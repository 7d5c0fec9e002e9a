import { ModelCacheError } from '../errors.ts';

/** One page, and where the next one begins; undefined after the last. */
export interface Page<Entry, Marker> {
  readonly entries: readonly Entry[];
  readonly next: Marker | undefined;
}

/** Every entry of a listing. `store-failed` when a marker comes twice: the pages would go on for ever. */
export async function* entriesOf<Entry, Marker>(
  url: string,
  ask: (marker: Marker | undefined) => Promise<Page<Entry, Marker>>,
): AsyncGenerator<Entry> {
  const seen = new Set<string>();
  let marker: Marker | undefined;
  do {
    const { entries, next } = await ask(marker);
    yield* entries;
    marker = next;
    if (marker === undefined) return;
    const text = JSON.stringify(marker);
    if (seen.has(text)) throw repeatedToken(url);
    seen.add(text);
  } while (true);
}

function repeatedToken(url: string): ModelCacheError {
  return new ModelCacheError(
    'store-failed',
    `${url} gave the same continuation token twice: its listing has no end`,
  );
}
