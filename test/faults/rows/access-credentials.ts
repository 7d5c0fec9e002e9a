import { chmodSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { put } from '../../support/tree.ts';
import { refusal } from '../answers.ts';
import { listener } from '../listeners.ts';
import type { Rig, RunOptions } from '../rig.ts';
import type { Row } from '../row.ts';
import type { Ran } from '../running.ts';

const NO_KEYS = { AWS_ACCESS_KEY_ID: undefined, AWS_SECRET_ACCESS_KEY: undefined };
const NO_CREDENTIALS = 'S3 model sync failed: no credentials for http://…; set AWS_ACCESS_KEY_ID';
const TOKEN = 'expired-token-of-the-test';

export const credentials: readonly Row[] = [
  {
    fault: 'there are no credentials',
    sees: NO_CREDENTIALS,
    todo: 'Set `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`, or mount what they should come from.',
    quick: true,
    expected: { within: 3, code: 'store-credentials-missing', published: 'nothing' },
    run: (rig) => rig.init({ env: NO_KEYS }),
  },
  {
    fault: 'the variables of the credentials are empty',
    sees: NO_CREDENTIALS,
    todo: 'Look at the secret that they are filled from.',
    quick: true,
    expected: { within: 3, code: 'store-credentials-missing', published: 'nothing' },
    run: (rig) => rig.init({ env: { AWS_ACCESS_KEY_ID: '', AWS_SECRET_ACCESS_KEY: '' } }),
  },
  {
    fault: 'there is an access key id, and no secret access key',
    sees: NO_CREDENTIALS,
    todo: 'Set both.',
    expected: { within: 3, code: 'store-credentials-missing', published: 'nothing' },
    run: (rig) => rig.init({ env: { AWS_SECRET_ACCESS_KEY: undefined } }),
  },
  {
    fault: 'a line end is behind the keys, as in a secret made with `echo`',
    sees: 'S3 model sync completed - models cached in …',
    todo: 'Nothing: spaces around a value are not of it.',
    expected: { within: 5, code: 'ok', published: 'everything' },
    run: (rig) => {
      const { accessKeyId, secretAccessKey } = rig.minio;
      return rig.init({
        env: { AWS_ACCESS_KEY_ID: `${accessKeyId}\n`, AWS_SECRET_ACCESS_KEY: ` ${secretAccessKey}\r\n` },
      });
    },
  },
  {
    fault: 'the store does not know the access key',
    sees: 'answered InvalidAccessKeyId (403): it does not know this access key; check the endpoint (http://…',
    todo: 'Compare endpoint and key: they belong to one cluster of one provider.',
    quick: true,
    expected: { within: 3, code: 'store-credentials-refused', published: 'nothing' },
    run: (rig) => rig.init({ env: { AWS_ACCESS_KEY_ID: 'NOBODYSKEY' }, secrets: ['NOBODYSKEY'] }),
  },
  {
    fault: 'the secret access key is wrong',
    sees: 'answered SignatureDoesNotMatch (403): the secret access key does not fit the access key; check the secret access key…',
    todo: 'Set the secret anew.',
    quick: true,
    expected: { within: 3, code: 'store-credentials-refused', published: 'nothing' },
    run: (rig) =>
      rig.init({ env: { AWS_SECRET_ACCESS_KEY: 'wrong-secret-of-the-test' }, secrets: ['wrong-secret'] }),
  },
  {
    fault: 'the session token has expired',
    sees: 'answered ExpiredToken (400): the session token is not valid any more; get new temporary credentials…',
    todo: 'Get new temporary credentials, or use a key that does not expire.',
    quick: true,
    expected: { within: 3, code: 'store-credentials-refused', published: 'nothing' },
    run: async (rig) => {
      const { endpoint } = await rig.spoiled(() => refusal(400, 'ExpiredToken'));
      return rig.init({ endpoint, env: { AWS_SESSION_TOKEN: TOKEN }, secrets: [TOKEN] });
    },
  },
  {
    fault: 'the session token is none of the store',
    sees: 'the session token is not valid any more; get new temporary credentials…',
    todo: 'Unset `AWS_SESSION_TOKEN` where the key is a permanent one.',
    expected: { within: 3, code: 'store-credentials-refused', published: 'nothing' },
    run: (rig) => rig.init({ env: { AWS_SESSION_TOKEN: TOKEN }, secrets: [TOKEN] }),
  },
  {
    fault: 'the session token expires in the middle',
    sees: 'answered ExpiredToken (400): the session token is not valid any more; get new temporary credentials…',
    todo: 'Get temporary credentials that live longer than a start takes.',
    expected: { within: 5, code: 'store-credentials-refused', published: 'what was verified' },
    run: async (rig) => {
      const { endpoint } = await rig.spoiled(({ kind, nth }) =>
        kind === 'content' && nth > 4 ? refusal(400, 'ExpiredToken') : undefined,
      );
      return rig.init({ endpoint });
    },
  },
  {
    fault: 'the profile is not there',
    sees: 'S3 model sync failed: no credentials for http://…',
    todo: 'Mount the file of the profile, and name it in `AWS_SHARED_CREDENTIALS_FILE`.',
    expected: { within: 3, code: 'store-credentials-missing', published: 'nothing' },
    run: (rig) => rig.init({ env: { ...NO_KEYS, AWS_PROFILE: 'nobody' } }),
  },
  {
    fault: 'the program that should give credentials hangs',
    sees: 'S3 model sync failed: no credentials: the profile default did not answer within 2 s; check the profile…',
    todo: 'Run the `credential_process` of the profile by hand.',
    expected: { within: 4, code: 'store-credentials-missing', published: 'nothing' },
    run: (rig) => initWithProcess(rig, 'exec sleep 4'),
  },
  {
    fault: 'the program that should give credentials hangs, and --timeout is shorter than --stall',
    sees: 'S3 model sync failed: not done after 1 s (--timeout)',
    todo: 'Run the `credential_process` of the profile by hand.',
    expected: { within: 2.5, code: 'store-timeout', published: 'nothing' },
    run: (rig) => initWithProcess(rig, 'exec sleep 3', ['--timeout', '1s']),
  },
  {
    fault: 'a stop signal comes while credentials are waited for',
    sees: 'stopped by SIGTERM',
    todo: 'Nothing: it ends at once, as it was asked.',
    expected: {
      within: 3,
      code: 'interrupted',
      published: 'nothing',
      server: 'is not started',
      exitCode: 143,
      warnings: 0,
    },
    run: async (rig) => {
      const running = await rig.start('init', withProcess(rig, 'touch "$0.began"; exec sleep 3'));
      await running.until(() => existsSync(join(rig.scratch, 'credentials.began')));
      process.kill(running.pid, 'SIGTERM');
      return running.ended;
    },
  },
  {
    fault: 'the program that should give credentials fails, and says a secret',
    sees: NO_CREDENTIALS,
    todo: 'Run the `credential_process` of the profile by hand.',
    expected: { within: 3, code: 'store-credentials-missing', published: 'nothing' },
    run: (rig) => initWithProcess(rig, 'echo "secret-of-the-process"; exit 3'),
  },
  {
    fault: "the container's credentials are not answered",
    sees: 'S3 model sync failed: no credentials: the container did not answer within 2.5 s; check the profile, the web identity or the container that they should come from',
    todo: 'Look after the agent that `AWS_CONTAINER_CREDENTIALS_FULL_URI` names.',
    expected: { within: 4, code: 'store-credentials-missing', published: 'nothing' },
    run: async (rig) => {
      const uri = `http://${await listener(rig, () => undefined)}/credentials`;
      return rig.init({
        env: { ...NO_KEYS, AWS_CONTAINER_CREDENTIALS_FULL_URI: uri },
        args: ['--stall', '5s'],
      });
    },
  },
  {
    fault: "a setup prints the store's keys",
    sees: 'setup: the key is ... of ...',
    todo: 'Nothing: known secrets are taken out of whatever is said.',
    quick: true,
    expected: { within: 3, code: 'ok', published: 'everything' },
    run: (rig) =>
      rig.init({ args: ['--setup', 'echo "the key is $AWS_SECRET_ACCESS_KEY of $AWS_ACCESS_KEY_ID"'] }),
  },
  {
    fault: '--imds is given, and no metadata service answers',
    sees: 'S3 model sync failed: no credentials…',
    todo: 'Drop `--imds` where this is no EC2 instance.',
    expected: { within: 4, code: 'store-credentials-missing', published: 'nothing' },
    run: async (rig) => {
      const service = `http://${await listener(rig, () => undefined)}`;
      return rig.init({
        env: { ...NO_KEYS, AWS_EC2_METADATA_SERVICE_ENDPOINT: service },
        args: ['--imds'],
      });
    },
  },
];

function initWithProcess(rig: Rig, script: string, args?: readonly string[]): Promise<Ran> {
  return rig.init(withProcess(rig, script, args));
}

/** With a profile whose credentials come from a shell script. */
function withProcess(rig: Rig, script: string, args: readonly string[] = ['--stall', '2s']): RunOptions {
  const program = join(rig.scratch, 'credentials');
  const config = join(rig.scratch, 'config');
  put(program, `#!/bin/sh\n${script}\n`);
  chmodSync(program, 0o755);
  put(config, `[default]\ncredential_process = ${program}\n`);
  return { env: { ...NO_KEYS, AWS_CONFIG_FILE: config }, args, secrets: ['secret-of-the-process'] };
}
