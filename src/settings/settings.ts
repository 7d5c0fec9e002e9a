import { resolve } from 'node:path';
import type { Owner } from '../cache/owner.ts';
import { ModelCacheError } from '../errors.ts';
import type { LogSettings } from '../log.ts';
import type { PaceBounds } from '../model/pace.ts';
import { parseModelSpec, PRESETS, type ModelSpec, type Selection } from '../model/selection.ts';
import type { StoreSettings } from '../store/open-store.ts';
import { alsoOf, type AlsoFolder } from './also.ts';
import { dirsOf } from './dirs.ts';
import type { CommandName } from './options.ts';
import { parseCount, parseDuration, parseFolder, parseOwner, parseSpeed } from './parse.ts';
import { oneOf, parseBoolean, RawSettings, wrong, type Environment, type Flags } from './raw.ts';
import { storeOf } from './store.ts';

/** Everything that a user can say, decided. Durations in milliseconds, sizes in bytes. */
export interface Settings {
  /** Undefined: none is configured, or it is turned off. */
  readonly store: StoreSettings | undefined;
  /** What is wrong with what was said of it. */
  readonly storeProblem: ModelCacheError | undefined;
  readonly storeIsOff: boolean;
  readonly dirs: readonly string[];
  readonly selection: Selection;
  /** The lock file, which then says what a start selects. */
  readonly locked: string | undefined;
  /** What becomes of models that --model does not name. */
  readonly rest: 'skip';
  readonly also: readonly AlsoFolder[];
  readonly reuse: readonly string[];
  readonly transformersCache: string | undefined;
  readonly acceptUnverified: boolean;
  readonly stall: number;
  /** Bytes a second. */
  readonly minSpeed: number;
  /** Within these, requests for bytes follow what is measured. */
  readonly paceBounds: PaceBounds;
  readonly timeout: number | undefined;
  readonly strict: boolean;
  readonly writeBack: 'auto' | 'off' | 'wait';
  readonly writeBackIdle: number;
  /** For an upload that was stopped. */
  readonly grace: number;
  /** Bytes a second; undefined: as fast as it goes. */
  readonly bwlimit: number | undefined;
  readonly abandonAfter: number;
  readonly setup: readonly string[];
  readonly setupTimeout: number;
  readonly owner: Owner | undefined;
  /** Of the store, out of the server's environment. */
  readonly dropCredentials: boolean;
  readonly report: string | undefined;
  readonly dryRun: boolean;
  readonly json: boolean;
  readonly check: boolean;
  readonly remote: boolean;
  readonly format: 'sh' | 'json' | 'docker';
  readonly log: LogSettings;
  /** What was wrong with variables, and what was done instead. */
  readonly problems: readonly ModelCacheError[];
}

const DEFAULT_STALL = 30_000;
/** On a link that loses one packet in a thousand, at 20 ms, 64 streams fill 1 Gbit/s (npm run bench). */
const WIDEST = 64;
/** Each request has its price for the store, which is next to nothing then (npm run bench -- --only locked). */
const LARGEST_PART_MIB = 32;
const MIB = 1024 * 1024;
const DEFAULT_MIN_SPEED = 5e6;
const DEFAULT_SETUP_TIMEOUT = 15 * 60_000;
const DEFAULT_WRITE_BACK_IDLE = 15 * 60_000;
const DEFAULT_GRACE = 8000;
const DEFAULT_ABANDON_AFTER = 24 * 3_600_000;

/**
 * Where a server is to be started, and of options that the command does not have, only flags can be wrong enough to stop.
 * Throws `setting-invalid`.
 */
