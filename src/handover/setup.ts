import { spawn, type ChildProcess } from 'node:child_process';
import { Readable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import { countdown } from '../countdown.ts';
import { ModelCacheError } from '../errors.ts';
import type { Environment } from '../settings/raw.ts';

/** For its last output, once it has ended. */
const GRACE_MS = 500;
/** What of a line is told: a setup may write without end and without a line's end. */
const MAX_LINE_BYTES = 64 * 1024;
const [LINE_FEED, CARRIAGE_RETURN] = [0x0a, 0x0d];

export interface SetupOptions {
  readonly env: Environment;
  /** Milliseconds; 0: as long as it takes. */
  readonly timeout: number;
  readonly signal: AbortSignal;
  readonly onLine: (line: string) => void;
}

/**
 * Runs one `--setup` command in a shell with the server's environment. Its output goes to `onLine`, a
 * long line without its rest, and nothing of it once this is done; stdin is empty.
 * Throws `setup-failed` when it fails or takes too long; by then its whole process group has ended.
 */
export async function runSetup(
  command: string,
  { env, timeout, signal, onLine }: SetupOptions,
): Promise<void> {
  signal.throwIfAborted();
  const child: ChildProcess = spawn('/bin/sh', ['-c', command], {
    env,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  // There are none where this process has no descriptors left.
  const streams = [child.stdout, child.stderr].filter((stream) => stream instanceof Readable);
  const outputs = streams.map((stream) => new Lines(stream, onLine));
  let whyEnded: string | undefined;
  const end = (why: string): void => {
    whyEnded ??= why;
    killGroup(child);
  };
  const timer = countdown(timeout, () => end(`not done after ${timeout / 1000} s (--setup-timeout)`));
  const onAbort = (): void => end('interrupted');
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    const outcome = await ending(child);
    signal.throwIfAborted();
    const failure = whyEnded ?? outcome;
    if (failure !== undefined) {
      throw new ModelCacheError('setup-failed', `${command}: ${failure}`, {
        hint: 'the server is started all the same',
      });
    }
  } finally {
    for (const output of outputs) output.stop();
    clearTimeout(timer);
    signal.removeEventListener('abort', onAbort);
  }
}

/** Tells a stream line by line, without the empty ones. A carriage return ends a line too: progress bars have no other. */
class Lines {
  readonly #stream: Readable;
  readonly #onLine: (line: string) => void;
  readonly #line = Buffer.alloc(MAX_LINE_BYTES);
  #length = 0;
  #isCut = false;

  constructor(stream: Readable, onLine: (line: string) => void) {
    this.#stream = stream;
    this.#onLine = onLine;
    stream.on('data', (chunk: Buffer) => this.#take(chunk)).on('end', () => this.#endLine());
  }

  /** What has come of a line is told; nothing else is read, whoever still holds the other end. */
  stop(): void {
    if (this.#stream.destroyed) return;
    this.#stream.destroy();
    this.#endLine();
  }

  #take(chunk: Buffer): void {
    let from = 0;
    for (const [at, byte] of chunk.entries()) {
      if (byte !== LINE_FEED && byte !== CARRIAGE_RETURN) continue;
      this.#add(chunk.subarray(from, at));
      this.#endLine();
      from = at + 1;
    }
    this.#add(chunk.subarray(from));
    this.#letOthersRun();
  }

  /** Whoever never pauses would keep timers and signals from being heard. */
  #letOthersRun(): void {
    this.#stream.pause();
    setImmediate(() => this.#stream.resume());
  }

  #add(bytes: Buffer): void {
    const added = bytes.copy(this.#line, this.#length);
    this.#length += added;
    this.#isCut ||= added < bytes.length;
  }

  #endLine(): void {
    const decoder = new StringDecoder('utf8');
    const text = decoder.write(this.#line.subarray(0, this.#length));
    // Of a character that the cut has halved, nothing is told.
    const line = this.#isCut ? `${text}...` : text + decoder.end();
    this.#length = 0;
    this.#isCut = false;
    if (line.trim() !== '') this.#onLine(line);
  }
}

/** Undefined for success, else how it ended. Output that is still on its way has been read by then. */
function ending(child: ChildProcess): Promise<string | undefined> {
  return new Promise((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('exit', (code, signal) => {
      const outcome = code === 0 ? undefined : signal === null ? `exit code ${code}` : `ended by ${signal}`;
      // Something it left in the background may hold its output open for ever.
      const grace = setTimeout(() => resolve(outcome), GRACE_MS);
      child.once('close', () => {
        clearTimeout(grace);
        resolve(outcome);
      });
    });
  });
}

function killGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // It has ended by itself.
  }
}
