import type { LogEvent } from '../log-event.ts';
import type { Log } from '../log.ts';
import type { Progress } from '../transfer/progress.ts';
import { bytes, seconds, speed } from './words.ts';

const EVERY_MS = 10_000;

/** One line every 10 s while bytes move. Ends with `work`. */
export async function withProgressLines<T>(
  log: Log,
  event: LogEvent,
  what: string,
  progress: Progress,
  work: () => Promise<T>,
): Promise<T> {
  const start = performance.now();
  const timer = setInterval(() => {
    if (progress.bytesTotal > 0)
      log.info(event, `${what}: ${progressLine(progress, performance.now() - start)}`);
  }, EVERY_MS);
  try {
    return await work();
  } finally {
    clearInterval(timer);
  }
}

/** `42%, 567 MB of 1.35 GB, 61.2 MB/s, 1 of 3 files, 13 s left`. */
function progressLine({ bytesDone, bytesTotal, filesDone, filesTotal }: Progress, elapsed: number): string {
  const percent = bytesTotal === 0 ? 100 : Math.floor((bytesDone / bytesTotal) * 100);
  const left =
    bytesDone === 0
      ? 'time left unknown'
      : `${seconds(((bytesTotal - bytesDone) / bytesDone) * elapsed)} left`;
  return `${percent}%, ${bytes(bytesDone)} of ${bytes(bytesTotal)}, ${speed(bytesDone, elapsed)}, ${filesDone} of ${filesTotal} files, ${left}`;
}
