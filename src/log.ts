import { pino, type Logger as Pino } from 'pino';
import { prettyFactory } from 'pino-pretty';

export interface LogSettings {
  readonly level: 'debug' | 'info' | 'warn' | 'error' | 'silent';
  readonly format: 'text' | 'json';
}

/** Stable names of what can happen; people filter the JSON log by them. */
export type LogEvent =
  | 'settings'
  | 'setup.started'
  | 'setup.output'
  | 'setup.completed'
  | 'setup.failed'
  | 'dir.chosen'
  | 'dir.refused'
  | 'store.ready'
  | 'store.missing'
  | 'manifest.refused'
  | 'cache.reused'
  | 'restore.started'
  | 'restore.progress'
  | 'restore.item'
  | 'restore.completed'
  | 'restore.failed'
  | 'restore.empty'
  | 'restore.unmatched'
  | 'upload.started'
  | 'upload.progress'
  | 'upload.item'
  | 'upload.completed'
  | 'verify.item'
  | 'verify.completed'
  | 'environment'
  | 'report'
  | 'server.exec'
  | 'server.failed'
  | 'interrupted'
  | 'command.failed';

export interface Log {
  debug(event: LogEvent, message: string, fields?: Fields): void;
  info(event: LogEvent, message: string, fields?: Fields): void;
  warn(event: LogEvent, message: string, fields?: Fields): void;
  error(event: LogEvent, message: string, fields?: Fields): void;
}

type Fields = Readonly<Record<string, unknown>>;

const MAX_LINE = 4000;

/**
 * Single lines on stderr, written at once: nothing is in flight when the process becomes the server. The descriptor
 * itself is used, since touching `process.stderr` would leave the server a non-blocking pipe.
 */
export function createLog({ level, format }: LogSettings): Log {
  const stderr = pino.destination({ fd: 2, sync: true });
  // A closed or full stderr must not stop a start.
  stderr.on('error', () => undefined);
  const pretty = prettyFactory({
    colorize: false,
    translateTime: 'UTC:yyyy-mm-dd HH:MM:ss.l',
    ignore: 'pid,hostname,event,fields',
    singleLine: true,
  });
  const write =
    format === 'json' ? (line: string) => stderr.write(line) : (line: string) => stderr.write(pretty(line));
  return wrap(pino({ level }, { write }));
}

function wrap(logger: Pino): Log {
  const at =
    (level: 'debug' | 'info' | 'warn' | 'error') =>
    (event: LogEvent, message: string, fields?: Fields): void =>
      logger[level]({ event, ...(fields && { fields }) }, singleLine(message));
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}

function singleLine(message: string): string {
  const line = message.replaceAll(/[\r\n]+/g, ' ');
  return line.length <= MAX_LINE ? line : `${line.slice(0, MAX_LINE)}...`;
}
