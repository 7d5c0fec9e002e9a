import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Ajv } from 'ajv';
import packageJson from '../../package.json' with { type: 'json' };
import { reportSchema } from '../../scripts/report-schema.ts';
import { withOptionsTable } from '../../scripts/readme-options.ts';
import { startMinio, type Minio } from '../support/minio.ts';
import { environmentFor, finished, modelCache, PROGRAM, scratchDir } from '../support/program.ts';
import { makeRepo, put } from '../support/tree.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const DOCUMENTS = globSync(['*.md', 'docs/*.md'], { cwd: ROOT });
const README = readFileSync(join(ROOT, 'README.md'), 'utf8');
const COMMIT = 'c1'.repeat(20);

describe('the documents', () => {
  let minio: Minio;
  before(async () => {
    minio = await startMinio();
  });
  after(() => minio.stop());

  test('every command of the README runs as it stands', async (context) => {
    const commands = [...README.matchAll(/^```sh\n([^]*?)^```$/gm)].flatMap(([, block = '']) =>
      block.trim().split('\n'),
    );
    assert.ok(commands.length > 8);
    const { cwd, env } = await workplace(context, minio);
    for (const command of commands) {
      const result = await finished(spawn('sh', ['-c', command], { cwd, env }));
      assert.equal(result.code, 0, `${command}\n${result.stdout}${result.stderr}`);
    }
  });

  test('npm run demo shows the main job', async () => {
    const { code, stdout, stderr } = await finished(
      spawn(process.execPath, [join(ROOT, 'scripts/demo.ts')], { env: environmentFor() }),
    );
    assert.equal(code, 0, stderr);
    assert.match(stdout, /^HF_HUB_CACHE=.*\/models\/hub$/m);
    assert.match(stdout, /the server read 25165824 bytes/);
  });

  test('what npm packs has the built program, and is built before', () => {
    const packed = spawnSync('npm', ['pack', '--ignore-scripts', '--dry-run', '--json'], {
      cwd: ROOT,
      encoding: 'utf8',
    });
    const [{ files = [] } = {}] = JSON.parse(packed.stdout) as { files?: { path: string }[] }[];
    const paths = new Set(files.map(({ path }) => path));
    for (const path of [
      'bin/model-cache.js',
      'bin/package.json',
      'dist/main.cjs',
      'dist/receiver.cjs',
      'dist/write-back.cjs',
    ])
      assert.ok(paths.has(path), path);
    assert.equal(packageJson.scripts.prepack, 'npm run build');
  });

  test('every npm script that a document names is there', () => {
    const scripts = Object.keys(packageJson.scripts);
    for (const document of DOCUMENTS) {
      const text = readFileSync(join(ROOT, document), 'utf8');
      for (const [, name = ''] of text.matchAll(/npm run ([a-z:-]+)/g))
        assert.ok(scripts.includes(name), `${document}: ${name}`);
    }
  });

  test('every link to a file leads somewhere', () => {
    for (const document of DOCUMENTS) {
      const text = readFileSync(join(ROOT, document), 'utf8');
      for (const [, target = ''] of text.matchAll(/\]\((?!https?:)([^)#]+)/g)) {
        assert.ok(
          existsSync(join(ROOT, normalize(join(dirname(document), target)))),
          `${document}: ${target}`,
        );
      }
    }
  });

  test('the first screen of the README is at most 40 lines', () => {
    assert.ok(README.slice(0, README.indexOf('\n---\n')).split('\n').length <= 41);
  });

  test('the table of options is that of the program', () => {
    assert.equal(README, withOptionsTable(README), 'run `npm run readme`');
  });

  test("the published schema of the report is the program's, and reports follow it", async (context) => {
    const published = readFileSync(join(ROOT, 'docs/report.schema.json'), 'utf8');
    assert.deepEqual(JSON.parse(published), JSON.parse(reportSchema()), 'run `npm run schema`');
    const follows = new Ajv({ strict: false, formats: { 'date-time': true } }).compile(
      JSON.parse(published) as object,
    );
    const { cwd, env } = await workplace(context, minio);
    for (const args of [
      ['upload'],
      ['init'],
      ['status'],
      ['verify'],
      ['verify', '--remote'],
      ['upload', '--dry-run'],
      ['lock'],
    ]) {
      const result = await modelCache([...args, '--json'], { cwd, env });
      assert.equal(result.code, 0, result.stderr);
      assert.ok(follows(JSON.parse(result.stdout)), `${args.join(' ')}: ${JSON.stringify(follows.errors)}`);
    }
  });
});

/** A folder where `model-cache` and `python server.py` are commands, with a bucket and a cache to speak of. */
async function workplace(
  context: Parameters<typeof scratchDir>[0],
  minio: Minio,
): Promise<{ cwd: string; env: Record<string, string> }> {
  const cwd = await scratchDir(context);
  for (const [name, script] of Object.entries({
    'model-cache': `exec "${process.execPath}" "${PROGRAM}" "$@"`,
    python: 'exec python3 "$@"',
  })) {
    put(join(cwd, 'bin', name), `#!/bin/sh\n${script}\n`);
    chmodSync(join(cwd, 'bin', name), 0o755);
  }
  put(join(cwd, 'server.py'), 'import os; print(os.environ["HF_HOME"])\n');
  const dir = join(cwd, 'models');
  makeRepo(join(dir, 'hub'), 'SWivid/F5-TTS', COMMIT, {
    'F5TTS_v1_Base/model.safetensors': { content: Buffer.from('v1') },
  });
  makeRepo(join(dir, 'hub'), 'charactr/vocos-mel-24khz', COMMIT, {
    'config.yaml': { content: Buffer.from('a: 1'), lfs: false },
  });
  const env = environmentFor({ ...minio.env(await minio.createBucket()), MODEL_CACHE_DIR: dir });
  return { cwd, env: { ...env, PATH: `${join(cwd, 'bin')}:${env['PATH']}` } };
}
