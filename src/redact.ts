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

/** A message without the user and password of any address in it. */
export function redactedUsers(message: string): string {
  return message.replaceAll(/\b([a-z][a-z0-9+.-]*:\/\/)[^\s/@]*@/gi, '$1...@');
}

/** A command line for the log: what follows or fills an option that is called a key, token, secret or password is left out. */
export function redactedCommand(words: readonly string[]): string {
  const secret = /^-.*(key|token|secret|password)$/i;
  const shown = words.map((word, index) => {
    const [name = '', ...value] = word.split('=');
    if (secret.test(name) && value.length > 0) return `${name}=...`;
    return secret.test(words[index - 1] ?? '') && !word.startsWith('-') ? '...' : word;
  });
  return shown.join(' ');
}
