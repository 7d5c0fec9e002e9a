import { ModelCacheError } from '../errors.ts';
import { LISTING_LIMITS, tooManyObjects } from './whole-listing.ts';

/** A marker holds a key or two; each is kept, and sent in an address. */
const MAX_MARKER_LENGTH = 16 * 1024;

/** One page, and where the next one begins; undefined after the last. */
export interface Page<Entry, Marker> {
  readonly entries: readonly Entry[];
  readonly next: Marker | undefined;
}

/**
 * Every entry of a listing; `onPage` is called for each page that came. `store-failed` when the pages would go on for
 * ever: a marker comes twice, or there are more than any bucket of models has.
 */
export async function* entriesOf<Entry, Marker>(
  url: string,
  ask: (marker: Marker | undefined) => Promise<Page<Entry, Marker>>,
  onPage: () => void = () => undefined,
  limits = LISTING_LIMITS,
): AsyncGenerator<Entry> {
  const seen = new Set<string>();
  let marker: Marker | undefined;
  let count = 0;
  do {
    const { entries, next } = await ask(marker);
    onPage();
    count += entries.length;
    if (count > limits.objects || seen.size >= limits.pages) throw tooManyObjects(url);
    yield* entries;
    marker = next;
    if (marker === undefined) return;
    const text = JSON.stringify(marker);
    if (text.length > MAX_MARKER_LENGTH) throw longToken(url);
    if (seen.has(text)) throw repeatedToken(url);
    seen.add(text);
  } while (true);
}

function longToken(url: string): ModelCacheError {
  return new ModelCacheError('store-failed', `${url} gave a continuation token that is longer than any`);
}

function repeatedToken(url: string): ModelCacheError {
  return new ModelCacheError(
    'store-failed',
    `${url} gave the same continuation token twice: its listing has no end`,
  );
}
