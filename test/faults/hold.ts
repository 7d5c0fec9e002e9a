import type { Bench } from './bench.ts';
import { inspect, type Published } from './invariants.ts';
import { lacking } from './needs.ts';
import { BY_SDK, type Plane } from './plane.ts';
import { Rig } from './rig.ts';
import type { Expected, Row } from './row.ts';
import { LEVELS, type Ran } from './running.ts';

/** How a row came out. */
export type Outcome =
  | { readonly kind: 'not run'; readonly why: string }
  | { readonly kind: 'held' | 'failed'; readonly seen: Seen; readonly violations: readonly string[] }
  | { readonly kind: 'failed'; readonly seen?: undefined; readonly violations: readonly string[] };

export interface Seen {
  readonly code: string;
  readonly published: Published;
  /** Seconds until the server ran, or until the end where there is none. */
  readonly seconds: number;
  readonly ran: Ran;
}

/** Makes the fault, and holds the program to what the row says, and to what every row says. */
export async function hold(bench: Bench, row: Row, plane: Plane = 'own'): Promise<Outcome> {
  const lacks = lacking(row.needs);
  if (lacks.length > 0) return { kind: 'not run', why: `needs ${lacks.join(', ')}` };
  if (row.plane !== undefined && row.plane !== plane)
    return { kind: 'not run', why: `it is of the plane ${row.plane}` };
  try {
    return await Rig.lend(bench, plane, async (rig) => {
      const ran = await row.run(rig);
      const { published, violations } = await inspect(ran, row.expected);
      const seen = {
        code: ran.report?.code ?? 'no report',
        published,
        seconds: ran.serverAfter ?? ran.seconds,
        ran,
      };
      const all = [...notAsExpected(seen, row), ...notOnPlane(ran, plane), ...violations];
      return { kind: all.length === 0 ? 'held' : 'failed', seen, violations: all };
    });
  } catch (error) {
    return {
      kind: 'failed',
      violations: [error instanceof Error ? (error.stack ?? error.message) : String(error)],
    };
  }
}

/** The time is a matter of `npm run test:faults` alone. */
export function isInTime({ seconds }: Seen, { within }: Expected): boolean {
  return seconds <= within;
}

function notAsExpected({ code, published, ran }: Seen, { sees, expected }: Row): readonly string[] {
  const codes = [expected.code].flat();
  const isInit = ran.command === 'init';
  const exitCode = expected.exitCode ?? (isInit || code === 'ok' ? 0 : 1);
  const warnings = ran.log.filter(({ level }) => level === LEVELS.warn).length;
  const wantedWarnings = expected.warnings ?? (codes.includes('ok') ? 0 : isInit ? 1 : 'some');
  const said = ran.log.filter(({ level }) => level >= LEVELS.info).map(({ msg }) => msg);
  return [
    ...(codes.includes(code) ? [] : [`the report says ${code}, not ${codes.join(' or ')}`]),
    ...(isPublished(published, expected.published)
      ? []
      : [`${published.found} of ${published.all} are there, not ${expected.published}`]),
    ...(ran.code === exitCode ? [] : [`the exit code is ${ran.code ?? ran.signal}, not ${exitCode}`]),
    ...(wantedWarnings === 'some' || warnings === wantedWarnings
      ? []
      : [`there are ${warnings} warnings, not ${wantedWarnings}`]),
    ...(isSaid([sees].flat(), said) ? [] : [`nobody said: ${[sees].flat().join(' | ')}`]),
  ];
}

/** Else the other plane would have been tried, and nobody would know. A folder is on neither. */
function notOnPlane({ log }: Ran, plane: Plane): readonly string[] {
  const isReady = log.some(({ event, msg }) => event === 'store.ready' && msg.startsWith('S3 '));
  const isBySdk = log.some(({ event }) => event === BY_SDK);
  return plane === 'sdk' && isReady && !isBySdk ? ['the requests did not go by the SDK'] : [];
}

function isPublished({ found, all }: Published, wanted: Expected['published']): boolean {
  if (wanted === 'what was verified') return true;
  return found === (wanted === 'everything' ? all : 0);
}

function isSaid(lines: readonly string[], said: readonly string[]): boolean {
  return lines.length === 0 || lines.some((line) => said.some((msg) => isSeen(line, msg)));
}

/** Whether a line of the log, or a piece of it, is what a row says, where `…` stands for anything. */
export function isSeen(line: string, message: string): boolean {
  const pattern = line.split('…').map((text) => text.replaceAll(/[\\^$.*+?()[\]{}|]/g, String.raw`\$&`));
  return new RegExp(pattern.join('.*')).test(message);
}
