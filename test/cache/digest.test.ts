import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { appendFileSync, rmSync, statSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { after, test } from 'node:test';
import { digestOpenFile, identityOf, proveFile } from '../../src/cache/digest.ts';
import { Digester } from '../../src/model/digester.ts';
import { CacheDir, gitSha1, sha256 } from './cache-dir.ts';

const dir = new CacheDir();
after(() => rmSync(dir.path, { recursive: true }));

const LARGE = 5 * 1024 * 1024;
const BOTH = ['sha256', 'git-sha1'] as const;

for (const [text, wanted256, wantedGit] of [
  [
    '',
    'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
    'e69de29bb2d1d6434b8b29ae775ad8c2e48c5391',
  ],
  [
    'hello\n',
    '5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03',
    'ce013625030ba8dba906f756967f9e9ca394464a',
  ],
] as const) {
  test(`the digests of ${JSON.stringify(text)} are the known ones`, async () => {
    const path = dir.at(dir.file('known', text));
    const { digests, size } = await proveFile(path, BOTH);
    assert.deepEqual(digests, { sha256: wanted256, gitSha1: wantedGit });
    assert.equal(size, text.length);
  });
}

for (const size of [1, 64 * 1024, 64 * 1024 + 1, 1024 * 1024, 3 * 1024 * 1024 + 7]) {
  test(`${size} bytes have the digests that others compute`, async () => {
    const bytes = randomBytes(size);
    const path = dir.at(dir.file('sized', bytes));
    assert.deepEqual((await proveFile(path, BOTH)).digests, {
      sha256: sha256(bytes),
      gitSha1: gitSha1(bytes),
    });
    assert.deepEqual((await proveFile(path, ['sha256'])).digests, { sha256: sha256(bytes) });
  });
}

test('git itself gives a blob the same name', { skip: hasGit() ? false : 'git is not here' }, async () => {
  const path = dir.at(dir.file('for-git', randomBytes(100_000)));
  const { stdout } = spawnSync('git', ['hash-object', '--no-filters', path], { encoding: 'utf8' });
  assert.equal((await proveFile(path, ['git-sha1'])).digests.gitSha1, stdout.trim());
});

test('a running digest of pieces is that of the whole', () => {
  const bytes = randomBytes(1000);
  const digester = new Digester(BOTH, bytes.length);
  for (let at = 0; at < bytes.length; at += 33) digester.update(bytes.subarray(at, at + 33));
  assert.deepEqual(digester.digests(), { sha256: sha256(bytes), gitSha1: gitSha1(bytes) });
});

for (const [what, change] of [
  ['grows', (path: string) => appendFileSync(path, 'more')],
  ['is cut', (path: string) => truncateSync(path, 1000)],
  ['is overwritten in place', (path: string) => overwrite(path)],
] as const) {
  test(`a file that ${what} while it is read is file-changed`, async () => {
    const path = dir.at(dir.file('changing', Buffer.alloc(LARGE, 1)));
    utimesSync(path, 1, 1);
    await assert.rejects(
      proveFile(
        path,
        ['sha256'],
        onBlock(3, () => change(path)),
      ),
      { code: 'file-changed' },
    );
  });
}

test('an abort ends the reading of a large file', async () => {
  const path = dir.at(dir.file('long', Buffer.alloc(64 * 1024 * 1024)));
  const stop = new AbortController();
  const proof = proveFile(path, ['sha256'], stop.signal);
  stop.abort(new Error('enough'));
  await assert.rejects(proof, /enough/);
});

test('a file that is not there is the disk’s own error', async () => {
  await assert.rejects(proveFile(dir.at('nothing'), BOTH), { code: 'ENOENT' });
});

test('of an open file, exactly its first bytes are hashed', async () => {
  const path = dir.at(dir.file('longer', 'weights and more'));
  const file = await open(path, 'r');
  const digests = await digestOpenFile(file, 7, ['sha256']);
  await file.close();
  assert.deepEqual(digests, { sha256: createHash('sha256').update('weights').digest('hex') });
});

test('the identity changes with the size, the times, and the file itself', () => {
  const path = dir.at(dir.file('identity', 'one'));
  const identities = [identity(path)];
  writeFileSync(path, 'three');
  identities.push(identity(path));
  utimesSync(path, 1, 1);
  identities.push(identity(path));
  rmSync(path);
  writeFileSync(path, 'three');
  utimesSync(path, 1, 1);
  identities.push(identity(path));
  assert.equal(new Set(identities).size, 4);
  assert.equal(identity(path), identities[3]);
});

function identity(path: string): string {
  return identityOf(statSync(path, { bigint: true }));
}

function overwrite(path: string): void {
  writeFileSync(path, Buffer.alloc(LARGE, 2), { flag: 'r+' });
}

/** A signal never aborts, and does something when it is asked for the nth time, which is once a block. */
function onBlock(count: number, action: () => void): AbortSignal {
  let asked = 0;
  const { signal } = new AbortController();
  const throwIfAborted = (): void => {
    asked += 1;
    if (asked === count) action();
  };
  return Object.assign(signal, { throwIfAborted });
}

function hasGit(): boolean {
  return spawnSync('git', ['--version']).status === 0;
}

test('what has become a pipe or a folder is not waited for', async () => {
  assert.equal(spawnSync('mkfifo', [dir.at('pipe')]).status, 0);
  for (const path of [dir.at('pipe'), dir.path])
    await assert.rejects(proveFile(path, BOTH), { code: 'file-changed' });
});
