import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { cachesBefore, exportsFor, formatExports, type Exports } from '../../src/handover/environment.ts';
import type { Environment } from '../../src/settings/raw.ts';

const scratch = mkdtempSync(join(tmpdir(), 'environment-'));
after(() => rmSync(scratch, { recursive: true }));

const DIR = '/tmp/models';
const FIVE = {
  HF_HOME: '/tmp/models',
  HF_HUB_CACHE: '/tmp/models/hub',
  HUGGINGFACE_HUB_CACHE: '/tmp/models/hub',
  TRANSFORMERS_CACHE: '/tmp/models/hub',
  TORCH_HOME: '/tmp/models/torch',
};

test('five variables always, and nothing else when there is nothing else to say', () => {
  assert.deepEqual(exportsOf({ HOME: homeWithout() }), { variables: FIVE, overridden: [] });
});

test('no variable has a value that only every object has', () => {
  const env = { HOME: homeWithout(), HF_HUB_CACHE: '/data/$constructor/$toString' };
  const { overridden } = exportsOf(env, { also: [{ tree: 'x', variable: 'constructor' }] });
  assert.deepEqual(overridden, [{ name: 'HF_HUB_CACHE', was: '/data/$constructor/$toString' }]);
  assert.ok(cachesBefore(DIR, env, []).hubs.includes('/data/$constructor/$toString'));
});

test('a value from elsewhere is overridden, and told; one that is the same or empty is not', () => {
  const env = { HOME: homeWithout(), HF_HOME: '/data/hf', HF_HUB_CACHE: '/tmp/models/hub', TORCH_HOME: '' };
  const { variables, overridden } = exportsOf(env);
  assert.equal(variables['HF_HOME'], DIR);
  assert.deepEqual(overridden, [{ name: 'HF_HOME', was: '/data/hf' }]);
});

test('--transformers-cache sets that one elsewhere, and only that one', () => {
  const { variables } = exportsOf({ HOME: homeWithout() }, { transformersCache: '/tmp/models' });
  assert.deepEqual(variables, { ...FIVE, TRANSFORMERS_CACHE: '/tmp/models' });
});

test('each --also folder that has a variable is exported with its path', () => {
  const also = [
    { tree: 'engines/f5', variable: 'ENGINE_DIR' },
    { tree: 'ckpts', variable: undefined },
  ];
  const { variables } = exportsOf({ HOME: homeWithout(), ENGINE_DIR: '/old' }, { also });
  assert.deepEqual(variables, { ...FIVE, ENGINE_DIR: '/tmp/models/engines/f5' });
});

test('an --also variable does not displace one of the five', () => {
  const also = [{ tree: 'ckpts', variable: 'HF_HUB_CACHE' }];
  const { variables } = exportsOf({ HOME: homeWithout() }, { also });
  assert.equal(variables['HF_HUB_CACHE'], FIVE.HF_HUB_CACHE);
});

test('the token of the previous home stays in use, and is never opened', () => {
  const home = homeWithToken();
  chmodSync(join(home, '.cache/huggingface/token'), 0);
  const { variables } = exportsOf({ HOME: home });
  assert.equal(variables['HF_TOKEN_PATH'], join(home, '.cache/huggingface/token'));
});

test('the previous home is HF_HOME, else below XDG_CACHE_HOME, else below HOME', () => {
  const home = homeWithToken();
  const hfHome = join(home, '.cache/huggingface');
  const token = join(hfHome, 'token');
  for (const env of [
    { HF_HOME: hfHome },
    { HF_HOME: '~/.cache/huggingface', HOME: home },
    { XDG_CACHE_HOME: join(home, '.cache'), HOME: '/nonexistent' },
    { HF_HOME: '', XDG_CACHE_HOME: '', HOME: home },
  ])
    assert.equal(exportsOf(env).variables['HF_TOKEN_PATH'], token, JSON.stringify(env));
});

test('whoever has said where the token is keeps it so', () => {
  const home = homeWithToken();
  for (const env of [{ HF_TOKEN: 'hf_x' }, { HF_TOKEN_PATH: '/elsewhere/token' }])
    assert.equal(exportsOf({ HOME: home, ...env }).variables['HF_TOKEN_PATH'], undefined);
  const both = exportsOf({ HOME: home, HF_TOKEN: '', HF_TOKEN_PATH: '' });
  assert.notEqual(both.variables['HF_TOKEN_PATH'], undefined);
});

test('where there is no token, or the home does not move, no path is exported', () => {
  assert.equal(exportsOf({ HOME: homeWithout() }).variables['HF_TOKEN_PATH'], undefined);
  const home = homeWithToken();
  const dir = join(home, '.cache/huggingface');
  const { variables } = exportsFor({ dir, transformersCache: undefined, also: [] }, { HF_HOME: `${dir}/` });
  assert.equal(variables['HF_TOKEN_PATH'], undefined);
});

