import { ModelCacheError } from '../errors.ts';
import type { CatalogTree } from './catalog.ts';
import { isCommit } from './digest.ts';
import { fnmatch } from './fnmatch.ts';
import { displayName, isRepo } from './tree.ts';

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
export const PRESETS: ReadonlyMap<string, readonly string[]> = new Map([
  ['f5-tts', ['SWivid/F5-TTS:F5TTS_v1_Base/*', 'charactr/vocos-mel-24khz']],
]);

const MODEL_SPEC =
  /^(?<repo>(?:(?:datasets|spaces|kernels)\/)?[^\s@:/]+(?:\/[^\s@:/]+)?)(?:@(?<revision>[^\s:]+))?(?::(?<glob>.+))?$/;

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

/** What a selection says of one tree. */
export interface TreeWishes {
  /** `commit` is undefined for files outside snapshots (a checkpoint of torch, a blob without a link). */
  readonly wishFor: (commit: string | undefined, file: string) => Wish;
  /** The specs that ask for this path. */
  readonly specsFor: (commit: string | undefined, file: string) => readonly ModelSpec[];
}

/**
 * Globs are those of Python's fnmatch, as `hf download` has them: `*` also matches `/`, and `folder/` means all of it.
 */
export function wishesFor(tree: CatalogTree, selection: Selection, current: ReadonlySet<string>): TreeWishes {
  const name = displayName(tree.tree);
  const isExcluded = matcher(selection.exclude);
  const specs = selection.models
    .filter(({ repo }) => isRepo(tree.tree, repo))
    .map((spec) => ({
      spec,
      commits: spec.revision === undefined ? current : commitsOf(tree, spec.revision),
      matches: spec.glob === undefined ? () => true : matcher([spec.glob]),
    }));
  const isCurrent = (commit: string | undefined): boolean => commit === undefined || current.has(commit);
  const specsFor: TreeWishes['specsFor'] = (commit, file) =>
    commit === undefined || isExcluded(`${name}/${file}`)
      ? []
      : specs.filter(({ commits, matches }) => commits.has(commit) && matches(file)).map(({ spec }) => spec);
  const wishFor: TreeWishes['wishFor'] = (commit, file) => {
    if (isExcluded(`${name}/${file}`)) return 'excluded';
    if (selection.models.length === 0) return isCurrent(commit) ? 'selected' : 'old-revision';
    if (specsFor(commit, file).length > 0) return 'selected';
    return !isCurrent(commit) && specs.some(({ matches }) => matches(file)) ? 'old-revision' : 'not-selected';
  };
  return { wishFor, specsFor };
}

/** One test for several fnmatch patterns; no pattern matches nothing. */
export function matcher(patterns: readonly string[]): (text: string) => boolean {
  const tests = patterns.map((pattern) => fnmatch(pattern.endsWith('/') ? `${pattern}*` : pattern));
  return (text) => tests.some((test) => test(text));
}

function commitsOf(tree: CatalogTree, revision: string): ReadonlySet<string> {
  const named = tree.refs.filter(({ path }) => path === `refs/${revision}`).map(({ content }) => content);
  return new Set(isCommit(revision) ? [revision, ...named] : named);
}
