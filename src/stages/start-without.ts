import { tmpdir } from 'node:os';
import { probeDirs, temporaryDir } from '../cache/dirs.ts';
import { doesAnswer } from '../cache/does-answer.ts';
import { OutOfReach, RemoteMounts } from '../cache/remote-mounts.ts';
import { exportsFor } from '../handover/environment.ts';
import type { Report } from '../report.ts';
import { LAST_RESORT } from './choose-dir.ts';
import type { Context } from './context.ts';
import { keepReport } from './finish.ts';
import type { Ready } from './make-ready.ts';
import { tellFailed } from './tell-restore.ts';

const ANSWER_WITHIN_MS = 1000;

/**
 * What a start comes to when its disk work was given up, or failed by a bug of ours: a server with its variables. Only
 * what is on this machine is touched, since nobody watches any more. Never throws. `worked` is a dir that worked so far.
 */
export async function startWithout(
  context: Context,
  reason: unknown,
  server: readonly string[],
  worked: string | undefined,
): Promise<Ready> {
  const { settings, env, reporter } = context;
  const unreachable = new OutOfReach(RemoteMounts.read(), []);
  const dir = await localDir(context, worked).catch(() => settings.dirs[0] ?? LAST_RESORT);
  reporter.add({ dir });
  const { transformersCache, also } = settings;
  return {
    ...tellFailed(context, dir, reason, server),
    exports: exportsFor({ dir, transformersCache, also, unreachable }, env),
    reuse: [],
  };
}

/** Only where it cannot hang. Never throws. */
export function keepReportHere(context: Context, report: Report): void {
  const mounts = RemoteMounts.read();
  const isLocal = (place: string | null | undefined): boolean =>
    typeof place === 'string' && mounts.onWayTo(place) === undefined;
  const { settings } = context;
  const kept = { ...settings, report: isLocal(settings.report) ? settings.report : undefined };
  keepReport({ ...context, settings: kept }, isLocal(report.dir) ? report : { ...report, dir: null });
}

/** What was published so far is of use as long as its file system answers. */
async function localDir({ settings }: Context, worked: string | undefined): Promise<string> {
  const mounts = RemoteMounts.read();
  if (worked !== undefined) {
    const mount = mounts.onWayTo(worked);
    if (mount === undefined || (await doesAnswer(mount, ANSWER_WITHIN_MS))) return worked;
  }
  const isLocal = (dir: string): boolean => mounts.onWayTo(dir) === undefined;
  const [usable] = probeDirs(settings.dirs.filter(isLocal), settings.owner).candidates;
  if (usable !== undefined) return usable.dir;
  return isLocal(tmpdir()) ? temporaryDir(tmpdir()).dir : LAST_RESORT;
}
