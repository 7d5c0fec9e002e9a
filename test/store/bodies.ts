import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ObjectBody, Store } from '../../src/store/store.ts';

export const MiB = 1024 * 1024;

export async function drain(body: ObjectBody): Promise<Buffer> {
  return Buffer.concat(await Array.fromAsync(body.chunks));
}

export async function contentOf(store: Store, key: string): Promise<Buffer> {
  return drain(await store.get(key));
}

/** The keys below a prefix, in order. */
export async function listed(store: Store, prefix: string): Promise<readonly string[]> {
  const objects = await Array.fromAsync(store.list(prefix));
  return objects.map(({ key }) => key).toSorted();
}

export async function* chunksOf(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

/** Random bytes, then an error. */
export async function* throwingAfter(bytes: number, error: Error): AsyncGenerator<Buffer> {
  for (let sent = 0; sent < bytes; sent += MiB) yield randomBytes(Math.min(MiB, bytes - sent));
  throw error;
}

/** What hangs shall fail its own test, and not the whole run. */
export async function soon<T>(work: Promise<T>, within = 15_000): Promise<T> {
  const over = new AbortController();
  const tooLate = sleep(within, undefined, { signal: over.signal }).then(() => {
    throw new Error(`not done within ${within / 1000} s`);
  });
  tooLate.catch(() => undefined);
  try {
    return await Promise.race([work, tooLate]);
  } finally {
    over.abort();
  }
}
