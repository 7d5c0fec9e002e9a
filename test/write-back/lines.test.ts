import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { formatLine, isoTime, isSaid, spokenDuration } from '../../src/write-back/lines.ts';

const LOG = new URL('../../src/log.ts', import.meta.url).href;
const NOW = new Date(Date.UTC(2026, 10, 23, 23, 41, 47, 123));

test('text: as the rest of the program writes it', () => {
  const line = formatLine('text', 'info', 'write-back.ended', 'message', NOW);
  assert.equal(line, '[2026-11-23 23:41:47.123] INFO: message\n');
});

test('a time is what toISOString would say', () => {
  for (const milliseconds of [0, 1, 951_782_399_999, 951_868_800_010, NOW.getTime()])
    assert.equal(isoTime(new Date(milliseconds)), new Date(milliseconds).toISOString());
});

for (const format of ['text', 'json'] as const) {
  for (const level of ['debug', 'info', 'warn', 'error'] as const) {
    test(`${format}: ${level} has the shape that src/log.ts gives it`, () => {
      const script = `const { createLog } = await import('${LOG}');
        (await createLog({ level: 'debug', format: '${format}' })).${level}('report', 'some message');`;
      const { stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
        encoding: 'utf8',
      });
      const ours = formatLine(format, level, 'write-back.ended', 'some message', NOW);
      assert.equal(shape(ours), shape(stderr.replace('"report"', '"write-back.ended"')));
    });
  }
}

test('a message is one line, whatever is in it', () => {
  for (const format of ['text', 'json'] as const) {
    const line = formatLine(format, 'warn', 'write-back.failed', 'a\nb\r\n\u001b[2Jc\u009b2Jd\u007f', NOW);
    // oxlint-disable-next-line no-control-regex -- control characters are what must not come through
    assert.doesNotMatch(line.slice(0, -1), /[\u0000-\u001f\u007f-\u009f]/);
  }
});

for (const [at, said] of [
  ['debug', ['debug', 'info', 'warn', 'error']],
  ['info', ['info', 'warn', 'error']],
  ['warn', ['warn', 'error']],
  ['error', ['error']],
  ['silent', []],
] as const) {
  test(`at ${at}, ${said.join(', ') || 'nothing'} is said`, () => {
    assert.deepEqual(
      (['debug', 'info', 'warn', 'error'] as const).filter((level) => isSaid(level, at)),
      said,
    );
  });
}

for (const [milliseconds, words] of [
  [900_000, '15 minutes'],
  [60_000, '1 minute'],
  [90_000, '90 seconds'],
  [7_200_000, '2 hours'],
  [1000, '1 second'],
  [500, '0.5 seconds'],
] as const) {
  test(`${milliseconds} ms are ${words}`, () => assert.equal(spokenDuration(milliseconds), words));
}

/** Digits do not matter, but those of the level do; nor who wrote it. */
function shape(line: string): string {
  return line
    .replace(/"pid":\d+,"hostname":"[^"]*",/, '')
    .replace(/"time":\d+/, '"time":0')
    .replace(/^\[[\d\-: .]{23}\]/, '[time]');
}
