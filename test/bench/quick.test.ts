import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { environmentFor, finished } from '../support/program.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const skip = whySkip();

describe('npm run bench -- --quick', { skip }, () => {
  test('measures ours beside the C reader, every byte checked', async () => {
    const args = ['bench/main.ts', '--quick', '--only', 'cold,small,upload'];
    const env = environmentFor({
      ...kept('HOME'),
      ...kept('XDG_CACHE_HOME'),
      ...kept('MINIO_BIN'),
      ...kept('MODEL_CACHE_TEST_TOOLS'),
    });
    const { code, stdout, stderr } = await finished(spawn(process.execPath, args, { cwd: ROOT, env }));
    assert.equal(code, 0, stderr);
    for (const title of [
      'Cold restore from MinIO',
      'Cold restore of 40 files',
      'Upload into an empty bucket',
    ]) {
      const [, section = ''] = stdout.split(`## ${title}`);
      const rows = section.split('\n## ', 1)[0] ?? '';
      assert.match(rows, /^\| limit \(C reader\)(?:\\\*)? \| 1 \(0\) \|/m, stdout);
      assert.match(rows, /^\| limit \(C reader, (?:MD5 and )?SHA-256\)(?:\\\*)? \| 1 \(0\) \|/m, stdout);
      assert.match(rows, /^\| model-cache(?:\\\*)? \| 1 \(0\) \|/m, stdout);
    }
  });
});

/** Where the tests' own programs are. */
function kept(name: string): Record<string, string> {
  const value = process.env[name];
  return value === undefined ? {} : { [name]: value };
}

function whySkip(): string | false {
  if (!existsSync('/proc/stat')) return 'the benchmark reads /proc';
  return spawnSync('cc', ['--version']).status === 0 ? false : 'there is no C compiler';
}
