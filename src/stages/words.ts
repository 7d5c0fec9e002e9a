import prettyBytes from 'pretty-bytes';
import { shownPath } from '../model/paths.ts';
import type { TreeName } from '../model/tree.ts';
import type { Store } from '../store/store.ts';

/** Phrases that people grep for begin with the store's kind; a folder is no S3. */
export function syncName(kind: Store['kind']): string {
  return `${kind} model sync`;
}

/** `S3 store ready: s3://bucket/prefix (endpoint, region, credentials)`, and `store ready: file:///...` for a folder. */
export function storeReady({ kind, url, access }: Store): string {
  return kind === 'S3' ? `S3 store ready: ${url} (${access})` : `store ready: ${url}`;
}

/** Without options: those take `Intl`, which takes Node 10 ms to get ready. */
export function bytes(count: number): string {
  return prettyBytes(count);
}

export function files(count: number): string {
  return count === 1 ? '1 file' : `${count} files`;
}

export function speed(count: number, milliseconds: number): string {
  return `${(count / 1e6 / Math.max(milliseconds / 1000, 0.001)).toFixed(1)} MB/s`;
}

export function seconds(milliseconds: number): string {
  return `${(milliseconds / 1000).toFixed(1)} s`;
}

/** Of folders in the bucket that nobody has asked for. */
export function unaskedFolders(trees: readonly TreeName[]): string {
  const [first = '', ...more] = trees;
  const others = more.length === 0 ? '' : ` and ${more.length} more`;
  return `${shownPath(first)}${others}, which no --also names`;
}

/** What will download models that are not here: F5-TTS when the command shows it. */
export function serverName(command: readonly string[]): string {
  return command.some((word) => /f5[-_]?tts/i.test(word)) ? 'F5-TTS' : 'the server';
}
