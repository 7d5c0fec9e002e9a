import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';

const LOG = new URL('../src/log.ts', import.meta.url).href;

test('text: one line each, with time, level and message, on stderr', () => {
  const { stdout, stderr } = log(
    'text',
    'info',
    "log.info('store.ready', 'S3 store ready: s3://b'); log.warn('settings', 'two');",
  );
  assert.equal(stdout, '');
  const [first, second, ...more] = stderr.trimEnd().split('\n');
  assert.match(first ?? '', /\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}.* INFO: S3 store ready: s3:\/\/b$/);
  assert.match(second ?? '', /WARN: two$/);
  assert.deepEqual(more, []);
});

test('json: each line is an object with its event, level and message', () => {
  const { stderr } = log(
    'json',
    'debug',
    "log.debug('dir.chosen', 'here'); log.error('command.failed', 'no', 'disk-full');",
  );
  const lines = stderr
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>)
    .map(({ event, msg, level, code }) => [event, msg, level, code]);
  assert.deepEqual(lines, [
    ['dir.chosen', 'here', 20, undefined],
    ['command.failed', 'no', 50, 'disk-full'],
  ]);
});

test('what is below the level is not written, and silent is silent', () => {
  const all =
    "log.debug('settings', 'd'); log.info('settings', 'i'); log.warn('settings', 'w'); log.error('settings', 'e');";
  for (const [level, lines] of [
    ['debug', 4],
    ['info', 3],
    ['warn', 2],
    ['error', 1],
    ['silent', 0],
  ] as const)
    assert.equal(log('text', level, all).stderr.split('\n').length - 1, lines, level);
});

for (const format of ['text', 'json'] as const) {
  for (const [what, message] of [
    ['plain letters', "'x'.repeat(9000)"],
    ['letters of two and three bytes', "'é日'.repeat(3000)"],
    ['quotes and backslashes', String.raw`'"\\'.repeat(3000)`],
    ['control characters', String.raw`'\x1b\x07'.repeat(3000)`],
  ] as const) {
    test(`${format}: a message of many ${what} is one line of less than 4 KiB`, () => {
      const { stderr } = log(format, 'info', `log.info('setup.output', ${message});`);
      assert.equal(stderr.split('\n').length, 2);
      assert.ok(Buffer.byteLength(stderr) < 4096, `${Buffer.byteLength(stderr)} bytes`);
      if (format === 'json') JSON.parse(stderr);
    });
  }

  test(`${format}: line ends within a message make no lines`, () => {
    const { stderr } = log(format, 'info', String.raw`log.info('setup.output', 'a\nb\r\nc\rd');`);
    assert.equal(stderr.trimEnd().split(/[\n\r]/).length, 1, JSON.stringify(stderr));
  });
}

test('text: a terminal is not given orders by what a setup command or a bucket says', () => {
  const { stderr } = log('text', 'info', String.raw`log.info('setup.output', 'a\x1b[2Jb\x1b]0;title\x07c');`);
  // oxlint-disable-next-line no-control-regex -- control characters are what must not come through
  assert.doesNotMatch(stderr, /[\u0007\u001b]/);
});

test('a name in any script is left as it is', () => {
  assert.match(log('text', 'info', "log.info('restore.item', 'Übung 日本語');").stderr, /Übung 日本語/);
});

test('a stderr that is closed or full stops nothing', () => {
  for (const to of ['2>&-', '2>/dev/full']) {
    const script = `log.info('settings', 'x'); require('fs').writeSync(1, 'went on');`;
    const command = `exec "$0" --input-type=module -e "$1" ${to}`;
    const { stdout, status } = spawnSync(
      '/bin/sh',
      ['-c', command, process.execPath, program('text', 'info', script)],
      {
        encoding: 'utf8',
      },
    );
    assert.deepEqual([stdout, status], ['went on', 0], to);
  }
});

function log(
  format: string,
  level: string,
  script: string,
): { readonly stdout: string; readonly stderr: string } {
  const args = ['--input-type=module', '-e', program(format, level, script)];
  const { stdout, stderr, status } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  assert.equal(status, 0, stderr);
  return { stdout, stderr };
}

function program(format: string, level: string, script: string): string {
  return `import { createRequire } from 'node:module'; const require = createRequire('/');
    const { createLog } = await import('${LOG}');
    const log = await createLog({ level: '${level}', format: '${format}' }); ${script}`;
}
