import { existsSync } from 'node:fs';
import { userInfo } from 'node:os';
import { isAbsolute, join, resolve } from 'node:path';
import type { ReusedCaches } from '../cache/reuse.ts';
import { ModelCacheError } from '../errors.ts';
import { liesIn } from '../model/paths.ts';
import type { AlsoFolder } from '../settings/also.ts';
import type { Environment } from '../settings/raw.ts';

/** What the server's environment gets. Facts: which library reads which variable, and when, is in docs/operations.md. */
export interface Exports {
  readonly variables: Readonly<Record<string, string>>;
  /** Variables that had another value before. */
  readonly overridden: readonly { readonly name: string; readonly was: string }[];
}

export interface ExportOptions {
  readonly dir: string;
  readonly transformersCache: string | undefined;
  readonly also: readonly AlsoFolder[];
  /** Places that must not be touched. */
  readonly unreachable?: Pick<ReadonlySet<string>, 'has'>;
}

/** RunPod mounts models that it caches on its hosts there. */
const RUNPOD_CACHE = '/runpod-volume/huggingface-cache/hub';

/** Five variables, always; a token that the move of HF_HOME would hide; a variable for each `--also` that has one. */
export function exportsFor(
  { dir, transformersCache, also, unreachable = new Set() }: ExportOptions,
  env: Environment,
): Exports {
  const hub = join(dir, 'hub');
  const folders = also.flatMap(({ tree, variable }) =>
    variable === undefined ? [] : [[variable, join(dir, tree)] as const],
  );
  const variables: Record<string, string> = {
    ...Object.fromEntries(folders),
    HF_HOME: dir,
    HF_HUB_CACHE: hub,
    HUGGINGFACE_HUB_CACHE: hub,
    TRANSFORMERS_CACHE: transformersCache ?? hub,
    TORCH_HOME: join(dir, 'torch'),
  };
  const overridden = Object.entries(variables).flatMap(([name, value]) => {
    const was = set(env, name);
    return was === undefined || was === value ? [] : [{ name, was }];
  });
  return { variables: { ...variables, ...tokenPath(dir, env, unreachable) }, overridden };
}

/** The caches that the server would have read if nothing had been exported, without those in the dir itself. */
export function cachesBefore(
  dir: string,
  env: Environment,
  asked: readonly string[],
  unreachable: Pick<ReadonlySet<string>, 'has'> = new Set(),
): ReusedCaches {
  const home = hfHome(env);
  const hubs = [
    ...asked,
    ...['HF_HUB_CACHE', 'HUGGINGFACE_HUB_CACHE', 'TRANSFORMERS_CACHE'].flatMap((name) =>
      absolute(set(env, name), env),
    ),
    join(home, 'hub'),
    RUNPOD_CACHE,
  ];
  const torchHomes = [absolute(set(env, 'TORCH_HOME'), env)[0] ?? join(cacheHome(env), 'torch')];
  const isElsewhere = (path: string): boolean => !liesIn(path, dir) && !unreachable.has(path);
  return {
    hubs: [...new Set(hubs.map((path) => resolve(path)))].filter(isElsewhere),
    torchHomes: torchHomes.filter(isElsewhere),
  };
}

/** Lines for `eval`, a JSON object, or `--env-file`. Throws `setting-invalid` for what such a file cannot hold. */
export function formatExports({ variables }: Exports, format: 'sh' | 'json' | 'docker'): string {
  const entries = Object.entries(variables);
  if (format === 'json') return `${JSON.stringify(variables, undefined, 2)}\n`;
  if (format === 'docker') return entries.map(dockerLine).join('');
  return entries.map(([name, value]) => `export ${name}=${shellQuoted(value)}\n`).join('');
}

function dockerLine([name, value]: readonly [string, string]): string {
  if (!/[\r\n]/.test(value)) return `${name}=${value}\n`;
  throw new ModelCacheError('setting-invalid', `an env file cannot hold ${name}: there is a line end in it`, {
    hint: 'name another --dir, or use --format sh',
  });
}

/** Moving HF_HOME must not log the user out. The file is looked for, never opened. */
function tokenPath(
  dir: string,
  env: Environment,
  unreachable: Pick<ReadonlySet<string>, 'has'>,
): Record<string, string> {
  if (set(env, 'HF_TOKEN') !== undefined || set(env, 'HF_TOKEN_PATH') !== undefined) return {};
  const home = hfHome(env);
  if (unreachable.has(home)) return {};
  const token = join(home, 'token');
  return resolve(home) !== resolve(dir) && existsSync(token) ? { HF_TOKEN_PATH: token } : {};
}

/** Where huggingface_hub keeps its token and its caches, had nothing been exported. */
export function hfHome(env: Environment): string {
  return askedHfHome(env) ?? join(cacheHome(env), 'huggingface');
}

/** The same, where somebody has named it. */
export function askedHfHome(env: Environment): string | undefined {
  return absolute(set(env, 'HF_HOME'), env)[0];
}

function cacheHome(env: Environment): string {
  return absolute(set(env, 'XDG_CACHE_HOME'), env)[0] ?? join(set(env, 'HOME') ?? homeOfUser(), '.cache');
}

/** `~` and `$NAME` expanded as huggingface_hub does it; a relative value means something else in every folder, and is left. */
function absolute(path: string | undefined, env: Environment): readonly string[] {
  const expanded = path
    ?.replace(/^~(?=\/|$)/, set(env, 'HOME') ?? '~')
    .replaceAll(
      /\$(?:(\w+)|\{(\w+)\})/g,
      (text, bare?: string, braced?: string) => set(env, bare ?? braced ?? '') ?? text,
    );
  return expanded !== undefined && isAbsolute(expanded) ? [expanded] : [];
}

/** Python asks the passwd file when HOME is not set; a user without an entry has no home. */
function homeOfUser(): string {
  try {
    return userInfo().homedir;
  } catch {
    return '/nonexistent';
  }
}

function set(env: Environment, name: string): string | undefined {
  const value = Object.hasOwn(env, name) ? env[name] : undefined;
  return value === '' ? undefined : value;
}

function shellQuoted(text: string): string {
  return /^[\w/.:@%+=,-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
