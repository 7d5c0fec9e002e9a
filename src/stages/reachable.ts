import { homedir, tmpdir } from 'node:os';
import { delimiter, dirname } from 'node:path';
import { doesAnswer } from '../cache/does-answer.ts';
import { OutOfReach, RemoteMounts } from '../cache/remote-mounts.ts';
import { State } from '../cache/state.ts';
import { ModelCacheError } from '../errors.ts';
import { cachesBefore, hfHome } from '../handover/environment.ts';
import type { Settings } from '../settings/settings.ts';
import type { Context, Unreachable } from './context.ts';
import { tellProblem } from './tell-problem.ts';

/** A network volume may have to be mounted first, or its server to wake up. */
const ANSWER_WITHIN_MS = 5000;

export interface Reach {
  /** Of `context`, without what does not answer. */
  readonly context: Context;
  /** The network volumes among what a start touches that have just answered. Each may stop at any moment. */
  readonly answering: readonly string[];
  /** Those that have not. */
  readonly dead: readonly string[];
}

/** Tells and takes out of the settings what lies on file systems that do not answer. Nothing of those is touched. */
export async function withinReach(context: Context, server: readonly string[]): Promise<Reach> {
  const mounts = RemoteMounts.read();
  if (mounts.isEmpty) return { context, answering: [], dead: [] };
  const touched = placesOf(context, server, mounts).flatMap((place) => mounts.onWayTo(place) ?? []);
  const remote = [...new Set(touched)];
  const answers = await Promise.all(remote.map((mount) => doesAnswer(mount, ANSWER_WITHIN_MS)));
  const answering = remote.filter((_, index) => answers[index] === true);
  const dead = remote.filter((mount) => !answering.includes(mount));
  for (const mount of dead) tellUnreachable(context, mount);
  const unreachable = new OutOfReach(mounts, answering);
  return {
    context: { ...context, unreachable, settings: reachableOf(context.settings, unreachable) },
    answering,
    dead,
  };
}

/** Whatever a start may look at or write to, outside this program. Nothing that is remote is touched to find it out. */
function placesOf(
  { settings, env }: Context,
  server: readonly string[],
  mounts: RemoteMounts,
): readonly string[] {
  const { dirs, store, report, reuse, locked } = settings;
  // Of no dir: what lies in the first one counts when that one is not used.
  const { hubs, torchHomes } = cachesBefore('/dev/null', env, reuse);
  const isLocal = (place: string): boolean => mounts.onWayTo(place) === undefined;
  const remembered = dirs.filter(isLocal).flatMap((dir) => State.load(dir).reused);
  const ofStore = store?.kind === 'file' ? store.path : store?.caBundle;
  const ofAws = ['AWS_CONFIG_FILE', 'AWS_SHARED_CREDENTIALS_FILE', 'AWS_WEB_IDENTITY_TOKEN_FILE'].map(
    (name) => env[name],
  );
  const ofServer = server[0]?.includes('/') === true ? dirname(server[0]) : undefined;
  const named = [ofStore, report, locked, ...ofAws, ofServer, env['HOME'] ?? homeOf()];
  return [
    ...dirs,
    ...hubs,
    ...torchHomes,
    ...remembered,
    ...(env['PATH'] ?? '').split(delimiter),
    ...named.filter((place) => place !== undefined),
    hfHome(env),
    tmpdir(),
  ].filter((place) => place !== '');
}

/** Without a passwd entry there is none. */
function homeOf(): string | undefined {
  try {
    return homedir();
  } catch {
    return undefined;
  }
}

function reachableOf(settings: Settings, unreachable: Unreachable): Settings {
  const isReachable = (place: string | undefined): boolean => place === undefined || !unreachable.has(place);
  const { store } = settings;
  const storePlace = store?.kind === 'file' ? store.path : store?.caBundle;
  return {
    ...settings,
    dirs: settings.dirs.filter(isReachable),
    reuse: settings.reuse.filter(isReachable),
    report: isReachable(settings.report) ? settings.report : undefined,
    ...(isReachable(storePlace) ? {} : { storeProblem: storeGone(storePlace ?? '') }),
  };
}

function storeGone(place: string): ModelCacheError {
  return new ModelCacheError('store-unreachable', `the file system of ${place} does not answer`, {
    hint: 'check that network volume',
  });
}

function tellUnreachable(context: Context, mount: string): void {
  const error = new ModelCacheError(
    'disk-stalled',
    `the file system at ${mount} did not answer for ${ANSWER_WITHIN_MS / 1000} s; nothing on it is used`,
    { hint: 'check that network volume' },
  );
  tellProblem(context, 'dir.refused', error);
}
