import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, lstatSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { MANIFESTS_PREFIX, objectKey, parseManifestKey } from '../../src/model/bucket.ts';
import { parseManifest, type Manifest } from '../../src/model/manifest.ts';
import { contentsOf } from '../support/tree.ts';
import type { Expected } from './row.ts';
import type { Ran } from './running.ts';

const OWN_FOLDER = '.model-cache';
const PREFIX = 'models/';
const GONE_WITHIN_MS = 3000;

/** Signs that a request was printed with what signs it. `AuthorizationHeaderMalformed` is only the name of an error. */
const SIGNED = [/x-amz-signature=/i, /x-amz-credential/i, /\bauthorization\b/i, /AWS4-HMAC-SHA256/];

/** How much of the original is there, by path: `found` of `all`. */
export interface Published {
  readonly found: number;
  readonly all: number;
}

export interface Inspection {
  readonly published: Published;
  /** What does not hold, one sentence each. */
  readonly violations: readonly string[];
}

/** Node's own words, where it can have no more threads. */
const OF_NODE = /^Warning: Failed to load CA certificates off thread/;

/** What must hold after every run, whatever was broken. */
export async function inspect(ran: Ran, expected: Expected): Promise<Inspection> {
  const { published, violations } = await inspectAnytime(ran);
  return {
    published,
    violations: [
      ...serverRan(ran, expected),
      ...violations,
      ...nothingStaged(ran, expected),
      ...ran.noise
        .filter((line) => !OF_NODE.test(line))
        .map((line) => `stderr has more than the log: ${line}`),
    ],
  };
}

/** What must hold at every moment, also where everything of the run was killed. `isOthers`: what is not ours in the dir. */
export async function inspectAnytime(ran: Ran, isOthers?: (path: string) => boolean): Promise<Inspection> {
  const inDir = inspectDir(ran, isOthers);
  const inBucket = ran.command === 'init' ? undefined : await inspectBucket(ran);
  return {
    published: inBucket?.published ?? inDir.published,
    violations: [
      ...inDir.violations,
      ...(inBucket?.violations ?? []),
      ...noSecrets(ran),
      ...(await nothingLeft(ran)),
    ],
  };
}

/** The promise of the highest rank: the server starts, with all five variables, set to the dir of the report. */
function serverRan(ran: Ran, { server = 'runs' }: Expected): readonly string[] {
  if (ran.command !== 'init') return [];
  const env = ran.serverEnv;
  if (server === 'is not started') return env === undefined ? [] : ['the server was started'];
  if (env === undefined) return ['the server did not run'];
  const dir = ran.report?.dir ?? ran.dir;
  const wanted = {
    HF_HOME: dir,
    HF_HUB_CACHE: join(dir, 'hub'),
    HUGGINGFACE_HUB_CACHE: join(dir, 'hub'),
    TRANSFORMERS_CACHE: join(dir, 'hub'),
    TORCH_HOME: join(dir, 'torch'),
  };
  return Object.entries(wanted).flatMap(([name, value]) =>
    env[name] === value ? [] : [`the server's ${name} is ${env[name] ?? 'not set'}, not ${value}`],
  );
}

/** Whatever is under a final name is as in the original, and leads somewhere: a link to its file, a ref to its commit. */
function inspectDir(
  { dir, original, report, command }: Ran,
  isOthers: (path: string) => boolean = () => false,
): Inspection {
  const wanted = contentsOfOriginal(original);
  const here = report?.dir ?? dir;
  const found = existsSync(here) ? contentsOf(here, (path) => path === OWN_FOLDER || isOthers(path)) : {};
  const violations = Object.entries(found).flatMap(([path, content]) => {
    if (wanted[path] === undefined) return [`${path} is in the dir, and nobody asked for it`];
    if (wanted[path] !== content) return [`${path} is not what it was: ${content}`];
    return isDangling(here, path) ? [`${path} leads nowhere`] : [];
  });
  const refs = Object.keys(found).filter((path) => path.includes('/refs/'));
  for (const ref of command === 'init' ? refs : []) {
    const snapshot = `${ref.slice(0, ref.indexOf('/refs/'))}/snapshots/${readFileSync(join(here, ref), 'utf8')}/`;
    const missing = Object.keys(wanted).filter((path) => path.startsWith(snapshot) && !(path in found));
    violations.push(...missing.map((path) => `${ref} is there, and ${path} is not`));
  }
  return { published: countIn(wanted, found), violations };
}

