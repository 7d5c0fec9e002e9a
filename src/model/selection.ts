import picomatch from 'picomatch';
import { ModelCacheError } from '../errors.ts';
import type { CatalogTree } from './catalog.ts';
import { isCommit } from './digest.ts';
import { commitOfRef } from './merge.ts';
import { displayName, isRepoTree, type TreeName } from './tree.ts';

/** `ORG/NAME[@REV][:GLOB]`: what a user wants of one repo. */
export interface ModelSpec {
  readonly text: string;
  readonly repo: string;
  /** A ref's name (`main`, `refs/pr/1`) or a commit; undefined: whatever is current. */
  readonly revision: string | undefined;
  /** Matches the path in the snapshot; undefined: every file. */
  readonly glob: string | undefined;
}

export interface Selection {
  /** None: everything in the bucket. */
  readonly models: readonly ModelSpec[];
  /** Match `ORG/NAME/path/in/the/snapshot`. */
  readonly exclude: readonly string[];
}

/** The files that F5-TTS reads before it can answer: one checkpoint, one vocoder. Source: F5-TTS api.py, utils_infer.py. */
export const PRESETS: Readonly<Record<string, readonly string[]>> = {
  'f5-tts': ['SWivid/F5-TTS:F5TTS_v1_Base/*', 'charactr/vocos-mel-24khz'],
};

const MODEL_SPEC = /^(?<repo>[^\s@:/]+(?:\/[^\s@:/]+)?)(?:@(?<revision>[^\s:]+))?(?::(?<glob>.+))?$/;

/** Throws `setting-invalid` for anything that is not `ORG/NAME[@REV][:GLOB]`. */
export function parseModelSpec(text: string): ModelSpec {
  const groups = MODEL_SPEC.exec(text)?.groups;
  if (groups?.['repo'] === undefined) {
    throw new ModelCacheError('setting-invalid', 'a model is named in another way', {
      wanted: 'ORG/NAME, ORG/NAME@REV or ORG/NAME@REV:GLOB',
      found: text,
    });
  }
  return { text, repo: groups['repo'], revision: groups['revision'], glob: groups['glob'] };
}

/** Why a path of a tree is wanted or not, before anything is known of this disk. */
export type Wish = 'selected' | 'excluded' | 'not-selected' | 'old-revision';

export interface TreeWishes {
  /** `commit` is undefined for files outside snapshots (a checkpoint of torch, a blob without a link). */
  readonly wishFor: (commit: string | undefined, file: string) => Wish;
  /** Specs of the selection that spoke of this tree. */
  readonly specs: readonly ModelSpec[];
}

/**
 * Globs are those of Python's fnmatch, as `hf download` has them: `*` also matches `/`, and `folder/` means all of it.
 */
export function wishesFor(tree: CatalogTree, selection: Selection, current: ReadonlySet<string>): TreeWishes {
  const name = displayName(tree.tree);
  const isExcluded = matcher(selection.exclude);
  const specs = selection.models.filter(({ repo }) => isRepoTree(tree.tree) && repo === name);
  const spoken = specs.map((spec) => ({
    commits: spec.revision === undefined ? undefined : commitsOf(tree, spec.revision),
    matches: spec.glob === undefined ? () => true : matcher([spec.glob]),
  }));
  const wishFor = (commit: string | undefined, file: string): Wish => {
    if (isExcluded(`${name}/${file}`)) return 'excluded';
    const isCurrent = commit === undefined || current.has(commit);
    if (selection.models.length === 0) return isCurrent ? 'selected' : 'old-revision';
    const matching = spoken.filter(({ matches }) => matches(file));
    const wanted = matching.some(({ commits }) =>
      commits === undefined ? isCurrent : commit !== undefined && commits.has(commit),
    );
    if (wanted) return 'selected';
    return matching.length > 0 && !isCurrent ? 'old-revision' : 'not-selected';
  };
  return { wishFor, specs };
}

/** One test for several fnmatch patterns; no pattern matches nothing. */
export function matcher(patterns: readonly string[]): (text: string) => boolean {
  const tests = patterns.map((pattern) => globTest(pattern.endsWith('/') ? `${pattern}*` : pattern));
  return (text) => tests.some((test) => test(text));
}

export function treeMatchesSpec(tree: TreeName, spec: ModelSpec): boolean {
  return isRepoTree(tree) && displayName(tree) === spec.repo;
}

function globTest(pattern: string): (text: string) => boolean {
  return picomatch(pattern, { bash: true, dot: true, nobrace: true, noextglob: true, nonegate: true });
}

function commitsOf(tree: CatalogTree, revision: string): ReadonlySet<string> {
  const named = tree.refs
    .filter(({ path }) => path === `refs/${revision}`)
    .map(({ content }) => commitOfRef(content));
  return new Set(isCommit(revision) ? [revision, ...named] : named);
}
