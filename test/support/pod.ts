import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { closeSync, constants, openSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { killMarked, processesMarked, type MarkedProcess } from './marked.ts';
import { environmentFor, PROGRAM } from './program.ts';
import { pythonWith, type HubLibrary } from './python.ts';

const MARKER = 'TEST_POD';
const POLL_MS = 20;
const LINE_WITHIN_MS = 60_000;
const GONE_WITHIN_MS = 30_000;
/** From the outside only: a process cannot leave it, and `unshare` passes the exit code on. */
const NEW_PID_NAMESPACE = ['--pid', '--fork', '--kill-child', '--mount-proc'];

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** `model-cache init -- <server>` and every process that comes from it, however far it has gone from its parents. */
export interface Pod {
  /** Of init, and then of the server. */
  readonly pid: number;
  /** What was said so far on stdout and stderr, which are one pipe. */
  readonly lines: readonly string[];
  /** When the server, or what stands in front of it, has ended; others of the pod may live on. */
  readonly ended: Promise<Ended>;
  /** Those that live. A zombie has no environment any more, and is not one of them. */
  processes(): readonly MarkedProcess[];
  /** The first line that matches; rejects with everything that was said when none comes within a minute. */
  until(pattern: RegExp): Promise<string>;
  signal(name: NodeJS.Signals): void;
  /** SIGKILL for all of them, as when a container is removed, until none is left. */
  killAll(): Promise<void>;
  /** SIGTERM for the server; rejects with a list of the processes that half a minute later are still there. */
  stop(): Promise<Ended>;
  /** Resolves when no process of the pod is left; rejects as `stop` does. */
  gone(): Promise<void>;
}

export interface PodOptions {
  readonly env: Readonly<Record<string, string>>;
  /** Of init. */
  readonly options?: readonly string[];
  /** Empty: init without a server. */
  readonly server: readonly string[];
}

/** The command of a server that gets `repo:file[@revision]`s with this library; see python/server.py. */
export async function hubServer(library: HubLibrary, files: readonly string[]): Promise<readonly string[]> {
  return [await pythonWith(library), join(import.meta.dirname, 'python', 'server.py'), ...files];
}

/** Variables under which a server asks this Hub, and nobody else. */
export function hubVariables(endpoint: string): Record<string, string> {
  return {
    HF_ENDPOINT: endpoint,
    HF_HUB_DISABLE_TELEMETRY: '1',
    HF_HUB_DISABLE_PROGRESS_BARS: '1',
    PYTHONDONTWRITEBYTECODE: '1',
  };
}

/** Starts a pod; nothing of it outlives the test. */
export function startPod(context: Pick<TestContext, 'after'>, options: PodOptions): Promise<Pod> {
  return start(context, initCommand(options), options.env);
}

/** A pod whose first process is a shell with this script, which runs the program as `"$NODE" "$PROGRAM" ...`. */
export function startShell(
  context: Pick<TestContext, 'after'>,
  script: string,
  env: PodOptions['env'],
): Promise<Pod> {
  return start(context, ['sh', '-c', script], { ...env, NODE: process.execPath, PROGRAM });
}

/** A pod as a container has it: init is PID 1 of a PID namespace, which dies with it. */
export function startPodInPidNamespace(
  context: Pick<TestContext, 'after'>,
  options: PodOptions,
): Promise<Pod> {
  return start(context, ['unshare', ...namespaceOptions(), ...initCommand(options)], options.env);
}

/** Whether this machine lets us make PID namespaces. */
export function canMakePidNamespaces(): boolean {
  return spawnSync('unshare', [...namespaceOptions(), 'true']).status === 0;
}

function namespaceOptions(): readonly string[] {
  return process.getuid?.() === 0 ? NEW_PID_NAMESPACE : ['--user', '--map-root-user', ...NEW_PID_NAMESPACE];
}

/** Of pods that no test has cleared away yet. */
const markers = new Set<string>();
process.once('exit', () => markers.forEach(killMarked));

function initCommand({ options = [], server }: PodOptions): readonly string[] {
  return [process.execPath, PROGRAM, 'init', ...options, ...(server.length === 0 ? [] : ['--', ...server])];
}

async function start(
  context: Pick<TestContext, 'after'>,
  [program = '', ...args]: readonly string[],
  env: PodOptions['env'],
): Promise<Pod> {
  const marker = `${MARKER}=${randomUUID()}`;
  const folder = await mkdtemp(join(tmpdir(), 'model-cache-pod-'));
  const output = namedPipe(join(folder, 'output'));
  const child = spawn(program, args, {
    stdio: ['ignore', output.writeEnd, output.writeEnd],
    env: { ...environmentFor(env), [MARKER]: marker.slice(MARKER.length + 1) },
  });
  closeSync(output.writeEnd);
  markers.add(marker);
  const ended = endOf(child);
  const pod = podOf({ child, ended, marker, isWrapped: program === 'unshare', output });
  context.after(async () => {
    await pod.killAll();
    markers.delete(marker);
    output.close();
    await rm(folder, { recursive: true, force: true });
  });
  return pod;
}

interface Output {
  readonly text: () => string;
  readonly writeEnd: number;
  readonly close: () => void;
}

interface Started {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  readonly marker: string;
  /** The child is `unshare`, and init is its child. */
  readonly isWrapped: boolean;
  readonly output: Output;
}

function podOf({ child, ended, marker, isWrapped, output }: Started): Pod {
  const pid = (): number => {
    const started = child.pid ?? 0;
    return isWrapped ? (onlyChildOf(started) ?? started) : started;
  };
  const lines = (): readonly string[] => output.text().split('\n').slice(0, -1);
  const explained = (problem: string): Error => new Error(`${problem}; it said:\n${output.text()}`);
  const gone = async (): Promise<void> => {
    const deadline = Date.now() + GONE_WITHIN_MS;
    for (let left = processesMarked(marker); left.length > 0; left = processesMarked(marker)) {
      if (Date.now() > deadline) {
        const list = left.map(({ pid, command }) => `${pid} ${command}`).join('\n  ');
        throw explained(`wanted no process of the pod, found after half a minute:\n  ${list}\n`);
      }
      await sleep(POLL_MS);
    }
  };
  return {
    get pid() {
      return pid();
    },
    get lines() {
      return lines();
    },
    ended,
    processes: () => processesMarked(marker),
    async until(pattern) {
      const deadline = Date.now() + LINE_WITHIN_MS;
      for (;;) {
        const line = lines().find((candidate) => pattern.test(candidate));
        if (line !== undefined) return line;
        if (Date.now() > deadline) throw explained(`wanted a line like ${pattern}, found none in a minute`);
        await sleep(POLL_MS);
      }
    },
    signal: (name) => void process.kill(pid(), name),
    async killAll() {
      killMarked(marker);
      await gone();
      await ended;
    },
    async stop() {
      process.kill(pid(), 'SIGTERM');
      await gone();
      return ended;
    },
    gone,
  };
}

/**
 * A pipe such as a container runtime gives: `/proc/self/fd/2` can be opened anew, which a socket (what `spawn` calls a
 * pipe) does not allow.
 */
function namedPipe(path: string): Output {
  const made = spawnSync('mkfifo', [path]);
  if (made.status !== 0) throw new Error(`wanted a named pipe at ${path}, found: ${made.stderr?.toString()}`);
  const readEnd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const writeEnd = openSync(path, constants.O_WRONLY);
  const reader = new Socket({ fd: readEnd, readable: true, writable: false });
  let text = '';
  reader.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  reader.on('error', () => undefined);
  return { text: () => text, writeEnd, close: () => void reader.destroy() };
}

function endOf(child: ChildProcess): Promise<Ended> {
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => resolve({ code, signal }));
  });
}

function onlyChildOf(pid: number): number | undefined {
  try {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
    return children === '' ? undefined : Number(children.split(' ')[0]);
  } catch {
    return undefined;
  }
}