export function resolveSettings(
  flags: Flags,
  env: Environment,
  startsServer: boolean,
  command?: CommandName,
): Settings {
  const raw = new RawSettings(flags, env, startsServer, command);
  raw.noteUnknownVariables();
  const storeIsOff = !isEnabled(raw);
  const stall = raw.value('stall', parseDuration) ?? DEFAULT_STALL;
  const named = raw.list('dir', parseFolder);
  const store = storeIsOff ? undefined : storeOf(raw, stall, named);
  const folder = store instanceof ModelCacheError || store?.kind !== 'file' ? undefined : store.path;
  // Who asks the store tells what is wrong with it.
  if (store instanceof ModelCacheError && !raw.has('store')) raw.problems.push(store);
  return {
    store: store instanceof ModelCacheError ? undefined : store,
    storeProblem: store instanceof ModelCacheError ? store : undefined,
    storeIsOff,
    dirs: dirsOf(named, folder),
    selection: {
      models: [...presetOf(raw), ...raw.list('models', parseModelSpec)],
      exclude: raw.list('exclude', (glob) => glob),
    },
    locked: raw.value('locked', (path) => resolve(path)),
    also: alsoOf(raw),
    reuse: raw.list('reuse', parseFolder),
    transformersCache: raw.text('transformersCache'),
    acceptUnverified: raw.flag('acceptUnverified'),
    stall,
    paceBounds: {
      width: raw.value('connections', parseCount(256)) ?? WIDEST,
      partBytes: (raw.value('partSize', parseCount(512)) ?? LARGEST_PART_MIB) * MIB,
    },
    minSpeed: raw.value('minSpeed', parseSpeed) ?? DEFAULT_MIN_SPEED,
    timeout: raw.value('timeout', parseDuration) || undefined,
    strict: raw.flag('strict'),
    writeBack: raw.value('writeBack', oneOf('auto', 'off', 'wait')) ?? 'auto',
    writeBackIdle: raw.value('writeBackIdle', parseDuration) ?? DEFAULT_WRITE_BACK_IDLE,
    grace: raw.value('grace', parseDuration) ?? DEFAULT_GRACE,
    bwlimit: raw.value('bwlimit', parseSpeed) || undefined,
    abandonAfter: raw.value('abandonAfter', parseDuration) ?? DEFAULT_ABANDON_AFTER,
    setup: raw.list('setup', (command) => command),
    setupTimeout: raw.value('setupTimeout', parseDuration) ?? DEFAULT_SETUP_TIMEOUT,
    owner: raw.value('owner', parseOwner),
    dropCredentials: raw.flag('dropCredentials'),
    report: raw.value('report', (path) => resolve(path)),
    dryRun: raw.flag('dryRun'),
    json: raw.flag('json'),
    check: raw.flag('check'),
    remote: raw.flag('remote'),
    format: raw.value('format', oneOf('sh', 'json', 'docker')) ?? 'sh',
    rest: raw.value('rest', oneOf('skip')) ?? 'skip',
    log: logSettings(raw),
    problems: raw.problems,
  };
}

/** Only how to log, and never an error: enough to say what is wrong with everything else. */
export function resolveLogSettings(flags: Flags, env: Environment): LogSettings {
  try {
    return logSettings(new RawSettings(flags, env, true));
  } catch {
    return { level: 'info', format: 'text' };
  }
}

function logSettings(raw: RawSettings): LogSettings {
  return {
    level: raw.value('logLevel', oneOf('debug', 'info', 'warn', 'error', 'silent')) ?? 'info',
    format: raw.value('logFormat', oneOf('text', 'json')) ?? 'text',
  };
}

function isEnabled(raw: RawSettings): boolean {
  for (const name of ['MODEL_CACHE_ENABLED', 'ENABLE_S3_MODEL_CACHE']) {
    const text = raw.variable(name);
    if (text !== undefined) return raw.fromVariable('store', name, text, parseBoolean) ?? true;
  }
  return true;
}

function presetOf(raw: RawSettings): readonly ModelSpec[] {
  const specs = raw.value('preset', (name) => {
    const preset = PRESETS.get(name);
    if (preset === undefined) throw wrong('no such preset', [...PRESETS.keys()].join(', '), name);
    return preset;
  });
  return (specs ?? []).map(parseModelSpec);
}
