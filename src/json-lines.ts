import { pino } from 'pino';
import type { LogLevel, Say } from './log-event.ts';

/** Lines for machines, as everything that reads pino's knows them. */
export function jsonLines(level: LogLevel, write: (line: string) => void): Say {
  const logger = pino({ level }, { write });
  return (level, event, message, code) =>
    logger[level](code === undefined ? { event } : { event, code }, message);
}
