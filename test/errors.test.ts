import assert from 'node:assert/strict';
import { test } from 'node:test';
import { explain, hasErrno, isInterrupted, ModelCacheError, toModelCacheError } from '../src/errors.ts';

for (const [errno, code] of [
  ['ENOSPC', 'disk-full'],
  ['EDQUOT', 'disk-full'],
  ['EROFS', 'disk-failed'],
  ['EIO', 'disk-failed'],
  ['EACCES', 'disk-failed'],
  ['EPERM', 'disk-failed'],
  ['EMFILE', 'disk-failed'],
  ['ENOENT', 'disk-failed'],
  ['ENOTDIR', 'disk-failed'],
  ['ENOTEMPTY', 'disk-failed'],
  ['ELOOP', 'disk-failed'],
  ['ENAMETOOLONG', 'disk-failed'],
  ['EFBIG', 'disk-failed'],
  ['ESTALE', 'disk-failed'],
] as const) {
  test(`${errno} is ${code}, not a bug of ours`, () => {
    const error = Object.assign(new Error(`${errno}: no`), { code: errno });
    assert.equal(toModelCacheError(error).code, code);
    assert.equal(toModelCacheError(error).cause, error);
  });
}

test('a used-up quota is known by its number: Node has no name for it', () => {
  const error = Object.assign(new Error('Unknown system error -122, write'), {
    code: 'Unknown system error -122',
    errno: -122,
  });
  assert.equal(toModelCacheError(error).code, 'disk-full');
  assert.match(explain(error), /^EDQUOT: the disk quota is used up; free some space/);
});

test('what nobody foresaw is internal, with its cause', () => {
  for (const thrown of [new TypeError('x is not a function'), 'a string', undefined, null, 7]) {
    const error = toModelCacheError(thrown);
    assert.equal(error.code, 'internal');
    assert.notEqual(error.message, '');
  }
});

test('an error of ours stays what it is', () => {
  const ours = new ModelCacheError('bucket-empty', 'nothing');
  assert.equal(toModelCacheError(ours), ours);
});

test('an explanation is one line: what happened, wanted and found, what to do', () => {
  const details = { wanted: 'a', found: 'b', hint: 'do c' };
  assert.equal(
    explain(new ModelCacheError('setting-invalid', 'wrong', details)),
    'wrong (wanted a, found b); do c',
  );
  assert.equal(
    explain(new ModelCacheError('setting-invalid', 'wrong', { wanted: 'a' })),
    'wrong (wanted a, found nothing)',
  );
  assert.equal(explain(new ModelCacheError('setting-invalid', 'first\r\n  second\n')), 'first second ');
  assert.equal(explain(new Error('')), 'Error');
});

test('only a stop signal interrupts', () => {
  const stopped = new ModelCacheError('interrupted', 'stopped by SIGTERM');
  assert.equal(isInterrupted(AbortSignal.abort(stopped)), true);
  assert.equal(isInterrupted(AbortSignal.abort(new Error('a bug'))), false);
  assert.equal(isInterrupted(new AbortController().signal), false);
});

test('an errno is found in whatever was thrown', () => {
  assert.equal(hasErrno({ code: 'ENOENT' }, 'EACCES', 'ENOENT'), true);
  for (const thrown of [undefined, null, 'ENOENT', { code: 7 }])
    assert.equal(hasErrno(thrown, 'ENOENT'), false);
});
