import { spawn, type ChildProcess } from 'node:child_process';
import type { PassEnd } from '../model/write-back-step.ts';
import { passEndOf } from './pass-end.ts';

export interface RunningPass {
  /** Never rejects. */
  readonly ended: Promise<PassEnd>;
  /** Asks it to leave what it does so that a later pass can go on from there. */
  park(): void;
  kill(): void;
}

export interface PassOptions {
  /** A JavaScript file, which this Node runs. */
  readonly program: string;
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  /** A descriptor that stays the caller's, or nothing. */
  readonly stderr: number | 'ignore';
}

const NOT_STARTED: RunningPass = {
  ended: Promise.resolve('later'),
  park: () => undefined,
  kill: () => undefined,
};

/**
 * Runs the program once. Its stdin is its lifeline: nothing is ever written to it, and it ends when we do, however we
 * do.
 */
export function startPass({ program, args, env, stderr }: PassOptions): RunningPass {
  let child: ChildProcess;
  try {
    child = spawn(process.execPath, [program, ...args], { env, stdio: ['pipe', 'ignore', stderr] });
  } catch {
    return NOT_STARTED;
  }
  // A lifeline that breaks is an end of the pass, which is seen as such.
  child.stdin?.on('error', () => undefined);
  const ended = new Promise<PassEnd>((resolve) => {
    child.once('error', () => resolve('later'));
    child.once('exit', (code) => resolve(passEndOf(code)));
  });
  return {
    ended,
    park: () => void child.kill('SIGTERM'),
    kill: () => void child.kill('SIGKILL'),
  };
}
