import { join, resolve } from 'node:path';
import type { Owner } from '../cache/owner.ts';
import { ModelCacheError } from '../errors.ts';
import type { PaceBounds } from '../model/pace.ts';
import { parseModelSpec, PRESETS, type ModelSpec, type Selection } from '../model/selection.ts';
import { liesIn } from '../model/paths.ts';
import { overlapOf, type TreeName } from '../model/tree.ts';
import type { CredentialSettings, StaticKeys } from '../store/credentials.ts';
import type { StoreSettings } from '../store/open-store.ts';
import { providerOf } from '../store/providers.ts';
import { whyOnlySdk } from './only-sdk.ts';
import { parseBucket, parseStoreUrl, type StoreUrl } from '../store/store-url.ts';
import type { LogSettings } from '../log.ts';
import {
  parseAlso,
  parseCount,
  parseDuration,
  parseEndpoint,
  parseFolder,
  parseOwner,
  parseSpeed,
  type AlsoFolder,
} from './parse.ts';
import type { CommandName } from './options.ts';
import { proxiesOf } from './proxies.ts';
import { oneOf, parseBoolean, RawSettings, wrong, type Environment, type Flags } from './raw.ts';

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

const DEFAULT_DIRS = ['/tmp/models', '/runpod-volume/models'];
const DEFAULT_STALL = 30_000;
/** On a link that loses one packet in a thousand, at 20 ms, 64 streams fill 1 Gbit/s (npm run bench). */
const WIDEST = 64;
/** Each request has its price for the store; with larger ones, fewer would be under way at the end. */
const LARGEST_PART_MIB = 16;
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

/** The store, or what is wrong with its name or endpoint: then it is no store at all, and never another one. */
function storeOf(
  raw: RawSettings,
  stall: number,
  named: readonly string[],
): StoreSettings | ModelCacheError | undefined {
  const before = raw.problems.length;
  const url = raw.value('store', parseStoreUrl) ?? storeOfBucketVariable(raw);
  const endpoint = raw.value('endpointUrl', parseEndpoint);
  const [problem] = raw.problems.splice(before);
  // Its hint speaks of a default, and here there is none.
  if (problem !== undefined) return problem.cause instanceof ModelCacheError ? problem.cause : problem;
  if (url === undefined) return undefined;
  const dirs = raw.has('dir') && url.kind === 'file' ? dirsOf(named, url.path) : [];
  if (url.kind === 'file') return whyDirInStore(dirs, url.path) ?? url;
  const bucketInEndpoint = whyBucketTwice(url.bucket, endpoint);
  if (bucketInEndpoint !== undefined) return bucketInEndpoint;
  const proxies = proxiesOf(raw);
  const trustsAnybody = raw.variable('NODE_TLS_REJECT_UNAUTHORIZED') === '0';
  const awsRegion = raw.variable('AWS_REGION') ?? raw.variable('AWS_DEFAULT_REGION');
  return {
    ...url,
    endpoint,
    region: raw.text('region') ?? providerOf(endpoint).region ?? 'us-east-1',
    credentials: credentialsOf(raw, awsRegion ?? 'us-east-1'),
    caBundle: absolute(raw.variable('AWS_CA_BUNDLE')),
    idleTimeout: stall,
    proxies,
    onlySdk: whyOnlySdk({ endpoint, proxies, trustsAnybody }),
  };
}

/** The dirs that are named; else those of the default that lie beside the store, or all, should none do. */
function dirsOf(named: readonly string[], folderOfStore: string | undefined): readonly string[] {
  if (named.length > 0) return named;
  const beside = DEFAULT_DIRS.filter((dir) => folderOfStore === undefined || !liesIn(dir, folderOfStore));
  return beside.length > 0 ? beside : DEFAULT_DIRS;
}

