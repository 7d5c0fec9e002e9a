/** Every way this program can say that something went wrong. Stable: scripts and dashboards match on them. */
export type ErrorCode =
  | 'setting-invalid'
  | 'store-not-configured'
  | 'store-url-invalid'
  | 'store-unreachable'
  | 'store-stalled'
  | 'store-slow'
  | 'store-timeout'
  | 'store-credentials-missing'
  | 'store-credentials-refused'
  | 'store-denied'
  | 'store-bucket-missing'
  | 'store-region-wrong'
  | 'store-clock-skewed'
  | 'store-throttled'
  | 'store-failed'
  | 'store-unsupported'
  | 'object-missing'
  | 'object-changed'
  | 'object-size-differs'
  | 'object-digest-differs'
  | 'object-upload-gone'
  | 'object-part-invalid'
  | 'format-unknown'
  | 'manifest-invalid'
  | 'manifests-missing'
  | 'lock-invalid'
  | 'bucket-empty'
  | 'model-not-found'
  | 'file-digest-differs'
  | 'file-changed'
  | 'file-missing'
  | 'path-unsafe'
  | 'dir-unusable'
  | 'disk-full'
  | 'disk-failed'
  | 'disk-stalled'
  | 'setup-failed'
  | 'server-not-found'
  | 'server-not-executable'
  | 'restore-incomplete'
  | 'upload-incomplete'
  | 'interrupted'
  | 'internal';

export interface ErrorDetails {
  readonly wanted?: string | undefined;
  readonly found?: string | undefined;
  /** What the reader can do about it: a command, a setting, a place to look. */
  readonly hint?: string | undefined;
  readonly cause?: unknown;
}

export class ModelCacheError extends Error {
  override readonly name = 'ModelCacheError';
  readonly code: ErrorCode;
  readonly wanted: string | undefined;
  readonly found: string | undefined;
  readonly hint: string | undefined;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.wanted = details.wanted;
    this.found = details.found;
    this.hint = details.hint;
  }
}

/** Anything thrown, as one of ours. What we did not foresee is `internal`: our bug, unless the disk says otherwise. */
export function toModelCacheError(error: unknown): ModelCacheError {
  if (error instanceof ModelCacheError) return error;
  return diskError(error) ?? new ModelCacheError('internal', messageOf(error), { cause: error });
}

/** Whether a stop signal has come: the next run goes on with what is left now. Whatever else ends a run does not. */
export function isInterrupted({ aborted, reason }: AbortSignal): boolean {
  return aborted && toModelCacheError(reason).code === 'interrupted';
}

/** One line: what happened, wanted and found where there is such a pair, and what to do next. */
export function explain(error: unknown): string {
  const { message, wanted, found, hint } = toModelCacheError(error);
  const pair = wanted === undefined ? '' : ` (wanted ${wanted}, found ${found ?? 'nothing'})`;
  return oneLine(`${message}${pair}${hint === undefined ? '' : `; ${hint}`}`);
}

export function hasErrno(error: unknown, ...codes: readonly string[]): boolean {
  const code = (error as NodeJS.ErrnoException | undefined)?.code;
  return code !== undefined && codes.includes(code);
}

/** What a file system may answer that is neither our bug nor a lack of space. */
const DISK_FAILURES = [
  'EROFS',
  'EIO',
  'EACCES',
  'EPERM',
  'EMFILE',
  'ENFILE',
  'ENOENT',
  'ENOTDIR',
  'EISDIR',
  'ELOOP',
  'ENOTEMPTY',
  'ENAMETOOLONG',
  'EFBIG',
  'ESTALE',
  'EBUSY',
  'ENODEV',
  'ENXIO',
  'ETXTBSY',
  'EOPNOTSUPP',
  'ENOTSUP',
  'ENOSYS',
];

function diskError(error: unknown): ModelCacheError | undefined {
  if (hasErrno(error, 'ENOSPC') || isOverQuota(error)) {
    const message = isOverQuota(error) ? 'EDQUOT: the disk quota is used up' : messageOf(error);
    return new ModelCacheError('disk-full', message, {
      hint: 'free some space, or name a larger disk with --dir',
      cause: error,
    });
  }
  if (hasErrno(error, ...DISK_FAILURES)) {
    return new ModelCacheError('disk-failed', messageOf(error), { cause: error });
  }
  return undefined;
}

/** Node has no name for it: `Unknown system error -122` on Linux. */
function isOverQuota(error: unknown): boolean {
  return hasErrno(error, 'EDQUOT') || (error as NodeJS.ErrnoException | undefined)?.errno === -122;
}

function messageOf(error: unknown): string {
  return error instanceof Error && error.message !== '' ? error.message : String(error);
}

function oneLine(text: string): string {
  return text.replaceAll(/\s*[\r\n]+\s*/g, ' ');
}
