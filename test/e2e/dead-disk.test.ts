import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { mountFaultFs, whyNoFuse } from '../support/fault-fs.ts';
import { linesAt, modelCache, scratchDir, startModelCache, finished } from '../support/program.ts';
import { eventually } from '../support/eventually.ts';
import { makeRepo } from '../support/tree.ts';

const SERVER = ['--', 'sh', '-c', 'echo "served from $HF_HOME"'];
const COMMIT = 'c1'.repeat(20);

/** A store in a folder, filled. */
async function filledStore(context: TestContext, at?: string): Promise<{ store: string; scratch: string }> {
  const scratch = await scratchDir(context);
  const store = at ?? join(scratch, 'store');
  const source = join(scratch, 'source');
  makeRepo(join(source, 'hub'), 'org/name', COMMIT, {
    'config.json': { content: Buffer.from('{}'), lfs: false },
    'model.bin': { content: randomBytes(160 * 1024 * 1024) },
  });
  const upload = await modelCache(['upload', '--store', `file://${store}`, '--dir', source]);
  assert.equal(upload.code, 0, upload.stderr);
  return { store: `file://${store}`, scratch };
}

describe('a network file system that does not answer', { skip: whyNoFuse() }, () => {
  test('that stops answering while it is filled: the server starts on the next dir', async (context) => {
    const disk = await mountFaultFs(context);
    const { store, scratch } = await filledStore(context);
    const local = join(scratch, 'models');
    const child = startModelCache(
      ['init', '--store', store, '--stall', '2s', '--write-back', 'off', ...SERVER],
      { env: { MODEL_CACHE_DIR: `${join(disk.path, 'models')}:${local}` } },
    );
    const ended = finished(child);
    const partial = join(disk.behind, 'models/.model-cache/partial');
    await eventually('it works', () => existsSync(partial) && readdirSync(partial).length > 0, 5);
    disk.set('hang');
    const run = await ended;
    assert.equal(run.stdout, `served from ${local}\n`, run.stderr);
    assert.match(linesAt('WARN', run).join('\n'), /sync failed: the disk of .* did not answer for 2 s/);
    assert.ok(existsSync(join(local, '.model-cache', 'report.json')), 'the report is where the server is');
  });

  test('that answers: everything is restored, by a process that is gone when the server runs', async (context) => {
    const disk = await mountFaultFs(context);
    const { store } = await filledStore(context, join(disk.path, 'store'));
    const dir = join(disk.path, 'models');
    const report = join(disk.path, 'report.json');
    const options = ['--store', store, '--dir', dir, '--report', report, '--write-back', 'off'];
    const count = 'ps -e -o ppid= | grep -cw $$';
    const run = await modelCache(['init', ...options, '--', 'sh', '-c', `echo "$HF_HOME"; ${count}`]);
    assert.match(run.stderr, /sync completed/);
    assert.deepEqual(run.stdout.split('\n').slice(0, 1), [dir]);
    const written = JSON.parse(readFileSync(report, 'utf8')) as { code: string; dir: string };
    assert.deepEqual([written.code, written.dir], ['ok', dir]);
  });
});
