import * as fc from 'fast-check';
import type { NamedManifest } from '../../src/model/manifest.ts';
import { A, B, C, manifest, type Contents } from './builders.ts';

/** The same histories in each run; when one fails, fast-check prints how to get it again. */
export const RUNS = { seed: 5, numRuns: 300 } as const;

const COMMITS = [A, B, C];
const FILES = ['w.bin', 'README.md', 'sub/vocab.txt'];

export type Snapshots = Record<string, Record<string, string>>;

export interface SomeContents extends Contents {
  readonly snapshots: Snapshots;
}

/** What a pod may have on its disk: some files of some commits, and a ref. */
export const someContents: fc.Arbitrary<SomeContents> = fc.record({
  snapshots: snapshots((file) => fc.constantFrom(`${file} 0`, `${file} 1`)),
  refs: fc.option(fc.constantFrom(...COMMITS), { nil: undefined }).map(refsOf),
  retired: fc.subarray(COMMITS),
});

/** The same, where a path of a commit has the same content everywhere, and weights are the same in all commits. */
export const agreedContents: fc.Arbitrary<SomeContents> = fc.record({
  snapshots: snapshots((file, commit) => fc.constant(file === 'w.bin' ? file : `${file} of ${commit}`)),
  refs: fc.constantFrom(...COMMITS).map(refsOf),
});

/** Whatever pods could have written, each having merged some of those before, and some things that they would not. */
export const history: fc.Arbitrary<readonly NamedManifest[]> = fc
  .array(fc.record({ contents: someContents, merged: fc.nat(63), ahead: fc.constantFrom(0, 1, 1, 1, 2) }), {
    minLength: 1,
    maxLength: 6,
  })
  .map((steps) => {
    const written: NamedManifest[] = [];
    for (const { contents, merged, ahead } of steps) {
      const supersedes = written.filter((_, index) => (merged & (1 << index)) !== 0);
      const seen = Math.max(0, ...supersedes.map((one) => one.manifest.generation));
      written.push(manifest({ ...contents, supersedes, generation: Math.max(1, seen + ahead) }));
    }
    return written;
  });

function snapshots(
  contentOf: (file: string, commit: string) => fc.Arbitrary<string>,
): fc.Arbitrary<Snapshots> {
  return someOf(COMMITS, (commit) => someOf(FILES, (file) => contentOf(file, commit)));
}

function someOf<T>(
  names: readonly string[],
  valueOf: (name: string) => fc.Arbitrary<T>,
): fc.Arbitrary<Record<string, T>> {
  return fc
    .tuple(...names.map((name) => fc.option(valueOf(name).map((value) => [name, value] as const))))
    .map((entries) => Object.fromEntries(entries.filter((entry) => entry !== null)));
}

function refsOf(commit: string | undefined): Record<string, string> {
  return commit === undefined ? {} : { main: commit };
}
