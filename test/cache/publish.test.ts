import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
} from 'node:fs';
import { after, test } from 'node:test';
import { identityOf } from '../../src/cache/digest.ts';
import { ownerFor } from '../../src/cache/owner.ts';
import { Publisher } from '../../src/cache/publish.ts';
import { CacheDir, COMMIT, ROOT_ONLY } from './cache-dir.ts';

const scratch = new CacheDir();
after(() => rmSync(scratch.path, { recursive: true }));

const REPO = 'hub/models--org--name';

test('a file gets its final name, and its identity is what the disk says', () => {
  const { dir, publisher } = fresh();
  const identity = publisher.publishFile(staged(dir, 'weights'), `${REPO}/blobs/w`);
  assert.equal(readFileSync(dir.at(`${REPO}/blobs/w`), 'utf8'), 'weights');
  assert.equal(identity, identityOf(lstatSync(dir.at(`${REPO}/blobs/w`), { bigint: true })));
  assert.deepEqual(readdirSync(dir.at('.model-cache/partial')), []);
});

test('a folder that was removed since is made anew', () => {
  const { dir, publisher } = fresh();
  const snapshot = `${REPO}/snapshots/${COMMIT}/sub`;
  publisher.publishFile(staged(dir, 'one'), `${REPO}/blobs/one`);
  publisher.publishLink(`${snapshot}/one`, '../../../blobs/one');
  rmSync(dir.at('hub'), { recursive: true });
  publisher.publishFile(staged(dir, 'two'), `${REPO}/blobs/two`);
  rmSync(dir.at('hub'), { recursive: true });
  publisher.publishLink(`${snapshot}/two`, '../../../blobs/two');
  rmSync(dir.at('hub'), { recursive: true });
  publisher.publishRef(`${REPO}/refs/main`, COMMIT);
  assert.equal(readFileSync(dir.at(`${REPO}/refs/main`), 'utf8'), COMMIT);
});

test('a staged file that is gone is not the fault of its folder', () => {
  const { dir, publisher } = fresh();
  const gone = staged(dir, 'one');
  rmSync(gone);
  assert.throws(() => publisher.publishFile(gone, `${REPO}/blobs/one`), { code: 'ENOENT' });
});

test('over a link, the link is replaced and not what it leads to', () => {
  const { dir, publisher } = fresh();
  dir.file('hub/blobs/ab/xet', 'of the store');
  dir.link(`${REPO}/blobs/w`, '../../blobs/ab/xet');
  publisher.publishFile(staged(dir, 'weights'), `${REPO}/blobs/w`);
  assert.equal(lstatSync(dir.at(`${REPO}/blobs/w`)).isFile(), true);
  assert.equal(readFileSync(dir.at('hub/blobs/ab/xet'), 'utf8'), 'of the store');
});

test('over a file, the new one is there and whoever has the old one open keeps it', () => {
  const { dir, publisher } = fresh();
  dir.file(`${REPO}/blobs/w`, 'old');
  const before = statSync(dir.at(`${REPO}/blobs/w`)).ino;
  publisher.publishFile(staged(dir, 'new'), `${REPO}/blobs/w`);
  assert.notEqual(statSync(dir.at(`${REPO}/blobs/w`)).ino, before);
  assert.equal(readFileSync(dir.at(`${REPO}/blobs/w`), 'utf8'), 'new');
});

test('a link is made, made again without a fuss, and put over whatever was there', () => {
  const { dir, publisher } = fresh();
  const path = `${REPO}/snapshots/${COMMIT}/sub/model.bin`;
  for (const target of ['../../../blobs/w', '../../../blobs/w', '../../../blobs/other']) {
    publisher.publishLink(path, target);
    assert.equal(readlinkSync(dir.at(path)), target);
  }
  dir.file(`${REPO}/snapshots/${COMMIT}/plain`, 'a copy');
  publisher.publishLink(`${REPO}/snapshots/${COMMIT}/plain`, '../../blobs/w');
  assert.equal(readlinkSync(dir.at(`${REPO}/snapshots/${COMMIT}/plain`)), '../../blobs/w');
  assert.deepEqual(readdirSync(dir.at('.model-cache/partial')), []);
});

