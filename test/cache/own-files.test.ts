import assert from 'node:assert/strict';
import {
  chmodSync,
  chownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
} from 'node:fs';
import { after, describe, test } from 'node:test';
import { layout } from '../../src/cache/layout.ts';
import { writeOwnFile, writePrivateFile } from '../../src/cache/own-files.ts';
import { refuseForeignDir, refuseForeignFolder, refuseShared } from '../../src/cache/own-folder.ts';
import { surroundingsOf } from '../hostile/surroundings.ts';
import { asUser, CacheDir, ROOT_ONLY } from './cache-dir.ts';

const scratch = new CacheDir();
after(() => rmSync(scratch.path, { recursive: true }));

const STRANGER = 12_345;
const OWNER = { uid: 23_456, gid: 23_456 };

test('our folder is made when it is missing, and files in it are replaced', () => {
  const dir = new CacheDir(scratch.path);
  for (const content of ['one', 'other']) {
    writeOwnFile(dir.path, layout.env(dir.path), content, undefined);
    assert.equal(readFileSync(layout.env(dir.path), 'utf8'), content);
  }
});

test('what is believed later is for this user alone', () => {
  const dir = new CacheDir(scratch.path);
  writePrivateFile(dir.path, layout.state(dir.path), '{}', undefined);
  assert.equal(statSync(layout.state(dir.path)).mode & 0o777, 0o600);
});

test('a dir that is not there is not made', () => {
  const dir = new CacheDir(scratch.path);
  assert.throws(() => writeOwnFile(dir.at('missing'), layout.env(dir.at('missing')), 'x', undefined), {
    code: 'ENOENT',
  });
});

test('our folder as a link is refused, and nothing is written where it leads', () => {
  const dir = new CacheDir(scratch.path);
  const outside = new CacheDir(scratch.path);
  outside.file('env', 'not yours');
  dir.link('.model-cache', outside.path);
  const before = surroundingsOf(outside.path);
  for (const write of [writeOwnFile, writePrivateFile])
    assert.throws(() => write(dir.path, layout.env(dir.path), 'x', undefined), {
      code: 'dir-unusable',
      message: /is a link/,
    });
  assert.deepEqual(surroundingsOf(outside.path), before);
});

test('our folder as a file is refused', () => {
  const dir = new CacheDir(scratch.path);
  dir.file('.model-cache', 'in the way');
  assert.throws(() => writeOwnFile(dir.path, layout.env(dir.path), 'x', undefined), { code: 'dir-unusable' });
});

describe('as root', { skip: ROOT_ONLY }, () => {
  const rows: readonly {
    name: string;
    dirOwner: number;
    dirMode: number;
    folderOwner: number;
    asked?: typeof OWNER;
    refused: boolean;
  }[] = [
    { name: 'our folder of root', dirOwner: 0, dirMode: 0o777, folderOwner: 0, refused: false },
    {
      name: 'that of the owner of the dir',
      dirOwner: STRANGER,
      dirMode: 0o777,
      folderOwner: STRANGER,
      refused: false,
    },
    {
      name: 'that of a stranger where all may write',
      dirOwner: 0,
      dirMode: 0o777,
      folderOwner: STRANGER,
      refused: true,
    },
    {
      name: 'that of a stranger where a group may write',
      dirOwner: 0,
      dirMode: 0o775,
      folderOwner: STRANGER,
      refused: true,
    },
    {
      name: 'that of a stranger, whom root has given it',
      dirOwner: 0,
      dirMode: 0o755,
      folderOwner: STRANGER,
      refused: false,
    },
    {
      name: 'that of the owner who is asked for',
      dirOwner: 0,
      dirMode: 0o777,
      folderOwner: OWNER.uid,
      asked: OWNER,
      refused: false,
    },
    {
      name: 'that of a stranger where another is asked for',
      dirOwner: 0,
      dirMode: 0o777,
      folderOwner: STRANGER,
      asked: OWNER,
      refused: true,
    },
  ];
  for (const { name, dirOwner, dirMode, folderOwner, asked, refused } of rows) {
    test(`${name} is ${refused ? 'refused' : 'used'}`, () => {
      const dir = new CacheDir(scratch.path).prepared();
      chownSync(dir.at('.model-cache'), folderOwner, folderOwner);
      chownSync(dir.path, dirOwner, dirOwner);
      chmodSync(dir.path, dirMode);
      const look = (): void => refuseForeignFolder(dir.path, asked);
      if (refused) assert.throws(look, { code: 'dir-unusable', message: /belongs to someone else/ });
      else assert.doesNotThrow(look);
    });
  }

  test('files take the owner of the dir or the one that is asked for, what is private stays root’s', () => {
    const dir = new CacheDir(scratch.path);
    chownSync(dir.path, STRANGER, STRANGER);
    writeOwnFile(dir.path, layout.env(dir.path), 'x', undefined);
    writeOwnFile(dir.path, layout.report(dir.path), 'x', OWNER);
    writePrivateFile(dir.path, layout.state(dir.path), 'x', OWNER);
    const uids = [layout.folder, layout.env, layout.report, layout.state].map(
      (place) => lstatSync(place(dir.path)).uid,
    );
    assert.deepEqual(uids, [STRANGER, STRANGER, OWNER.uid, 0]);
  });
});

describe('as another user', { skip: ROOT_ONLY }, () => {
  test('neither a dir nor our folder of a stranger is used', () => {
    const dir = new CacheDir(scratch.path).prepared();
    chmodSync(scratch.path, 0o755);
    chmodSync(dir.path, 0o777);
    chownSync(dir.at('.model-cache'), STRANGER, STRANGER);
    asUser(OWNER.uid, () =>
      assert.throws(() => refuseForeignFolder(dir.path, undefined), { message: /belongs to someone else/ }),
    );
    chownSync(dir.path, STRANGER, STRANGER);
    asUser(OWNER.uid, () =>
      assert.throws(() => refuseForeignDir(dir.path, undefined), { message: /belongs to someone else/ }),
    );
    assert.throws(
      () => asUser(OWNER.uid, () => writeOwnFile(dir.path, layout.env(dir.path), 'x', undefined)),
      { code: 'dir-unusable' },
    );
  });

  test('that of root and one’s own are', () => {
    const dir = new CacheDir(scratch.path).prepared();
    chmodSync(dir.path, 0o777);
    asUser(OWNER.uid, () => refuseForeignFolder(dir.path, undefined));
    chownSync(dir.at('.model-cache'), OWNER.uid, OWNER.gid);
    asUser(OWNER.uid, () => refuseForeignFolder(dir.path, undefined));
  });
});

test('what is written to under its own name is a file that has no other', () => {
  const dir = new CacheDir(scratch.path);
  dir.file('alone', 'x');
  dir.file('shared', 'x');
  linkSync(dir.at('shared'), dir.at('other-name'));
  mkdirSync(dir.at('folder'));
  assert.doesNotThrow(() => refuseShared('alone', statSync(dir.at('alone'))));
  for (const name of ['shared', 'folder'])
    assert.throws(() => refuseShared(name, statSync(dir.at(name))), { code: 'dir-unusable' }, name);
});
