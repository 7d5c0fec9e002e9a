import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  lchownSync,
  mkdirSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { ownTemporaryDir, probeDirs, temporaryDir } from '../../src/cache/dirs.ts';
import { CacheDir, ROOT_ONLY } from './cache-dir.ts';

const scratch = new CacheDir();
chmodSync(scratch.path, 0o755);
after(() => rmSync(scratch.path, { recursive: true }));

const [SOMEBODY, ELSE] = [54_321, 54_322];

test('a dir that works is a candidate with its free space, made if it was not there', () => {
  const dir = scratch.at('not/there/yet');
  const { candidates, refused } = probeDirs([dir]);
  assert.deepEqual(refused, []);
  assert.equal(candidates[0]?.dir, dir);
  assert.ok(candidates[0].freeBytes > 0);
});

test('folders that are made above a dir are not for all to write, whatever the umask', (context) => {
  const umask = process.umask(0);
  context.after(() => process.umask(umask));
  probeDirs([scratch.at('made/above/dir')]);
  const modes = ['made', 'made/above', 'made/above/dir'].map(
    (name) => statSync(scratch.at(name)).mode & 0o777,
  );
  assert.deepEqual(modes, [0o775, 0o775, 0o777]);
});

test('the probe leaves only our folder', () => {
  const dir = new CacheDir(scratch.path);
  probeDirs([dir.path]);
  assert.deepEqual(readdirSync(dir.path), ['.model-cache']);
  assert.deepEqual(readdirSync(dir.at('.model-cache')), ['partial']);
  assert.deepEqual(readdirSync(dir.at('.model-cache/partial')), []);
});

test('the order is that of the settings', () => {
  const [first, second] = [new CacheDir(scratch.path), new CacheDir(scratch.path).prepared()];
  const { candidates } = probeDirs([first.path, second.path]);
  assert.deepEqual(
    candidates.map(({ dir }) => dir),
    [first.path, second.path],
  );
});

test('one that cannot be made is refused with its name, and the others are candidates', () => {
  const file = scratch.at(scratch.file('a-file', 'x'));
  const dangling = scratch.at(scratch.link('dangling', 'nothing'));
  const good = new CacheDir(scratch.path).path;
  const { candidates, refused } = probeDirs([file, `${file}/below`, `${dangling}/below`, good]);
  assert.deepEqual(
    candidates.map(({ dir }) => dir),
    [good],
  );
  assert.deepEqual(
    refused.map(({ error }) => error.code),
    ['dir-unusable', 'dir-unusable', 'dir-unusable'],
  );
  for (const { dir, error } of refused) assert.match(error.message, new RegExp(dir));
});

for (const ours of ['.model-cache', '.model-cache/partial']) {
  test(`${ours} as a link is refused, and nothing is written where it leads`, () => {
    const dir = new CacheDir(scratch.path);
    const outside = new CacheDir(scratch.path);
    dir.link(ours, outside.path);
    assert.deepEqual(
      probeDirs([dir.path]).refused.map(({ error }) => error.code),
      ['dir-unusable'],
    );
    assert.deepEqual(readdirSync(outside.path), []);
  });
}

test(
  'a dir that the kernel never makes is refused, not tried for ever',
  { skip: !existsSync('/proc/self') },
  () => {
    assert.deepEqual(
      probeAs(undefined, '/proc/model-cache').refused.map(({ code }) => code),
      ['dir-unusable'],
    );
  },
);

test('a relative dir is where it is from here', () => {
  const [candidate] = probeDirs([`${scratch.path}/x/../y`]).candidates;
  assert.equal(candidate?.dir, scratch.at('y'));
});

test('the last resort is a dir of this user alone, the same at the next start', () => {
  const [one, two] = [temporaryDir(scratch.path), temporaryDir(scratch.path)];
  assert.equal(one.dir, two.dir);
  assert.equal(statSync(one.dir).mode & 0o077, 0);
});

test('it is known again, unless that name is a link by now', () => {
  const parent = new CacheDir(scratch.path);
  assert.equal(ownTemporaryDir(parent.path), undefined);
  const { dir } = temporaryDir(parent.path);
  assert.equal(ownTemporaryDir(parent.path), dir);
  rmSync(dir, { recursive: true });
  symlinkSync('/', dir);
  assert.equal(ownTemporaryDir(parent.path), undefined);
});

test('and a fresh one where that name is a link', () => {
  const [parent, elsewhere] = [new CacheDir(scratch.path), new CacheDir(scratch.path)];
  symlinkSync(elsewhere.path, parent.at(`model-cache-${process.geteuid?.()}`));
  assert.notEqual(temporaryDir(parent.path).dir, parent.at(`model-cache-${process.geteuid?.()}`));
  assert.deepEqual(readdirSync(elsewhere.path), []);
});

