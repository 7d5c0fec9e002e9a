// oxlint-disable-next-line import/no-unassigned-import -- it must come before anything that looks at a stream
import './handover/untouched-streams.ts';
import { setFlagsFromString } from 'node:v8';
import { leaveHungThreads } from './handover/leave.ts';
import { SignalWatch } from './handover/signals.ts';

// Before anything else is loaded: a stop signal must find its handler.
const watch = new SignalWatch();
// Bytes from sockets lie outside the heap and are freed only when the young generation is collected. Kept small, it is
// collected often and cheaply, which costs less memory and less time on a large restore (npm run bench).
setFlagsFromString('--semi-space-growth-factor=1');
const startedAt = performance.now() - process.uptime() * 1000;
const { run } = await import('./run.ts');
const exitCode = await run(process.argv.slice(2), process.env, startedAt, watch);
leaveHungThreads(exitCode);
process.exit(exitCode);
