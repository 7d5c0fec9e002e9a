import assert from 'node:assert/strict';
import { test } from 'node:test';
import { explain } from '../../src/errors.ts';
import { OPTIONS, optionKeys, variableOf, type CommandName } from '../../src/settings/options.ts';
import type { Environment, Flags } from '../../src/settings/raw.ts';
import { TABLE } from './option-table.ts';
import { resolveLogSettings, resolveSettings, type Settings } from '../../src/settings/settings.ts';

const S3: Environment = { S3_BUCKET: 'bucket' };

test('the table has every option', () => {
  assert.deepEqual(TABLE.map(({ key }) => key).toSorted(), optionKeys().toSorted());
});

for (const row of TABLE) {
  const { key, read, byDefault } = row;
  const variable = variableOf(key);
  const sources = [[variable, ...row.variable] as const, ...(row.fallbacks ?? [])];
  const all = Object.fromEntries(sources.map(([name, value]) => [name, value]));

  test(`${OPTIONS[key].flags}: flag > ${sources.map(([name]) => name).join(' > ')} > default`, () => {
    const [flag, fromFlag] = row.flag;
    assert.deepEqual(read(resolve({ [key]: flag }, all)), fromFlag);
    sources.forEach(([, , wanted], index) => {
      const env = Object.fromEntries(sources.slice(index).map(([name, value]) => [name, value]));
      assert.deepEqual(read(resolve({}, env)), wanted, sources[index]?.[0]);
    });
    assert.deepEqual(read(resolve({}, {})), byDefault);
  });

  test(`${OPTIONS[key].flags}: empty means unset, as a flag and in a variable`, () => {
    const isList = Array.isArray(row.flag[0]);
    const [value, wanted] = row.variable;
    const empty = Object.fromEntries(sources.map(([name]) => [name, ' ']));
    assert.deepEqual(read(resolve({}, empty)), byDefault);
    assert.deepEqual(read(resolve({ [key]: isList ? [''] : '' }, { [variable]: value })), wanted);
    assert.deepEqual(resolve({ [key]: isList ? [''] : '' }, {}).problems, []);
  });
}

for (const [key, bad] of [
  ['stall', 'soon'],
  ['stall', '-5s'],
  ['stall', '5 parsecs'],
  ['minSpeed', 'fast'],
  ['connections', '0'],
  ['connections', '257'],
  ['partSize', '1.5'],
  ['timeout', '1x'],
  ['setupTimeout', 'x'],
  ['writeBack', 'later'],
  ['writeBackIdle', 'never'],
  ['grace', '-1'],
  ['bwlimit', 'slow'],
  ['abandonAfter', 'x'],
  ['owner', 'root'],
  ['format', 'xml'],
  ['logLevel', 'loud'],
  ['logFormat', 'xml'],
  ['preset', 'f6-tts'],
  ['preset', 'constructor'],
  ['preset', '__proto__'],
  ['rest', 'all'],
  ['strict', 'maybe'],
] as const) {
  test(`${OPTIONS[key].flags} with '${bad}': a flag stops, a variable is one problem and the default before a server`, () => {
    const variable = variableOf(key);
    assert.throws(() => resolve({ [key]: bad }, {}), { code: 'setting-invalid' });
    assert.throws(() => resolveSettings({}, { ...S3, [variable]: bad }, false), { code: 'setting-invalid' });
    const { problems, ...settings } = resolve({}, { [variable]: bad });
    const { problems: none, ...defaults } = resolve({}, {});
    assert.deepEqual(settings, defaults);
    assert.deepEqual(none, []);
    assert.equal(problems.length, 1);
    const said = explain(problems[0]);
    assert.match(said, new RegExp(`${variable}.*wanted .*found ${bad.replaceAll('/', '.')}.*default`));
  });
}

test('a bad entry of a list is left out, and the good ones count', () => {
  const { selection, also, problems } = resolve(
    {},
    { MODEL_CACHE_MODELS: 'a/b,:::,c/d', MODEL_CACHE_ALSO: '../x,y' },
  );
  assert.deepEqual(
    selection.models.map(({ text }) => text),
    ['a/b', 'c/d'],
  );
  assert.deepEqual(
    also.map(({ tree }) => tree),
    ['y'],
  );
  assert.equal(problems.length, 2);
  assert.throws(() => resolve({ models: ['a/b', ':::'] }, {}), { code: 'setting-invalid' });
});

