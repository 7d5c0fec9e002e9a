import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { after, test } from 'node:test';
import * as v from 'valibot';
import { ModelCacheError } from '../src/errors.ts';
import { itemFailure, Reporter, ReportSchema, writeReport } from '../src/report.ts';
import { CacheDir } from './cache/cache-dir.ts';

const scratch = new CacheDir();
after(() => rmSync(scratch.path, { recursive: true }));

test('a report follows its schema from the first moment, and says ok until something is wrong', () => {
  const { value } = fresh();
  v.parse(ReportSchema, value);
  assert.deepEqual([value.code, value.store, value.dir, value.problems], ['ok', null, null, []]);
  assert.equal(value.startedAt, '2026-11-23T21:00:00.000Z');
});

test('a report with everything in it follows its schema, and survives being written', () => {
  const reporter = fresh();
  const count = { files: 1, bytes: 2 };
  const failure = itemFailure({ tree: 'hub/models--a--b', path: 'blobs/x', error: new Error('no') });
  reporter.add({
    code: 'restore-incomplete',
    exitCode: 125,
    store: 's3://b/models',
    dir: '/tmp/models',
    restore: {
      status: 'incomplete',
      fetched: count,
      present: count,
      reasons: { missing: 1 },
      bytesShort: 0,
      failures: [failure],
    },
    upload: {
      status: 'completed',
      sent: count,
      bytesSent: 2,
      present: count,
      manifests: ['m'],
      failures: [],
    },
    status: {
      inSync: false,
      leftOut: [{ path: 'hub', why: 'it is a link' }],
      trees: [
        {
          tree: 't',
          here: count,
          inBucket: count,
          missingHere: count,
          missingInBucket: count,
          differingNames: 0,
        },
      ],
      foreign: [{ path: 'x', files: 1, bytes: 2 }],
      writeBack: { pid: 1, server: 2, state: 'waiting', since: '2026-01-01T00:00:00.000Z' },
    },
    verify: { where: 'bucket', checked: count, failures: [failure] },
    exports: { HF_HOME: '/tmp/models' },
    server: { program: '/bin/true' },
  });
  reporter.problem(new ModelCacheError('setting-invalid', 'wrong', { hint: 'do better' }));
  const path = scratch.at('deep/folder/report.json');
  writeReport(path, reporter.value);
  const read: unknown = JSON.parse(readFileSync(path, 'utf8'));
  assert.deepEqual(v.parse(ReportSchema, read), read);
  assert.deepEqual(reporter.value.problems, [{ code: 'setting-invalid', message: 'wrong; do better' }]);
  assert.deepEqual(failure, { tree: 'hub/models--a--b', path: 'blobs/x', code: 'internal', message: 'no' });
});

test('phases are timed, added up when repeated, and told when they fail, too', async () => {
  const reporter = fresh();
  assert.equal(await reporter.phase('catalog', () => 7), 7);
  await reporter.phase('setup', () => Promise.resolve());
  await reporter.phase('setup', () => Promise.resolve());
  await assert.rejects(
    reporter.phase('transfer', () => Promise.reject(new Error('no'))),
    /no/,
  );
  assert.deepEqual(Object.keys(reporter.value.phases), ['catalog', 'setup', 'transfer']);
  for (const seconds of Object.values(reporter.value.phases)) assert.ok(seconds >= 0);
});

test('a report is written whole or not at all, over the one before', () => {
  const dir = new CacheDir(scratch.path);
  for (let round = 0; round < 2; round += 1) writeReport(dir.at('report.json'), fresh().value);
  assert.deepEqual(readdirSync(dir.path), ['report.json']);
  mkdirSync(dir.at('a-folder/full'), { recursive: true });
  assert.throws(() => writeReport(dir.at('a-folder'), fresh().value));
  assert.deepEqual(readdirSync(dir.path).toSorted(), ['a-folder', 'report.json']);
});

function fresh(): Reporter {
  return new Reporter('init', '1.2.3', performance.now(), new Date('2026-11-23T21:00:00Z'));
}
