import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import type { Command } from '../contestants/contestant.ts';
import type { Programs } from '../install/programs.ts';
import type { Site } from '../stores/site.ts';
import { busySeconds, processorSeconds } from './processors.ts';

/** What one run took. Where a command was repeated, a share for each time. */
export interface Run {
  readonly wall: number;
  readonly clientCpu: number;
  readonly peakMiB: number;
  readonly serverCpu: number;
  /** What the rest of the machine used, of all that the processors had to give meanwhile. */
  readonly foreign: number;
  /** Why it does not count. */
  readonly failure?: string;
}

export interface Conditions {
  readonly programs: Programs;
  readonly site: Site;
  /** A folder for what the command says. */
  readonly scratch: string;
  readonly timeLimitSeconds: number;
  /** How often the command is run for one figure: one that is over at once cannot be told from the clock's ticks. */
  readonly repeats: number;
}

/** What `measured` writes down. */
interface Report {
  readonly wall: number;
  readonly cpu: number;
  readonly peakKiB: number;
  readonly code: number;
  readonly timedOut: boolean;
}

/** Runs a command to its end. Returns its figures, and what it printed. */
export async function measure(
  command: Command,
  conditions: Conditions,
): Promise<{ readonly run: Run; readonly output: string }> {
  const { site, repeats, timeLimitSeconds, scratch } = conditions;
  const before = accounts(site);
  const reports: Report[] = [];
  while (reports.length < repeats && reports.every(succeeded))
    reports.push(await runOnce(command, conditions));
  const after = accounts(site);

  const clientCpu = sum(reports.map(({ cpu }) => cpu));
  const serverCpu = after.server - before.server;
  const own = clientCpu + serverCpu + after.link - before.link + after.harness - before.harness;
  const capacity = (after.clock - before.clock) * cpus().length;
  const failed = reports.find((report) => !succeeded(report));
  return {
    run: {
      wall: sum(reports.map(({ wall }) => wall)) / repeats,
      clientCpu: clientCpu / repeats,
      peakMiB: Math.max(...reports.map(({ peakKiB }) => peakKiB)) / 1024,
      serverCpu: serverCpu / repeats,
      foreign: Math.max(0, after.busy - before.busy - own) / capacity,
      ...(failed && { failure: inWords(failed, timeLimitSeconds, scratch) }),
    },
    output: readFileSync(join(scratch, 'stdout'), 'utf8'),
  };
}

function succeeded({ code, timedOut }: Report): boolean {
  return code === 0 && !timedOut;
}

async function runOnce({ argv, env, input = '' }: Command, conditions: Conditions): Promise<Report> {
  const { programs, site, timeLimitSeconds, scratch } = conditions;
  const report = join(scratch, 'report.json');
  const files = [join(scratch, 'stdin'), join(scratch, 'stdout'), join(scratch, 'stderr')] as const;
  writeFileSync(files[0], input);
  const stdio = [openSync(files[0], 'r'), openSync(files[1], 'w'), openSync(files[2], 'w')];
  const limit = String(Math.round(timeLimitSeconds * 1000));
  const [program = '', ...args] = site.from([programs.native('measured'), report, limit, ...argv]);
  const child = spawn(program, args, { env, stdio });
  for (const fd of stdio) closeSync(fd);
  const [code] = (await once(child, 'exit')) as [number | null];
  if (code !== 0)
    throw new Error(`wanted ${argv[0]} to be measured, found:\n${readFileSync(files[2], 'utf8')}`);
  return JSON.parse(readFileSync(report, 'utf8')) as Report;
}

interface Accounts {
  readonly clock: number;
  readonly busy: number;
  readonly server: number;
  readonly link: number;
  readonly harness: number;
}

function accounts(site: Site): Accounts {
  const { user, system } = process.cpuUsage();
  return {
    clock: performance.now() / 1000,
    busy: busySeconds(),
    server: processorSeconds(site.serverPids()),
    link: processorSeconds(site.linkPids),
    harness: (user + system) / 1e6,
  };
}

function inWords({ code, timedOut }: Report, limit: number, scratch: string): string {
  const what = timedOut ? `stopped after ${limit} s` : `ended with ${code}`;
  const said = readFileSync(join(scratch, 'stderr'), 'utf8').trim().split('\n').at(-1) ?? '';
  return said === '' ? what : `${what}; last words: ${said.slice(0, 200)}`;
}

export function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
