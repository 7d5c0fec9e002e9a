import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { explain } from '../../src/errors.ts';
import type { Log } from '../../src/log.ts';
import { formatLock } from '../../src/model/lock-file.ts';
import { Reporter } from '../../src/report.ts';
import type { Environment, Flags } from '../../src/settings/raw.ts';
import { resolveSettings } from '../../src/settings/settings.ts';
import type { Context } from '../../src/stages/context.ts';
import { asLocked } from '../../src/stages/locked-start.ts';
import { EVERYTHING, selection, sha256 } from '../model/builders.ts';

const scratch = mkdtempSync(join(tmpdir(), 'locked-start-'));
after(() => rmSync(scratch, { recursive: true }));
const file = join(scratch, 'models.lock');
const manifests = [{ tree: 'hub/models--org--model', name: sha256('one') }];
writeFileSync(file, formatLock({ selection: selection(['org/model']), also: [], manifests }));

const BOTH: Flags = { locked: file, preset: 'f5-tts', exclude: ['*.md'] };
const NOT_HEEDED = `--model, --preset and --exclude are not heeded with --locked; ${file} says what is restored; \`model-cache lock\` makes another one`;

test('a lock file decides what is selected, and whoever says otherwise is told once', () => {
  const { selected, lines, problems } = locked(BOTH, { MODEL_CACHE_MODELS: 'a/b' });
  assert.deepEqual(selected, ['org/model']);
  assert.deepEqual([lines, problems], [[NOT_HEEDED], [NOT_HEEDED]]);
});

test('who says nothing else is told nothing', () => {
  const { selected, lines, problems } = locked({ locked: file }, { MODEL_CACHE_ALSO: 'engines' });
  assert.deepEqual([selected, lines, problems], [['org/model'], [], []]);
});

test('of folders that lie in each other, the one that the lock file names is mirrored', () => {
  const other = join(scratch, 'folders.lock');
  writeFileSync(other, formatLock({ selection: EVERYTHING, also: ['a', 'b'], manifests }));
  const { also, lines } = locked({ locked: other, also: ['a/x=VAR', 'b=B', 'c'] }, {});
  assert.deepEqual(also, ['b=B', 'c', 'a']);
  assert.deepEqual(lines, [
    '--also is not heeded where the lock file has it otherwise (wanted a, b, found a/x); make the lock file anew with `model-cache lock`',
  ]);
});

test('a folder of the lock file that overlaps another is left out, and told', () => {
  const older = join(scratch, 'older.lock');
  writeFileSync(older, formatLock({ selection: EVERYTHING, also: ['a', 'torch/hub'], manifests }));
  const { also, lines } = locked({ locked: older }, {});
  assert.deepEqual(also, ['a']);
  assert.deepEqual(lines, [
    `torch/hub of the lock file ${older} is left out: it overlaps torch/hub/checkpoints (wanted a folder beside torch/hub/checkpoints, found torch/hub); make the lock file anew with \`model-cache lock\``,
  ]);
});

test('where the store is turned off, nothing is heeded, and nothing told', () => {
  assert.deepEqual(locked(BOTH, { MODEL_CACHE_ENABLED: 'false' }).lines, []);
});

/** What a start makes of it: the settings themselves say nothing, since other commands heed the selection. */
function locked(
  flags: Flags,
  env: Environment,
): { readonly [what in 'selected' | 'also' | 'lines' | 'problems']: readonly string[] } {
  const settings = resolveSettings(flags, { S3_BUCKET: 'bucket', ...env }, true);
  assert.deepEqual(settings.problems.map(explain), []);
  const lines: string[] = [];
  const say: Log['info'] = (_, message) => void lines.push(message);
  const reporter = new Reporter('init', '0', 0, new Date());
  const context: Context = {
    settings,
    flags,
    env,
    log: { debug: say, info: say, warn: say, error: say },
    reporter,
    startedAt: 0,
    stop: new AbortController().signal,
    caughtSignal: () => Promise.resolve(undefined),
    unreachable: new Set(),
    print: () => undefined,
  };
  const { selection: chosen, also } = asLocked(context).settings;
  return {
    selected: chosen.models.map(({ text }) => text),
    also: also.map(({ tree, variable }) => (variable === undefined ? tree : `${tree}=${variable}`)),
    lines,
    problems: reporter.value.problems.map(({ message }) => message),
  };
}
