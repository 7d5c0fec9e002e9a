import { createHash } from 'node:crypto';
import * as v from 'valibot';
import { ModelCacheError } from '../errors.ts';
import { isCommit, isSha256 } from './digest.ts';
import { tooMuchIn } from './json-shape.ts';
import type { TreeName } from './tree.ts';

/**
 * A manifest: one immutable, true view of one tree, named by the SHA-256 of its own bytes.
 * docs/bucket-format.md describes it for those who write other readers.
 */
const MANIFEST_VERSION = 1;

export const MANIFEST_LIMITS = { bytes: 16 * 1024 * 1024, entries: 1_000_000 } as const;

const MAX_REF_BYTES = 256;

/** Of what a manifest says, in a message. */
const MAX_SHOWN = 200;

const Sha256 = v.pipe(v.string(), v.check(isSha256, 'wanted 64 lower-case hex digits'));
const Commit = v.pipe(v.string(), v.check(isCommit, 'wanted 40 lower-case hex digits'));
const Size = v.pipe(
  v.number(),
  v.safeInteger(),
  v.minValue(0),
  // JSON has a -0, which is the same number and not the same value.
  v.transform((size) => size + 0),
);

const PartsSchema = v.object({
  /** Readers ignore parts of an algorithm they do not know. */
  algorithm: v.string(),
  /** Bytes in every part but the last. */
  size: v.pipe(Size, v.minValue(1)),
  digests: v.array(v.string()),
});

const FileSchema = v.object({
  path: v.string(),
  size: Size,
  sha256: Sha256,
  /** Where it is the file's name: `blobs/<40 hex>`. */
  gitSha1: v.optional(Commit),
  executable: v.optional(v.boolean()),
  parts: v.optional(PartsSchema),
});

const LinkSchema = v.object({ path: v.string(), target: v.string() });
const RefSchema = v.object({ path: v.string(), content: v.pipe(v.string(), v.maxBytes(MAX_REF_BYTES)) });

const ManifestSchema = v.object({
  version: v.literal(MANIFEST_VERSION),
  tree: v.string(),
  /** 1 + the highest generation the writer saw. */
  generation: v.pipe(Size, v.minValue(1)),
  /** Names of the manifests that this one has merged. */
  supersedes: v.array(Sha256),
  files: v.array(FileSchema),
  links: v.array(LinkSchema),
  refs: v.array(RefSchema),
  /** Commits that a ref has left. */
  retired: v.array(Commit),
});

export type Manifest = v.InferOutput<typeof ManifestSchema>;
export type ManifestFile = v.InferOutput<typeof FileSchema>;

/** A manifest with the name that its bytes prove. */
export interface NamedManifest {
  readonly name: string;
  readonly manifest: Manifest;
}

/** Bytes → manifest. Throws `manifest-invalid` or `format-unknown`, naming the manifest. */
export function parseManifest(tree: TreeName, name: string, bytes: Buffer): NamedManifest {
  const where = `manifest ${name} of ${tree}`;
  refuseOversized(where, bytes);
  refuseWrongName(where, name, bytes);
  const text = bytes.toString('utf8');
  refuseUnfolding(where, text);
  const value = parseJson(where, text);
  refuseUnknownVersion(where, value);
  const result = v.safeParse(ManifestSchema, value, { abortEarly: true });
  if (!result.success) {
    const issue = result.issues[0];
    throw new ModelCacheError(
      'manifest-invalid',
      `${where} does not follow the format: ${v.getDotPath(issue) ?? ''} ${shown(issue.message)}`,
    );
  }
  const manifest = result.output;
  if (manifest.tree !== tree) {
    throw new ModelCacheError('manifest-invalid', `${where} speaks of another tree`, {
      wanted: tree,
      found: shown(manifest.tree),
    });
  }
  refuseTooManyEntries(where, manifest);
  return { name, manifest };
}

/** Manifest → the bytes to store and their name. The same content gives the same bytes, whoever writes it. */
export function serializeManifest(manifest: Manifest): { readonly name: string; readonly bytes: Buffer } {
  const where = `the new manifest of ${manifest.tree}`;
  refuseTooManyEntries(where, manifest);
  const canonical = {
    version: manifest.version,
    tree: manifest.tree,
    generation: manifest.generation,
    supersedes: manifest.supersedes.toSorted(),
    files: manifest.files.toSorted(byPath).map(canonicalFile),
    links: manifest.links.toSorted(byPath).map(({ path, target }) => ({ path, target })),
    refs: manifest.refs.toSorted(byPath).map(({ path, content }) => ({ path, content })),
    retired: manifest.retired.toSorted(),
  };
  const bytes = Buffer.from(`${JSON.stringify(canonical)}\n`);
  refuseOversized(where, bytes);
  return { name: sha256Hex(bytes), bytes };
}

function canonicalFile({ path, size, sha256, gitSha1, executable, parts }: ManifestFile): ManifestFile {
  return {
    path,
    size,
    sha256,
    ...(gitSha1 === undefined ? {} : { gitSha1 }),
    ...(executable === true ? { executable } : {}),
    ...(parts === undefined
      ? {}
      : { parts: { algorithm: parts.algorithm, size: parts.size, digests: parts.digests } }),
  };
}

function byPath(a: { readonly path: string }, b: { readonly path: string }): number {
  return a.path < b.path ? -1 : Number(a.path > b.path);
}

function refuseOversized(where: string, bytes: Buffer): void {
  if (bytes.length <= MANIFEST_LIMITS.bytes) return;
  throw new ModelCacheError('manifest-invalid', `${where} is too large`, {
    wanted: `at most ${MANIFEST_LIMITS.bytes} bytes`,
    found: `${bytes.length} bytes`,
  });
}

/** These bytes may be another's, or have become others on their way. */
export class NotItsName extends ModelCacheError {}

function refuseWrongName(where: string, name: string, bytes: Buffer): void {
  const found = sha256Hex(bytes);
  if (found === name) return;
  throw new NotItsName('manifest-invalid', `${where} is not what its name says`, {
    wanted: `sha256 ${name}`,
    found: `sha256 ${found}`,
  });
}

function refuseUnfolding(where: string, text: string): void {
  const tooMuch = tooMuchIn(text);
  if (tooMuch === undefined) return;
  const { says, wanted, found } = tooMuch;
  throw new ModelCacheError('manifest-invalid', `${where} is no manifest: ${says}`, { wanted, found });
}

function parseJson(where: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new ModelCacheError('manifest-invalid', `${where} is no JSON`, { cause });
  }
}

function refuseUnknownVersion(where: string, value: unknown): void {
  const version =
    typeof value === 'object' && value !== null && 'version' in value ? value.version : undefined;
  if (version === MANIFEST_VERSION) return;
  throw new ModelCacheError('format-unknown', `${where} has a version this program does not know`, {
    wanted: `version ${MANIFEST_VERSION}`,
    found: `version ${isPlain(version) ? shown(JSON.stringify(version)) : 'none'}`,
    hint: 'use a newer model-cache',
  });
}

function refuseTooManyEntries(where: string, manifest: Manifest): void {
  const entries = manifest.files.length + manifest.links.length + manifest.refs.length;
  if (entries <= MANIFEST_LIMITS.entries) return;
  throw new ModelCacheError('manifest-invalid', `${where} has too many entries`, {
    wanted: `at most ${MANIFEST_LIMITS.entries}`,
    found: String(entries),
  });
}

function isPlain(value: unknown): value is string | number {
  return typeof value === 'string' || typeof value === 'number';
}

function shown(text: string): string {
  return text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN).toWellFormed()}...` : text;
}

function sha256Hex(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}
