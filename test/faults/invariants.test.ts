import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { startBench, type Bench } from './bench.ts';
import { hold, isSeen } from './hold.ts';
import type { Row } from './row.ts';
import { details } from './table.ts';

const SOUND: Row = {
  fault: 'nothing is broken',
  sees: 'S3 model sync completed - models cached in …',
  todo: 'Nothing.',
  expected: { within: 10, code: 'ok', published: 'everything' },
  run: (rig) => rig.init(),
};

/** What the server does to the dir stands for what the program might have done. */
const SABOTAGES: readonly (readonly [string, string, RegExp])[] = [
  [
    'a wrong byte under a final name',
    'for f in $HF_HUB_CACHE/*large/blobs/*; do echo x >> $f; done',
    /is not what it was/,
  ],
  ['a file that nobody asked for', 'echo x > $HF_HOME/more', /more is in the dir, and nobody asked for it/],
  ['a link that leads nowhere', 'rm $HF_HUB_CACHE/*large/blobs/*', /leads nowhere/],
  ['a ref without its commit', 'rm -r $HF_HUB_CACHE/*small/snapshots', /refs\/main is there, and .* is not/],
  [
    'a staged file',
    'mkdir -p $HF_HOME/.model-cache/partial; echo x > $HF_HOME/.model-cache/partial/y',
    /partial\/y was left/,
  ],
  ['a secret on stdout', 'echo $AWS_SECRET_ACCESS_KEY', /stdout holds a secret/],
  [
    'an access key id in a file',
    'echo $AWS_ACCESS_KEY_ID > $HF_HOME/.model-cache/x',
    /\.model-cache\/x holds a secret/,
  ],
  ['a signature on stderr', 'echo "x?X-Amz-Signature=f00d" >&2', /stderr holds x-amz-signature/],
  ['words that are no log', 'echo hello >&2', /stderr has more than the log: hello/],
  ['a process', 'sleep 30 > /dev/null 2>&1 &', /process \d+ is left: sleep 30/],
];

describe('what must hold after every row is looked at', { concurrency: 3 }, () => {
  let bench: Bench;
  before(async () => {
    bench = await startBench();
  });
  after(() => bench.stop());

  test('a sound run holds', async () => {
    const outcome = await hold(bench, SOUND);
    assert.equal(outcome.kind, 'held', details(outcome));
  });

  for (const [what, serverDoes, says] of SABOTAGES) {
    test(`${what} is noticed`, async () => {
      const outcome = await hold(bench, { ...SOUND, run: (rig) => rig.init({ serverDoes }) });
      assert.equal(outcome.kind, 'failed');
      assert.match(details(outcome), says);
    });
  }

  test('another variable than that of the dir, and a server that did not run, are noticed', async () => {
    const moved = await hold(bench, {
      ...SOUND,
      run: async (rig) => ({ ...(await rig.init()), serverEnv: { HF_HOME: '/elsewhere' } }),
    });
    assert.match(details(moved), /HF_HOME is \/elsewhere/);
    assert.match(details(moved), /TORCH_HOME is not set/);
    const silent = await hold(bench, {
      ...SOUND,
      run: async (rig) => ({ ...(await rig.init()), serverEnv: undefined }),
    });
    assert.match(details(silent), /the server did not run/);
  });

  test('an object in the bucket that is not what its manifest says is noticed', async () => {
    for (const spoil of ['remove', 'write'] as const) {
      const outcome = await hold(bench, {
        ...SOUND,
        sees: 'Models uploaded to S3…',
        run: async (rig) => {
          const ran = await rig.upload();
          if (spoil === 'remove') await rig.minio.remove(ran.bucket, rig.largest);
          else await rig.minio.write(ran.bucket, rig.largest, 'other bytes');
          return ran;
        },
      });
      assert.match(details(outcome), /a manifest names .*\/blobs\//);
    }
  });

  test('what a row expects is held against what came', async () => {
    const expected = {
      within: 10,
      code: 'store-failed',
      published: 'nothing',
      warnings: 3,
      exitCode: 1,
    } as const;
    const outcome = await hold(bench, { ...SOUND, sees: 'nothing of the kind', expected });
    for (const says of [
      /the report says ok, not store-failed/,
      /26 of 26 are there, not nothing/,
      /the exit code is 0, not 1/,
      /there are 0 warnings, not 3/,
      /nobody said: nothing of the kind/,
    ])
      assert.match(details(outcome), says);
  });
});

test('three dots in a line of the log stand for anything, and nothing else does', () => {
  assert.ok(isSeen('cannot reach http://…: ECONN', 'S3: cannot reach http://h:1: ECONNRESET'));
  assert.ok(!isSeen('a.c', 'abc'));
  assert.ok(!isSeen('(one|two)', 'one'));
});
