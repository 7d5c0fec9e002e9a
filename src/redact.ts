/**
 * As much of a mistaken address as is safe to repeat: scheme, and names up to the first character that no name has.
 * What follows may be a key, a signature or a token.
 */
export function redactedAddress(text: string): string {
  const safe = /^(?:[a-z0-9+.-]+:\/\/)?[\w.-]*(?:\/[\w.-]*)*/i.exec(text)?.[0] ?? '';
  // A user's name or key id comes before an `@` or a `:`; a secret with slashes looks like a path.
  const isUser = /[@]/.test(text);
  const shown = isUser ? (/^[a-z0-9+.-]+:\/\//i.exec(text)?.[0] ?? '') : safe;
  return shown === text ? text : `${shown}...`;
}
