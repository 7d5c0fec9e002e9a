// oxlint-disable-next-line import/no-unassigned-import -- it must come before anything that looks at a stream
import './handover/untouched-streams.ts';
import { SignalWatch } from './handover/signals.ts';

// Before anything else is loaded: a stop signal must find its handler.
const watch = new SignalWatch();
const startedAt = performance.now() - process.uptime() * 1000;
const { run } = await import('./run.ts');
process.exit(await run(process.argv.slice(2), process.env, startedAt, watch));
