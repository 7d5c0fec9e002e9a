import { lstatSync } from 'node:fs';
import * as v from 'valibot';
import { explain, toModelCacheError } from './errors.ts';
import { replaceFile, writeInto } from './files.ts';

/**
 * What a run did, for machines: the one source of what is logged at the end and what `--json` prints.
 * docs/report.schema.json is made from here by `npm run schema`.
 */
const Problem = v.object({ code: v.string(), message: v.string() });
const Count = v.object({ files: v.number(), bytes: v.number() });
const Item = v.object({ tree: v.string(), path: v.string(), code: v.string(), message: v.string() });

export const ReportSchema = v.object({
  version: v.literal(1),
  program: v.object({ name: v.literal('model-cache'), version: v.string() }),
  command: v.picklist(['init', 'upload', 'status', 'verify', 'lock']),
  startedAt: v.pipe(v.string(), v.isoTimestamp()),
  /** From the start of the process. */
  seconds: v.number(),
  /** `ok`, or the code of what went wrong. */
  code: v.string(),
  /** Undefined while a server is to follow: then the exit code is the server's. */
  exitCode: v.optional(v.number()),
  store: v.nullable(v.string()),
  dir: v.nullable(v.string()),
  problems: v.array(Problem),
  /** Seconds of each stage. */
  phases: v.record(v.string(), v.number()),
  restore: v.optional(
    v.object({
      status: v.picklist(['completed', 'incomplete', 'empty', 'failed', 'skipped', 'planned']),
      fetched: Count,
      present: Count,
      /** Items of the plan by reason. */
      reasons: v.record(v.string(), v.number()),
      bytesShort: v.number(),
      failures: v.array(Item),
    }),
  ),
  upload: v.optional(
    v.object({
      status: v.picklist(['completed', 'incomplete', 'nothing-to-do', 'failed', 'planned']),
      sent: Count,
      /** What left this machine of it: other pods may have sent the rest. */
      bytesSent: v.number(),
      present: Count,
      manifests: v.array(v.string()),
      failures: v.array(Item),
    }),
  ),
  status: v.optional(
    v.object({
      /** Nothing differs, and nothing is left out. */
      inSync: v.boolean(),
      trees: v.array(
        v.object({
          tree: v.string(),
          here: Count,
          inBucket: Count,
          missingHere: Count,
          missingInBucket: Count,
          /** Links and refs. */
          differingNames: v.number(),
        }),
      ),
      foreign: v.array(v.object({ path: v.string(), files: v.number(), bytes: v.number() })),
      /** What could be part of a model cache, and is not taken. */
      leftOut: v.array(v.object({ path: v.string(), why: v.string() })),
      /** The background process of a server that runs on this dir. */
      writeBack: v.nullable(
        v.object({
          pid: v.number(),
          server: v.number(),
          state: v.picklist(['waiting', 'uploading']),
          since: v.string(),
        }),
      ),
    }),
  ),
  verify: v.optional(
    v.object({ where: v.picklist(['cache', 'bucket']), checked: Count, failures: v.array(Item) }),
  ),
  lock: v.optional(
    v.object({
      manifests: v.array(v.object({ tree: v.string(), sha256: v.string() })),
      /** What a start by this lock restores on an empty disk. */
      restores: Count,
    }),
  ),
  exports: v.optional(v.record(v.string(), v.string())),
  server: v.optional(v.object({ program: v.string() })),
});

export type Report = v.InferOutput<typeof ReportSchema>;
type Failure = {
  readonly tree: { readonly tree: string } | string;
  readonly path: string;
  readonly error: unknown;
};

/** Collects a report while a command runs. */
export class Reporter {
  readonly #startedAt: number;
  readonly #phases: Record<string, number> = {};
  readonly #problems: { code: string; message: string }[] = [];
  readonly #hide: (text: string) => string;
  #report: Report;

  /** `startedAt` is `performance.now()` at the start of the process, `now` the wall clock. `hide` takes secrets out. */
  constructor(
    command: Report['command'],
    version: string,
    startedAt: number,
    now: Date,
    hide: (text: string) => string = (text) => text,
  ) {
    this.#hide = hide;
    this.#startedAt = startedAt;
    this.#report = {
      version: 1,
      program: { name: 'model-cache', version },
      command,
      startedAt: now.toISOString(),
      seconds: 0,
      code: 'ok',
      store: null,
      dir: null,
      problems: [],
      phases: {},
    };
  }

  add(part: Partial<Report>): void {
    this.#report = { ...this.#report, ...part };
  }

  /** What another process found out for this one. */
  take(found: Report): void {
    this.#problems.push(...found.problems);
    Object.assign(this.#phases, found.phases);
    this.#report = { ...found, startedAt: this.#report.startedAt };
  }

  problem(error: unknown): void {
    this.#problems.push({ code: toModelCacheError(error).code, message: explain(error) });
  }

  /** Times one stage. */
  async phase<T>(name: string, work: () => Promise<T> | T): Promise<T> {
    const start = performance.now();
    try {
      return await work();
    } finally {
      this.#phases[name] = (this.#phases[name] ?? 0) + seconds(performance.now() - start);
    }
  }

  get value(): Report {
    const value = {
      ...this.#report,
      seconds: seconds(performance.now() - this.#startedAt),
      problems: this.#problems,
      phases: { ...this.#phases },
    };
    return JSON.parse(this.#hide(JSON.stringify(value))) as Report;
  }
}

export function itemFailure({ tree, path, error }: Failure): v.InferOutput<typeof Item> {
  return {
    tree: typeof tree === 'string' ? tree : tree.tree,
    path,
    code: toModelCacheError(error).code,
    message: explain(error),
  };
}

/** To where the user wants it: whole or not at all, but a device, a pipe or a link that is there is written to; nobody waits for a reader. */
export function writeReport(path: string, report: Report): void {
  const there = lstatSync(path, { throwIfNoEntry: false });
  if (there === undefined || there.isFile()) replaceFile(path, reportText(report));
  else writeInto(path, reportText(report));
}

export function reportText(report: Report): string {
  return `${JSON.stringify(report, undefined, 2)}\n`;
}

function seconds(milliseconds: number): number {
  return Math.round(milliseconds) / 1000;
}
