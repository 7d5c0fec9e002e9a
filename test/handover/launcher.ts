import { writeSync } from 'node:fs';
import { becomeServer } from '../../src/handover/become.ts';
import { findProgram } from '../../src/handover/program.ts';
import { SignalWatch } from '../../src/handover/signals.ts';
import { supervise } from '../../src/handover/supervise.ts';

/**
 * A small model-cache: `launcher.ts become|supervise|watch WORDS…`. For LAUNCHER_IS_BUSY milliseconds it does not let
 * the event loop turn before. The signal LAUNCHER_GETS_LATE comes when the event loop has looked for signals for the last
 * time, and our handlers are still there.
 */
const watch = new SignalWatch();
const [, , how, ...words] = process.argv;
writeSync(2, `launcher ${process.pid}\n`);
if (process.env['LAUNCHER_IS_BUSY'] !== undefined) {
  const until = Date.now() + Number(process.env['LAUNCHER_IS_BUSY']);
  while (Date.now() < until);
}
if (how === 'watch') {
  const keepAlive = setInterval(() => undefined, 1000);
  await new Promise((stopped) => watch.signal.addEventListener('abort', stopped));
  clearInterval(keepAlive);
  writeSync(1, `caught ${await watch.caught()} ${(watch.signal.reason as { code: string }).code}\n`);
  process.exit(0);
}
const { LAUNCHER_IS_BUSY: _, LAUNCHER_GETS_LATE: late, ...env } = process.env;
if (late !== undefined) setImmediate(() => process.kill(process.pid, late));
const program = findProgram(words, env['PATH']);
process.exit(await (how === 'become' ? becomeServer : supervise)(program, env, watch));
