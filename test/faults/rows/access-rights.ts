import { keyWithPolicy } from '../../support/reader-key.ts';
import type { Rig } from '../rig.ts';
import type { Row } from '../row.ts';
import type { Ran } from '../running.ts';

const WHAT_IT_NEEDS = 'Give it what [operations.md](operations.md#rights) names.';

export const rights: readonly Row[] = [
  {
    fault: 'the key may not list the bucket',
    sees: 'answered AccessDenied (403) for the listing of s3://…; give the key the rights s3:ListBucket, s3:GetObject…',
    todo: WHAT_IT_NEEDS,
    quick: true,
    expected: { within: 3, code: 'store-denied', published: 'nothing' },
    run: (rig) => initWithRights(rig, ['s3:GetObject'], '*'),
  },
  {
    fault: 'the key may list the bucket, and read nothing of it',
    sees: 'answered AccessDenied (403) for .model-cache/v1/…; give the key the rights s3:ListBucket, s3:GetObject…',
    todo: WHAT_IT_NEEDS,
    expected: { within: 3, code: 'store-denied', published: 'nothing' },
    run: (rig) => initWithRights(rig, ['s3:ListBucket'], '*'),
  },
  {
    fault: 'the key may read the manifests, and not the files',
    sees: 'answered AccessDenied (403) for …; give the key the rights s3:ListBucket, s3:GetObject…',
    todo: `${WHAT_IT_NEEDS} A policy for some prefixes only must name them all.`,
    expected: { within: 3, code: 'store-denied', published: 'nothing' },
    run: (rig) => initWithRights(rig, ['s3:ListBucket', 's3:GetObject'], '*/.model-cache/v1/[fm]*'),
  },
  {
    fault: 'there is no such bucket',
    sees: 'answered NoSuchBucket (404): there is no bucket no-such-bucket; make it with: aws s3 mb s3://no-such-bucket --endpoint-url http://…',
    todo: 'Correct `--store`, or make the bucket: the line holds the command.',
    quick: true,
    expected: { within: 3, code: 'store-bucket-missing', published: 'nothing' },
    run: (rig) => rig.init({ bucket: 'no-such-bucket' }),
  },
  {
    fault: 'the bucket is empty',
    sees: 'Nothing in the bucket yet: the server will download to …',
    todo: 'Nothing on a first deployment; the write-back sends what the server downloads.',
    quick: true,
    expected: { within: 3, code: 'bucket-empty', published: 'nothing' },
    run: async (rig) => rig.init({ bucket: await rig.minio.createBucket() }),
  },
  {
    fault: "the store's address is no address",
    sees: 'MODEL_CACHE_STORE: the store is named in another way (wanted s3://BUCKET/PREFIX or file:///PATH, found http://bucket/models)',
    todo: 'Write `s3://BUCKET/PREFIX`; the host goes into `--endpoint-url`.',
    quick: true,
    expected: { within: 3, code: 'setting-invalid', published: 'nothing' },
    run: (rig) => rig.init({ env: { MODEL_CACHE_STORE: 'http://bucket/models' } }),
  },
  {
    fault: 'the endpoint is no address, and has a key in it',
    sees: 'S3 model sync failed: AWS_ENDPOINT_URL: …',
    todo: 'Write `https://HOST`; keys go into their variables.',
    expected: { within: 3, code: 'setting-invalid', published: 'nothing' },
    run: (rig) =>
      rig.init({
        endpoint: 'https://someone:pass-of-the-test@[',
        secrets: ['pass-of-the-test', 'someone'],
      }),
  },
  {
    fault: 'no store is configured',
    sees: 'S3 model sync failed: no store is configured; set MODEL_CACHE_STORE',
    todo: 'Set `MODEL_CACHE_STORE` or `S3_BUCKET`.',
    quick: true,
    expected: { within: 3, code: 'store-not-configured', published: 'nothing' },
    run: (rig) => rig.init({ env: { MODEL_CACHE_STORE: undefined } }),
  },
  {
    fault: 'the store is turned off',
    sees: 'the store is turned off (MODEL_CACHE_ENABLED)',
    todo: 'Nothing: the server has its variables, and downloads.',
    quick: true,
    expected: { within: 3, code: 'ok', published: 'nothing' },
    run: (rig) => rig.init({ env: { MODEL_CACHE_ENABLED: 'false' } }),
  },
  {
    fault: 'nothing in the bucket answers to --model',
    sees: 'nothing in s3://… answers to --model org/other; model-cache init --dry-run lists what is there',
    todo: 'Correct the name; `model-cache status` lists what is there.',
    expected: { within: 3, code: 'model-not-found', published: 'nothing' },
    run: (rig) => rig.init({ args: ['--model', 'org/other'] }),
  },
  {
    fault: 'the store is dead, and --strict is given',
    sees: 'The server is not started: --strict, and store-unreachable; drop --strict to start it anyway',
    todo: 'Mend the store, or drop `--strict`.',
    quick: true,
    expected: {
      within: 3,
      code: 'store-unreachable',
      published: 'nothing',
      server: 'is not started',
      exitCode: 125,
    },
    run: (rig) => rig.init({ endpoint: 'http://127.0.0.1:1', args: ['--strict'] }),
  },
];

/** With a key that may do this to what the resource pattern names below any bucket, and nothing else. */
async function initWithRights(rig: Rig, actions: readonly string[], objects: string): Promise<Ran> {
  const statement = (action: string): object => ({
    Effect: 'Allow',
    Action: [action],
    Resource: [action === 's3:ListBucket' ? 'arn:aws:s3:::*' : `arn:aws:s3:::${objects}`],
  });
  const policy = { Version: '2012-10-17', Statement: actions.map(statement) };
  const env = await keyWithPolicy(rig.minio, JSON.stringify(policy));
  return rig.init({ env, secrets: Object.values(env) });
}
