import { closeInherited } from '../handover/background.ts';
import { yieldProcessors } from '../handover/priority.ts';
import type { Level } from '../log-event.ts';
import { formatLine, isSaid, type WriteBackEvent } from './lines.ts';
import { logFile } from './log-file.ts';
import type { WriteBackOrder } from './order.ts';
import { serverStderr } from './server-stderr.ts';
import { WriteBack } from './write-back.ts';

/** The process that `init` leaves behind: it waits beside the server, and has what is new uploaded. */

const EXIT_BUG = 1;

closeInherited();
const order = JSON.parse(process.argv[2] ?? '{}') as WriteBackOrder;
const toFile = logFile(order);
const toServer = serverStderr(order.server);
const writeBack = new WriteBack(order, { env: process.env, say });

for (const failure of ['uncaughtException', 'unhandledRejection']) process.on(failure, endByBug);
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.on(signal, () => writeBack.stop());
process.title = 'model-cache write-back';
yieldProcessors();
void writeBack.run().then(() => process.exit(0));

function say(level: Level, event: WriteBackEvent, message: string): void {
  if (!isSaid(level, order.logLevel)) return;
  const line = formatLine(order.logFormat, level, event, message, new Date());
  toFile(line);
  if (level !== 'debug') toServer(line);
}

/** To the file only, whatever the level: nothing of the server's depends on it. */
function endByBug(error: unknown): never {
  const what = error instanceof Error ? (error.stack ?? error.message) : String(error);
  toFile(formatLine(order.logFormat, 'error', 'write-back.failed', `write-back failed: ${what}`, new Date()));
  process.exit(EXIT_BUG);
}
