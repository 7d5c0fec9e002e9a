/** Of a text that says nothing of what it is. */
const SHOWN_WITHOUT_SCHEME = 8;

/**
 * As much of a mistaken address as is safe to repeat: scheme, and names up to the first character that no name has.
 * What follows may be a key, a signature or a token; what stands before an `@`, or a `:` without a port, may be a user
 * or a key's id; and what has no scheme may be a secret, which with its slashes looks like a path.
 */
export function redactedAddress(text: string): string {
  const [scheme = ''] = /^[a-z0-9+.-]+:\/\//i.exec(text) ?? [];
  const rest = text.slice(scheme.length);
  const hasUser = rest.includes('@') || /^[^/]*:(?!\d{1,5}(?:\/|$))/.test(rest);
  const names = hasUser ? '' : (/^[\w.-]*(?:\/[\w.-]*)*/.exec(rest)?.[0] ?? '');
  const shown = `${scheme}${scheme === '' ? names.slice(0, SHOWN_WITHOUT_SCHEME) : names}`;
  return shown === text ? text : `${shown}...`;
}

/**
 * A message without the user and password of any address in it. A password may have a slash: what follows a `:` is the
 * path behind a port only if there is a port.
 */
export function redactedUsers(message: string): string {
  return message.replaceAll(
    /\b([a-z][a-z0-9+.-]{0,31}:\/\/)(?:[^\s/@:[]*:(?!\d{1,5}\/)\S{0,500}|[^\s/]*)@/gi,
    '$1...@',
  );
}

/** Fewer characters are no secret that anybody could tell from a word. */
const SHORTEST_SECRET = 8;

/**
 * Takes these values, without the spaces around them, out of whatever is said, wherever they come from: a library's
 * error, a setup that prints them.
 */
export function hiding(secrets: readonly (string | undefined)[]): (text: string) => string {
  const known = secrets
    .map((secret) => secret?.trim() ?? '')
    .filter(({ length }) => length >= SHORTEST_SECRET)
    .flatMap((secret) => [secret, JSON.stringify(secret).slice(1, -1)])
    // One may be the beginning of another.
    .toSorted((a, b) => b.length - a.length);
  return (text) => known.reduce((rest, secret) => rest.replaceAll(secret, '...'), text);
}

/**
 * The values of variables that are called a key, token, secret or password, of ours, of AWS's and of whoever's; and of
 * proxies, whoever goes through them.
 */
export function secretValues(
  env: Readonly<Record<string, string | undefined>>,
): readonly (string | undefined)[] {
  return Object.entries(env).flatMap(([name, value]) => {
    if (PROXY_NAME.test(name)) return usersOf(value ?? '');
    return SECRET_NAME.test(name) ? [value] : [];
  });
}

/** Of an address: all before the host, the same without the scheme, and the password. */
function usersOf(address: string): readonly (string | undefined)[] {
  const end = address.lastIndexOf('@');
  if (end < 0) return [];
  const before = address.slice(0, end).trim();
  const user = before.replace(/^[^/]*\/\//, '');
  return [before, user, user.slice(user.indexOf(':') + 1)];
}

const PROXY_NAME = /^(?!NO_).*_PROXY$/i;
const SECRET_NAME = /(^|_)(KEY|KEY_ID|TOKEN|SECRET|PASSWORD|CREDENTIALS?)$/i;
/** `NAME=value` where the name is that of a secret, `Bearer value`, and tokens that show what they are. */
const SECRET_WORDS: readonly (readonly [RegExp, string])[] = [
  [/\b(\w*(?:key|token|secret|password))=(?!\.\.\.)\S+/gi, '$1=...'],
  [/\b(bearer|basic)\s+\S+/gi, '$1 ...'],
  [/\b(hf_|sk-|ghp_)\w{8,}/g, '$1...'],
];

/** A shell line for the log, as far as a secret in it can be told. */
export function redactedShell(text: string): string {
  return SECRET_WORDS.reduce((rest, [pattern, shown]) => rest.replaceAll(pattern, shown), text);
}

/** A command line for the log: what follows or fills an option that is called a key, token, secret or password is left out. */
export function redactedCommand(words: readonly string[]): string {
  const secret = /^-.*(key|token|secret|password)$/i;
  const shown = words.map((word, index) => {
    const [name = '', ...value] = word.split('=');
    if (secret.test(name) && value.length > 0) return `${name}=...`;
    return secret.test(words[index - 1] ?? '') && !word.startsWith('-') ? '...' : word;
  });
  return redactedShell(shown.join(' '));
}
