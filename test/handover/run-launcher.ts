import { spawn, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { soon } from '../store/bodies.ts';

const LAUNCHER = fileURLToPath(new URL('launcher.ts', import.meta.url));

export interface Launched {
  readonly child: ChildProcess;
  /** Resolves when the text stands in what was printed so far. */
  readonly said: (text: string) => Promise<void>;
  /** What was printed, and the exit code or the name of the signal. */
  readonly ended: Promise<{ readonly out: string; readonly end: number | string }>;
}

/** Starts test/handover/launcher.ts; `PATH` is the only variable it has but those in `env`. */
export function launch(words: readonly string[], env: Record<string, string> = {}): Launched {
  const child = spawn(process.execPath, [LAUNCHER, ...words], {
    env: { PATH: process.env['PATH'] ?? '', ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
    detached: true,
  });
  let out = '';
  const listeners = new Set<() => void>();
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      out += chunk.toString();
      for (const listener of listeners) listener();
    });
  }
  const ended = new Promise<{ out: string; end: number | string }>((done) => {
    child.on('close', (code, signal) => done({ out, end: code ?? signal ?? 'unknown' }));
  });
  const said = (text: string): Promise<void> =>
    soon(
      new Promise((done) => {
        const look = (): void => {
          if (out.includes(text)) done();
        };
        listeners.add(look);
        look();
      }),
    );
  return { child, said, ended: soon(ended, 20_000).finally(() => endGroup(child)) };
}

/** A server whose launcher is gone would hold our pipes, and so the tests, for ever. */
function endGroup({ pid }: ChildProcess): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL');
  } catch {
    // All of it has ended by itself.
  }
}
