/** A key from a listing with `encoding-type=url`; undefined when it is none in UTF-8: nothing of ours has such a key. */
export function decodedKey(encoded: string): string | undefined {
  try {
    return decodeURIComponent(encoded.replaceAll('+', ' '));
  } catch {
    return undefined;
  }
}
