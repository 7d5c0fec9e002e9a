import { LineWriter } from './line-writer.ts';
import type { Level, LogEvent, LogLevel, Say } from './log-event.ts';
import { inOneLine } from './model/control-characters.ts';
import { redactedUsers } from './redact.ts';

/** From the lowest on. */
const LEVELS: readonly LogLevel[] = ['debug', 'info', 'warn', 'error', 'silent'];

export interface LogSettings {
  readonly level: LogLevel;
  readonly format: 'text' | 'json';
}

/** The `code` of what went wrong, where something did, is for machines: lines of text leave it out. */
export interface Log {
  debug(event: LogEvent, message: string, code?: string): void;
  info(event: LogEvent, message: string, code?: string): void;
  warn(event: LogEvent, message: string, code?: string): void;
  error(event: LogEvent, message: string, code?: string): void;
}

/** The descriptor itself is used, since touching `process.stderr` would leave the server a non-blocking pipe. */
const stderr = new LineWriter(2);

/** Of a message, as JSON writes it; with what a line has beside it, lines stay below 4 KiB. */
const MAX_MESSAGE_BYTES = 3600;

/** Single lines, each given to `write` at once with its end. `hide` takes secrets out of them. */
export async function createLog(
  { level, format }: LogSettings,
  write: (line: string) => void = (line) => stderr.write(line),
  hide: (text: string) => string = (text) => text,
): Promise<Log> {
  const say =
    format === 'json' ? (await import('./json-lines.ts')).jsonLines(level, write) : textLines(level, write);
  const at =
    (level: Level): Log['info'] =>
    (event, message, code) =>
      say(level, event, shortEnough(inOneLine(redactedUsers(hide(message)))), code);
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}

function textLines(lowest: LogLevel, write: (line: string) => void): Say {
  const least = LEVELS.indexOf(lowest);
  return (level, _, message) => {
    if (LEVELS.indexOf(level) < least) return;
    const time = new Date().toISOString().replace('T', ' ').replace('Z', '');
    write(`[${time}] ${level.toUpperCase()}: ${message}\n`);
  };
}

/** One who says everything to two. */
export function bothLogs(one: Log, other: Log): Log {
  const to =
    (level: keyof Log): Log['info'] =>
    (event, message, code) => {
      one[level](event, message, code);
      other[level](event, message, code);
    };
  return { debug: to('debug'), info: to('info'), warn: to('warn'), error: to('error') };
}

/** Control characters and quotes take several bytes each, so what counts is measured, not guessed. */
function shortEnough(message: string): string {
  const size = Buffer.byteLength(JSON.stringify(message));
  if (size <= MAX_MESSAGE_BYTES) return message;
  const share = Math.floor((message.length * MAX_MESSAGE_BYTES) / size) - 8;
  return shortEnough(`${message.slice(0, Math.max(0, share)).toWellFormed()}...`);
}
