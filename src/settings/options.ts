/** Every option of the program: its flag, its variables, what it means. The command line, the settings and --help come from here. */
export interface OptionSpec {
  readonly flags: string;
  readonly help: string;
  /** Older and foreign variables that are read when the option's own is not set. */
  readonly fallbacks?: readonly string[];
  /** May be given several times; in a variable, and where it `splits` in a flag, too, separated by `separator`. */
  readonly list?: { readonly separator: RegExp; readonly splits?: boolean };
  /** Quotes around it are taken as they are, and not for those that a shell would have taken away. */
  readonly keepsQuotes?: true;
  readonly commands: readonly CommandName[];
}

export type CommandName = 'init' | 'upload' | 'status' | 'verify' | 'lock' | 'env';

const ALL: readonly CommandName[] = ['init', 'upload', 'status', 'verify', 'lock', 'env'];
const WITH_STORE: readonly CommandName[] = ['init', 'upload', 'status', 'verify', 'lock'];
const WITH_DIR: readonly CommandName[] = ['init', 'upload', 'status', 'verify', 'env'];
const WITH_BOTH: readonly CommandName[] = ['init', 'upload', 'status', 'verify'];

const COMMA_OR_NEWLINE = { separator: /[,\n]/ };
const NEWLINE = { separator: /\n/ };
const COLON = { separator: /:/, splits: true };

