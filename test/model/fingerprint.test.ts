import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fingerprintOf } from '../../src/model/fingerprint.ts';
import { A, B, inventory, local, REPO, TORCH, withFile, type Contents } from './builders.ts';

const CONTENTS: Contents = {
  snapshots: { [A]: { 'model.bin': 'weights', 'config.json': 'c' } },
  refs: { main: A },
};
const NOT_LOOKED_FOR = { files: new Map(), links: new Map(), refs: new Map() };

test('the same contents have the same fingerprint, in whatever order they are found', () => {
  const tree = local(CONTENTS);
  const turned = {
    ...tree,
    files: new Map([...tree.files].toReversed()),
    links: new Map([...tree.links].toReversed()),
  };
  const other = local({ tree: TORCH, snapshots: { [A]: { x: 'y' } } });
  assert.equal(fingerprintOf(inventory(tree, other)), fingerprintOf(inventory(other, turned)));
});

test('a cache without any file has none, whatever else it holds', () => {
  assert.equal(fingerprintOf(inventory()), '');
  assert.equal(fingerprintOf(inventory(local({ refs: { main: A }, links: { x: 'y' } }))), '');
});

test('a tree without content, as a download begins it, is no difference', () => {
  const empty = { tree: 'hub/models--new--one', root: 'hub/models--new--one', ...NOT_LOOKED_FOR };
  const tree = local(CONTENTS);
  assert.equal(fingerprintOf(inventory(tree, empty)), fingerprintOf(inventory(tree)));
});

for (const [what, changed] of [
  [
    'another file',
    local({ ...CONTENTS, snapshots: { [A]: { 'model.bin': 'weights', 'config.json': 'd' } } }),
  ],
  ['a file less', local({ ...CONTENTS, snapshots: { [A]: { 'model.bin': 'weights' } } })],
  ['another link', local({ ...CONTENTS, links: { [`snapshots/${B}/x`]: '../../blobs/x' } })],
  ['another commit', local({ ...CONTENTS, refs: { main: B } })],
  ['another ref', local({ ...CONTENTS, refs: { main: A, dev: A } })],
  ['another tree', local({ ...CONTENTS, tree: 'hub/models--org--other' })],
] as const) {
  test(`${what} makes another fingerprint`, () => {
    assert.notEqual(fingerprintOf(inventory(changed)), fingerprintOf(inventory(local(CONTENTS))));
  });
}

test('a file that was written to makes another fingerprint', () => {
  const tree = local(CONTENTS);
  const [path = ''] = tree.files.keys();
  const written = withFile(tree, path, { identity: 'later' });
  assert.notEqual(fingerprintOf(inventory(written)), fingerprintOf(inventory(tree)));
});

test('contents that change places are another cache', () => {
  const other = { ...local(CONTENTS), tree: TORCH };
  const [one, two] = [local({ snapshots: { [A]: { x: '1' } } }), local({ snapshots: { [A]: { x: '2' } } })];
  assert.notEqual(
    fingerprintOf(inventory({ ...one, tree: REPO }, { ...two, tree: TORCH })),
    fingerprintOf(inventory({ ...two, tree: REPO }, { ...one, tree: TORCH })),
  );
  assert.notEqual(fingerprintOf(inventory(other)), fingerprintOf(inventory(local(CONTENTS))));
});

test('it is short for a cache of any size', () => {
  const files = Object.fromEntries(Array.from({ length: 2000 }, (_, index) => [`file-${index}`, `${index}`]));
  const prints = new Set([fingerprintOf(inventory(local({ snapshots: { [A]: files } })))]);
  for (const print of prints) assert.match(print, /^[0-9a-z-]{1,40}$/);
});
