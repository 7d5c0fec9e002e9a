// What the F5-TTS set costs: seconds, processor seconds and peak memory of `upload` and `init`, whole processes, against
// MinIO on this machine. Prints a table; docs/performance.md says how to read it.
import { spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { startMinio } from '../test/support/minio.ts';
import { environmentFor, PROGRAM } from '../test/support/program.ts';

const FILES = [1_348_435_761, 54_369_636, 461];
const COMMIT = '84e5a410d9cead4de2f847e7c9369a6440bdfaca';
const MEASURE = `import resource, subprocess, sys, time
start = time.monotonic()
code = subprocess.run(sys.argv[1:], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL).returncode
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(code, time.monotonic() - start, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)`;

const { values } = parseArgs({ options: { rounds: { type: 'string', default: '5' } } });
const scratch = mkdtempSync(join(tmpdir(), 'model-cache-bench-'));
const minio = await startMinio();
try {
  const dir = join(scratch, 'models');
  FILES.forEach((size, index) => makeBlob(dir, size, `file-${index}.bin`));
  const rows = { upload: [] as number[][], init: [] as number[][] };
  for (let round = 0; round < Number(values.rounds); round += 1) {
    const env = { ...minio.env(await minio.createBucket()), MODEL_CACHE_DIR: dir };
    rmSync(join(dir, '.model-cache'), { recursive: true, force: true });
    rows.upload.push(measure('upload', env));
    const target = join(scratch, 'restored');
    rows.init.push(measure('init', { ...env, MODEL_CACHE_DIR: target }));
    rmSync(target, { recursive: true });
  }
  const total = FILES.reduce((sum, size) => sum + size, 0);
  console.log(
    `${FILES.length} files, ${total} bytes, ${cpus().length} processors, Node ${process.versions.node}, ${values.rounds} rounds, medians`,
  );
  console.log('| command | seconds | GB/s | processor seconds | peak MiB |\n|---|---|---|---|---|');
  for (const [command, runs] of Object.entries(rows)) {
    const [seconds = 0, processor = 0, peak = 0] = [0, 1, 2].map((column) =>
      median(runs.map((run) => run[column] ?? 0)),
    );
    console.log(
      `| ${command} | ${seconds.toFixed(2)} | ${(total / seconds / 1e9).toFixed(2)} | ${processor.toFixed(2)} | ${peak.toFixed(0)} |`,
    );
  }
} finally {
  await minio.stop();
  rmSync(scratch, { recursive: true, force: true });
}

function measure(command: string, env: Record<string, string>): number[] {
  const args = ['-c', MEASURE, process.execPath, PROGRAM, command];
  const { stdout } = spawnSync('python3', args, { env: environmentFor(env), encoding: 'utf8' });
  const [code, ...figures] = stdout.trim().split(' ').map(Number);
  if (code !== 0) throw new Error(`model-cache ${command} ended with ${code}`);
  return figures;
}

function makeBlob(dir: string, size: number, file: string): void {
  const repo = join(dir, 'hub/models--bench--f5-set');
  mkdirSync(join(repo, 'blobs'), { recursive: true });
  mkdirSync(join(repo, 'snapshots', COMMIT), { recursive: true });
  mkdirSync(join(repo, 'refs'), { recursive: true });
  const hash = createHash('sha256');
  const unnamed = join(repo, 'blobs', 'unnamed');
  const fd = openSync(unnamed, 'w');
  for (let written = 0; written < size;) {
    const block = randomBytes(Math.min(1024 * 1024, size - written));
    hash.update(block);
    written += writeSync(fd, block);
  }
  closeSync(fd);
  const name = hash.digest('hex');
  renameSync(unnamed, join(repo, 'blobs', name));
  symlinkSync(`../../blobs/${name}`, join(repo, 'snapshots', COMMIT, file));
  writeFileSync(join(repo, 'refs', 'main'), COMMIT);
}

function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[numbers.length >> 1] ?? 0;
}
