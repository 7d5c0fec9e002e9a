import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { parseCommandLine } from '../src/cli.ts';
import { BEHIND_COMMAND } from '../src/invocation.ts';
import { readPlainly } from '../src/plain-command-line.ts';
import { optionKeys, optionSpec, type CommandName } from '../src/settings/options.ts';
import { VERSION } from '../src/version.ts';

const COMMANDS: readonly CommandName[] = ['init', 'upload', 'status', 'verify', 'lock', 'env'];
const PLAIN = new URL('../src/plain-command-line.ts', import.meta.url).href;

const value = fc.oneof(fc.constantFrom('', 'a', 'a=b', 'init', 'help', '0', '-', '-1', '\n'), fc.string());

/** Its own option, written in one of the two ways. */
function optionOf(command: CommandName): fc.Arbitrary<readonly string[]> {
  const specs = optionKeys()
    .map(optionSpec)
    .filter(({ commands }) => commands.includes(command));
  return fc.tuple(fc.constantFrom(...specs), value, fc.boolean()).map(([{ flags }, text, isJoined]) => {
    const [flag = '', takesValue] = flags.split(' ');
    if (takesValue === undefined) return [flag];
    return isJoined ? [`${flag}=${text}`] : [flag, text];
  });
}

const commandLine = fc
  .constantFrom(...COMMANDS)
  .chain((command) =>
    fc
      .tuple(
        fc.array(optionOf(command), { maxLength: 6 }),
        fc.option(fc.array(value, { maxLength: 3 }), { nil: undefined }),
      )
      .map(([options, server]) =>
        [[command], ...options, server === undefined ? [] : ['--', ...server]].flat(),
      ),
  );

test('what is read plainly is what commander reads', () => {
  let plain = 0;
  fc.assert(
    fc.property(commandLine, (args) => {
      const found = readPlainly(args);
      if (found === undefined) return;
      plain += 1;
      assert.deepEqual(found, parseCommandLine(args));
      if (found.kind === 'run') {
        const wanted = parseCommandLine(args) as typeof found;
        assert.deepEqual(Object.keys(found.flags), Object.keys(wanted.flags));
      }
    }),
    { numRuns: 500 },
  );
  assert.ok(plain > 200, `only ${plain} of them were plain`);
});

for (const args of [
  [],
  ['--help'],
  ['-h'],
  ['help'],
  ['no-such-command'],
  ['init', '--help'],
  ['init', '--version'],
  ['init', '--no-such-flag'],
  ['init', '--store'],
  ['init', '--store', '--strict'],
  ['init', '--strict=yes'],
  ['init', '--str'],
  ['init', 'python'],
  ['init', '-V'],
  ['upload', '--min-speed', '1'],
  ['upload', '--', 'python'],
  ['--strict', 'init'],
  ['write-back', '1:2'],
  ['constructor'],
  [BEHIND_COMMAND, '--strict'],
  ['--version', 'init'],
]) {
  test(`\`model-cache ${args.join(' ')}\` is left to commander`, () => {
    assert.equal(readPlainly(args), undefined);
  });
}

test('how a start is written in a Dockerfile is plain', () => {
  const args = ['init', '--preset', 'f5-tts', '--timeout=90s', '--strict', '--', 'python', '--help', '--'];
  assert.deepEqual(readPlainly(args), {
    kind: 'run',
    command: 'init',
    flags: { preset: 'f5-tts', timeout: '90s', strict: true },
    server: ['python', '--help', '--'],
  });
});

test('a process for disk work is plain', () => {
  assert.deepEqual(readPlainly([BEHIND_COMMAND]), { kind: 'behind' });
});

for (const flag of ['--version', '-V']) {
  test(`${flag} alone prints the version`, () => {
    const script = `const { readPlainly } = await import('${PLAIN}'); process.exit(readPlainly(['${flag}']).exitCode);`;
    const { stdout, status } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
      encoding: 'utf8',
    });
    assert.deepEqual([stdout, status], [`${VERSION}\n`, 0]);
  });
}
