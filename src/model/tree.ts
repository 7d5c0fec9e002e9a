import { digestsOfBlobName, type Digests } from './digest.ts';
import { foldedName } from './name-folding.ts';
import { isSafePath, snapshotPath } from './paths.ts';

/**
 * A tree is what one manifest describes: a Hugging Face repo (`hub/models--ORG--NAME`), torch's checkpoints, or an
 * `--also` folder. Its name is its path below the cache dir, and so its place in the bucket.
 */
export type TreeName = string;

export const TORCH_CHECKPOINTS: TreeName = 'torch/hub/checkpoints';

/** torch.hub keeps code there, in folders that it takes for whole as soon as they exist. */
const TORCH_HUB = 'torch/hub';

const REPO_FOLDER = /^(models|datasets|spaces|kernels)--[^/]+$/;
const REPO_TREE = /(?:^|\/)(models|datasets|spaces|kernels)--[^/]+$/;

/** Folders directly below HF_HOME that hold code, logs, settings or working data. Source: hf-hub layout, HF_HOME. */
const NOT_A_CACHE = new Set(['xet', 'modules', 'gradio', 'accelerate', 'datasets', 'assets', 'sandbox']);

/** Folders of locks, of our own, of blobs that several repos share, and of file systems, wherever they are. */
const NEVER = new Set(['.locks', '.model-cache', 'blobs', 'lost+found']);

/** Files that libraries keep in a cache, and make again when they need them; in small letters. */
const MARKERS = new Set([
  'cachedir.tag',
  'version.txt',
  'trusted_list',
  '.check_for_update_done',
  '.check_for_skill_update_done',
  '.agent_harnesses.json',
  '.ds_store',
]);

/** Names under which people and tools keep secrets. A file of such a name is never sent and never planted. */
const SECRET =
  /^(token|stored_tokens|\.env(\..*)?|\.netrc|\.git-credentials|id_(rsa|dsa|ecdsa|ed25519)|.*\.(pem|p12|pfx|key))$/i;

/** What downloaders leave beside finished files: huggingface_hub, torch.hub, hf_xet, this program. */
const UNFINISHED = /(\.incomplete|\.partial|\.lock|\.tmp|\.shared)$|^tmp_|^tmp[0-9a-z_]{8}$|^\.nfs/;

export function isRepoFolder(name: string): boolean {
  return REPO_FOLDER.test(name);
}

export function isRepoTree(tree: TreeName): boolean {
  return REPO_TREE.test(tree);
}

/**
 * `models--ORG--NAME` → `ORG/NAME`, the name that people and globs use; `datasets--ORG--NAME` → `datasets/ORG/NAME`; a
 * folder tree is called by its path.
 */
export function displayName(tree: TreeName): string {
  const folder = baseName(tree);
  if (!isRepoFolder(folder)) return tree;
  const [type = '', ...names] = folder.split('--');
  return (type === 'models' ? names : [type, ...names]).join('/');
}

/** Whether a tree is a repo where no exported variable leads: only a server that is told so finds it there. */
export function isApart(tree: TreeName): boolean {
  return isRepoTree(tree) && tree !== `hub/${baseName(tree)}`;
}

/** Whether a tree is the repo that people call `name`. */
export function isRepo(tree: TreeName, name: string): boolean {
  return isRepoTree(tree) && displayName(tree) === name;
}

/**
 * The tree a repo folder belongs to, by where it was found below the dir. transformers 4 with its own
 * TRANSFORMERS_CACHE keeps repos directly below the dir; those are the same trees as under `hub/`.
 */
export function treeOfRepoFolder(pathBelowDir: string): TreeName {
  return pathBelowDir.includes('/') ? pathBelowDir : `hub/${pathBelowDir}`;
}

/**
 * Whether a folder below the dir is a tree by its name: a scan looks for no other, and no other is restored. `also` are
 * the trees named by --also.
 */
export function isAllowedTree(tree: TreeName, also: readonly TreeName[]): boolean {
  if (!isSafePath(tree)) return false;
  if (tree === TORCH_CHECKPOINTS || also.includes(tree)) return true;
  const above = tree.split('/').slice(0, -1);
  return (
    isRepoFolder(baseName(tree)) &&
    treeOfRepoFolder(tree) === tree &&
    ![TORCH_HUB, ...also].some((folder) => isBelow(tree, folder)) &&
    !above.some((name, depth) => isRepoFolder(name) || isOffLimits(name, depth))
  );
}

