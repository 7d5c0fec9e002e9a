import { spawn } from 'node:child_process';
import { accessSync, constants, existsSync } from 'node:fs';
import { once } from 'node:events';
import { createInterface } from 'node:readline/promises';
import type { Programs } from './install/programs.ts';

/** As bench/native/link.c gives it. */
export const SERVER_ADDRESS = '10.77.0.1';
export const CLIENT_TIMEOUT_MS = 5_000;
/** What the queue of the link holds, in time. */
const QUEUE_MS = 40;

export interface LinkShape {
  readonly megabitsPerSecond: number;
  /** There and back. */
  readonly roundTripMs: number;
  readonly mtu: number;
  /** Of the packets to the client, one in so many is lost; 0: none. */
  readonly losesOneIn: number;
  /** What one connection brings at most; undefined: what the link does. */
  readonly megabytesPerConnection?: number;
}

/** Two network namespaces, and what is between them. */
export interface Link {
  readonly pid: number;
  atServer(argv: readonly string[]): readonly string[];
  atClient(argv: readonly string[]): readonly string[];
  stop(): Promise<void>;
}

/** Undefined: there can be links on this machine. */
export function whyNoLink(): string | undefined {
  if (process.platform !== 'linux' || process.geteuid?.() !== 0)
    return 'only root on Linux makes network namespaces';
  if (!existsSync('/dev/net/tun')) return 'there is no /dev/net/tun';
  return ['nsenter', 'setpriv', 'ip'].map(whyNot).find((why) => why !== undefined);
}

export async function startLink(programs: Programs, shape: LinkShape): Promise<Link> {
  const { megabitsPerSecond, roundTripMs, mtu, losesOneIn, megabytesPerConnection = 0 } = shape;
  const lossPerMillion = losesOneIn === 0 ? 0 : 1e6 / losesOneIn;
  const window = Math.round(megabytesPerConnection * roundTripMs * 1000);
  const figures = [megabitsPerSecond, (roundTripMs * 1000) / 2, mtu, lossPerMillion, QUEUE_MS, window];
  const child = spawn(programs.native('link'), figures.map(String), { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = once(child, 'exit');
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  const server = await lines.next();
  const client = await lines.next();
  if (server.done === true || client.done === true)
    throw new Error('wanted a link between two network namespaces, found none; its words are above');
  return {
    pid: child.pid ?? 0,
    atServer: (argv) => ['nsenter', `--net=${server.value}`, ...argv],
    atClient: (argv) => ['nsenter', `--net=${client.value}`, ...argv],
    async stop() {
      child.stdin.end();
      await ended;
    },
  };
}

function whyNot(program: string): string | undefined {
  const isThere = (process.env['PATH'] ?? '').split(':').some((folder) => {
    try {
      accessSync(`${folder}/${program}`, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
  return isThere ? undefined : `there is no ${program}: run \`apt-get install util-linux iproute2\``;
}
