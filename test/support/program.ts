import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';

/** The built program, as users run it. */
export const PROGRAM = join(import.meta.dirname, '..', '..', 'bin', 'model-cache.js');

export interface Finished {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly input?: string;
}

/** Of our own environment the program gets PATH only, so that no setting of the developer's leaks into a test. */
export function environmentFor(env: Readonly<Record<string, string>> = {}): Record<string, string> {
  return { PATH: process.env['PATH'] ?? '', HOME: '/nonexistent', TZ: 'UTC', ...env };
}

export function startModelCache(args: readonly string[], { env, cwd }: RunOptions = {}): ChildProcess {
  return spawn(process.execPath, [PROGRAM, ...args], {
    env: environmentFor(env),
    stdio: 'pipe',
    ...(cwd === undefined ? {} : { cwd }),
  });
}

export async function modelCache(args: readonly string[], options: RunOptions = {}): Promise<Finished> {
  return finished(startModelCache(args, options), options.input);
}

export async function finished(child: ChildProcess, input = ''): Promise<Finished> {
  const stdout = collect(child.stdout);
  const stderr = collect(child.stderr);
  child.stdin?.on('error', () => undefined);
  child.stdin?.end(input);
  const [code, signal] = await new Promise<[number | null, NodeJS.Signals | null]>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (exitCode, killedBy) => resolve([exitCode, killedBy]));
  });
  return { code, signal, stdout: await stdout, stderr: await stderr };
}

/** A write-back that is about to end may still write to a folder that is being removed. */
const REMOVAL = { recursive: true, force: true, maxRetries: 20, retryDelay: 100 };

/** A folder for one test, gone afterwards. */
export async function scratchDir(context: Pick<TestContext, 'after'>): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'model-cache-test-'));
  context.after(() => rm(dir, REMOVAL));
  return dir;
}

/** The lines of a log at one level. */
export function linesAt(level: 'WARN' | 'INFO' | 'ERROR', { stderr }: Finished): readonly string[] {
  return stderr.split('\n').filter((line) => line.includes(`] ${level}:`));
}

async function collect(stream: NodeJS.ReadableStream | null): Promise<string> {
  const chunks: Buffer[] = [];
  if (stream !== null) for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}
