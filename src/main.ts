// oxlint-disable-next-line import/no-unassigned-import -- it must come before anything that looks at a stream
import './handover/untouched-streams.ts';
import { parseCommandLine } from './cli.ts';
import { EXIT_BUG } from './exit-codes.ts';
import { leaveHungThreads } from './handover/leave.ts';
import { SignalWatch } from './handover/signals.ts';
import { writeAll } from './output.ts';

// Before anything else is loaded: a stop signal must find its handler.
const watch = new SignalWatch();

async function main(args: readonly string[]): Promise<number> {
  const invocation = parseCommandLine(args);
  if (invocation.kind === 'done') return invocation.exitCode;
  const { run } = await import('./run.ts');
  const startedAt = performance.now() - process.uptime() * 1000;
  return run(invocation, process.env, startedAt, watch);
}

function end(exitCode: number): never {
  leaveHungThreads(exitCode);
  process.exit(exitCode);
}

void main(process.argv.slice(2)).then(end, (error: unknown) => {
  writeAll(2, `this is a bug of model-cache: ${(error as Error).stack}\n`);
  end(EXIT_BUG);
});
// Should all work end without an answer. The command line has been read: what is asked for help answers with this.
process.exitCode = EXIT_BUG;
