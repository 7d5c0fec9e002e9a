import { close, constants, open, unlink, write } from 'node:fs';
import { promisify } from 'node:util';
import { Arrival } from '../model/arrival.ts';
import { Digester } from '../model/digester.ts';
import { ModelCacheError } from '../errors.ts';
import type { Digests } from '../model/digest.ts';
import type { ByteRange } from '../model/parts.ts';
import { otherObject, otherSize } from './object-errors.ts';
import type { FetchedRange, ObjectBody, RangeOrder, Ranges, Store } from './store.ts';

const openFile = promisify(open);
const closeFile = promisify(close);
const unlinkFile = promisify(unlink);
const writeTo = promisify(write);

/** Any store's, by its `get`. */
export function rangesByGet(store: Pick<Store, 'get'>): Ranges {
  return {
    provesParts: false,
    roundTrip: undefined,
    takeLoad: () => 0,
    prepare: () => undefined,
    fetch: (order) => fetchByGet(store, order),
  };
}

async function fetchByGet(store: Pick<Store, 'get'>, order: RangeOrder): Promise<FetchedRange> {
  const { key, range, etag, signal, onNewConnection, into } = order;
  const isEmpty = range.start === range.end;
  const body = await store.get(key, { ...(isEmpty ? {} : { range }), etag, signal, onNewConnection });
  const other = otherThanWanted(order, body);
  if (other !== undefined) {
    await body.discard();
    throw other;
  }
  if ('fd' in into) {
    order.onBegun(body.etag, undefined);
    return { etag: body.etag, digests: await pour(body, into.fd, order, new Arrival(into.arrival)) };
  }
  const { O_CREAT, O_EXCL, O_NOFOLLOW, O_WRONLY } = constants;
  let isOurs = false;
  try {
    const fd = await openFile(into.path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, into.mode);
    isOurs = true;
    try {
      return { etag: body.etag, digests: await pour(body, fd, order, undefined) };
    } finally {
      await closeFile(fd);
    }
  } catch (error) {
    await body.discard();
    if (isOurs) await unlinkFile(into.path).catch(() => undefined);
    throw error;
  }
}

async function pour(
  body: ObjectBody,
  fd: number,
  { key, range, algorithms, onBytes }: RangeOrder,
  arrival: Arrival | undefined,
): Promise<Digests> {
  const digester = algorithms.length === 0 ? undefined : new Digester(algorithms, range.end - range.start);
  let position = range.start;
  for await (const chunk of body.chunks) {
    // The next ones may be another's, and are there already.
    if (chunk.length > range.end - position) throw tooMuch(key, range);
    digester?.update(chunk);
    for (let done = 0; done < chunk.length;) {
      const { bytesWritten } = await writeTo(fd, chunk, done, chunk.length - done, position + done);
      done += bytesWritten;
    }
    arrival?.add(position, position + chunk.length);
    position += chunk.length;
    onBytes(chunk.length);
  }
  if (position !== range.end) throw endedEarly(key, range, position);
  return digester?.digests() ?? {};
}

/** Not every store heeds the ETag that it is asked for. */
function otherThanWanted({ key, size, etag }: RangeOrder, found: ObjectBody): Error | undefined {
  if (etag !== undefined && etag !== found.etag) return otherObject(key, etag, found.etag);
  const foundSize = found.objectSize ?? size;
  return foundSize === size ? undefined : otherSize(key, size, foundSize);
}

function endedEarly(key: string, { start, end }: ByteRange, position: number): ModelCacheError {
  return new ModelCacheError('store-unreachable', `the connection ended in the middle of ${key}`, {
    wanted: `${end - start} bytes`,
    found: `${position - start} bytes`,
  });
}

function tooMuch(key: string, { start, end }: ByteRange): ModelCacheError {
  return new ModelCacheError('store-failed', `the store answered with more of ${key} than it was asked for`, {
    wanted: `${end - start} bytes`,
    found: 'more',
  });
}
