import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { eventually } from '../support/eventually.ts';

const LAUNCHER = fileURLToPath(new URL('background-launcher.ts', import.meta.url));
const skip =
  existsSync('/proc/self/fdinfo') && process.execve !== undefined ? false : 'no /proc or execve here';

interface Found {
  readonly pid: number;
  readonly parent: number;
  readonly session: number;
  readonly cwd: string;
  readonly left: string;
  readonly standard: readonly string[];
  readonly leaked: readonly number[];
}

test(
  'what is left behind lives beside what this process becomes, and is none of its',
  { skip },
  async (context) => {
    const dir = mkdtempSync(join(tmpdir(), 'background-'));
    context.after(() => rmSync(dir, { recursive: true }));
    const out = join(dir, 'found');
    // A pipe of ours in 5 and in 25, which who started us does not know of; bash, since dash knows no 25.
    const script = `exec 5>&1 25>&1; exec "$0" '${LAUNCHER}' start '${out}'`;
    const child = spawn('bash', ['-c', script, process.execPath], {
      cwd: dir,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const closed = once(child, 'close');
    child.stdout.resume();
    const found = await eventually('what was left behind', () =>
      existsSync(out) ? (JSON.parse(readFileSync(out, 'utf8')) as Found) : undefined,
    );
    await eventually('the server', () => readFileSync(`/proc/${child.pid}/comm`, 'utf8') === 'sleep\n');
    assert.notEqual(found.parent, child.pid);
    assert.deepEqual(childrenOf(child.pid ?? 0), []);
    assert.notEqual(found.session, sessionOf(process.pid));
    assert.notEqual(found.session, sessionOf(child.pid ?? 0));
    assert.deepEqual([found.cwd, found.left], [dir, 'behind']);
    assert.deepEqual(found.standard, ['/dev/null', '/dev/null', '/dev/null']);
    assert.deepEqual(found.leaked, []);
    child.kill('SIGKILL');
    // Nothing else holds the pipe open, or this would never come.
    await closed;
    process.kill(found.pid, 0);
    process.kill(found.pid, 'SIGKILL');
  },
);

/** Zombies as well. */
function childrenOf(pid: number): readonly string[] {
  return readdirSync('/proc').filter((name) => /^\d+$/.test(name) && fieldOf(Number(name), 1) === pid);
}

function sessionOf(pid: number): number {
  return fieldOf(pid, 3);
}

function fieldOf(pid: number, index: number): number {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /s, '');
    return Number(stat.split(' ')[index]);
  } catch {
    return -1;
  }
}
