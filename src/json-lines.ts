import { pino } from 'pino';
import type { Level, Say } from './log-event.ts';

/** Lines for machines, as everything that reads pino's knows them. */
export function jsonLines(level: Level | 'silent', write: (line: string) => void): Say {
  const logger = pino({ level }, { write });
  return (level, event, message, code) =>
    logger[level](code === undefined ? { event } : { event, code }, message);
}
