import assert from 'node:assert/strict';
import { posix } from 'node:path';
import type { Catalog, CatalogTree } from '../../src/model/catalog.ts';
import { isCommit } from '../../src/model/digest.ts';
import { isAllowedTree, isRepoTree, mayHoldBytes, roleOf } from '../../src/model/tree.ts';
import { ALSO } from './arbitraries.ts';

const DIR = '/cache';

/** Whatever a bucket said: what is left of it can be written below a dir, and leads nowhere else. */
export function assertHarmless(catalog: Catalog): void {
  for (const tree of catalog.trees) assertHarmlessTree(tree);
  assertApart(
    catalog.trees.flatMap(({ tree, ...leaves }) => leavesOf(leaves).map((path) => `${tree}/${path}`)),
  );
}

function assertHarmlessTree({ tree, files, links, refs }: CatalogTree): void {
  assert.ok(isAllowedTree(tree, [ALSO]), `the tree ${tree}`);
  assert.ok(tree === ALSO || tree.includes('/'), `the tree ${tree} is called otherwise`);
  for (const path of leavesOf({ files, links, refs }))
    assertBelow(`${DIR}/${tree}`, `${DIR}/${tree}/${path}`);
  for (const { path } of files) {
    assert.ok(mayHoldBytes(tree, path), `the file ${path}`);
    assert.doesNotMatch(path, /(^|\/)(token|\.env|key\.pem)(\/|$)/);
  }
  for (const { path, target, to } of links) {
    assert.equal(posix.join(posix.dirname(path), target), to, `the link ${path}`);
    assert.equal(roleOf(tree, path)?.role, isRepoTree(tree) ? 'snapshot' : 'file');
    assert.equal(roleOf(tree, to)?.role, isRepoTree(tree) ? 'blob' : 'file', `where ${path} leads`);
  }
  for (const { path, content } of refs) {
    assert.equal(roleOf(tree, path)?.role, 'ref', `the ref ${path}`);
    assert.ok(isCommit(content));
  }
}

function leavesOf({ files, links, refs }: Pick<CatalogTree, 'files' | 'links' | 'refs'>): readonly string[] {
  return [...files, ...links, ...refs].map(({ path }) => path);
}

function assertBelow(folder: string, path: string): void {
  assert.ok(path.startsWith(`${folder}/`), path);
  assert.equal(posix.normalize(path), path);
  // oxlint-disable-next-line no-control-regex -- control characters are exactly what must not get through
  assert.doesNotMatch(path, /[\u0000-\u001f\u007f-\u009f\\]/);
  assert.ok(path.split('/').every((name) => Buffer.byteLength(name) <= 255));
}

/** No name is there twice, and none is the folder of another. */
function assertApart(paths: readonly string[]): void {
  const leaves = new Set(paths);
  assert.equal(leaves.size, paths.length);
  for (const path of paths) {
    for (let above = posix.dirname(path); above !== '.'; above = posix.dirname(above))
      assert.ok(!leaves.has(above), `${path} lies below ${above}`);
  }
}
