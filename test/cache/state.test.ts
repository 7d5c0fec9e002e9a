import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { after, describe, test } from 'node:test';
import { thisBoot } from '../../src/cache/boot.ts';
import { State } from '../../src/cache/state.ts';
import { CacheDir, COMMIT, ROOT_ONLY, sha256 } from './cache-dir.ts';

const scratch = new CacheDir();
after(() => rmSync(scratch.path, { recursive: true }));

const MiB = 1024 * 1024;
const LOAD = `
  import { State } from '../../src/cache/state.ts';
  import { writeSync } from 'node:fs';
  writeSync(1, String(State.load(process.argv[1]).digestsOf('hub/a', 'id-1')));
`;
const DIGESTS = { sha256: sha256('x'), gitSha1: COMMIT };

test('what was proved and agreed is there after saving and loading', () => {
  const dir = dirWithState();
  const loaded = State.load(dir.path);
  assert.deepEqual(loaded.digestsOf('hub/a', 'id-1'), DIGESTS);
  assert.deepEqual([...loaded.agreedRefs('hub/a')], [['refs/main', COMMIT]]);
  assert.deepEqual([...loaded.agreedRefs('hub/b')], []);
});

test('another identity of the file forgets what was proved of it', () => {
  const state = State.load(dirWithState().path);
  assert.equal(state.digestsOf('hub/a', 'id-2'), undefined);
  state.remember('hub/a', 'id-2', { sha256: sha256('y') });
  assert.deepEqual(state.digestsOf('hub/a', 'id-2'), { sha256: sha256('y') });
  assert.equal(state.digestsOf('hub/a', 'id-1'), undefined);
});

test('what is proved bit by bit of one identity adds up', () => {
  const state = State.empty();
  state.remember('f', 'id', { sha256: DIGESTS.sha256 });
  state.remember('f', 'id', { gitSha1: DIGESTS.gitSha1 });
  assert.deepEqual(state.digestsOf('f', 'id'), DIGESTS);
});

test('the file is for this user alone, and nothing else is left beside it', () => {
  const dir = dirWithState();
  assert.equal(statSync(dir.at('.model-cache/state.json')).mode & 0o777, 0o600);
  assert.deepEqual(readdirSync(dir.at('.model-cache')).toSorted(), ['partial', 'state.json']);
});

test('nothing to say writes nothing', () => {
  const dir = new CacheDir(scratch.path).prepared();
  State.empty().save(dir.path);
  assert.deepEqual(readdirSync(dir.at('.model-cache')), ['partial']);
});

for (const [who, mode] of [
  ['everyone', 0o602],
  ['the group', 0o620],
] as const) {
  test(`a state that ${who} could have written is not believed`, () => {
    const dir = dirWithState();
    chmodSync(dir.at('.model-cache/state.json'), mode);
    assert.equal(State.load(dir.path).digestsOf('hub/a', 'id-1'), undefined);
  });
}

test('a state of another user is not believed', { skip: ROOT_ONLY }, () => {
  const dir = dirWithState();
  chownSync(dir.at('.model-cache/state.json'), 12_345, 12_345);
  assert.equal(State.load(dir.path).digestsOf('hub/a', 'id-1'), undefined);
});

for (const [what, text] of [
  ['nothing', ''],
  ['half a file', '{"version":2,"proved":{"hub/a":["id-1"'],
  ['another version', '{"version":3,"proved":{},"agreedRefs":{}}'],
  [
    'a version that knew no boots',
    `{"version":1,"proved":{"hub/a":["id-1","${sha256('x')}",null]},"agreedRefs":{}}`,
  ],
  ['a digest that is none', '{"version":2,"proved":{"hub/a":["id-1","yes",null,null]},"agreedRefs":{}}'],
  ['a short entry', '{"version":2,"proved":{"hub/a":["id-1",null,null]},"agreedRefs":{}}'],
  ['a long entry', '{"version":2,"proved":{"hub/a":["id-1",null,null,null,null]},"agreedRefs":{}}'],
  ['an entry without identity', '{"version":2,"proved":{"hub/a":[null,null,null,null]},"agreedRefs":{}}'],
  [
    'an entry of a boot that has no name',
    '{"version":2,"proved":{"hub/a":["id-1",null,null,1]},"agreedRefs":{}}',
  ],
  ['an entry that is an object', '{"version":2,"proved":{"hub/a":{"length":4,"0":"id-1"}},"agreedRefs":{}}'],
  ['a list of entries', '{"version":2,"proved":[["id-1",null,null,null]],"agreedRefs":{}}'],
  ['no entries at all', '{"version":2,"proved":null,"agreedRefs":{}}'],
  ['no object', '[]'],
  ['null', 'null'],
] as const) {
  test(`${what} in place of a state is an empty one, and can be saved over`, () => {
    const dir = new CacheDir(scratch.path).prepared();
    dir.file('.model-cache/state.json', text);
    chmodSync(dir.at('.model-cache/state.json'), 0o600);
    const state = State.load(dir.path);
    assert.equal(state.digestsOf('hub/a', 'id-1'), undefined);
    state.remember('hub/a', 'id-3', DIGESTS);
    state.save(dir.path);
    assert.deepEqual(State.load(dir.path).digestsOf('hub/a', 'id-3'), DIGESTS);
  });
}

