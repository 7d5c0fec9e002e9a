import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Minio, minioBinary, startMinio } from './minio.ts';

let minio: Minio;
before(async () => {
  minio = await startMinio();
});
after(() => minio.stop());

test('objects can be written, listed, read and removed', async () => {
  const bucket = await minio.createBucket();
  await minio.write(bucket, 'a/b c', 'hello');
  assert.deepEqual(
    [...(await minio.objects(bucket))],
    [['a/b c', { size: 5, etag: '5d41402abc4b2a76b9719d911017c592' }]],
  );
  assert.equal((await minio.read(bucket, 'a/b c')).toString(), 'hello');
  await minio.remove(bucket, 'a/b c');
  assert.equal((await minio.objects(bucket)).size, 0);
});

test('the variables name the bucket, the server and its credentials', async () => {
  assert.deepEqual(minio.env('b'), {
    MODEL_CACHE_STORE: 's3://b/models',
    AWS_ENDPOINT_URL: minio.endpoint,
    AWS_ACCESS_KEY_ID: minio.accessKeyId,
    AWS_SECRET_ACCESS_KEY: minio.secretAccessKey,
    AWS_REGION: 'us-east-1',
  });
  assert.match(minio.endpoint, /^http:\/\/127\.0\.0\.1:\d+$/);
});

test('stop removes its own data folder, but keeps one that was given for the next server', async () => {
  const own = await startMinio();
  await own.stop();
  assert.equal(existsSync(own.dataDir), false);

  const dataDir = await mkdtemp(join(tmpdir(), 'kept-data-'));
  const first = await startMinio({ dataDir });
  const bucket = await first.createBucket();
  await first.write(bucket, 'kept', 'x');
  await first.stop();
  const second = await startMinio({ dataDir });
  assert.equal((await second.read(bucket, 'kept')).toString(), 'x');
  await second.stop();
  await rm(dataDir, { recursive: true });
});

test('servers started at once do not get into each other’s way', async () => {
  const servers = await Promise.all([startMinio(), startMinio(), startMinio()]);
  assert.equal(new Set(servers.map((server) => server.endpoint)).size, 3);
  await Promise.all(servers.map((server) => server.createBucket('same-name')));
  await Promise.all(servers.map((server) => server.stop()));
});

test('the server dies with the process that started it, even when that one is killed', async () => {
  const module = new URL('./minio.ts', import.meta.url).href;
  const script = `const { startMinio } = await import(${JSON.stringify(module)});
    console.log((await startMinio()).endpoint); setInterval(() => {}, 1000);`;
  const owner = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const endpoint = String(await new Promise((said) => owner.stdout.once('data', said))).trim();
  assert.equal(await isUp(endpoint), true);
  owner.kill('SIGKILL');
  const deadline = Date.now() + 5_000;
  while (await isUp(endpoint)) {
    assert.ok(Date.now() < deadline, `${endpoint} still answers`);
    await sleep(50);
  }
});

test('a port that was taken meanwhile is given up for another', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'unlucky-minio-'));
  const program = `#!/bin/sh
if mkdir ${dir}/tried 2>/dev/null; then echo 'FATAL: Specified port is already in use'; exit 1; fi
exec '${await minioBinary()}' "$@"\n`;
  await writeFile(join(dir, 'minio'), program, { mode: 0o755 });
  await withMinioBin(join(dir, 'minio'), async () => (await startMinio()).stop());
  assert.equal(existsSync(join(dir, 'tried')), true);
  await rm(dir, { recursive: true });
});

test('a server that ends at once: the error has its words', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'broken-minio-'));
  await writeFile(join(dir, 'minio'), '#!/bin/sh\necho the disk is haunted >&2\nexit 7\n', { mode: 0o755 });
  await withMinioBin(join(dir, 'minio'), () =>
    assert.rejects(startMinio(), /ended at once \(7\).*the disk is haunted/s),
  );
  await rm(dir, { recursive: true });
});

test('a MINIO_BIN that is nothing: the error says so', async () => {
  await withMinioBin('/does/not/exist', () =>
    assert.rejects(minioBinary(), /MINIO_BIN.*\/does\/not\/exist/s),
  );
});

test('without MinIO and Go, the error says how to get them', async () => {
  const { PATH, MINIO_BIN, MODEL_CACHE_TEST_TOOLS } = process.env;
  const empty = await mkdtemp(join(tmpdir(), 'no-tools-'));
  try {
    delete process.env['MINIO_BIN'];
    process.env['PATH'] = empty;
    process.env['MODEL_CACHE_TEST_TOOLS'] = empty;
    await assert.rejects(minioBinary(), /golang.*MINIO_BIN/s);
  } finally {
    restore({ PATH, MINIO_BIN, MODEL_CACHE_TEST_TOOLS });
    await rm(empty, { recursive: true });
  }
});

async function isUp(endpoint: string): Promise<boolean> {
  return fetch(`${endpoint}/minio/health/live`).then(
    (response) => response.ok,
    () => false,
  );
}

async function withMinioBin(path: string, action: () => Promise<void>): Promise<void> {
  const { MINIO_BIN } = process.env;
  process.env['MINIO_BIN'] = path;
  try {
    await action();
  } finally {
    restore({ MINIO_BIN });
  }
}

function restore(variables: Record<string, string | undefined>): void {
  for (const [name, value] of Object.entries(variables)) {
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  }
}
