import { pino } from 'pino';
import type { LogSettings, Say } from './log.ts';

/** Lines for machines, as everything that reads pino's knows them. */
export function jsonLines(level: LogSettings['level'], write: (line: string) => void): Say {
  const logger = pino({ level }, { write });
  return (level, event, message) => logger[level]({ event }, message);
}