/** A manifest names only what is there, with the right bytes. */
async function inspectBucket({ minio, bucket, original }: Ran): Promise<Inspection> {
  const objects = await minio.objects(bucket);
  const violations: string[] = [];
  const said: Record<string, string> = {};
  for (const key of objects.keys()) {
    const place = key.startsWith(`${PREFIX}${MANIFESTS_PREFIX}`)
      ? parseManifestKey(key.slice(PREFIX.length))
      : undefined;
    if (place === undefined) continue;
    try {
      const { manifest } = parseManifest(place.tree, place.name, await minio.read(bucket, key));
      for (const { path, target } of manifest.links) said[`${place.tree}/${path}`] = `link -> ${target}`;
      for (const { path, content } of manifest.refs) said[`${place.tree}/${path}`] = sha256(content);
      for (const file of manifest.files) {
        said[`${place.tree}/${file.path}`] = file.sha256;
        const wrong = await wrongObject({ minio, bucket }, place.tree, file, objects);
        if (wrong !== undefined) violations.push(wrong);
      }
    } catch (error) {
      violations.push(`${key} is no manifest: ${String(error)}`);
    }
  }
  return { published: countIn(contentsOfOriginal(original), said), violations };
}

const originals = new Map<string, Record<string, string>>();

/** Nobody writes to an original, and some rows look at theirs after each of a hundred runs. */
function contentsOfOriginal(original: string): Record<string, string> {
  const contents = originals.get(original) ?? contentsOf(original);
  originals.set(original, contents);
  return contents;
}

async function wrongObject(
  { minio, bucket }: Pick<Ran, 'minio' | 'bucket'>,
  tree: string,
  file: Manifest['files'][number],
  objects: ReadonlyMap<string, { readonly size: number }>,
): Promise<string | undefined> {
  const key = `${PREFIX}${objectKey(tree, file)}`;
  const size = objects.get(key)?.size;
  if (size !== file.size) return `a manifest names ${key} with ${file.size} bytes, and there it has ${size}`;
  if (sha256(await minio.read(bucket, key)) === file.sha256) return undefined;
  return `a manifest names ${key}, and its bytes are others`;
}

/** Whole or gone: what is staged is in the way of the server's own download. */
function nothingStaged({ dir, report }: Ran, { leavesPartialFiles }: Expected): readonly string[] {
  const partial = join(report?.dir ?? dir, OWN_FOLDER, 'partial');
  if (leavesPartialFiles === true || !existsSync(partial)) return [];
  return readdirSync(partial).map((name) => `partial/${name} was left behind`);
}

function noSecrets(ran: Ran): readonly string[] {
  const own = join(ran.report?.dir ?? ran.dir, OWN_FOLDER);
  const written = existsSync(own) ? textsBelow(own) : [];
  const texts: readonly (readonly [string, string])[] = [
    ['stdout', ran.stdout],
    ['stderr', ran.stderr],
    ['the report', JSON.stringify(ran.report) ?? ''],
    ...written,
  ];
  return texts.flatMap(([where, text]) => {
    const secrets = ran.secrets.filter((secret) => secret !== '' && text.includes(secret));
    const signatures = SIGNED.filter((pattern) => pattern.test(text)).map(({ source }) => source);
    return secrets
      .map(() => 'a secret')
      .concat(signatures)
      .map((what) => `${where} holds ${what}`);
  });
}

/** Whatever came from the run is gone soon after it. */
async function nothingLeft(ran: Ran): Promise<readonly string[]> {
  const deadline = Date.now() + GONE_WITHIN_MS;
  while (ran.processes().length > 0 && Date.now() < deadline) await sleep(20);
  return ran.processes().map(({ pid, command }) => `process ${pid} is left: ${command}`);
}

function textsBelow(folder: string): readonly (readonly [string, string])[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).flatMap((name) => {
    const path = join(folder, name);
    const isText = lstatSync(path).isFile() && !name.startsWith('partial/');
    return isText ? [[`${OWN_FOLDER}/${name}`, readFileSync(path, 'latin1')] as const] : [];
  });
}

function isDangling(dir: string, path: string): boolean {
  return lstatSync(join(dir, path)).isSymbolicLink() && !existsSync(join(dir, path));
}

function countIn(
  wanted: Readonly<Record<string, string>>,
  found: Readonly<Record<string, string>>,
): Published {
  const paths = Object.keys(wanted);
  return { found: paths.filter((path) => found[path] === wanted[path]).length, all: paths.length };
}

function sha256(content: Buffer | string): string {
  return createHash('sha256').update(content).digest('hex');
}