/**
 * Whether a folder neither holds nor may receive a tree: it is no cache, or some program has, or would have, a file of
 * that name there. `depth` is the number of folders between it and the dir. Some file systems know no case, so that
 * `.Model-Cache` is ours.
 */
export function isOffLimits(folder: string, depth: number): boolean {
  const name = foldedName(folder);
  return (
    NEVER.has(name) ||
    MARKERS.has(name) ||
    isSecretName(name) ||
    isUnfinishedName(name) ||
    (depth === 0 && NOT_A_CACHE.has(name))
  );
}

/** Whether a folder may be named to be mirrored: none of ours, and not the one that holds the repos. */
export function mayBeMirrored(folder: TreeName): boolean {
  return isSafePath(folder) && foldedName(folder) !== 'hub' && !folder.split('/').some(isOffLimits);
}

/** What a folder to mirror overlaps: a tree that is mirrored anyway, or another such folder. */
export function overlapOf(folder: TreeName, others: readonly TreeName[]): TreeName | undefined {
  const names = folder.split('/');
  const repo = names.findIndex(isRepoFolder);
  if (repo !== -1) return names.slice(0, repo + 1).join('/');
  return [TORCH_CHECKPOINTS, ...others].find((other) => isNested(other, folder));
}

/** Of folders to mirror, in their order: those that overlap nothing before them, and the others, each with what it overlaps. */
export function setApart(folders: Iterable<TreeName>): {
  readonly apart: readonly TreeName[];
  readonly overlapping: readonly Overlap[];
} {
  const apart: TreeName[] = [];
  const overlapping: Overlap[] = [];
  for (const folder of folders) {
    const other = overlapOf(folder, apart);
    if (other === undefined) apart.push(folder);
    else overlapping.push({ folder, other });
  }
  return { apart, overlapping };
}

export interface Overlap {
  readonly folder: TreeName;
  readonly other: TreeName;
}

/** Whether one of two folders lies in the other, or is it by another spelling: what is written to one changes the other. */
export function isNested(one: TreeName, other: TreeName): boolean {
  return (
    one !== other && (isBelow(one, other) || isBelow(other, one) || foldedPath(one) === foldedPath(other))
  );
}

/** What a path of a tree is for. Everything that is not one of these stays home, in both directions. */
export type PathRole =
  | { readonly role: 'blob'; readonly digests: Digests }
  | { readonly role: 'snapshot'; readonly commit: string; readonly file: string }
  | { readonly role: 'ref' }
  | { readonly role: 'file' };

export function roleOf(tree: TreeName, path: string): PathRole | undefined {
  if (!isSafePath(path)) return undefined;
  return isRepoTree(tree) ? roleInRepo(path) : roleInFolder(path);
}

/** Whether a regular file may carry its bytes under this path. Links are judged by where they lead instead. */
export function mayHoldBytes(
  tree: TreeName,
  path: string,
  role: PathRole['role'] | undefined = roleOf(tree, path)?.role,
): boolean {
  if (role === 'snapshot') return !path.split('/').some(isSecretName) && !path.endsWith('.incomplete');
  return role === 'blob' || role === 'file';
}

export function isUnfinishedName(name: string): boolean {
  return UNFINISHED.test(name);
}

function roleInRepo(path: string): PathRole | undefined {
  if (path.startsWith('blobs/')) {
    const digests = digestsOfBlobName(path.slice('blobs/'.length));
    return digests && { role: 'blob', digests };
  }
  if (path.startsWith('refs/')) return path.endsWith('.tmp') ? undefined : { role: 'ref' };
  const snapshot = snapshotPath(path);
  return snapshot && { role: 'snapshot', commit: snapshot.commit, file: snapshot.file };
}

function roleInFolder(path: string): PathRole | undefined {
  const names = path.split('/');
  return names.some((name) => isUnfinishedName(name) || isSecretName(name)) ? undefined : { role: 'file' };
}

export function isSecretName(name: string): boolean {
  return SECRET.test(name);
}

export function isMarker(name: string): boolean {
  return MARKERS.has(name.toLowerCase());
}

/** Whether one path lies in the folder that another names. */
export function isBelow(path: string, folder: string): boolean {
  return foldedPath(path).startsWith(`${foldedPath(folder)}/`);
}

function foldedPath(path: string): string {
  return path.split('/').map(foldedName).join('/');
}

function baseName(tree: TreeName): string {
  return tree.slice(tree.lastIndexOf('/') + 1);
}