for (const [env, hub] of [
  [{ HOME: '/home/u' }, '/home/u/.cache/huggingface/hub'],
  [{}, join(userInfo().homedir, '.cache/huggingface/hub')],
  [{ HOME: '/home/u', XDG_CACHE_HOME: '/xdg' }, '/xdg/huggingface/hub'],
  [{ HF_HOME: '/baked/' }, '/baked/hub'],
  [{ HF_HUB_CACHE: '/baked/hub' }, '/baked/hub'],
  [{ HUGGINGFACE_HUB_CACHE: '/older' }, '/older'],
  [{ TRANSFORMERS_CACHE: '~/tf', HOME: '/home/u' }, '/home/u/tf'],
  [{ HF_HOME: '$HOME/hf', HOME: '/home/u' }, '/home/u/hf/hub'],
] as const) {
  test(`with ${JSON.stringify(env)} the server would have read ${hub}, and RunPod's cache`, () => {
    const { hubs } = cachesBefore(DIR, env, []);
    assert.ok(hubs.includes(hub), hubs.join(' '));
    assert.ok(hubs.includes('/runpod-volume/huggingface-cache/hub'));
  });
}

test('caches that are asked for come first, each once, and none in the dir itself', () => {
  const env = {
    HF_HOME: DIR,
    HF_HUB_CACHE: '/ro/hub',
    TRANSFORMERS_CACHE: '/tmp/models/hub/',
    TORCH_HOME: '/ro/torch',
  };
  const { hubs, torchHomes } = cachesBefore(DIR, env, ['/ro/hub', '/mnt/hub']);
  assert.deepEqual(hubs, ['/ro/hub', '/mnt/hub', '/runpod-volume/huggingface-cache/hub']);
  assert.deepEqual(torchHomes, ['/ro/torch']);
});

test('torch would have read below its home, or below the cache folder', () => {
  assert.deepEqual(cachesBefore(DIR, { HOME: '/home/u' }, []).torchHomes, ['/home/u/.cache/torch']);
  assert.deepEqual(cachesBefore(DIR, { TORCH_HOME: '/tmp/models/torch' }, []).torchHomes, []);
});

test('a neighbour whose name begins like the dir is not in the dir', () => {
  const { hubs } = cachesBefore(DIR, { HF_HOME: '/tmp/models-baked' }, []);
  assert.ok(hubs.includes('/tmp/models-baked/hub'));
});

test('sh: a shell that evaluates the exports has exactly these values', () => {
  const nasty = `/tmp/it's $HOME \`id\` "quoted" \\ ; rm -rf * \n#two lines !x ~`;
  const values = { A: nasty, B: '~/x', C: '', D: '/plain/path', E: '-n', F: 'a=b', G: 'Ünïcode 日本' };
  const script = `${formatExports(asExports(values), 'sh')}exec ${process.execPath} -e 'console.log(JSON.stringify(process.env))'`;
  const { stdout, stderr } = spawnSync('/bin/sh', ['-c', script], { env: {}, encoding: 'utf8' });
  assert.equal(stderr, '');
  const found = JSON.parse(stdout) as Record<string, string>;
  for (const [name, value] of Object.entries(values)) assert.equal(found[name], value, name);
});

test('sh: through eval and a command substitution, as the documentation has it', () => {
  const values = { A: "it's  two  spaces\tand a tab", B: '*' };
  const script = 'eval "$(cat)"; printf "%s|%s" "$A" "$B"';
  const input = formatExports(asExports(values), 'sh');
  assert.equal(
    spawnSync('/bin/sh', ['-c', script], { env: {}, input, encoding: 'utf8' }).stdout,
    `${values.A}|*`,
  );
});

test('json: one object', () => {
  const values = { A: "it's", B: '"x"\n' };
  assert.deepEqual(JSON.parse(formatExports(asExports(values), 'json')), values);
});

test('docker: NAME=value lines, without quotes, as --env-file takes them', () => {
  assert.equal(formatExports(asExports({ A: "it's here", B: '/x' }), 'docker'), "A=it's here\nB=/x\n");
});

test('docker: a value with a line end would be two lines, and is refused', () => {
  assert.throws(() => formatExports(asExports({ A: '/x\nPATH=/evil' }), 'docker'), {
    code: 'setting-invalid',
    message: /cannot hold A/,
  });
});

function exportsOf(env: Environment, options: Partial<Parameters<typeof exportsFor>[0]> = {}): Exports {
  return exportsFor({ dir: DIR, transformersCache: undefined, also: [], ...options }, env);
}

function asExports(variables: Record<string, string>): Exports {
  return { variables, overridden: [] };
}

function homeWithout(): string {
  return mkdtempSync(join(scratch, 'home-'));
}

function homeWithToken(): string {
  const home = homeWithout();
  mkdirSync(join(home, '.cache/huggingface'), { recursive: true });
  writeFileSync(join(home, '.cache/huggingface/token'), 'hf_secret');
  return home;
}
