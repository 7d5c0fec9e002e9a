// What it brings that pods send a model together: wall time until every pod is done, and the bytes that left all pods
// over the size of the model, for 1, 2, 4 and 8 pods on an empty bucket. Each pod has a slow link of its own to a MinIO
// on this machine. Prints a table.
import { mkdtempSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { makeLargeBlob, type LargeBlob } from '../test/support/large-blob.ts';
import { startMinio } from '../test/support/minio.ts';
import { modelCache } from '../test/support/program.ts';
import { startRelay } from '../test/support/relay.ts';

const MIB = 1024 * 1024;

const { values } = parseArgs({
  options: {
    mib: { type: 'string', default: '640' },
    'mib-per-second': { type: 'string', default: '16' },
    pods: { type: 'string', default: '1,2,4,8' },
    rounds: { type: 'string', default: '3' },
  },
});
const size = Number(values.mib) * MIB;
const rate = Number(values['mib-per-second']) * MIB;
const scratch = mkdtempSync(join(tmpdir(), 'model-cache-bench-'));
const minio = await startMinio();
try {
  const blob = makeLargeBlob(scratch, size);
  console.log(
    `${values.mib} MiB, ${values['mib-per-second']} MiB/s a pod, ${cpus().length} processors, ` +
      `Node ${process.versions.node}, ${values.rounds} rounds, medians (worst)`,
  );
  console.log('| pods | seconds | bytes sent / size |\n|---|---|---|');
  for (const count of values.pods.split(',').map(Number)) {
    const rounds: Round[] = [];
    for (let round = 0; round < Number(values.rounds); round += 1) rounds.push(await run(blob, count));
    const seconds = medianAndWorst(rounds.map((round) => round.seconds));
    console.log(`| ${count} | ${seconds} | ${medianAndWorst(rounds.map((round) => round.ratio))} |`);
  }
} finally {
  await minio.stop();
  rmSync(scratch, { recursive: true, force: true });
}

interface Round {
  readonly seconds: number;
  readonly ratio: number;
}

async function run(blob: LargeBlob, count: number): Promise<Round> {
  const bucket = await minio.createBucket();
  const relays = await Promise.all(
    Array.from({ length: count }, () => startRelay(minio.endpoint, { uploadBytesPerSecond: rate })),
  );
  const start = performance.now();
  await Promise.all(
    relays.map(async ({ endpoint }, index) => {
      const dir = join(scratch, `pod-${index}`);
      rmSync(dir, { recursive: true, force: true });
      blob.linkInto(dir);
      const env = { ...minio.env(bucket), AWS_ENDPOINT_URL: endpoint, MODEL_CACHE_DIR: dir };
      const { code, stderr } = await modelCache(['upload'], { env });
      if (code !== 0) throw new Error(`wanted every upload to succeed, found exit ${code}:\n${stderr}`);
    }),
  );
  const seconds = (performance.now() - start) / 1000;
  const sent = relays.reduce((sum, relay) => sum + relay.bytesSent, 0);
  await Promise.all(relays.map((relay) => relay.stop()));
  await minio.remove(bucket, blob.key);
  return { seconds, ratio: sent / blob.size };
}

function medianAndWorst(numbers: readonly number[]): string {
  const sorted = numbers.toSorted((a, b) => a - b);
  return `${(sorted[sorted.length >> 1] ?? 0).toFixed(2)} (${(sorted.at(-1) ?? 0).toFixed(2)})`;
}
