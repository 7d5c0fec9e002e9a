import { spawn, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Report } from '../../src/report.ts';
import { killMarked, processesMarked, type MarkedProcess } from '../support/marked.ts';
import type { Minio } from '../support/minio.ts';
import { environmentFor, PROGRAM } from '../support/program.ts';

const MARKER = 'FAULT_ROW';
const POLL_MS = 10;
/** A row that hangs shall fail, and not the whole run. */
const KILLED_AFTER_MS = 150_000;
export const SERVER_RUNS = 'the server runs';
/** Says that it runs as soon as it has written down its variables; whatever PATH is. */
export const SHELL_SERVER = `command -p env -0 > "$0"; echo "${SERVER_RUNS}"`;

export interface Start {
  readonly command: string;
  /** After the rig's own: a later one wins. */
  readonly args?: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly dir: string;
  /** Goes before the program: `unshare`, `prlimit`, `setpriv` and the like. */
  readonly wrapper?: readonly string[];
  /** What the server does when it has said that it runs: a shell script. */
  readonly serverDoes?: string;
  /** Another server than a shell, which writes its variables to the file of its last argument. */
  readonly server?: readonly string[];
  readonly cwd?: string;
}

/** A line of the log. */
export interface LogLine {
  readonly level: number;
  readonly event: string;
  readonly msg: string;
}

export const LEVELS = { debug: 20, info: 30, warn: 40, error: 50 } as const;

/** A run of the program, from its start to its end and that of its server. */
export interface Ran {
  readonly command: string;
  readonly dir: string;
  /** A cache with everything that may be in the dir, and how it must look there. */
  readonly original: string;
  /** What was used of the store, whatever stood in front of it. */
  readonly minio: Minio;
  readonly bucket: string;
  /** Seconds until the server said that it runs; undefined: it never did. */
  readonly serverAfter: number | undefined;
  /** Seconds until the end. */
  readonly seconds: number;
  readonly serverEnv: Readonly<Record<string, string>> | undefined;
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly log: readonly LogLine[];
  /** What is on stderr and is no line of the log. */
  readonly noise: readonly string[];
  readonly report: Report | undefined;
  /** What must not be found in anything that was said or written. */
  readonly secrets: readonly string[];
  /** Of the run, and whatever came from it, that still live. */
  readonly processes: () => readonly MarkedProcess[];
  /** For the table: what a row has seen on the way to this run. */
  readonly note?: string;
}

/** What only the rig knows of a run. */
export type Setting = Pick<Ran, 'original' | 'minio' | 'bucket' | 'secrets'>;

export interface Running {
  /** Of the program, and then of its server; of the wrapper where there is one. */
  readonly pid: number;
  readonly ended: Promise<Ran>;
  /** Resolves when the log has such a message; rejects when it never came. */
  said(pattern: RegExp): Promise<void>;
  /** Resolves when this is true; rejects when the program has ended before. */
  until(isTrue: () => boolean): Promise<void>;
  /** SIGKILL for everything that came from it. */
  killAll(): void;
}

/** Starts the built program, with everything that can be heard of it turned on. `notes` is a folder of the run's own. */
export function startProgram(start: Start, notes: string, setting: Setting): Running {
  const id = randomUUID();
  const report = join(notes, 'report.json');
  const serverEnv = join(notes, 'server.env');
  const startedAt = performance.now();
  const child = spawn(...commandLine(start, report, serverEnv), {
    env: { ...environmentFor(start.env), [MARKER]: id },
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(start.cwd === undefined ? {} : { cwd: start.cwd }),
  });
  const marker = `${MARKER}=${id}`;
  const heard = listenTo(child, startedAt);
  const impatience = setTimeout(() => killMarked(marker), KILLED_AFTER_MS);
  const ended = endOf(child).then(({ code, signal }): Ran => {
    clearTimeout(impatience);
    const { log, noise } = parseLog(heard.stderr);
    return {
      ...setting,
      command: start.command,
      dir: start.dir,
      serverAfter: heard.serverAfter,
      seconds: secondsSince(startedAt),
      serverEnv: existsSync(serverEnv) ? parseEnv(readFileSync(serverEnv, 'utf8')) : undefined,
      code,
      signal,
      stdout: heard.stdout,
      stderr: heard.stderr,
      log,
      noise,
      report: existsSync(report) ? (JSON.parse(readFileSync(report, 'utf8')) as Report) : undefined,
      processes: () => processesMarked(marker),
    };
  });
  const until = async (isTrue: () => boolean): Promise<void> => {
    while (!isTrue()) {
      if (child.exitCode !== null || child.signalCode !== null)
        throw new Error(`the program ended before it came to that:\n${heard.stderr}`);
      await sleep(POLL_MS);
    }
  };
  return {
    pid: child.pid ?? 0,
    ended,
    until,
    said: (pattern) => until(() => parseLog(heard.stderr).log.some(({ msg }) => pattern.test(msg))),
    killAll: () => killMarked(marker),
  };
}

function commandLine(
  { command, args = [], dir, wrapper = [], serverDoes = '', server }: Start,
  report: string,
  serverEnv: string,
): [string, string[]] {
  const isInit = command === 'init';
  const log = ['--log-level', 'debug', '--log-format', 'json'];
  const own = ['--dir', dir, '--report', report, ...log, ...(isInit ? ['--write-back', 'off'] : ['--json'])];
  const served = server ?? ['/bin/sh', '-c', `${SHELL_SERVER}; ${serverDoes}`];
  const last = isInit ? ['--', ...served, serverEnv] : [];
  const words = [...wrapper, process.execPath, PROGRAM, command, ...own, ...args, ...last];
  return [words[0] ?? '', words.slice(1)];
}

interface Heard {
  stdout: string;
  stderr: string;
  serverAfter: number | undefined;
}

function listenTo(child: ChildProcess, startedAt: number): Heard {
  const heard: Heard = { stdout: '', stderr: '', serverAfter: undefined };
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    heard.stdout += text;
    if (heard.serverAfter === undefined && heard.stdout.includes(SERVER_RUNS))
      heard.serverAfter = secondsSince(startedAt);
  });
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    heard.stderr += text;
  });
  return heard;
}

function parseLog(stderr: string): Pick<Ran, 'log' | 'noise'> {
  const log: LogLine[] = [];
  const noise: string[] = [];
  for (const line of stderr.split('\n').filter((text) => text !== '')) {
    try {
      log.push(JSON.parse(line) as LogLine);
    } catch {
      noise.push(line);
    }
  }
  return { log, noise };
}

function parseEnv(text: string): Record<string, string> {
  return Object.fromEntries(
    text.split('\0').flatMap((line) => {
      const at = line.indexOf('=');
      return at < 0 ? [] : [[line.slice(0, at), line.slice(at + 1)]];
    }),
  );
}

function endOf(child: ChildProcess): Promise<{ code: number | null; signal: NodeJS.Signals | null }> {
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve({ code, signal }));
  });
}

function secondsSince(start: number): number {
  return (performance.now() - start) / 1000;
}
