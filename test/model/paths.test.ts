import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  isSafePath,
  liesIn,
  linkTarget,
  resolveLink,
  shownPath,
  snapshotPath,
} from '../../src/model/paths.ts';
import { A, inSnapshot } from './builders.ts';

const LONGEST_NAME = 'n'.repeat(255);
const LONGEST_PATH = `${`${'d'.repeat(49)}/`.repeat(20)}${'n'.repeat(24)}`;
const DEEPEST_PATH = `${'d/'.repeat(31)}n`;

test('a path lies in a folder that it is, or is below, by whole names', () => {
  for (const [path, folder] of [
    ['/a', '/a'],
    ['/a/b', '/a'],
    ['/a', '/'],
    ['/', '/'],
  ] as const)
    assert.equal(liesIn(path, folder), true, `${path} ${folder}`);
  for (const [path, folder] of [
    ['/ab', '/a'],
    ['/a', '/a/b'],
    ['/', '/a'],
  ] as const)
    assert.equal(liesIn(path, folder), false, `${path} ${folder}`);
});

describe('a path is safe', () => {
  const paths: readonly (readonly [name: string, path: string])[] = [
    ['as one name', 'config.json'],
    ['in folders', 'a/b/c.safetensors'],
    ['with a dot in front', '.gitattributes'],
    ['with dots inside', 'a..b/...'],
    ['with blanks and brackets', 'model (1) [x].bin'],
    ['in other scripts', 'модель/模型/😀.bin'],
    ['with the longest name', LONGEST_NAME],
    ['at its longest', LONGEST_PATH],
    ['at its deepest', DEEPEST_PATH],
  ];
  for (const [name, path] of paths) test(name, () => assert.equal(isSafePath(path), true));
});

describe('a path is unsafe', () => {
  const paths: readonly (readonly [name: string, path: string])[] = [
    ['when empty', ''],
    ['as a dot', '.'],
    ['as two dots', '..'],
    ['when it climbs at its start', '../x'],
    ['when it climbs inside', 'a/../../x'],
    ['when it climbs, though it stays inside', 'a/../b'],
    ['when it climbs at its end', 'a/..'],
    ['with a dot as a name', 'a/./b'],
    ['when absolute', '/etc/passwd'],
    ['with a slash at its end', 'a/'],
    ['with two slashes', 'a//b'],
    ['with NUL', 'a\0b'],
    ['with a newline', 'a\nb'],
    ['with an escape', 'a\u001b[2Jb'],
    ['with DEL', 'a\u007f'],
    ['with a backslash', 'a\\..\\b'],
    ['with a lone high surrogate', 'a\ud800'],
    ['with a lone low surrogate', '\udc00a'],
    ['with a name too long', `${LONGEST_NAME}n`],
    ['with a name too long in bytes', 'é'.repeat(128)],
    ['when too long', `${LONGEST_PATH}n`],
    ['when too deep', `d/${DEEPEST_PATH}`],
    ['with a control character of the second block', 'a\u009b2Jb'],
  ];
  for (const [name, path] of paths) test(name, () => assert.equal(isSafePath(path), false));
});

describe('a link', () => {
  const here = inSnapshot(A, 'sub/model.bin');
  const rows: readonly { name: string; path?: string; target: string; to: string | undefined }[] = [
    { name: 'leads to a blob', target: '../../../blobs/x', to: 'blobs/x' },
    { name: 'leads to its neighbour', target: 'other.bin', to: inSnapshot(A, 'sub/other.bin') },
    { name: 'at the top leads down', path: 'latest', target: 'v2/model.bin', to: 'v2/model.bin' },
    { name: 'leaves the tree by one step too many', target: '../../../../x', to: undefined },
    {
      name: 'leaves the tree and comes back',
      target: '../../../../models--org--model/blobs/x',
      to: undefined,
    },
    { name: 'at the top leaves the tree', path: 'latest', target: '../x', to: undefined },
    { name: 'leads to the tree itself', path: 'latest', target: '.', to: undefined },
    { name: 'is absolute', target: '/etc/passwd', to: undefined },
    { name: 'leads nowhere', target: '', to: undefined },
    { name: 'has NUL', target: '../x\0', to: undefined },
    { name: 'has a newline', target: '../x\n', to: undefined },
    { name: 'has a backslash', target: '..\\x', to: undefined },
    { name: 'has a lone surrogate', target: 'x\ud800', to: undefined },
    { name: 'has a lone surrogate in a folder that it leaves again', target: '\ud800/../x', to: undefined },
    { name: 'leads to a folder by a slash', target: '../', to: undefined },
    { name: 'has a target too long', target: 'n'.repeat(256), to: undefined },
  ];
  for (const { name, path = here, target, to } of rows) {
    test(`${name}: ${to === undefined ? 'refused' : 'followed'}`, () => {
      assert.equal(resolveLink(path, target), to);
    });
  }

  test('with an unsafe path of its own is refused', () => {
    assert.equal(resolveLink('../x', 'y'), undefined);
    assert.equal(resolveLink('/x', 'y'), undefined);
  });

  test('is written so that it leads where it should, from any depth', () => {
    for (const path of ['a', 'a/b', inSnapshot(A, 'x'), inSnapshot(A, 'd/e/f/x')]) {
      assert.equal(resolveLink(path, linkTarget(path, 'blobs/x')), 'blobs/x', path);
    }
    assert.equal(linkTarget(inSnapshot(A, 'sub/x'), 'blobs/y'), '../../../blobs/y');
  });
});

describe('a snapshot path', () => {
  const rows: readonly { path: string; parts: ReturnType<typeof snapshotPath> }[] = [
    { path: inSnapshot(A, 'x'), parts: { commit: A, file: 'x' } },
    { path: inSnapshot(A, 'd/e/x'), parts: { commit: A, file: 'd/e/x' } },
    { path: `snapshots/${A}`, parts: undefined },
    { path: 'snapshots/main/x', parts: undefined },
    { path: `snapshots/${A.slice(1)}/x`, parts: undefined },
    { path: `snapshots/${A.toUpperCase()}/x`, parts: undefined },
    { path: `d/snapshots/${A}/x`, parts: undefined },
    { path: 'blobs/x', parts: undefined },
  ];
  for (const { path, parts } of rows) {
    test(`${path} is ${parts === undefined ? 'none' : 'one'}`, () =>
      assert.deepEqual(snapshotPath(path), parts));
  }
});

describe('a path that is not safe is shown', () => {
  test('without what a terminal obeys', () => {
    assert.equal(shownPath('a\u001b[2J\nb\u009b\0'), 'a\ufffd[2J\ufffdb\ufffd\ufffd');
    assert.equal(shownPath('\ud800'), '\ufffd');
  });

  test('with an end', () => {
    assert.equal(shownPath('x'.repeat(100_000)).length, 1027);
  });

  test('as it is, otherwise', () => {
    assert.equal(shownPath('../модель/😀.bin'), '../модель/😀.bin');
  });
});
