import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { findProgram } from '../../src/handover/program.ts';

const scratch = mkdtempSync(join(tmpdir(), 'program-'));
after(() => rmSync(scratch, { recursive: true }));

test('a name is looked for in the folders of PATH, in their order', () => {
  const [first, second] = [folder(), folder()];
  const wanted = script(second, 'server', '#!/bin/sh\n');
  assert.equal(findProgram(['server'], `${first}:${second}`).path, wanted);
  const earlier = script(first, 'server', '#!/bin/sh\n');
  assert.equal(findProgram(['server'], `${first}:${second}`).path, earlier);
});

test('the server starts with the words it was given', () => {
  const bin = folder();
  script(bin, 'server', '#!/bin/sh\n');
  assert.deepEqual(findProgram(['server', '--flag', '', 'a b'], bin).argv, ['server', '--flag', '', 'a b']);
});

test('as execvp does: what cannot be executed in one folder is looked for in the next', () => {
  const [first, second] = [folder(), folder()];
  mkdirSync(join(first, 'server'));
  const wanted = script(second, 'server', '#!/bin/sh\n');
  assert.equal(findProgram(['server'], `${first}:${second}`).path, wanted);
  script(first, 'other', '#!/bin/sh\n', 0o644);
  const other = script(second, 'other', '#!/bin/sh\n');
  assert.equal(findProgram(['other'], `${first}:${second}`).path, other);
});

test('as execvp does: past a script whose interpreter is missing, the next folder is tried', () => {
  const [first, second] = [folder(), folder()];
  script(first, 'server', '#!/no/such/interpreter\n');
  const wanted = script(second, 'server', '#!/bin/sh\necho "ran $0"\n');
  const path = `${first}:${second}`;
  assert.equal(findProgram(['server'], path).path, wanted);
  const byEnv = spawnSync('/usr/bin/env', [`PATH=${path}:${process.env['PATH']}`, 'server'], {
    encoding: 'utf8',
  });
  assert.equal(byEnv.stdout, `ran ${wanted}\n`);
});

test('past a program of another processor, the next folder is tried', () => {
  const [first, second] = [folder(), folder()];
  otherMachines(first, 'server');
  const wanted = script(second, 'server', '#!/bin/sh\n');
  // By its path: who looks the name up once more, as env does, would run a shell on the first.
  assert.deepEqual(findProgram(['server', 'a'], `${first}:${second}`), { path: wanted, argv: [wanted, 'a'] });
});

test('past a folder that must not be looked into, it is started by its path', () => {
  const [dead, alive] = [folder(), folder()];
  script(dead, 'server', '#!/bin/sh\n');
  const wanted = script(alive, 'server', '#!/bin/sh\n');
  // Whoever looks the name up once more, as env does, would look into the first.
  assert.deepEqual(
    findProgram(['server', 'a'], `${dead}:${alive}`, (name) => name !== dead),
    { path: wanted, argv: [wanted, 'a'] },
  );
});

test('as execvp does: past a script without a shebang, no other folder is tried', () => {
  const [first, second] = [folder(), folder()];
  const wanted = script(first, 'server', 'echo ran\n');
  script(second, 'server', '#!/bin/sh\n');
  assert.deepEqual(findProgram(['server'], `${first}:${second}`), { path: '/bin/sh', argv: ['sh', wanted] });
});

test('where no folder has one that can be executed, the first says why', () => {
  const [first, second, third] = [folder(), folder(), folder()];
  script(first, 'server', '#!/no/such/interpreter\n');
  script(second, 'server', '#!/bin/sh\n', 0o644);
  otherMachines(third, 'server');
  assert.throws(() => findProgram(['server'], `${first}:${second}:${third}:/nowhere`), {
    code: 'server-not-executable',
    message: /no\/such\/interpreter/,
  });
  assert.throws(() => findProgram(['server'], `/nowhere:${third}:${first}`), {
    code: 'server-not-executable',
    message: /processor/,
  });
});

test('a name with a slash is a path, whatever PATH is', () => {
  const bin = folder();
  const wanted = script(bin, 'server', '#!/bin/sh\n');
  assert.equal(findProgram([wanted], '/nowhere').path, wanted);
  assert.throws(() => findProgram(['./server'], bin), { code: 'server-not-found' });
});

test('without PATH, the system’s folders are looked in', () => {
  assert.match(findProgram(['sh'], undefined).path, /^\/(usr\/)?bin\/sh$/);
});

for (const [what, name] of [
  ['a name that is nowhere', 'no-such-server'],
  ['a path that leads to nothing', '/no/such/server'],
  ['an empty name', ''],
] as const) {
  test(`${what} is server-not-found`, () => {
    assert.throws(() => findProgram([name], scratch), { code: 'server-not-found' });
  });
}