for (const [command, env] of [
  ['env', { MODEL_CACHE_EXCLUDE: '"*.md"' }],
  ['env', { MODEL_CACHE_MODELS: ':::' }],
  ['env', { MODEL_CACHE_STALL: 'soon' }],
  ['env', { MODEL_CACHE_STORE: '"s3://bucket"' }],
  ['env', { AWS_ENDPOINT_URL: 'ftp://host' }],
  ['env', { S3_BUCKET: 'a b' }],
  ['env', { MODEL_CACHE_ENABLED: 'perhaps' }],
  ['upload', { MODEL_CACHE_FORMAT: '"sh"' }],
  ['upload', { MODEL_CACHE_EXCLUDE: '"*.md"' }],
  ['verify', { MODEL_CACHE_STRICT: 'maybe' }],
  ['lock', { MODEL_CACHE_DIR: '"/tmp/d"' }],
] as const satisfies readonly (readonly [CommandName, Environment])[]) {
  test(`${JSON.stringify(env)} is told by ${command}, which has no such option, and stops it not`, () => {
    const { problems } = resolveSettings({}, { ...S3, ...env }, false, command);
    const [name = ''] = Object.keys(env);
    assert.equal(problems.length, 1);
    assert.match(explain(problems[0]), new RegExp(name));
  });
}

test('a variable of an option that a command has, and a flag, stop it when they are wrong', () => {
  assert.throws(() => resolveSettings({}, { ...S3, MODEL_CACHE_DIR: '"/d"' }, false, 'env'), /quotes/);
  assert.throws(() => resolveSettings({ dir: ['"/d"'] }, S3, false, 'env'), /quotes/);
  assert.throws(() => resolveSettings({}, { S3_BUCKET: 'a b' }, false, 'upload'), /S3_BUCKET/);
});

test('how to log is known even when everything else is wrong', () => {
  const env = { MODEL_CACHE_LOG_FORMAT: 'json', MODEL_CACHE_STORE: 'nonsense' };
  assert.deepEqual(resolveLogSettings({ logLevel: 'loud' }, env), { level: 'info', format: 'text' });
  assert.deepEqual(resolveLogSettings({}, env), { level: 'info', format: 'json' });
});

for (const [source, flags, env] of [
  ['flags', { also: ['a', 'a/b', 'torch', 'hub/models--a--b=REPO', 'c=VAR'] }, {}],
  ['a variable', {}, { MODEL_CACHE_ALSO: 'a,a/b,torch,hub/models--a--b=REPO,c=VAR' }],
] as const satisfies readonly (readonly [string, Flags, Environment])[]) {
  test(`a folder to mirror that overlaps another is left out, and told once: ${source}`, () => {
    for (const startsServer of [true, false]) {
      const { also, problems } = resolveSettings(flags, { ...S3, ...env }, startsServer);
      assert.deepEqual(
        also.map(({ tree }) => tree),
        ['a', 'c'],
      );
      assert.deepEqual(problems.map(explain), [
        '--also a/b is left out: it overlaps a (wanted a folder beside a, found a/b); name only the one that holds the other: all of it is mirrored',
        '--also torch is left out: it overlaps torch/hub/checkpoints (wanted a folder beside torch/hub/checkpoints, found torch); torch/hub/checkpoints is mirrored without being named',
        '--also hub/models--a--b is left out: it overlaps hub/models--a--b (wanted a folder beside hub/models--a--b, found hub/models--a--b); hub/models--a--b is mirrored without being named',
      ]);
    }
  });
}

test('a dir in the folder of the store is no place to restore to', () => {
  for (const dir of ['/vol', '/vol/models']) {
    const { store, storeProblem, dirs } = resolve({ store: 'file:///vol', dir: ['/x', dir] }, {});
    assert.deepEqual([store, dirs], [undefined, ['/x', dir]]);
    assert.match(explain(storeProblem), /lies in the folder of the store .*--store file:\/\/\/vol\/store$/);
  }
  assert.equal(
    resolve({ store: 'file:///vol/store', dir: ['/vol', '/vol/store2'] }, {}).storeProblem,
    undefined,
  );
});

test('of the dirs that nobody named, those in the folder of the store are left out', () => {
  const { dirs, storeProblem } = resolve({ store: 'file:///runpod-volume' }, {});
  assert.deepEqual([dirs, storeProblem], [['/tmp/models'], undefined]);
});

test('where all of them are, they are kept, and the store is refused', () => {
  for (const store of ['file:///', 'file:////']) {
    for (const command of ['init', 'env'] as const) {
      const env = { MODEL_CACHE_STORE: store };
      const settings = resolveSettings({}, env, command === 'init', command);
      assert.equal(settings.store, undefined);
      assert.deepEqual(settings.dirs, ['/tmp/models', '/runpod-volume/models']);
      assert.match(explain(settings.storeProblem), /the dir \/tmp\/models lies in the folder of the store/);
      assert.equal(settings.problems.length, command === 'init' ? 0 : 1);
    }
  }
});

test('no dir keeps a command from the store that has none', () => {
  for (const env of [{}, { MODEL_CACHE_DIR: '/vol/models' }]) {
    const { store } = resolveSettings({ store: 'file:///vol' }, env, false, 'lock');
    assert.deepEqual(store, { kind: 'file', path: '/vol' });
  }
  assert.equal(resolveSettings({ store: 'file:///' }, {}, false, 'lock').storeProblem, undefined);
});

function resolve(flags: Flags, env: Environment): Settings {
  return resolveSettings(flags, { ...S3, ...env }, true);
}
