import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { parseCommandLine } from '../src/cli.ts';
import type { Invocation } from '../src/invocation.ts';
import { OPTIONS, optionKeys, optionSpec, variableOf, type CommandName } from '../src/settings/options.ts';
import { VERSION } from '../src/version.ts';

const CLI = new URL('../src/cli.ts', import.meta.url).href;
const COMMANDS: readonly CommandName[] = ['init', 'upload', 'status', 'verify', 'lock', 'env'];

for (const command of COMMANDS) {
  test(`${command} --help lists its options with their variables, and no others`, () => {
    const { stdout, exitCode } = run([command, '--help']);
    assert.equal(exitCode, 0);
    const listed = [...stdout.matchAll(/^ {2}(--[a-z-]+)/gm)].map(([, flag = '']) => flag);
    const own = optionKeys().filter((key) => optionSpec(key).commands.includes(command));
    assert.deepEqual(listed.toSorted(), own.map((key) => OPTIONS[key].flags.split(' ')[0] ?? '').toSorted());
    for (const key of own) assert.ok(stdout.includes(`[${variableOf(key)}]`), key);
  });

  test(`${command} with an unknown flag is 2, and says where the right ones stand`, () => {
    const { stdout, stderr, exitCode } = run([command, '--no-such-flag']);
    assert.deepEqual([stdout, exitCode], ['', 2]);
    assert.match(stderr, /--no-such-flag/);
    assert.match(stderr, new RegExp(`model-cache ${command} --help`));
  });
}

test('--help names every command, and --version the version', () => {
  const { stdout, exitCode } = run(['--help']);
  assert.equal(exitCode, 0);
  for (const command of COMMANDS) assert.match(stdout, new RegExp(`^ {2}${command}\\b`, 'm'));
  assert.deepEqual(run(['--version']), { stdout: `${VERSION}\n`, stderr: '', exitCode: 0 });
});

for (const args of [
  [],
  ['no-such-command'],
  ['init', 'python', 'server.py'],
  ['upload', '--store'],
  ['status', 'x'],
]) {
  test(`\`model-cache ${args.join(' ')}\` is 2, explained on stderr`, () => {
    const { stdout, stderr, exitCode } = run(args);
    assert.deepEqual([stdout, exitCode], ['', 2]);
    assert.notEqual(stderr, '');
  });
}

test('a server without -- before it is told where it belongs', () => {
  assert.match(run(['init', 'python', 'server.py']).stderr, /model-cache init -- python server\.py/);
});

test('what follows -- is the server’s and is not looked at', () => {
  const server = ['python', '-m', 'server', '--strict', '--', '--help', ''];
  const { flags, ...rest } = runOf(['init', '--timeout', '90s', '--', ...server]);
  assert.deepEqual(rest, { kind: 'run', command: 'init', server });
  assert.deepEqual(flags, { timeout: '90s' });
});

test('nothing after --, or no --, is no server', () => {
  assert.deepEqual(runOf(['init', '--']).server, []);
  assert.deepEqual(runOf(['init']).server, []);
});

test('only init starts a server', () => {
  const { stderr, exitCode } = run(['upload', '--', 'python', 'server.py']);
  assert.equal(exitCode, 2);
  assert.match(stderr, /upload.*--.*python server\.py/);
});

test('a flag may be repeated where that means something; values may begin like flags', () => {
  const { flags } = runOf([
    'init',
    '--model',
    'a/b',
    '--model=c/d:*.bin',
    '--setup',
    'pip install x',
    '--no-sign-request',
  ]);
  assert.deepEqual(flags, { models: ['a/b', 'c/d:*.bin'], setup: ['pip install x'], noSignRequest: true });
});

test('without a flag, nothing is said of it', () => {
  assert.deepEqual(runOf(['status']).flags, {});
});

test('every option reaches the flags under its own key', () => {
  for (const command of COMMANDS) {
    for (const key of optionKeys().filter((key) => optionSpec(key).commands.includes(command))) {
      const [flag = '', value] = optionSpec(key).flags.split(' ');
      const { flags } = runOf(value === undefined ? [command, flag] : [command, flag, 'given']);
      assert.deepEqual(flags, {
        [key]: value === undefined ? true : optionSpec(key).list ? ['given'] : 'given',
      });
    }
  }
});

test('no two options share a flag or a variable', () => {
  const variables = optionKeys().map(variableOf);
  assert.equal(new Set(variables).size, variables.length);
});

function runOf(args: readonly string[]): Extract<Invocation, { kind: 'run' }> {
  const invocation = parseCommandLine(args);
  assert.ok(invocation.kind === 'run');
  return invocation;
}

/** In a process of its own, since help is written to the descriptors themselves. */
function run(args: readonly string[]): {
  readonly stdout: string;
  readonly stderr: string;
  readonly exitCode: number;
} {
  const script = `const { parseCommandLine } = await import('${CLI}');
    process.exit(parseCommandLine(process.argv.slice(1)).exitCode ?? 99);`;
  const { stdout, stderr, status } = spawnSync(
    process.execPath,
    ['--input-type=module', '-e', script, '--', ...args],
    {
      encoding: 'utf8',
    },
  );
  return { stdout, stderr, exitCode: status ?? -1 };
}

test('the write-back is no command that help shows, and takes the flags of an upload and whom it is beside', () => {
  const invocation = parseCommandLine([
    'write-back',
    '12:3456',
    '--store=s3://b/p',
    '--dir=/d',
    '--bwlimit=5',
  ]);
  assert.deepEqual(invocation, {
    kind: 'run',
    command: 'write-back',
    flags: { store: 's3://b/p', dir: ['/d'], bwlimit: '5' },
    server: ['12:3456'],
  });
});
