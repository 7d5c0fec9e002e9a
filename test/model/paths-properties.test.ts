import assert from 'node:assert/strict';
import { posix } from 'node:path';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { isSafePath, linkTarget, resolveLink } from '../../src/model/paths.ts';

/** Most are no safe path, and many nearly one. */
const text = fc.oneof(
  fc.string({
    unit: fc.constantFrom('a', 'b', '.', '/', '-', '~', ' ', '\\', 'é', '0', '../', './', '\0', '\ud800'),
    maxLength: 24,
  }),
  fc.integer({ min: 250, max: 260 }).map((length) => 'n'.repeat(length)),
  fc.integer({ min: 29, max: 34 }).map((depth) => `${'d/'.repeat(depth)}n`),
);
const safePath = fc
  .array(fc.constantFrom('a', 'b', 'c1', '.a', 'a b', 'snapshots', 'blobs'), { minLength: 1, maxLength: 5 })
  .map((names) => names.join('/'));

/** Name by name. */
function isSafe(path: string): boolean {
  const names = path.split('/');
  return (
    path.isWellFormed() &&
    !/[\\\0]/.test(path) &&
    Buffer.byteLength(path) <= 1024 &&
    names.length <= 32 &&
    names.every((name) => !['', '.', '..'].includes(name) && Buffer.byteLength(name) <= 255)
  );
}

test('a path is safe when each of its names is', () => {
  fc.assert(
    fc.property(text, (path) => assert.equal(isSafePath(path), isSafe(path))),
    { numRuns: 2000 },
  );
});

test('a link leads where the path of its folder and its target, joined, lead', () => {
  fc.assert(
    fc.property(fc.oneof(safePath, text), fc.oneof(text, linkText()), (path, target) => {
      const joined = posix.join(posix.dirname(path), target);
      const isOne =
        target !== '' && !target.startsWith('/') && target.isWellFormed() && !/[\\\0]/.test(target);
      assert.equal(resolveLink(path, target), isOne && isSafe(joined) ? joined : undefined);
    }),
    { numRuns: 2000 },
  );
});

test('the text of a link is the shortest way, and leads there', () => {
  fc.assert(
    fc.property(safePath, safePath, (path, to) => {
      const target = linkTarget(path, to);
      assert.equal(target, posix.relative(`/${posix.dirname(path)}`, `/${to}`));
      if (target !== '' && !posix.dirname(path).startsWith(to)) assert.equal(resolveLink(path, target), to);
    }),
    { numRuns: 2000 },
  );
});

function linkText(): fc.Arbitrary<string> {
  return fc.tuple(fc.integer({ min: 0, max: 6 }), safePath).map(([up, down]) => '../'.repeat(up) + down);
}
