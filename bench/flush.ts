// What flushing costs: seconds of `init` on the disk of the temporary folder, against MinIO on this machine, without any
// flushing, as it is (files from 8 MiB on, beside their hashing), and with every file flushed. Prints a table.
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { isInMemory } from '../src/cache/space.ts';
import { makeLargeBlob } from '../test/support/large-blob.ts';
import { startMinio } from '../test/support/minio.ts';
import { environmentFor, PROGRAM } from '../test/support/program.ts';
import { makeRepo } from '../test/support/tree.ts';

const COMMIT = '1a'.repeat(20);
const F5_BYTES = 1_348_435_761;
const SMALL = { files: 2000, bytes: 64 * 1024 };

/** Put in front of the program: what it does with the files that it opens is changed there. */
const onOpened = (change: string): string => `import fs from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
const { open } = fs;
fs.open = async (...args) => { const file = await open(...args); const { close } = file; ${change}; return file; };
syncBuiltinESMExports();`;
const WAYS = {
  'no file flushed': onOpened('file.datasync = async () => undefined'),
  'as it is': '',
  'every file flushed': onOpened('file.close = async () => { await file.datasync(); await close(); }'),
} as const;

const { values } = parseArgs({ options: { rounds: { type: 'string', default: '5' } } });
const scratch = mkdtempSync(join(tmpdir(), 'model-cache-bench-'));
if (isInMemory(scratch)) console.log(`${scratch} is in memory: set TMPDIR to a folder on a disk`);
const minio = await startMinio();
try {
  const sets = {
    [`1 file, ${F5_BYTES} bytes`]: await bucketWith((dir) => makeLargeBlob(scratch, F5_BYTES).linkInto(dir)),
    [`${SMALL.files} files of ${SMALL.bytes} bytes`]: await bucketWith(makeSmallSet),
  };
  console.log(`seconds of init, medians of ${values.rounds} rounds (fastest to slowest)`);
  console.log(`| set | ${Object.keys(WAYS).join(' | ')} |\n|---|${'---|'.repeat(Object.keys(WAYS).length)}`);
  for (const [set, env] of Object.entries(sets)) {
    const seconds = Object.values(WAYS).map((): number[] => []);
    for (let round = 0; round < Number(values.rounds); round += 1)
      Object.values(WAYS).forEach((way, index) => seconds[index]?.push(measure(way, env)));
    console.log(`| ${set} | ${seconds.map(inWords).join(' | ')} |`);
  }
} finally {
  await minio.stop();
  rmSync(scratch, { recursive: true, force: true });
}

/** What is dirty before does not count. */
function measure(way: string, env: Record<string, string>): number {
  const planted = join(scratch, 'way.mjs');
  writeFileSync(planted, way);
  spawnSync('sync');
  const dir = join(scratch, 'restored');
  const start = performance.now();
  const { status, stderr } = spawnSync(process.execPath, ['--import', planted, PROGRAM, 'init'], {
    env: environmentFor({ ...env, MODEL_CACHE_DIR: dir }),
    encoding: 'utf8',
  });
  const seconds = (performance.now() - start) / 1000;
  if (status !== 0 || !stderr.includes('sync completed')) throw new Error(stderr);
  rmSync(dir, { recursive: true });
  return seconds;
}

async function bucketWith(fill: (dir: string) => void): Promise<Record<string, string>> {
  const env = minio.env(await minio.createBucket());
  const dir = mkdtempSync(join(scratch, 'source-'));
  fill(dir);
  const { status, stderr } = spawnSync(process.execPath, [PROGRAM, 'upload', '--dir', dir], {
    env: environmentFor(env),
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(stderr);
  rmSync(dir, { recursive: true });
  return env;
}

function makeSmallSet(dir: string): void {
  const files = Array.from(
    { length: SMALL.files },
    (_, index) => [`${index}.bin`, { content: randomBytes(SMALL.bytes) }] as const,
  );
  makeRepo(join(dir, 'hub'), 'bench/small', COMMIT, Object.fromEntries(files));
}

function inWords(seconds: readonly number[]): string {
  const sorted = seconds.toSorted((a, b) => a - b);
  const [fastest = 0, median = 0, slowest = 0] = [sorted[0], sorted[sorted.length >> 1], sorted.at(-1)];
  return `${median.toFixed(2)} (${fastest.toFixed(2)} to ${slowest.toFixed(2)})`;
}