test('a dangling link is server-not-found', () => {
  const bin = folder();
  symlinkSync('nothing', join(bin, 'server'));
  assert.throws(() => findProgram([join(bin, 'server')], ''), { code: 'server-not-found' });
});

test('server-not-found says where it was looked for', () => {
  assert.throws(() => findProgram(['no-such-server'], '/a:/b'), {
    hint: /\/a:\/b/,
    message: /no-such-server/,
  });
});

test('a pipe is not executable, and not waited for', () => {
  const path = join(folder(), 'server');
  assert.equal(spawnSync('mkfifo', ['-m', '755', path]).status, 0);
  assert.throws(() => findProgram([path], ''), { code: 'server-not-executable', message: /it is no file/ });
});

test('a folder is not executable', () => {
  assert.throws(() => findProgram([folder()], ''), { code: 'server-not-executable', message: /folder/ });
});

test('a file without the x bit is not executable, for root neither', () => {
  const path = script(folder(), 'server', '#!/bin/sh\n', 0o644);
  assert.throws(() => findProgram([path], ''), { code: 'server-not-executable' });
});

for (const [what, text] of [
  ['is not there', '#!/no/such/interpreter -x\n'],
  ['is not executable', '#!/etc/passwd\n'],
] as const) {
  test(`a script whose interpreter ${what} is not executable`, () => {
    const path = script(folder(), 'server', text);
    assert.throws(() => findProgram([path], ''), { code: 'server-not-executable', message: /interpreter/ });
  });
}

test('of a script with the line ends of Windows, these are told', () => {
  const path = script(folder(), 'server', '#!/bin/sh\r\nexit 0\r\n');
  assert.throws(() => findProgram([path], ''), {
    code: 'server-not-executable',
    message: /its first line ends as lines do on Windows: `sed -i 's\/\\r\$\/\/'` it/,
  });
});

test('an interpreter may be a script whose own interpreter is missing', () => {
  const bin = folder();
  const middle = script(bin, 'middle', '#!/no/such/interpreter\n');
  const path = script(bin, 'server', `#!${middle}\n`);
  assert.throws(() => findProgram([path], ''), { code: 'server-not-executable' });
});

test('a shebang with a blank and an argument is understood', () => {
  const path = script(folder(), 'server', '#! /usr/bin/env sh\nexit 0\n');
  assert.equal(findProgram([path], '').path, path);
});

test('a program of another processor is not executable', () => {
  const path = otherMachines(folder(), 'server');
  assert.throws(() => findProgram([path], ''), { code: 'server-not-executable', message: /processor/ });
});

test('a program whose loader is missing is not executable', () => {
  const bytes = readFileSync(process.execPath).subarray(0, 4096);
  const patched = Buffer.from(bytes.toString('latin1').replace('/ld-linux', '/ld-nowhr'), 'latin1');
  assert.notDeepEqual(patched, bytes);
  const path = join(folder(), 'server');
  writeFileSync(path, patched, { mode: 0o755 });
  assert.throws(() => findProgram([path], ''), { code: 'server-not-executable', message: /ld-nowhr/ });
});

for (const [what, text] of [
  ['without a shebang', 'echo "ran $1"\n'],
  ['that begins with a blank line', '\necho "ran $1"\n'],
] as const) {
  test(`a script ${what} runs in a shell, as execvp has it`, () => {
    const path = script(folder(), 'server', text);
    const { path: program, argv } = findProgram([path, 'well'], '');
    assert.equal(program, '/bin/sh');
    const run = spawnSync(program, argv.slice(1), { encoding: 'utf8' });
    assert.equal(run.stdout, 'ran well\n');
  });
}

test('an empty file that is executable succeeds and does nothing, as in a shell', () => {
  const path = script(folder(), 'server', '');
  const { path: program, argv } = findProgram([path], '');
  assert.equal(spawnSync(program, argv.slice(1)).status, 0);
});

function folder(): string {
  return mkdtempSync(join(scratch, 'bin-'));
}

function script(bin: string, name: string, text: string, mode = 0o755): string {
  const path = join(bin, name);
  writeFileSync(path, text, 'latin1');
  chmodSync(path, mode);
  return path;
}

/** A program of another processor. */
function otherMachines(bin: string, name: string): string {
  const bytes = Buffer.from(readFileSync(process.execPath).subarray(0, 4096));
  bytes.writeUInt16LE(bytes.readUInt16LE(18) === 62 ? 183 : 62, 18);
  const path = join(bin, name);
  writeFileSync(path, bytes, { mode: 0o755 });
  return path;
}