test('a read-only dir is refused', { skip: ROOT_ONLY }, () => {
  const dir = ownedBy(0);
  chmodSync(dir.path, 0o755);
  assert.deepEqual(
    probeAs(SOMEBODY, dir.path).refused.map(({ code }) => code),
    ['dir-unusable'],
  );
});

test('a dir of our own is a candidate below a sticky folder', { skip: ROOT_ONLY }, () => {
  const dir = ownedBy(SOMEBODY);
  assert.deepEqual(probeAs(SOMEBODY, dir.path).candidates, [dir.path]);
});

test('a dir of somebody else is refused, however open it is', { skip: ROOT_ONLY }, () => {
  const dir = ownedBy(ELSE);
  chmodSync(dir.path, 0o777);
  const [refused] = probeAs(SOMEBODY, dir.path).refused;
  assert.equal(refused?.code, 'dir-unusable');
  assert.match(refused.message, /belongs to someone else/);
});

test('a dir that anyone may replace is refused', { skip: ROOT_ONLY }, () => {
  const parent = ownedBy(0);
  chmodSync(parent.path, 0o777);
  mkdirSync(parent.at('dir'));
  chownSync(parent.at('dir'), SOMEBODY, SOMEBODY);
  assert.match(probeAs(SOMEBODY, parent.at('dir')).refused[0]?.message ?? 'accepted', /replace/);
  chmodSync(parent.path, 0o1777);
  assert.deepEqual(probeAs(SOMEBODY, parent.at('dir')).candidates, [parent.at('dir')]);
});

test(
  'below a volume that anyone may write to, as a Kubernetes emptyDir is, it is taken',
  { skip: ROOT_ONLY },
  (context) => {
    const volume = ownedBy(0);
    const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'mode=0777', 'none', volume.path]);
    if (mounted.status !== 0) {
      context.skip('nothing can be mounted here');
      return;
    }
    context.after(() => spawnSync('umount', [volume.path]));
    assert.deepEqual(probeAs(SOMEBODY, volume.at('models')).candidates, [volume.at('models')]);
  },
);

test(
  'root takes the dir it is given, below a volume that anyone may write to as well',
  { skip: ROOT_ONLY },
  () => {
    const parent = ownedBy(0);
    chmodSync(parent.path, 0o777);
    assert.equal(probeDirs([parent.at('dir')]).candidates.length, 1);
  },
);

test('a dir below a folder of somebody else, who may replace it, is refused', { skip: ROOT_ONLY }, () => {
  const parent = ownedBy(ELSE);
  chmodSync(parent.path, 0o755);
  mkdirSync(parent.at('dir'));
  chownSync(parent.at('dir'), SOMEBODY, SOMEBODY);
  assert.deepEqual(probeAs(SOMEBODY, parent.at('dir')).candidates, []);
});

test(
  'a link of somebody else to a dir of ours is refused: he may lead it elsewhere',
  { skip: ROOT_ONLY },
  () => {
    const dir = ownedBy(SOMEBODY);
    const link = scratch.at(scratch.link(`link-${process.pid}`, dir.path));
    lchownSync(link, ELSE, ELSE);
    assert.deepEqual(probeAs(SOMEBODY, link).candidates, []);
  },
);

test(
  'what root makes in a dir of the server’s user, that user can work with later',
  { skip: ROOT_ONLY },
  () => {
    const dir = ownedBy(SOMEBODY);
    assert.equal(probeDirs([dir.path]).candidates.length, 1);
    assert.deepEqual(probeAs(SOMEBODY, dir.path), { candidates: [dir.path], refused: [] });
  },
);

interface Probed {
  readonly candidates: readonly string[];
  readonly refused: readonly { readonly dir: string; readonly code: string; readonly message: string }[];
}

function probeAs(uid: number | undefined, dir: string): Probed {
  const program = fileURLToPath(new URL('probe-dir.ts', import.meta.url));
  const who = uid === undefined ? {} : { uid, gid: uid };
  const run = spawnSync(process.execPath, [program, dir], {
    ...who,
    encoding: 'utf8',
    cwd: '/',
    timeout: 5000,
  });
  assert.equal(run.status, 0, run.stderr || 'no answer');
  return JSON.parse(run.stdout) as Probed;
}

function ownedBy(uid: number): CacheDir {
  const dir = new CacheDir(scratch.path);
  chownSync(dir.path, uid, uid);
  return dir;
}