export const OPTIONS = {
  store: {
    flags: '--store <url>',
    help: 's3://BUCKET/PREFIX or file:///PATH (default: s3://$S3_BUCKET/models)',
    commands: WITH_STORE,
  },
  dir: {
    flags: '--dir <path>',
    help: 'where the cache is; several in order of preference, repeated or A:B (default: /tmp/models:/runpod-volume/models)',
    list: COLON,
    commands: WITH_DIR,
  },
  endpointUrl: {
    flags: '--endpoint-url <url>',
    help: 'the S3 endpoint of other providers than AWS',
    fallbacks: ['AWS_ENDPOINT_URL_S3', 'AWS_ENDPOINT_URL'],
    commands: WITH_STORE,
  },
  region: {
    flags: '--region <name>',
    help: "the bucket's region (default: the one in the endpoint's name, else us-east-1)",
    fallbacks: ['AWS_REGION', 'AWS_DEFAULT_REGION'],
    commands: WITH_STORE,
  },
  noSignRequest: {
    flags: '--no-sign-request',
    help: 'a public bucket: send no credentials',
    commands: WITH_STORE,
  },
  imds: {
    flags: '--imds',
    help: 'ask the instance metadata service for credentials, wherever this runs',
    commands: WITH_STORE,
  },
  models: {
    flags: '--model <spec>',
    help: 'ORG/NAME[@REV][:GLOB], what must be here before the server starts; repeatable (default: everything)',
    list: COMMA_OR_NEWLINE,
    commands: ['init', 'lock'],
  },
  preset: { flags: '--preset <name>', help: 'a set of --model: f5-tts', commands: ['init', 'lock'] },
  rest: {
    flags: '--rest <mode>',
    help: 'what is not named by --model: skip leaves it in the bucket (default: skip)',
    commands: ['init'],
  },
  exclude: {
    flags: '--exclude <glob>',
    help: 'leave out what matches ORG/NAME/path; repeatable',
    list: COMMA_OR_NEWLINE,
    commands: ['init', 'lock'],
  },
  locked: {
    flags: '--locked <file>',
    help: 'restore exactly what this file of `model-cache lock` names, without listing the bucket',
    // As one that is not there, it restores nothing; refused, everything would be restored.
    keepsQuotes: true,
    commands: ['init'],
  },
  also: {
    flags: '--also <folder[=VAR]>',
    help: 'mirror one more folder of the dir, and export VAR with its path; repeatable',
    list: COMMA_OR_NEWLINE,
    commands: ALL,
  },
  reuse: {
    flags: '--reuse <dir>',
    help: 'a read-only Hugging Face hub folder whose repos are linked, not copied; repeatable',
    list: COMMA_OR_NEWLINE,
    commands: WITH_BOTH,
  },
  transformersCache: {
    flags: '--transformers-cache <path>',
    help: 'another TRANSFORMERS_CACHE than the hub folder',
    commands: ['init', 'env'],
  },
  acceptUnverified: {
    flags: '--accept-unverified',
    help: 'a bucket without manifests: also take files that no checksum vouches for',
    commands: ['init', 'status'],
  },
  stall: {
    flags: '--stall <duration>',
    help: 'give up when nothing came for so long (default: 30s)',
    commands: WITH_STORE,
  },
  minSpeed: {
    flags: '--min-speed <MB/s>',
    help: 'give up when slower than this over 30 s (default: 5; 0: never)',
    commands: ['init'],
  },
  connections: {
    flags: '--connections <number>',
    help: 'ask the store for at most so many parts of large files side by side, and so many small files beside them; how many it takes is measured (1 to 256; default: 64)',
    commands: ['init'],
  },
  partSize: {
    flags: '--part-size <MiB>',
    help: 'ask for at most so much of an object at once; how much is measured (1 to 512; default: 32)',
    commands: ['init'],
  },
  timeout: {
    flags: '--timeout <duration>',
    help: 'give up after this, counted from the start of the program, --setup not included (default: 0, never)',
    commands: ['init'],
  },
  strict: {
    flags: '--strict',
    help: 'an incomplete restore, an empty bucket or a --model that matches nothing stops the start',
    commands: ['init'],
  },
  writeBack: {
    flags: '--write-back <mode>',
    help: 'what the server downloads goes into the bucket: auto in the background, wait with this program staying in front, off (default: auto)',
    commands: ['init'],
  },
  writeBackIdle: {
    flags: '--write-back-idle <duration>',
    help: 'the background process ends when nothing new came for so long (default: 15m; 0: never)',
    commands: ['init'],
  },
  grace: {
    flags: '--grace <duration>',
    help: 'how long a stopped upload may take to end, so that a later one can go on from there (default: 8s)',
    commands: ['init', 'upload'],
  },
  bwlimit: {
    flags: '--bwlimit <MB/s>',
    help: 'upload no faster than this (default: no limit)',
    commands: ['init', 'upload'],
  },
  abandonAfter: {
    flags: '--abandon-after <duration>',
    help: 'take back uploads that nobody has added to for so long (default: 24h; 0: never)',
    commands: ['init', 'upload'],
  },
  setup: {
    flags: '--setup <command>',
    help: 'run this in a shell before the restore; one that fails is a WARN; repeatable (variable: a line each)',
    list: NEWLINE,
    keepsQuotes: true,
    commands: ['init'],
  },
  setupTimeout: {
    flags: '--setup-timeout <duration>',
    help: 'for each --setup (default: 15m)',
    commands: ['init'],
  },
  owner: {
    flags: '--owner <uid[:gid]>',
    help: 'as root: who owns restored files (default: the owner of the dir)',
    commands: ['init', 'upload'],
  },
  dropCredentials: {
    flags: '--drop-credentials',
    help: "keep the store's keys out of the server's environment",
    commands: ['init'],
  },
  report: {
    flags: '--report <file>',
    help: 'write what was done as JSON',
    commands: WITH_STORE,
  },
  dryRun: {
    flags: '--dry-run',
    help: 'print what would be done, and do nothing (init: without looking at other caches, or whether the dir can be written; the variable counts where no server is to start)',
    commands: ['init', 'upload'],
  },
  json: {
    flags: '--json',
    help: 'print the report on stdout; with init --dry-run, the plan',
    commands: ['upload', 'status', 'verify', 'lock', 'init'],
  },
  check: {
    flags: '--check',
    help: 'exit 1 when the dir and the bucket differ, whatever a start selects, or something in the dir is left out',
    commands: ['status'],
  },
  remote: {
    flags: '--remote',
    help: "re-hash the bucket's objects instead of the cache",
    commands: ['verify'],
  },
  format: { flags: '--format <name>', help: 'sh, json or docker (default: sh)', commands: ['env'] },
  logLevel: {
    flags: '--log-level <level>',
    help: 'debug, info, warn, error or silent (default: info)',
    commands: ALL,
  },
  logFormat: { flags: '--log-format <name>', help: 'text or json (default: text)', commands: ALL },
} as const satisfies Record<string, OptionSpec>;

export type OptionKey = keyof typeof OPTIONS;

export function optionSpec(key: OptionKey): OptionSpec {
  return OPTIONS[key];
}

export function optionKeys(): readonly OptionKey[] {
  return Object.keys(OPTIONS) as OptionKey[];
}

/** `--min-speed <MB/s>` → `MODEL_CACHE_MIN_SPEED`; a repeatable `--model` is `MODEL_CACHE_MODELS`. */
export function variableOf(key: OptionKey): string {
  if (key === 'models') return 'MODEL_CACHE_MODELS';
  const flag = optionSpec(key).flags.split(' ')[0] ?? '';
  return `MODEL_CACHE_${flag.slice(2).replaceAll('-', '_').toUpperCase()}`;
}

/** Variables that are read and have no flag. */
export const OTHER_VARIABLES = [
  'MODEL_CACHE_ENABLED',
  'MODEL_CACHE_ACCESS_KEY_ID',
  'MODEL_CACHE_SECRET_ACCESS_KEY',
  'MODEL_CACHE_SESSION_TOKEN',
] as const;
