/**
 * How a pass ended: all is in the bucket; unfinished files were left out; it could not be done now; this store will
 * never take it.
 */
export type PassEnd = 'done' | 'left-some' | 'later' | 'never';

/** What a write-back knows. Times are milliseconds on one clock; a fingerprint is what `fingerprintOf` says. */
export interface WriteBackProgress {
  /** Needs no pass. */
  readonly passed: string;
  /** What the last looks found: when it was first seen whole, and when the last look at it began. */
  readonly seen: { readonly fingerprint: string; readonly since: number; readonly last: number } | undefined;
  /** What the running pass was started for. */
  readonly running: string | undefined;
  /** The pass that is to be tried again. */
  readonly owed: OwedPass | undefined;
  /** The last change, end of a pass or live download. */
  readonly stirred: number;
  /** Since when there is something new that no pass was made for, and how long that may wait for it to settle. */
  readonly restless: { readonly since: number | undefined; readonly limit: number };
}

/** When a pass is asked to end, and when it is killed. */
export interface PassBounds {
  readonly park: number;
  readonly kill: number;
}

interface OwedPass {
  readonly why: 'left-some' | 'later';
  readonly fingerprint: string;
  readonly wait: number;
  readonly at: number;
}

export type WriteBackStep = 'wait' | 'pass' | 'ask-for-downloads';

/** Between two looks that found the same, before it counts as settled. */
const SETTLED_AFTER = 1000;
/** What never settles (a log in a mirrored folder) must not keep the rest from the bucket, nor cause pass after pass. */
const RESTLESS_LIMIT = 15_000;
const LONGEST_RESTLESS_LIMIT = 300_000;
const LOOK_EVERY = 2000;
const LOOK_EVERY_UNSETTLED = 1000;
/** Of all time, this part at most is spent looking. */
const LOOKING_SHARE = 50;
const FIRST_WAIT = { 'left-some': 10_000, later: 15_000 } as const;
const LONGEST_WAIT = 300_000;

export function newProgress(passed: string, now: number): WriteBackProgress {
  return {
    passed,
    seen: undefined,
    running: undefined,
    owed: undefined,
    stirred: now,
    restless: { since: undefined, limit: RESTLESS_LIMIT },
  };
}

export function afterLook(
  progress: WriteBackProgress,
  fingerprint: string,
  { began, ended }: { readonly began: number; readonly ended: number },
): WriteBackProgress {
  const { seen, restless } = progress;
  if (seen?.fingerprint === fingerprint) return { ...progress, seen: { ...seen, last: began } };
  const since = fingerprint === progress.passed ? undefined : (restless.since ?? ended);
  return {
    ...progress,
    seen: { fingerprint, since: ended, last: ended },
    stirred: ended,
    restless: { ...restless, since },
  };
}

/** From the end of one look to the next one. `took`: how long that look was. */
export function pauseAfterLook(progress: WriteBackProgress, took: number): number {
  const isWaitedFor = isUnpassed(progress) && !isSettled(progress);
  return Math.max(isWaitedFor ? LOOK_EVERY_UNSETTLED : LOOK_EVERY, LOOKING_SHARE * took);
}

export function afterPassStart(progress: WriteBackProgress): WriteBackProgress {
  const limit = isSettled(progress)
    ? RESTLESS_LIMIT
    : Math.min(2 * progress.restless.limit, LONGEST_RESTLESS_LIMIT);
  return { ...progress, running: progress.seen?.fingerprint, restless: { since: undefined, limit } };
}

export function afterPass(progress: WriteBackProgress, end: PassEnd, now: number): WriteBackProgress {
  const fingerprint = progress.running ?? progress.passed;
  const isPassed = end === 'done' || end === 'left-some';
  const isNoNews = end === 'left-some' && progress.owed?.fingerprint === fingerprint;
  return {
    ...progress,
    running: undefined,
    passed: isPassed ? fingerprint : progress.passed,
    owed: end === 'left-some' || end === 'later' ? owedAfter(progress, fingerprint, end, now) : undefined,
    stirred: isNoNews ? progress.stirred : now,
  };
}

export function afterLiveDownload(progress: WriteBackProgress, now: number): WriteBackProgress {
  return { ...progress, stirred: now };
}

/** `idle`: after how many milliseconds without anything new a write-back is over; 0: never. */
export function nextStep(progress: WriteBackProgress, now: number, idle: number): WriteBackStep {
  const { running, seen, owed, stirred } = progress;
  if (running !== undefined || seen === undefined) return 'wait';
  // A store that is away is not asked more often because more is waiting for it.
  if (owed?.why === 'later') {
    const isReady = isSettled(progress) || isTired(progress, now);
    return now >= owed.at && isReady ? 'pass' : 'wait';
  }
  if (isUnpassed(progress)) return isSettled(progress) || isTired(progress, now) ? 'pass' : 'wait';
  if (owed !== undefined && now >= owed.at && isSettled(progress)) return 'pass';
  return idle > 0 && now - stirred >= idle ? 'ask-for-downloads' : 'wait';
}

/** Whether there is anything that no pass was made for, settled or not. */
export function isUnpassed({ seen, passed }: WriteBackProgress): boolean {
  return seen !== undefined && seen.fingerprint !== '' && seen.fingerprint !== passed;
}

/** If the server ended at `now`. */
export function boundsOfLastPass(now: number, grace: number): PassBounds {
  return { park: now + Math.max(grace - 2000, grace / 2), kill: now + grace };
}

function isSettled({ seen }: WriteBackProgress): boolean {
  return seen !== undefined && seen.last - seen.since >= SETTLED_AFTER;
}

/** Of waiting for what does not settle. */
function isTired({ restless: { since, limit } }: WriteBackProgress, now: number): boolean {
  return since !== undefined && now - since >= limit;
}

function owedAfter(
  { owed }: WriteBackProgress,
  fingerprint: string,
  why: OwedPass['why'],
  now: number,
): OwedPass {
  const isAgain = owed?.why === why && (why === 'later' || owed.fingerprint === fingerprint);
  const wait = isAgain ? Math.min(2 * owed.wait, LONGEST_WAIT) : FIRST_WAIT[why];
  return { why, fingerprint, wait, at: now + wait };
}