/** A cache in the folder of the store would be restored from what it writes itself. */
function whyDirInStore(dirs: readonly string[], folder: string): ModelCacheError | undefined {
  const inside = dirs.find((dir) => liesIn(dir, folder));
  if (inside === undefined) return undefined;
  return new ModelCacheError('setting-invalid', `the dir ${inside} lies in the folder of the store`, {
    wanted: `a folder beside ${folder}`,
    found: inside,
    hint: `name another one with --dir, or give the store a folder of its own, as in --store file://${join(folder, 'store')}`,
  });
}

/** Some providers show a bucket's address so. Its objects would be looked for below a folder of the bucket's name. */
function whyBucketTwice(bucket: string, endpoint: string | undefined): ModelCacheError | undefined {
  if (endpoint === undefined || !new URL(endpoint).pathname.endsWith(`/${bucket}`)) return undefined;
  return new ModelCacheError('setting-invalid', 'the endpoint names the bucket, which --store does already', {
    wanted: endpoint.slice(0, -bucket.length - 1),
    found: endpoint,
  });
}

function absolute(path: string | undefined): string | undefined {
  return path === undefined ? undefined : resolve(path);
}

function storeOfBucketVariable(raw: RawSettings): StoreUrl | undefined {
  const bucket = raw.variable('S3_BUCKET');
  return bucket === undefined
    ? undefined
    : raw.fromVariable('store', 'S3_BUCKET', bucket, (name) =>
        parseStoreUrl(`s3://${parseBucket(name)}/models`),
      );
}

function credentialsOf(raw: RawSettings, stsRegion: string): CredentialSettings {
  const has = (...names: readonly string[]): boolean =>
    names.every((name) => raw.variable(name) !== undefined);
  return {
    anonymous: raw.flag('noSignRequest'),
    keys: keysOf(raw, 'MODEL_CACHE_') ?? keysOf(raw, 'AWS_'),
    profile: raw.variable('AWS_PROFILE'),
    webIdentity: has('AWS_WEB_IDENTITY_TOKEN_FILE', 'AWS_ROLE_ARN'),
    container: has('AWS_CONTAINER_CREDENTIALS_RELATIVE_URI') || has('AWS_CONTAINER_CREDENTIALS_FULL_URI'),
    imds: raw.flag('imds'),
    stsRegion,
  };
}

function keysOf(raw: RawSettings, prefix: string): StaticKeys | undefined {
  const accessKeyId = raw.variable(`${prefix}ACCESS_KEY_ID`);
  const secretAccessKey = raw.variable(`${prefix}SECRET_ACCESS_KEY`);
  if (accessKeyId === undefined || secretAccessKey === undefined) return undefined;
  return {
    source: `${prefix}ACCESS_KEY_ID`,
    accessKeyId,
    secretAccessKey,
    sessionToken: raw.variable(`${prefix}SESSION_TOKEN`),
  };
}

/** Without those that overlap: no more than told, since an older version took them. */
function alsoOf(raw: RawSettings): readonly AlsoFolder[] {
  const apart: AlsoFolder[] = [];
  for (const folder of raw.list('also', parseAlso)) {
    const named = apart.map(({ tree }) => tree);
    const other = overlapOf(folder.tree, named);
    if (other === undefined) apart.push(folder);
    else raw.problems.push(overlaps(folder.tree, other, named.includes(other)));
  }
  return apart;
}

function overlaps(folder: TreeName, other: TreeName, isNamed: boolean): ModelCacheError {
  return new ModelCacheError('setting-invalid', `--also ${folder} is left out: it overlaps ${other}`, {
    wanted: `a folder beside ${other}`,
    found: folder,
    hint: isNamed
      ? 'name only the one that holds the other: all of it is mirrored'
      : `${other} is mirrored without being named`,
  });
}

function presetOf(raw: RawSettings): readonly ModelSpec[] {
  const specs = raw.value('preset', (name) => {
    const preset = PRESETS.get(name);
    if (preset === undefined) throw wrong('no such preset', [...PRESETS.keys()].join(', '), name);
    return preset;
  });
  return (specs ?? []).map(parseModelSpec);
}
