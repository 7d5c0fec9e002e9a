import type { OptionKey } from '../../src/settings/options.ts';
import type { Settings } from '../../src/settings/settings.ts';

export interface Row {
  readonly key: OptionKey;
  readonly read: (settings: Settings) => unknown;
  /** What flag, variable and fallbacks say, and what comes out; the last is the default. */
  readonly flag: readonly [string | boolean | readonly string[], unknown];
  readonly variable: readonly [string, unknown];
  readonly fallbacks?: readonly (readonly [string, string, unknown])[];
  readonly byDefault: unknown;
}

export const TABLE: readonly Row[] = [
  {
    key: 'store',
    read: ({ store }) => (store?.kind === 's3' ? `${store.bucket}/${store.prefix}` : store?.path),
    flag: ['s3://flag/f', 'flag/f'],
    variable: ['file:///variable', '/variable'],
    byDefault: 'bucket/models',
  },
  {
    key: 'dir',
    read: ({ dirs }) => dirs,
    flag: [
      ['/f1', '/f2'],
      ['/f1', '/f2'],
    ],
    variable: ['/v1:/v2', ['/v1', '/v2']],
    byDefault: ['/tmp/models', '/runpod-volume/models'],
  },
  {
    key: 'endpointUrl',
    read: endpointOf,
    flag: ['http://flag:1', 'http://flag:1'],
    variable: ['variable.example', 'https://variable.example'],
    fallbacks: [
      ['AWS_ENDPOINT_URL_S3', 'http://s3:1/', 'http://s3:1'],
      ['AWS_ENDPOINT_URL', 'http://aws:1', 'http://aws:1'],
    ],
    byDefault: undefined,
  },
  {
    key: 'region',
    read: ({ store }) => (store?.kind === 's3' ? store.region : undefined),
    flag: ['flag-1', 'flag-1'],
    variable: ['variable-1', 'variable-1'],
    fallbacks: [
      ['AWS_REGION', 'aws-1', 'aws-1'],
      ['AWS_DEFAULT_REGION', 'default-1', 'default-1'],
    ],
    byDefault: 'us-east-1',
  },
  yesNo('noSignRequest', ({ store }) => store?.kind === 's3' && store.credentials.anonymous),
  yesNo('imds', ({ store }) => store?.kind === 's3' && store.credentials.imds),
  {
    key: 'models',
    read: ({ selection }) => selection.models.map(({ text }) => text),
    flag: [
      ['a/b', 'c/d@main:*.bin'],
      ['a/b', 'c/d@main:*.bin'],
    ],
    variable: ['a/b, c/d\ne/f', ['a/b', 'c/d', 'e/f']],
    byDefault: [],
  },
  {
    key: 'preset',
    read: ({ selection }) => selection.models.length,
    flag: ['f5-tts', 2],
    variable: ['f5-tts', 2],
    byDefault: 0,
  },
  {
    key: 'exclude',
    read: ({ selection }) => selection.exclude,
    flag: [['*.bin'], ['*.bin']],
    variable: ['*.bin,*.pt', ['*.bin', '*.pt']],
    byDefault: [],
  },
  {
    key: 'also',
    read: ({ also }) => also.map(({ tree, variable }) => [tree, variable]),
    flag: [['ckpts/'], [['ckpts', undefined]]],
    variable: [
      'ckpts=CKPT_DIR,./more',
      [
        ['ckpts', 'CKPT_DIR'],
        ['more', undefined],
      ],
    ],
    byDefault: [],
  },
  {
    key: 'reuse',
    read: ({ reuse }) => reuse,
    flag: [['/r'], ['/r']],
    variable: ['/r,/s', ['/r', '/s']],
    byDefault: [],
  },
  {
    key: 'rest',
    read: ({ rest }) => rest,
    flag: ['skip', 'skip'],
    variable: ['skip', 'skip'],
    byDefault: 'skip',
  },
  text('locked', ({ locked }) => locked),
  text('transformersCache', ({ transformersCache }) => transformersCache),
  text('report', ({ report }) => report),
  yesNo('acceptUnverified', ({ acceptUnverified }) => acceptUnverified),
  {
    key: 'stall',
    read: ({ stall }) => stall,
    flag: ['90s', 90_000],
    variable: ['45', 45_000],
    byDefault: 30_000,
  },
  {
    key: 'minSpeed',
    read: ({ minSpeed }) => minSpeed,
    flag: ['0', 0],
    variable: ['2.5', 2.5e6],
    byDefault: 5e6,
  },
  {
    key: 'connections',
    read: ({ paceBounds }) => paceBounds.width,
    flag: ['16', 16],
    variable: ['4', 4],
    byDefault: 64,
  },
  {
    key: 'partSize',
    read: ({ paceBounds }) => paceBounds.partBytes,
    flag: ['64', 64 * 1024 * 1024],
    variable: ['8', 8 * 1024 * 1024],
    byDefault: 32 * 1024 * 1024,
  },
  {
    key: 'timeout',
    read: ({ timeout }) => timeout,
    flag: ['5m', 300_000],
    variable: ['1h', 3_600_000],
    byDefault: undefined,
  },
  yesNo('strict', ({ strict }) => strict),
  {
    key: 'setup',
    read: ({ setup }) => setup,
    flag: [['echo a, b'], ['echo a, b']],
    variable: ['echo a, b\necho c', ['echo a, b', 'echo c']],
    byDefault: [],
  },
  {
    key: 'setupTimeout',
    read: ({ setupTimeout }) => setupTimeout,
    flag: ['1m', 60_000],
    variable: ['2m', 120_000],
    byDefault: 900_000,
  },
  {
    key: 'writeBack',
    read: ({ writeBack }) => writeBack,
    flag: ['wait', 'wait'],
    variable: ['off', 'off'],
    byDefault: 'auto',
  },
  {
    key: 'writeBackIdle',
    read: ({ writeBackIdle }) => writeBackIdle,
    flag: ['0', 0],
    variable: ['1h', 3_600_000],
    byDefault: 900_000,
  },
  {
    key: 'grace',
    read: ({ grace }) => grace,
    flag: ['3', 3000],
    variable: ['20s', 20_000],
    byDefault: 8000,
  },
  {
    key: 'bwlimit',
    read: ({ bwlimit }) => bwlimit,
    flag: ['20', 20e6],
    variable: ['0.5', 500_000],
    byDefault: undefined,
  },
  {
    key: 'abandonAfter',
    read: ({ abandonAfter }) => abandonAfter,
    flag: ['0', 0],
    variable: ['1h', 3_600_000],
    byDefault: 86_400_000,
  },
  {
    key: 'owner',
    read: ({ owner }) => owner && [owner.uid, owner.gid],
    flag: ['1000:2000', [1000, 2000]],
    variable: ['1000', [1000, 1000]],
    byDefault: undefined,
  },
  yesNo('dropCredentials', ({ dropCredentials }) => dropCredentials),
  yesNo('dryRun', ({ dryRun }) => dryRun),
  yesNo('json', ({ json }) => json),
  yesNo('check', ({ check }) => check),
  yesNo('remote', ({ remote }) => remote),
  {
    key: 'format',
    read: ({ format }) => format,
    flag: ['json', 'json'],
    variable: ['docker', 'docker'],
    byDefault: 'sh',
  },
  {
    key: 'logLevel',
    read: ({ log }) => log.level,
    flag: ['debug', 'debug'],
    variable: ['warn', 'warn'],
    byDefault: 'info',
  },
  {
    key: 'logFormat',
    read: ({ log }) => log.format,
    flag: ['json', 'json'],
    variable: ['json', 'json'],
    byDefault: 'text',
  },
];

function endpointOf({ store }: Settings): unknown {
  return store?.kind === 's3' ? store.endpoint : 'no bucket';
}

function yesNo(key: OptionKey, read: Row['read']): Row {
  return { key, read, flag: [true, true], variable: ['yes', true], byDefault: false };
}

function text(key: OptionKey, read: Row['read']): Row {
  return { key, read, flag: ['/flag', '/flag'], variable: ['/variable', '/variable'], byDefault: undefined };
}
