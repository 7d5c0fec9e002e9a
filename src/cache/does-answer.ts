import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';

const LOOK = `const fs = require('fs'); fs.statfsSync(process.argv[1]); fs.opendirSync(process.argv[1]).readSync();`;
const SHELL = '/bin/sh';

/**
 * Whether a file system answers, be it with an error. Another process asks, which is left behind when it gets no
 * answer: a process that waits for a dead file system cannot be ended, not even by SIGKILL. It is no child of ours, so
 * that the server which we become gets none. Who cannot start a process cannot ask, and takes it for answering.
 */
export function doesAnswer(folder: string, withinMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const asked = ask(folder);
    if (asked?.stdout == null) return resolve(true);
    const answer = (isAnswer: boolean): void => {
      clearTimeout(timer);
      asked.stdout?.destroy();
      asked.unref();
      resolve(isAnswer);
    };
    const timer = setTimeout(() => answer(false), withinMs);
    // It says nothing: its end closes what it could have said it to.
    asked.stdout.once('close', () => answer(true)).resume();
    asked.once('error', () => answer(true));
  });
}

function ask(folder: string): ChildProcess | undefined {
  const command = [process.execPath, '-e', LOOK, folder];
  const [program = '', ...args] = existsSync(SHELL) ? [SHELL, '-c', '"$@" &', 'sh', ...command] : command;
  try {
    return spawn(program, args, { cwd: '/', env: {}, stdio: ['ignore', 'pipe', 'ignore'], detached: true });
  } catch {
    return undefined;
  }
}