for (const content of [COMMIT, `${COMMIT}\n`, '']) {
  test(`a ref is ${JSON.stringify(content).slice(0, 10)}… byte for byte, over what was there too`, () => {
    const { dir, publisher } = fresh();
    for (const before of ['something longer than the new content, so that nothing of it may stay', content]) {
      publisher.publishRef(`${REPO}/refs/refs/pr/1`, before);
      assert.equal(readFileSync(dir.at(`${REPO}/refs/refs/pr/1`), 'utf8'), before);
    }
  });
}

test('a ref that is a link is replaced, and nothing is written through it', () => {
  const { dir, publisher } = fresh();
  dir.file('target', 'untouched');
  dir.link(`${REPO}/refs/main`, '../../../target');
  publisher.publishRef(`${REPO}/refs/main`, COMMIT);
  assert.equal(lstatSync(dir.at(`${REPO}/refs/main`)).isFile(), true);
  assert.equal(readFileSync(dir.at('target'), 'utf8'), 'untouched');
});

for (const planted of ['hub', REPO, `${REPO}/blobs`]) {
  test(`${planted} as a link is refused, and nothing is written where it leads`, () => {
    const { dir, publisher } = fresh();
    const outside = new CacheDir(scratch.path);
    dir.link(planted, outside.path);
    const path = `${REPO}/blobs/w`;
    assert.throws(() => publisher.publishFile(staged(dir, 'x'), path), { code: 'path-unsafe' });
    assert.throws(() => publisher.publishLink(path, 'x'), { code: 'path-unsafe' });
    assert.throws(() => publisher.publishRef(path, COMMIT), { code: 'path-unsafe' });
    assert.deepEqual(readdirSync(outside.path), []);
  });
}

test('a file where a folder should be is path-unsafe too', () => {
  const { dir, publisher } = fresh();
  dir.file('hub', 'in the way');
  assert.throws(() => publisher.publishRef(`${REPO}/refs/main`, COMMIT), { code: 'path-unsafe' });
  assert.equal(readFileSync(dir.at('hub'), 'utf8'), 'in the way');
});

test('a folder where a file, a link or a ref should be concerns that one path', () => {
  const { dir, publisher } = fresh();
  mkdirSync(dir.at(`${REPO}/blobs/w/full`), { recursive: true });
  const path = `${REPO}/blobs/w`;
  assert.throws(() => publisher.publishFile(staged(dir, 'x'), path), { code: 'path-unsafe' });
  assert.throws(() => publisher.publishLink(path, 'x'), { code: 'path-unsafe' });
  assert.throws(() => publisher.publishRef(path, COMMIT), { code: 'path-unsafe' });
});

test('a pipe where a file, a link or a ref should be is replaced, and not waited for', () => {
  const { dir, publisher } = fresh();
  dir.file(`${REPO}/blobs/x`);
  const path = `${REPO}/blobs/w`;
  for (const publish of [
    () => publisher.publishFile(staged(dir, 'x'), path),
    () => publisher.publishLink(path, 'x'),
    () => publisher.publishRef(path, COMMIT),
  ]) {
    rmSync(dir.at(path), { force: true });
    assert.equal(spawnSync('mkfifo', [dir.at(path)]).status, 0);
    publish();
    assert.equal(lstatSync(dir.at(path)).isFIFO(), false);
  }
});

test('a name that the disk does not take concerns that one path', () => {
  const { dir, publisher } = fresh();
  const path = `${REPO}/snapshots/${COMMIT}/${'n'.repeat(256)}`;
  for (const publish of [
    () => publisher.publishFile(staged(dir, 'x'), path),
    () => publisher.publishLink(path, 'x'),
    () => publisher.publishRef(path, COMMIT),
    () => publisher.prepare(`${path}/x`),
  ])
    assert.throws(publish, { code: 'path-unsafe' });
});

