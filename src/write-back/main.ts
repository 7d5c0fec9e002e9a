import { spawn } from 'node:child_process';
import { setPriority } from 'node:os';
import { setFlagsFromString } from 'node:v8';
import { WriteBackLock } from '../cache/write-back-lock.ts';
import { closeInherited } from '../handover/background.ts';
import { isRunning } from '../handover/server-process.ts';
import { realClock, Sleeper } from './clock.ts';
import { formatLine, isSaid, type Level, type WriteBackEvent } from './lines.ts';
import { logFile } from './log-file.ts';
import type { WriteBackLoop } from './loop.ts';
import type { WriteBackOrder } from './order.ts';
import { serverStderr } from './server-stderr.ts';
import { createLoop } from './start.ts';

/** The process that `init` leaves behind: it waits beside the server, and has what is new uploaded. */

const LOWEST_PRIORITY = 19;
const TRY_LOCK_EVERY = 10_000;
const CHECK_SERVER_EVERY = 500;
const EXIT_BUG = 1;

closeInherited();
// Machine code and a growing young generation cost an idle process 2 MiB, and make no look noticeably faster.
for (const flag of ['--no-opt', '--no-maglev', '--no-sparkplug', '--semi-space-growth-factor=1'])
  setFlagsFromString(flag);
const order = JSON.parse(process.argv[2] ?? '{}') as WriteBackOrder;
const toFile = logFile(order.dir);
const toServer = serverStderr(order.server);
const sleeper = new Sleeper(realClock);
const stopping = new AbortController();
let loop: WriteBackLoop | undefined;

for (const failure of ['uncaughtException', 'unhandledRejection']) process.on(failure, endByBug);
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.on(signal, stop);
process.title = 'model-cache write-back';
yieldToEverybody();
await writeBack();
process.exit(0);

async function writeBack(): Promise<void> {
  say(
    'DEBUG',
    'write-back.started',
    `write-back of ${order.dir} for PID ${order.server.pid}, as ${process.pid}`,
  );
  const lock = await takeLock();
  if (lock === undefined) return;
  const onState = (state: 'waiting' | 'uploading'): void =>
    lock.say({ pid: process.pid, server: order.server.pid, state, since: new Date().toISOString() });
  onState('waiting');
  loop = createLoop(order, { env: process.env, say, onState });
  if (stopping.signal.aborted) loop.stop();
  await loop.run();
  await lock.release();
}

/** The write-back of a former server may still be at its last pass. Undefined when there is no need any more. */
async function takeLock(): Promise<WriteBackLock | undefined> {
  while (isWanted()) {
    const lock = await WriteBackLock.tryTake(order.dir);
    if (lock !== undefined) return lock;
    say('DEBUG', 'write-back.waiting', 'write-back: another one has this dir');
    const nextTry = realClock.now() + TRY_LOCK_EVERY;
    while (isWanted() && realClock.now() < nextTry) await sleeper.sleep(CHECK_SERVER_EVERY);
  }
  return undefined;
}

function isWanted(): boolean {
  return !stopping.signal.aborted && isRunning(order.server);
}

/** The server's requests come first, at the processors and at the disk. The passes inherit it. */
function yieldToEverybody(): void {
  try {
    setPriority(LOWEST_PRIORITY);
  } catch {
    // Then as an equal.
  }
  spawn('ionice', ['-c', '3', '-p', String(process.pid)], { stdio: 'ignore' }).once('error', () => undefined);
}

function stop(): void {
  stopping.abort();
  sleeper.wake();
  loop?.stop();
}

function say(level: Level, event: WriteBackEvent, message: string): void {
  if (!isSaid(level, order.logLevel)) return;
  const line = formatLine(order.logFormat, level, event, message, new Date());
  toFile(line);
  if (level !== 'DEBUG') toServer(line);
}

/** To the file only, whatever the level: nothing of the server's depends on it. */
function endByBug(error: unknown): never {
  const what = error instanceof Error ? (error.stack ?? error.message) : String(error);
  toFile(formatLine(order.logFormat, 'ERROR', 'write-back.failed', `write-back failed: ${what}`, new Date()));
  process.exit(EXIT_BUG);
}
