import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  algorithmsOf,
  digestsAgree,
  digestsOfBlobName,
  firstMismatch,
  isCommit,
  isSha256,
  type Digests,
} from '../../src/model/digest.ts';
import { gitSha1, sha256 } from './builders.ts';

const SHA256 = sha256('weights');
const SHA1 = gitSha1('weights');
const OTHER = { sha256: sha256('other'), gitSha1: gitSha1('other') };

describe('a blob name', () => {
  const rows: readonly { name: string; blob: string; proves: Digests | undefined }[] = [
    { name: 'of 64 hex digits is the SHA-256', blob: SHA256, proves: { sha256: SHA256 } },
    { name: "of 40 hex digits is git's SHA-1", blob: SHA1, proves: { gitSha1: SHA1 } },
    { name: 'in upper case proves nothing', blob: SHA256.toUpperCase(), proves: undefined },
    { name: 'one digit short proves nothing', blob: SHA256.slice(1), proves: undefined },
    { name: 'one digit long proves nothing', blob: `${SHA1}0`, proves: undefined },
    { name: 'with a letter that is no digit proves nothing', blob: `g${SHA1.slice(1)}`, proves: undefined },
    { name: 'with a newline proves nothing', blob: `${SHA256}\n`, proves: undefined },
    { name: 'of an unfinished download proves nothing', blob: `${SHA256}.incomplete`, proves: undefined },
    { name: 'that is empty proves nothing', blob: '', proves: undefined },
  ];
  for (const { name, blob, proves } of rows) {
    test(name, () => {
      assert.deepEqual(digestsOfBlobName(blob), proves);
      assert.equal(isSha256(blob), proves?.sha256 !== undefined);
      assert.equal(isCommit(blob), proves?.gitSha1 !== undefined);
    });
  }

  test('is the same that git gives the content', () => {
    assert.equal(gitSha1('what is up, doc?'), 'bd9dbf5aae1a3862dd1526723246b20206e5fc37');
  });
});

describe('what was found', () => {
  const both = { sha256: SHA256, gitSha1: SHA1 };
  const rows: readonly { name: string; wanted: Digests; found: Digests; agrees: boolean; says?: string }[] = [
    { name: 'proves the same SHA-256', wanted: { sha256: SHA256 }, found: both, agrees: true },
    { name: 'proves the same git SHA-1', wanted: { gitSha1: SHA1 }, found: both, agrees: true },
    { name: 'proves both by one of them', wanted: both, found: { gitSha1: SHA1 }, agrees: true },
    {
      name: 'proves nothing with another algorithm',
      wanted: { sha256: SHA256 },
      found: { gitSha1: SHA1 },
      agrees: false,
    },
    { name: 'proves nothing when it was not hashed', wanted: both, found: {}, agrees: false },
    { name: 'proves nothing when nothing is wanted', wanted: {}, found: both, agrees: false },
    {
      name: 'contradicts by its SHA-256',
      wanted: both,
      found: { sha256: OTHER.sha256 },
      agrees: false,
      says: `sha256 ${OTHER.sha256}`,
    },
    {
      name: 'contradicts by its git SHA-1',
      wanted: both,
      found: { gitSha1: OTHER.gitSha1 },
      agrees: false,
      says: `git sha1 ${OTHER.gitSha1}`,
    },
    {
      name: 'contradicts though one of two agrees',
      wanted: both,
      found: { sha256: SHA256, gitSha1: OTHER.gitSha1 },
      agrees: false,
      says: `git sha1 ${OTHER.gitSha1}`,
    },
  ];
  for (const { name, wanted, found, agrees, says } of rows) {
    test(name, () => {
      assert.equal(digestsAgree(wanted, found), agrees);
      assert.equal(firstMismatch(wanted, found)?.found, says);
    });
  }
});

test('every digest that is named is to be computed, and no other', () => {
  assert.deepEqual(algorithmsOf({}), []);
  assert.deepEqual(algorithmsOf({ sha256: SHA256 }), ['sha256']);
  assert.deepEqual(algorithmsOf({ gitSha1: SHA1 }), ['git-sha1']);
  assert.deepEqual(algorithmsOf({ gitSha1: SHA1, sha256: SHA256 }), ['sha256', 'git-sha1']);
});
