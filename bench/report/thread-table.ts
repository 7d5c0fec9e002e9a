import { sum } from '../measure/run.ts';
import { FIRST_THREAD, type ThreadTimes } from '../measure/thread-times.ts';
import type { ThreadProfile } from './cpu-profile.ts';

/** What one run took of the machine. Seconds. */
export interface RunTimes {
  readonly wall: number;
  readonly serverCpu: number;
  readonly linkCpu: number;
  readonly processors: number;
  readonly threads: ReadonlyMap<string, readonly ThreadTimes[]>;
}

/** As people call what they do; the rest is Node's own. */
const DOES: Readonly<Record<string, string>> = {
  [FIRST_THREAD]: 'begins, decides, publishes, sends',
  receiver: 'receives',
  digester: 'hashes what has come',
  'part-digester': 'hashes what is sent',
};
const OF_NODE = 'Node: compiles, collects garbage, reads files';
const LEAST_SHARE = 0.03;

/** Who had the processors in one run, the longest first, and what each of our threads did in another, under a profiler. */
export function formatThreads(run: RunTimes, profiles: readonly ThreadProfile[]): string {
  const threads = Map.groupBy(run.threads, ([name]) => DOES[name] ?? OF_NODE);
  const rows = Array.from(threads, ([does, named]) => {
    const times = named.flatMap(([, of]) => of);
    const running = sum(times.map((time) => time.running));
    const ready = sum(times.map((time) => time.ready));
    const count = does === OF_NODE || times.length === 1 ? '' : ` (${times.length} threads)`;
    const shares = sharesOf(profiles.filter(({ thread }) => DOES[thread] === does));
    return { running, line: `| ${does}${count} | ${seconds(running)} | ${seconds(ready)} | ${shares} |` };
  });
  const used = sum(rows.map(({ running }) => running)) + run.serverCpu + run.linkCpu;
  const share = (used / (run.wall * run.processors)) * 100;
  const link = run.linkCpu === 0 ? '' : ` and the link ${seconds(run.linkCpu)} s`;
  return [
    `${seconds(run.wall)} s, of which the server had ${seconds(run.serverCpu)} s of a processor${link}; ` +
      `all together ${share.toFixed(0)} % of what ${run.processors} processors can give.`,
    '',
    '| thread | on a processor s | ready, but without one s | with what (profiler) |',
    '|---|---|---|---|',
    ...rows.toSorted((a, b) => b.running - a.running).map(({ line }) => line),
  ].join('\n');
}

function sharesOf(profiles: readonly ThreadProfile[]): string {
  const byWhat = Map.groupBy(
    profiles.flatMap(({ by }) => by),
    ({ what }) => what,
  );
  const shares = Array.from(byWhat, ([what, of]) => ({ what, time: sum(of.map((one) => one.seconds)) }));
  const whole = sum(shares.map(({ time }) => time));
  return shares
    .filter(({ time }) => time >= whole * LEAST_SHARE)
    .toSorted((a, b) => b.time - a.time)
    .map(({ what, time }) => `${what} ${((time / whole) * 100).toFixed(0)} %`)
    .join(', ');
}

function seconds(value: number): string {
  return value.toFixed(2);
}
