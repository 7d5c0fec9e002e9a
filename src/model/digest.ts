/**
 * Names that are checksums. Hugging Face names a blob by its content: 64 hex digits are the SHA-256, 40 are the SHA-1
 * of git's blob object (`blob <size>\0<bytes>`).
 */
export type DigestAlgorithm = 'sha256' | 'git-sha1';

/** What is known of some bytes. Both names prove the same content; either alone is enough. Lower-case hex. */
export interface Digests {
  readonly sha256?: string;
  readonly gitSha1?: string;
}

const SHA256 = /^[0-9a-f]{64}$/;
const SHA1 = /^[0-9a-f]{40}$/;

export function isSha256(text: string): boolean {
  return SHA256.test(text);
}

/** A ref is a commit and nothing else: with a newline, huggingface_hub does not find it. */
export const COMMIT_BYTES = 40;

/** A git commit, as in `snapshots/<commit>` and in the content of a ref. */
export function isCommit(text: string): boolean {
  return SHA1.test(text);
}

/** What a blob's own name proves of its content; undefined when the name is no checksum. */
export function digestsOfBlobName(name: string): Digests | undefined {
  if (SHA256.test(name)) return { sha256: name };
  if (SHA1.test(name)) return { gitSha1: name };
  return undefined;
}

/** Whether `found` proves `wanted`: no digest disagrees, and at least one of `wanted` was checked. */
export function digestsAgree(wanted: Digests, found: Digests): boolean {
  return firstMismatch(wanted, found) === undefined && hasCommonDigest(wanted, found);
}

/** Why `found` does not prove `wanted`, in words for a message; undefined: it does. */
export function whyUnproved(wanted: Digests, found: Digests): ReturnType<typeof firstMismatch> {
  if (digestsAgree(wanted, found)) return undefined;
  return firstMismatch(wanted, found) ?? { wanted: 'a digest', found: 'none' };
}

/** The first digest of `wanted` that `found` contradicts, in words for a message. */
export function firstMismatch(
  wanted: Digests,
  found: Digests,
): { wanted: string; found: string } | undefined {
  if (wanted.sha256 !== undefined && found.sha256 !== undefined && wanted.sha256 !== found.sha256) {
    return { wanted: `sha256 ${wanted.sha256}`, found: `sha256 ${found.sha256}` };
  }
  if (wanted.gitSha1 !== undefined && found.gitSha1 !== undefined && wanted.gitSha1 !== found.gitSha1) {
    return { wanted: `git sha1 ${wanted.gitSha1}`, found: `git sha1 ${found.gitSha1}` };
  }
  return undefined;
}

/** Which algorithms it takes to check every digest that is named. */
export function algorithmsOf(digests: Digests): readonly DigestAlgorithm[] {
  return [
    ...(digests.sha256 === undefined ? [] : (['sha256'] as const)),
    ...(digests.gitSha1 === undefined ? [] : (['git-sha1'] as const)),
  ];
}

function hasCommonDigest(a: Digests, b: Digests): boolean {
  return (
    (a.sha256 !== undefined && b.sha256 !== undefined) || (a.gitSha1 !== undefined && b.gitSha1 !== undefined)
  );
}
