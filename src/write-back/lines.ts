import type { Level, LogEvent, LogLevel } from '../log-event.ts';
import { inOneLine } from '../model/control-characters.ts';

/** The stable names of what a write-back tells. */
export type WriteBackEvent = Extract<LogEvent, `write-back.${string}`>;

/** How pino counts, which what is read by machines is made for. */
const RANKS = { debug: 20, info: 30, warn: 40, error: 50, silent: Number.POSITIVE_INFINITY } as const;

export function isSaid(level: Level, at: LogLevel): boolean {
  return RANKS[level] >= RANKS[at];
}

/** A whole line as src/log.ts writes it; pino itself would take as much memory as all the rest. */
export function formatLine(
  format: 'text' | 'json',
  level: Level,
  event: WriteBackEvent,
  message: string,
  now: Date,
): string {
  if (format === 'json')
    return `${JSON.stringify({ level: RANKS[level], time: now.getTime(), event, msg: inOneLine(message) })}\n`;
  const time = isoTime(now).replace('T', ' ').replace('Z', '');
  return `[${time}] ${level.toUpperCase()}: ${inOneLine(message)}\n`;
}

/** As `toISOString` would have it, which is not asked: in V8, it takes most of a MiB that an idle process never needs. */
export function isoTime(time: Date): string {
  const [year, month, day] = [time.getUTCFullYear(), time.getUTCMonth() + 1, time.getUTCDate()];
  const [hours, minutes, seconds] = [time.getUTCHours(), time.getUTCMinutes(), time.getUTCSeconds()];
  const date = `${digits(year, 4)}-${digits(month, 2)}-${digits(day, 2)}`;
  const clock = `${digits(hours, 2)}:${digits(minutes, 2)}:${digits(seconds, 2)}`;
  return `${date}T${clock}.${digits(time.getUTCMilliseconds(), 3)}Z`;
}

function digits(count: number, width: number): string {
  return String(count).padStart(width, '0');
}

/** `15 minutes`: the largest unit that says it exactly. */
export function spokenDuration(milliseconds: number): string {
  const seconds = milliseconds / 1000;
  const [count, unit] =
    seconds % 3600 === 0
      ? [seconds / 3600, 'hour']
      : seconds % 60 === 0
        ? [seconds / 60, 'minute']
        : [seconds, 'second'];
  return `${count} ${unit}${count === 1 ? '' : 's'}`;
}
