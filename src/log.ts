import { pino, type Logger as Pino } from 'pino';
import { prettyFactory } from 'pino-pretty';
import type { LogEvent } from './log-event.ts';
import { redactedUsers } from './redact.ts';

export interface LogSettings {
  readonly level: 'debug' | 'info' | 'warn' | 'error' | 'silent';
  readonly format: 'text' | 'json';
}

export interface Log {
  debug(event: LogEvent, message: string): void;
  info(event: LogEvent, message: string): void;
  warn(event: LogEvent, message: string): void;
  error(event: LogEvent, message: string): void;
}

/** Of a message, as JSON writes it; with what a line has beside it, lines stay below 4 KiB. */
const MAX_MESSAGE_BYTES = 3600;

/** Single lines, each given to `write` at once with its end: nothing is in flight when the process becomes the server. */
export function createLog({ level, format }: LogSettings, write: (line: string) => void = toStderr()): Log {
  const pretty = prettyFactory({
    colorize: false,
    translateTime: 'UTC:yyyy-mm-dd HH:MM:ss.l',
    ignore: 'pid,hostname,event',
    singleLine: true,
  });
  return wrap(pino({ level }, { write: format === 'json' ? write : (line: string) => write(pretty(line)) }));
}

/** One who says everything to two. */
export function bothLogs(one: Log, other: Log): Log {
  const to =
    (level: keyof Log): Log['info'] =>
    (event, message) => {
      one[level](event, message);
      other[level](event, message);
    };
  return { debug: to('debug'), info: to('info'), warn: to('warn'), error: to('error') };
}

/** The descriptor itself is used, since touching `process.stderr` would leave the server a non-blocking pipe. */
function toStderr(): (line: string) => void {
  const stderr = pino.destination({ fd: 2, sync: true });
  // A closed or full stderr must not stop a start.
  stderr.on('error', () => undefined);
  return (line) => void stderr.write(line);
}

function wrap(logger: Pino): Log {
  const at =
    (level: 'debug' | 'info' | 'warn' | 'error') =>
    (event: LogEvent, message: string): void =>
      logger[level]({ event }, shortEnough(redactedUsers(message).replaceAll(/[\r\n]+/g, ' ')));
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}

/** Control characters and quotes take several bytes each, so what counts is measured, not guessed. */
function shortEnough(message: string): string {
  const size = Buffer.byteLength(JSON.stringify(message));
  if (size <= MAX_MESSAGE_BYTES) return message;
  const share = Math.floor((message.length * MAX_MESSAGE_BYTES) / size) - 8;
  return shortEnough(`${message.slice(0, Math.max(0, share)).toWellFormed()}...`);
}
