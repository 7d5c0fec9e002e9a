import { Reporter } from '../../src/report.ts';
import type { Flags } from '../../src/settings/raw.ts';
import { resolveSettings } from '../../src/settings/settings.ts';
import type { Context } from '../../src/stages/context.ts';

/** Of a run that says nothing, and that nobody stops. */
export function contextFor(flags: Flags): Context {
  const startedAt = performance.now();
  const say = (): void => undefined;
  return {
    settings: resolveSettings(flags, {}, false),
    flags,
    env: {},
    log: { debug: say, info: say, warn: say, error: say },
    reporter: new Reporter('status', 'test', startedAt, new Date()),
    startedAt,
    stop: new AbortController().signal,
    caughtSignal: () => Promise.resolve(undefined),
    unreachable: new Set(),
    print: say,
  };
}
