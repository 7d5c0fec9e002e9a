import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs';
import * as v from 'valibot';
import { isCommit, isSha256, type Digests } from '../model/digest.ts';
import type { TreeName } from '../model/tree.ts';
import { replaceFile } from '../files.ts';
import { layout } from './layout.ts';

const StateSchema = v.object({
  version: v.literal(1),
  /** Path below the dir → [identity, SHA-256, git SHA-1]. */
  proved: v.record(
    v.string(),
    v.tuple([
      v.string(),
      v.nullable(v.pipe(v.string(), v.check(isSha256))),
      v.nullable(v.pipe(v.string(), v.check(isCommit))),
    ]),
  ),
  /** Caches that blobs of this dir were linked to. */
  reused: v.optional(v.array(v.string()), []),
  /** Tree → ref → content, as this dir and the bucket last agreed on it. */
  agreedRefs: v.record(v.string(), v.record(v.string(), v.string())),
});

/**
 * What was proved of the files in a dir, so that nothing is hashed twice: valid while a file keeps its identity.
 * A state file that others could have written is not believed.
 */
export class State {
  readonly #proved: Map<string, { readonly identity: string; readonly digests: Digests }>;
  readonly #agreedRefs: Map<TreeName, ReadonlyMap<string, string>>;
  readonly #reused: Set<string>;
  #changed = false;

  private constructor(
    proved: Map<string, { identity: string; digests: Digests }>,
    agreedRefs: Map<TreeName, ReadonlyMap<string, string>>,
    reused: Set<string>,
  ) {
    this.#proved = proved;
    this.#agreedRefs = agreedRefs;
    this.#reused = reused;
  }

  static empty(): State {
    return new State(new Map(), new Map(), new Set());
  }

  /** Never throws: without a state that can be believed, files are hashed again. */
  static load(dir: string): State {
    try {
      const result = v.safeParse(StateSchema, JSON.parse(readOwnFile(layout.state(dir))));
      if (!result.success) return State.empty();
      const proved = Object.entries(result.output.proved).map(
        ([path, [identity, sha256, gitSha1]]) =>
          [path, { identity, digests: { ...(sha256 && { sha256 }), ...(gitSha1 && { gitSha1 }) } }] as const,
      );
      const agreed = Object.entries(result.output.agreedRefs).map(
        ([tree, refs]) => [tree, new Map(Object.entries(refs))] as const,
      );
      return new State(new Map(proved), new Map(agreed), new Set(result.output.reused));
    } catch {
      return State.empty();
    }
  }

  digestsOf(path: string, identity: string): Digests | undefined {
    const known = this.#proved.get(path);
    return known?.identity === identity ? known.digests : undefined;
  }

  remember(path: string, identity: string, digests: Digests): void {
    const before = this.digestsOf(path, identity);
    this.#proved.set(path, { identity, digests: { ...before, ...digests } });
    this.#changed = true;
  }

  agreedRefs(tree: TreeName): ReadonlyMap<string, string> {
    return this.#agreedRefs.get(tree) ?? new Map();
  }

  agreeOnRef(tree: TreeName, path: string, content: string): void {
    this.#agreedRefs.set(tree, new Map([...this.agreedRefs(tree), [path, content]]));
    this.#changed = true;
  }

  /** Caches that blobs of this dir lead to, whatever the variables say today. */
  get reused(): readonly string[] {
    return [...this.#reused];
  }

  rememberReused(caches: readonly string[]): void {
    for (const cache of caches) {
      this.#changed ||= !this.#reused.has(cache);
      this.#reused.add(cache);
    }
  }

  /** Written beside and renamed, for this user alone. Nothing to say writes nothing. */
  save(dir: string): void {
    if (!this.#changed) return;
    const value: v.InferInput<typeof StateSchema> = {
      version: 1,
      proved: Object.fromEntries(
        Array.from(this.#proved, ([path, { identity, digests }]) => [
          path,
          [identity, digests.sha256 ?? null, digests.gitSha1 ?? null],
        ]),
      ),
      reused: [...this.#reused],
      agreedRefs: Object.fromEntries(
        Array.from(this.#agreedRefs, ([tree, refs]) => [tree, Object.fromEntries(refs)]),
      ),
    };
    replaceFile(layout.state(dir), JSON.stringify(value), { mode: 0o600 });
    this.#changed = false;
  }
}

function readOwnFile(path: string): string {
  const fd = openSync(path, 'r');
  try {
    const { uid, mode } = fstatSync(fd);
    const isOurs = uid === process.geteuid?.() && (mode & 0o022) === 0;
    return isOurs ? readFileSync(fd, 'utf8') : '';
  } finally {
    closeSync(fd);
  }
}
