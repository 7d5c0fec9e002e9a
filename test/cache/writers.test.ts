import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, openSync, rmSync } from 'node:fs';
import { after, test } from 'node:test';
import { pathsOpenForWriting } from '../../src/cache/writers.ts';
import { CacheDir } from './cache-dir.ts';

const dir = new CacheDir();
after(() => rmSync(dir.path, { recursive: true }));
const skip = existsSync('/proc/self/fdinfo') ? false : 'no /proc here';

for (const [flags, isWriting] of [
  ['r', false],
  ['r+', true],
  ['w', true],
  ['a', true],
] as const) {
  test(`a file that is open with '${flags}' is ${isWriting ? '' : 'not '}being written`, { skip }, () => {
    const path = dir.at(dir.file(`open-${flags}`, 'x'));
    const fd = openSync(path, flags);
    assert.equal(pathsOpenForWriting().has(path), isWriting);
    closeSync(fd);
    assert.equal(pathsOpenForWriting().has(path), false);
  });
}

test('what another process has open counts', { skip }, async () => {
  const path = dir.at('elsewhere');
  const writer = spawn('sh', ['-c', `exec 5>'${path}'; echo open; exec sleep 300`], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(writer.stdout, 'data');
  assert.equal(pathsOpenForWriting().has(path), true);
  writer.kill('SIGKILL');
  await once(writer, 'exit');
  assert.equal(pathsOpenForWriting().has(path), false);
});
