import assert from 'node:assert/strict';
import { test } from 'node:test';
import { explain } from '../../src/errors.ts';
import { optionKeys, OTHER_VARIABLES, variableOf, type OptionKey } from '../../src/settings/options.ts';
import { argsOf, parseBoolean, RawSettings } from '../../src/settings/raw.ts';

for (const [name, nearest] of [
  ['MODEL_CACHE_STROE', 'MODEL_CACHE_STORE'],
  ['MODEL_CACHE_DIRS', 'MODEL_CACHE_DIR'],
  ['MODEL_CACHE_MODEL', 'MODEL_CACHE_MODELS'],
  ['MODEL_CACHE_ENDPOINT', 'MODEL_CACHE_ENDPOINT_URL'],
  ['MODEL_CACHE_MINSPEED', 'MODEL_CACHE_MIN_SPEED'],
  ['MODEL_CACHE_SECRET_ACCESKEY', 'MODEL_CACHE_SECRET_ACCESS_KEY'],
] as const) {
  test(`${name} is unknown: did you mean ${nearest}?`, () => {
    const raw = new RawSettings({}, { [name]: 'x' }, true);
    raw.noteUnknownVariables();
    assert.equal(raw.problems.length, 1);
    assert.match(explain(raw.problems[0]), new RegExp(`${name} .*did you mean ${nearest}\\?`));
  });
}

test('one that is like no other is unknown, and no other is suggested', () => {
  const raw = new RawSettings({}, { MODEL_CACHE_XYZZY: 'x' }, true);
  raw.noteUnknownVariables();
  assert.equal(
    explain(raw.problems[0]),
    'MODEL_CACHE_XYZZY is no variable of model-cache; model-cache COMMAND --help shows which there are',
  );
});

for (const name of [
  'MODEL_CACHE_SERVICE_HOST',
  'MODEL_CACHE_SERVICE_PORT',
  'MODEL_CACHE_SERVICE_PORT_HTTP',
  'MODEL_CACHE_PORT',
  'MODEL_CACHE_PORT_80_TCP_ADDR',
  'MODEL_CACHES',
  'MY_MODEL_CACHE_STORE',
  'PATH',
]) {
  test(`${name} is somebody else's: nothing is said`, () => {
    const raw = new RawSettings({}, { [name]: 'tcp://10.0.0.1:80' }, true);
    raw.noteUnknownVariables();
    assert.deepEqual(raw.problems, []);
  });
}

test('every variable that is read is known, and an unknown one that is empty is not set', () => {
  const known = [...optionKeys().map(variableOf), ...OTHER_VARIABLES];
  const env = { ...Object.fromEntries(known.map((name) => [name, 'x'])), MODEL_CACHE_NONSENSE: ' ' };
  const raw = new RawSettings({}, env, true);
  raw.noteUnknownVariables();
  assert.deepEqual(raw.problems, []);
});

test('unknown variables never stop a command, strict or not', () => {
  const raw = new RawSettings({}, { MODEL_CACHE_STROE: 'x' }, false);
  raw.noteUnknownVariables();
  assert.equal(raw.problems.length, 1);
});

test('yes and no have the usual names', () => {
  for (const yes of ['true', 'TRUE', '1', 'yes', 'on']) assert.equal(parseBoolean(yes), true, yes);
  for (const no of ['false', 'False', '0', 'no', 'off']) assert.equal(parseBoolean(no), false, no);
  assert.throws(() => parseBoolean('2'), { code: 'setting-invalid' });
});

for (const [key, value, found] of [
  ['dir', '"/tmp/d"', '"/tmp/d"'],
  ['dir', '"/tmp/d:/tmp/e"', '"/tmp/d..."'],
  ['dir', "'/tmp/d'", "'/tmp/d'"],
  ['exclude', '"*"', '"..."'],
  ['exclude', '"*.bin,*.pt"', '"..."'],
  ['models', '"org/name"', '"org/name"'],
  ['also', '"ckpts"', '"ckpts"'],
  ['reuse', '""', '""'],
] as const) {
  test(`${variableOf(key)}=${value}: the quotes are told, and what is in them is not taken`, () => {
    const raw = new RawSettings({}, { [variableOf(key)]: value }, true);
    assert.deepEqual(raw.list(key, asIs), []);
    assert.deepEqual(raw.problems.map(explain), [
      `${variableOf(key)}: the quotes around it are a part of the value (wanted none, found ${found}); it is left out`,
    ]);
    assert.throws(() => new RawSettings({ [key]: [value] }, {}, true).list(key, asIs), {
      code: 'setting-invalid',
      message: /the quotes around it/,
    });
  });
}

test('quotes around a single value are told, too, without what may be a secret in them', () => {
  const env = { MODEL_CACHE_STORE: '"s3://AKID:hush@bucket"', MODEL_CACHE_REPORT: "'report.json'" };
  const raw = new RawSettings({}, env, true);
  for (const key of ['store', 'report'] as const) assert.equal(raw.value(key, asIs), undefined);
  assert.deepEqual(
    raw.problems.map((problem) => explain(problem).replace(/^.*found (.*)\).*$/, '$1')),
    ['"s3://..."', "'report.j...'"],
  );
});

for (const [key, value] of [
  ['setup', '"/opt/my setup" && "/opt/another"'],
  ['locked', '"models.lock"'],
  ['exclude', '*"'],
  ['exclude', '"'],
  ['exclude', `"*'`],
] as const satisfies readonly (readonly [OptionKey, string])[]) {
  test(`quotes that are meant, or none around it, stay: ${variableOf(key)}=${value}`, () => {
    const raw = new RawSettings({}, { [variableOf(key)]: value }, true);
    assert.deepEqual(key === 'locked' ? [raw.value(key, asIs)] : raw.list(key, asIs), [value]);
    assert.deepEqual(raw.problems, []);
  });
}

test('flags are given again to another command as far as it has them, and nothing else of the command line', () => {
  const flags = {
    store: 's3://bucket/a b',
    noSignRequest: true,
    also: ['one', 'two=TWO'],
    bwlimit: '5',
    setup: ['pip install --token secret'],
    strict: true,
    dryRun: false,
  };
  assert.deepEqual(argsOf(flags, 'upload').toSorted(), [
    '--also=one',
    '--also=two=TWO',
    '--bwlimit=5',
    '--no-sign-request',
    '--store=s3://bucket/a b',
  ]);
});

function asIs(text: string): string {
  return text;
}