for (const [what, fill] of [
  ['a state of arrays in arrays', (path: string) => writeFileSync(path, Buffer.alloc(60 * MiB, '['))],
  ['a state of many small values', (path: string) => writeFileSync(path, wide('{},', 20 * MiB))],
  ['a state without an end', (path: string) => truncateSync(path, 100 * 1024 * MiB)],
] as const) {
  test(`${what} is lost, and ends no process`, () => {
    const dir = dirWithState();
    fill(dir.at('.model-cache/state.json'));
    const run = spawnSync(
      process.execPath,
      ['--max-old-space-size=200', '--input-type=module', '-e', LOAD, dir.path],
      { encoding: 'utf8', cwd: import.meta.dirname },
    );
    assert.deepEqual([run.status, run.stdout], [0, 'undefined'], run.stderr);
  });
}

test('a state of a hundred thousand files is believed', () => {
  const dir = new CacheDir(scratch.path).prepared();
  const state = State.empty();
  for (let index = 0; index < 100_000; index += 1) state.remember(`d/${index}`, `${index}-1-1-1-1`, {});
  state.save(dir.path);
  assert.deepEqual(State.load(dir.path).digestsOf('d/99999', '99999-1-1-1-1'), {});
});

test('no state at all is an empty one', () => {
  assert.equal(State.load('/no/such/dir').digestsOf('a', 'b'), undefined);
});

test('a folder that cannot be written to makes saving an error, and the state stays unsaved', () => {
  const dir = new CacheDir(scratch.path);
  writeFileSync(dir.at('.model-cache'), 'in the way');
  const state = State.empty();
  state.remember('a', 'id', DIGESTS);
  assert.throws(() => state.save(dir.path));
});

function wide(value: string, bytes: number): string {
  return `{"version":2,"x":[${value.repeat(bytes / value.length)}{}],"proved":{},"agreedRefs":{}}`;
}

function dirWithState(): CacheDir {
  const dir = new CacheDir(scratch.path).prepared();
  const state = State.empty();
  state.remember('hub/a', 'id-1', DIGESTS);
  state.agreeOnRef('hub/a', 'refs/main', COMMIT);
  state.save(dir.path);
  return dir;
}

test('what two runs save beside each other is all kept', () => {
  const dir = dirWithState();
  const [one, other] = [State.load(dir.path), State.load(dir.path)];
  one.remember('hub/one', 'id', DIGESTS);
  one.agreeOnRef('hub/a', 'refs/pr/1', COMMIT);
  other.remember('hub/other', 'id', DIGESTS);
  other.rememberReused(['/cache']);
  one.save(dir.path);
  other.save(dir.path);
  const loaded = State.load(dir.path);
  assert.deepEqual(loaded.digestsOf('hub/one', 'id'), DIGESTS);
  assert.deepEqual(loaded.digestsOf('hub/other', 'id'), DIGESTS);
  assert.deepEqual([...loaded.agreedRefs('hub/a').keys()].toSorted(), ['refs/main', 'refs/pr/1']);
  assert.deepEqual(loaded.reused, ['/cache']);
});

test('a wrong object is remembered until it was replaced, also by another run', () => {
  const dir = dirWithState();
  const finder = State.load(dir.path);
  finder.rememberCorrupt('hub/a/blobs/x', '"etag"');
  finder.save(dir.path);
  const healer = State.load(dir.path);
  assert.deepEqual([...healer.corruptObjects], [['hub/a/blobs/x', '"etag"']]);
  healer.forgetCorrupt('hub/a/blobs/x');
  healer.save(dir.path);
  assert.equal(State.load(dir.path).corruptObjects.size, 0);
});

describe('what was proved under another boot', () => {
  const prove = (isFlushed: boolean): CacheDir => {
    const dir = new CacheDir(scratch.path).prepared();
    const state = State.empty();
    state.remember('f', 'id', DIGESTS, isFlushed);
    state.save(dir.path);
    return dir;
  };
  const reboot = (dir: CacheDir): void => {
    const path = dir.at('.model-cache/state.json');
    writeFileSync(path, readFileSync(path, 'utf8').replaceAll(thisBoot(), 'another-boot'));
  };
  const believed = (dir: CacheDir): boolean => State.load(dir.path).digestsOf('f', 'id') !== undefined;

  test('is not believed: a power cut may have left holes in the file', () => {
    const dir = prove(false);
    assert.equal(believed(dir), true);
    reboot(dir);
    assert.equal(believed(dir), false);
  });

  test('is believed when the file was flushed', () => {
    const dir = prove(true);
    reboot(dir);
    assert.equal(believed(dir), true);
  });

  test('is believed for good once it was proved again: that was read from the disk', () => {
    const dir = prove(false);
    reboot(dir);
    const state = State.load(dir.path);
    state.remember('f', 'id', DIGESTS);
    state.save(dir.path);
    reboot(dir);
    assert.equal(believed(dir), true);
  });

  test('says nothing of a file that was written since', () => {
    const dir = prove(true);
    const state = State.load(dir.path);
    state.remember('f', 'id-2', DIGESTS);
    state.save(dir.path);
    reboot(dir);
    assert.equal(State.load(dir.path).digestsOf('f', 'id-2'), undefined);
  });
});

test('a pipe or a link in place of a state is neither waited for nor believed', () => {
  const dir = dirWithState();
  const path = dir.at('.model-cache/state.json');
  renameSync(path, dir.at('elsewhere'));
  dir.link('.model-cache/state.json', dir.at('elsewhere'));
  assert.equal(State.load(dir.path).digestsOf('hub/a', 'id-1'), undefined);
  rmSync(path);
  assert.equal(spawnSync('mkfifo', ['-m', '600', path]).status, 0);
  assert.equal(State.load(dir.path).digestsOf('hub/a', 'id-1'), undefined);
});

test('a file called as every object’s own parts is not taken for one', () => {
  const state = State.empty();
  for (const name of ['constructor', 'toString']) {
    assert.equal(state.digestsOf(name, 'id'), undefined);
    assert.equal(state.agreedRefs(name).size, 0);
  }
});
