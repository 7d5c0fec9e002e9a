import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { connectionsWithin, filesWithin } from '../../src/transfer/files-at-once.ts';

const HEADER = 'Limit                     Soft Limit           Hard Limit           Units     \n';

describe('files are staged at once', () => {
  const rows: readonly (readonly [string, string, number])[] = [
    ['as many as are worth it', '1024                 524288', 16],
    ['as many as are worth it, without a limit', 'unlimited            unlimited', 16],
    ['fewer under a low limit', '64                   64', 4],
    ['one under a lower one', '40                   40', 1],
  ];
  for (const [name, limit, count] of rows)
    test(name, () =>
      assert.equal(filesWithin(`${HEADER}Max open files            ${limit}     files\n`), count),
    );

  test('as many as are worth it where nobody tells', () => assert.equal(filesWithin(''), 16));
});

test('connections take the other half of what is left', () => {
  const limits = (soft: string): string =>
    `${HEADER}Max open files            ${soft}     524288     files\n`;
  assert.equal(connectionsWithin(limits('64')), 8);
  assert.equal(connectionsWithin(limits('1024')), 256);
  assert.equal(connectionsWithin(limits('40')), 2);
});
