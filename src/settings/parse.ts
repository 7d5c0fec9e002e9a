import { resolve } from 'node:path';
import ms, { type StringValue } from 'ms';
import type { Owner } from '../cache/owner.ts';
import { redactedAddress } from '../redact.ts';
import { wrong } from './raw.ts';

/** `90s`, `5m`, or a bare number of seconds → milliseconds. 0 stands for never. */
export function parseDuration(text: string): number {
  const isNumber = /^\d+(\.\d+)?$/.test(text);
  const value = isNumber ? Number(text) * 1000 : /^\d/.test(text) ? ms(text as StringValue) : Number.NaN;
  if (!Number.isFinite(value)) throw wrong('not a duration', '90s, 5m, or a number of seconds', text);
  return value;
}

/** Megabytes a second → bytes a second. */
export function parseSpeed(text: string): number {
  const number = /^(\d+(?:\.\d+)?)\s*(?:MB\/s|MB)?$/i.exec(text)?.[1];
  if (number === undefined) throw wrong('not a speed', 'a number of MB/s', text);
  return Number(number) * 1e6;
}

/** An absolute path. A tilde that no shell has replaced would become a folder of that name. */
export function parseFolder(text: string): string {
  if (text.startsWith('~')) throw wrong('not a folder', 'a path without a tilde', text);
  return resolve(text);
}

/** A count from 1 to `most`. */
export function parseCount(most: number): (text: string) => number {
  return (text) => {
    const count = /^\d{1,9}$/.test(text) ? Number(text) : 0;
    if (count < 1 || count > most) throw wrong('not a number that can be used', `1 to ${most}`, text);
    return count;
  };
}

/** With a scheme, https where none is given, and without a slash at the end. */
export function parseEndpoint(text: string): string {
  const withScheme = text.includes('://') ? text : `https://${text}`;
  const url = URL.canParse(withScheme) ? new URL(withScheme) : undefined;
  const isMore =
    url !== undefined && [url.username, url.password, url.search, url.hash].some((part) => part !== '');
  if (url === undefined || !/^https?:$/.test(url.protocol) || isMore) {
    throw wrong('not an endpoint', 'https://HOST[:PORT]', redactedAddress(text));
  }
  return withScheme.replace(/\/+$/, '');
}

/** To chown, the number after it means "leave it as it is". */
const HIGHEST_ID = 2 ** 32 - 2;

export function parseOwner(text: string): Owner {
  const [, user, group = user] = /^(\d+)(?::(\d+))?$/.exec(text) ?? [];
  const [uid, gid] = [Number(user), Number(group)];
  const areIds = uid <= HIGHEST_ID && gid <= HIGHEST_ID;
  if (!areIds) throw wrong('not an owner', `UID or UID:GID, as numbers up to ${HIGHEST_ID}`, text);
  return { uid, gid };
}