test('whether something can be published is known before there is anything to publish', () => {
  const { dir, publisher } = fresh();
  publisher.prepare(`${REPO}/blobs/w`);
  assert.deepEqual(readdirSync(dir.at(`${REPO}/blobs`)), []);
  dir.link('torch', dir.path);
  assert.throws(() => publisher.prepare('torch/hub/checkpoints/x'), { code: 'path-unsafe' });
});

test('a folder that this user may not write to concerns what is in it', { skip: ROOT_ONLY }, () => {
  const dir = new CacheDir(scratch.path).prepared();
  dir.file(`${REPO}/blobs/x`);
  chmodSync(scratch.path, 0o755);
  for (const path of ['', '.model-cache/partial']) chmodSync(dir.at(path), 0o777);
  const path = `${REPO}/blobs/w`;
  process.seteuid?.(12_345);
  try {
    const publisher = new Publisher(dir.path, undefined);
    for (const publish of [() => publisher.publishLink(path, 'x'), () => publisher.publishRef(path, COMMIT)])
      assert.throws(publish, { code: 'path-unsafe', message: /EACCES/ });
    publisher.publishRef('torch/hub/checkpoints/x', COMMIT);
  } finally {
    process.seteuid?.(0);
  }
});

test(
  'as root, a link that was put in the place of a staged file is given away, and not what it leads to',
  { skip: ROOT_ONLY },
  () => {
    const { dir } = fresh();
    dir.file('not-ours', 'x');
    dir.link('.model-cache/partial/staged', dir.at('not-ours'));
    const publisher = new Publisher(dir.path, { uid: 12_345, gid: 12_345 });
    publisher.publishFile(dir.at('.model-cache/partial/staged'), `${REPO}/blobs/w`);
    assert.equal(statSync(dir.at('not-ours')).uid, 0);
  },
);

test('as root, files, links, refs and new folders take the owner of the dir', { skip: ROOT_ONLY }, () => {
  const dir = new CacheDir(scratch.path).prepared();
  chownSync(dir.path, 12_345, 23_456);
  dir.file('not-ours', 'x');
  const publisher = new Publisher(dir.path, ownerFor(dir.path, undefined));
  publisher.publishFile(staged(dir, 'x'), `${REPO}/blobs/w`);
  publisher.publishLink(`${REPO}/snapshots/${COMMIT}/f`, '../../blobs/w');
  publisher.publishLink(`${REPO}/snapshots/${COMMIT}/f`, '../../blobs/v');
  publisher.publishLink(`${REPO}/snapshots/${COMMIT}/away`, dir.at('not-ours'));
  publisher.publishRef(`${REPO}/refs/main`, COMMIT);
  for (const path of [
    'hub',
    REPO,
    `${REPO}/blobs`,
    `${REPO}/blobs/w`,
    `${REPO}/snapshots/${COMMIT}`,
    `${REPO}/snapshots/${COMMIT}/f`,
    `${REPO}/snapshots/${COMMIT}/away`,
    `${REPO}/refs/main`,
  ]) {
    const { uid, gid } = lstatSync(dir.at(path));
    assert.deepEqual([uid, gid], [12_345, 23_456], path);
  }
  assert.equal(statSync(dir.at('not-ours')).uid, 0);
});

test('another owner may be asked for; root itself needs none', { skip: ROOT_ONLY }, () => {
  const dir = new CacheDir(scratch.path);
  assert.equal(ownerFor(dir.path, undefined), undefined);
  assert.deepEqual(ownerFor(dir.path, { uid: 7, gid: 8 }), { uid: 7, gid: 8 });
  chownSync(dir.path, 12_345, 23_456);
  assert.deepEqual(ownerFor(dir.path, { uid: 7, gid: 8 }), { uid: 7, gid: 8 });
});

function fresh(): { readonly dir: CacheDir; readonly publisher: Publisher } {
  const dir = new CacheDir(scratch.path).prepared();
  return { dir, publisher: new Publisher(dir.path, undefined) };
}

function staged(dir: CacheDir, content: string): string {
  return dir.at(dir.file('.model-cache/partial/staged', content));
}
