import { lstatSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { hasErrno } from '../../../src/errors.ts';
import { eventually } from '../../support/eventually.ts';
import { startHub, type Hub } from '../../support/hub.ts';
import { hubVariables } from '../../support/pod.ts';
import { runPython, scanCache, type HubLibrary } from '../../support/python.ts';
import { inspectAnytime } from '../invariants.ts';
import type { Rig } from '../rig.ts';
import type { Ran } from '../running.ts';
import { sizeOf } from './kill-caches.ts';
import { newDir, startOnce, withoutLeftovers, type Dir } from './kill-restores.ts';
import { broken, eachRound, isWhole, killedAt, NEVER, refuse, relayTo } from './kill-series.ts';

const REPOS = ['org/large', 'org/small'];
/** What huggingface_hub leaves beside what it was asked for. */
const OF_THE_LIBRARY =
  /^hub\/(\.locks(\/|$)|CACHEDIR\.TAG$|[^/]+\/(trees(\/|$)|blobs\/([^/]+\.incomplete|tmp_[^/]+)$))/;

/** Which of the two is killed at a random moment. */
export type Killed = 'nobody' | 'the start' | 'the server';

export interface Beside {
  readonly library: HubLibrary;
  /** Bytes per second of the store, and of each answer of the Hub. */
  readonly store: number;
  readonly hub: number;
}

/**
 * A live server gets the same repos with huggingface_hub into the same dir, while a start restores them; whichever is
 * first. Who is not killed ends well, and so do a later start, and a later server, which has nothing to download.
 */
export function besideServer(rig: Rig, killed: Killed, rounds: readonly Beside[]): Promise<Ran> {
  return eachRound(rounds.length, async (round, random) => {
    const { library, ...speeds } = rounds[round] as Beside;
    const relay = await relayTo(rig, { downloadBytesPerSecond: speeds.store });
    const at = newDir(rig, rig, relay, `models-${round}`);
    const hub = await hubWith(rig, speeds.hub);
    const server = serverOf(rig, at, hub, library);
    const place = random() * sizeOf(at.files);
    const when = `with ${library}, ${killed} killed after ${place} bytes:`;
    if (random() < 0.5) await server.isDownloading();
    const { dir, original, bucket } = at;
    const running = await rig.start('init', { endpoint: relay.endpoint, dir, original, bucket });
    if (killed === 'the server') {
      await server.isDownloading();
      await running.until(() => hub.bytesSent >= place).catch(() => undefined);
      server.kill();
    }
    const bytes = killed === 'the start' ? place : NEVER.bytes;
    const ran = await killedAt(running, () => relay.bytesReceived, { bytes, later: 0 });
    relay.cut();
    if (!isWhole(ran)) at.kills += 1;
    const { code, stderr } = await server.ended();
    const { violations } = await inspectAnytime(ran, isOfTheLibrary);
    const startIsRight = isWhole(ran) || (killed === 'the start' && ran.signal === 'SIGKILL');
    const serverIsRight = code === 0 || (killed === 'the server' && code === null);
    const claims = broken([
      [startIsRight, 'the start did not complete'],
      [serverIsRight, `the server ended with ${code}: ${stderr}`],
    ]);
    refuse(when, [...violations, ...claims], ran);
    return laterOnes(at, hub, library, ran);
  });
}

interface Server {
  /** Resolves when it is in the middle of a file, or has ended. */
  isDownloading(): Promise<void>;
  kill(): void;
  ended(): ReturnType<typeof runPython>;
}

function serverOf(rig: Rig, { dir }: Dir, hub: Hub, library: HubLibrary): Server {
  const stop = new AbortController();
  rig.later(() => stop.abort());
  const ended = download(library, dir, hub, stop.signal);
  let isOver = false;
  void ended.finally(() => (isOver = true));
  return {
    isDownloading: async () => void (await eventually('a download', () => isOver || hasUnfinished(dir), 10)),
    kill: () => stop.abort(),
    ended: () => ended,
  };
}

/** Without what huggingface_hub leaves beside what it was asked for, the dir is as after any other start. */
async function laterOnes(at: Dir, hub: Hub, library: HubLibrary, before: Ran): Promise<Ran> {
  await mustBeWhole(library, at, hub, before);
  for (const path of readdirSync(at.dir, { recursive: true, encoding: 'utf8' }))
    if (isOfTheLibrary(path)) rmSync(join(at.dir, path), { recursive: true, force: true });
  return withoutLeftovers(at, await startOnce(at, NEVER));
}

/** Who comes later finds everything, and the library's own look at the cache finds nothing to warn of. */
async function mustBeWhole(library: HubLibrary, at: Dir, hub: Hub, ran: Ran): Promise<void> {
  const before = hub.bytesSent;
  const { code, stderr } = await download(library, at.dir, hub);
  const { warnings, repos } = await scanCache(library, { HF_HUB_CACHE: join(at.dir, 'hub') });
  const names = repos.map(({ repo }) => repo).toSorted();
  const claims = broken([
    [code === 0, `it ended with ${code}: ${stderr}`],
    [hub.bytesSent === before, `it downloaded ${hub.bytesSent - before} bytes`],
    [names.join(' ') === REPOS.join(' '), `it finds ${names.join(', ') || 'nothing'}`],
  ]);
  refuse(`a later server with ${library}:`, [...claims, ...warnings], ran);
}

function download(
  library: HubLibrary,
  dir: string,
  hub: Hub,
  signal?: AbortSignal,
): ReturnType<typeof runPython> {
  const env = { ...hubVariables(hub.endpoint), HF_HUB_CACHE: join(dir, 'hub') };
  return runPython(library, 'snapshot.py', REPOS, { env, ...(signal && { signal }) });
}

/** A Hub with the repos of the original. */
async function hubWith(rig: Rig, bytesPerSecond: number): Promise<Hub> {
  const hub = await startHub();
  rig.later(() => hub.stop());
  hub.throttle(bytesPerSecond);
  for (const repo of REPOS) {
    const root = join(rig.original, 'hub', `models--${repo.replace('/', '--')}`);
    const commit = readFileSync(join(root, 'refs', 'main'), 'utf8');
    const snapshot = join(root, 'snapshots', commit);
    const links = readdirSync(snapshot, { recursive: true, encoding: 'utf8' }).filter((path) =>
      lstatSync(join(snapshot, path)).isSymbolicLink(),
    );
    const files = links.map((path) => {
      const isLfs = basename(readlinkSync(join(snapshot, path))).length === 64;
      return [path, { content: readFileSync(join(snapshot, path)), lfs: isLfs }] as const;
    });
    hub.addCommit(repo, commit, Object.fromEntries(files));
  }
  return hub;
}

/** While the library works, its folders come and go: what is seen too late is looked for again. */
function hasUnfinished(dir: string): boolean {
  try {
    const names = readdirSync(join(dir, 'hub'), { recursive: true, encoding: 'utf8' });
    return names.some((name) => name.endsWith('.incomplete'));
  } catch (error) {
    if (!hasErrno(error, 'ENOENT')) throw error;
    return false;
  }
}

function isOfTheLibrary(path: string): boolean {
  return OF_THE_LIBRARY.test(path);
}
