import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs';
import * as v from 'valibot';
import { isCommit, isSha256, type Digests } from '../model/digest.ts';
import { tooMuchIn } from '../model/json-shape.ts';
import type { TreeName } from '../model/tree.ts';
import { isAnotherBoot, thisBoot } from './boot.ts';
import { layout } from './layout.ts';
import { writePrivateFile } from './own-files.ts';
import type { Owner } from './owner.ts';

/** A few hundred thousand files. */
const MAX_BYTES = 64 * 1024 * 1024;

const StateSchema = v.object({
  version: v.literal(2),
  /** Path below the dir → [identity, SHA-256, git SHA-1, the boot it holds for: null when a power cut changes nothing]. */
  proved: v.custom<Record<string, Proved>>(areProved),
  /** Caches that blobs of this dir were linked to. */
  reused: v.optional(v.array(v.string()), []),
  /** Tree → ref → content, as this dir and the bucket last agreed on it. */
  agreedRefs: v.record(v.string(), v.record(v.string(), v.string())),
  /** Key → ETag of an object that was read wrong on two connections. */
  corruptObjects: v.optional(v.record(v.string(), v.string()), {}),
});

type Proved = [identity: string, sha256: string | null, gitSha1: string | null, boot: string | null];

/** One for each file of the cache, and all are looked at in each start. */
function areProved(value: unknown): boolean {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    Object.values(value).every(isProved)
  );
}

function isProved(value: unknown): boolean {
  if (!Array.isArray(value) || value.length !== 4) return false;
  const [identity, sha256, gitSha1, boot] = value as readonly unknown[];
  return (
    typeof identity === 'string' &&
    (sha256 === null || (typeof sha256 === 'string' && isSha256(sha256))) &&
    (gitSha1 === null || (typeof gitSha1 === 'string' && isCommit(gitSha1))) &&
    (boot === null || typeof boot === 'string')
  );
}

type StateFile = v.InferOutput<typeof StateSchema>;

/**
 * What was proved of the files in a dir, so that nothing is hashed twice: valid while a file keeps its identity.
 * A state file that others could have written is not believed.
 */
export class State {
  /** As it was read, or saved last. */
  #file: StateFile;
  /** What was proved here since, by path. */
  readonly #proved = new Map<string, Proved>();
  /** Done again, at saving, on what other runs have saved meanwhile. */
  readonly #changes: ((file: StateFile) => void)[] = [];

  private constructor(file: StateFile) {
    this.#file = file;
  }

  static empty(): State {
    return new State({ version: 2, proved: {}, reused: [], agreedRefs: {}, corruptObjects: {} });
  }

  /** Never throws: without a state that can be believed, files are hashed again. */
  static load(dir: string): State {
    try {
      const result = v.safeParse(StateSchema, parsed(readOwnFile(layout.state(dir))));
      return result.success ? new State(result.output) : State.empty();
    } catch {
      return State.empty();
    }
  }

  /**
   * What was proved of a file under another boot is not believed unless it was on the disk then: after a power cut its
   * size and times may be right, and its content not.
   */
  digestsOf(path: string, identity: string): Digests | undefined {
    const [known, sha256, gitSha1, boot] = this.#entry(path) ?? [];
    const holds = known === identity && (boot === null || boot === thisBoot());
    return holds ? { ...(sha256 && { sha256 }), ...(gitSha1 && { gitSha1 }) } : undefined;
  }

  /** What is proved again after a boot has come from the disk, and was flushed. */
  remember(path: string, identity: string, digests: Digests, isFlushed = false): void {
    const before = this.#entry(path);
    const isSame = before?.[0] === identity;
    const isOnDisk = isFlushed || (isSame && (before[3] === null || isAnotherBoot(before[3])));
    const { sha256 = null, gitSha1 = null } = { ...this.digestsOf(path, identity), ...digests };
    this.#proved.set(path, [identity, sha256, gitSha1, isOnDisk ? null : thisBoot()]);
  }

  agreedRefs(tree: TreeName): ReadonlyMap<string, string> {
    return new Map(Object.entries(own(this.#file.agreedRefs, tree) ?? {}));
  }

  agreeOnRef(tree: TreeName, path: string, content: string): void {
    if (this.agreedRefs(tree).get(path) === content) return;
    this.#change(({ agreedRefs }) => {
      agreedRefs[tree] = { ...own(agreedRefs, tree), [path]: content };
    });
  }

  /** Caches that blobs of this dir lead to, whatever the variables say today. */
  get reused(): readonly string[] {
    return [...this.#file.reused];
  }

  rememberReused(caches: readonly string[]): void {
    const fresh = caches.filter((cache) => !this.#file.reused.includes(cache));
    if (fresh.length === 0) return;
    this.#change((file) => {
      file.reused = [...new Set([...file.reused, ...fresh])];
    });
  }

  /** Objects that were read wrong on two connections: key → the ETag they had. */
  get corruptObjects(): ReadonlyMap<string, string> {
    return new Map(Object.entries(this.#file.corruptObjects));
  }

  rememberCorrupt(key: string, etag: string): void {
    this.#change(({ corruptObjects }) => {
      corruptObjects[key] = etag;
    });
  }

  /** It was replaced, by this run or another. */
  forgetCorrupt(key: string): void {
    if (own(this.#file.corruptObjects, key) === undefined) return;
    this.#change(({ corruptObjects }) => {
      delete corruptObjects[key];
    });
  }

  /**
   * Written beside and renamed, for this user alone; nothing to say writes nothing. What runs beside this one have
   * saved since is kept.
   */
  save(dir: string, asked?: Owner): void {
    if (this.#changes.length === 0 && this.#proved.size === 0) return;
    const latest = State.load(dir).#file;
    for (const [path, entry] of this.#proved) latest.proved[path] = entry;
    for (const change of this.#changes) change(latest);
    writePrivateFile(dir, layout.state(dir), JSON.stringify(latest), asked);
    this.#file = latest;
    this.#proved.clear();
    this.#changes.length = 0;
  }

  #entry(path: string): Proved | undefined {
    return this.#proved.get(path) ?? own(this.#file.proved, path);
  }

  #change(change: (file: StateFile) => void): void {
    change(this.#file);
    this.#changes.push(change);
  }
}

/** Paths and keys may be called `constructor`. */
function own<T>(record: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(record, name) ? record[name] : undefined;
}

function parsed(bytes: Buffer): unknown {
  const text = bytes.toString('utf8');
  return tooMuchIn(text) === undefined ? JSON.parse(text) : undefined;
}

/** Empty when it is not to be believed. A link is not followed, a pipe not waited for. */
function readOwnFile(path: string): Buffer {
  const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants;
  const fd = openSync(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  try {
    const stats = fstatSync(fd);
    const isOurs = stats.isFile() && stats.uid === process.geteuid?.() && (stats.mode & 0o022) === 0;
    return isOurs && stats.size <= MAX_BYTES ? readFileSync(fd) : Buffer.alloc(0);
  } finally {
    closeSync(fd);
  }
}
