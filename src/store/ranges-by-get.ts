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
    const end = new RangeEnd(order);
    order.onBegun(body.etag, (earlier) => end.cut(earlier));
    return { etag: body.etag, digests: await pour(body, into.fd, order, end, new Arrival(into.arrival)) };
  }
  const { O_CREAT, O_EXCL, O_NOFOLLOW, O_WRONLY } = constants;
  let isOurs = false;
  try {
    const fd = await openFile(into.path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, into.mode);
    isOurs = true;
    try {
      return { etag: body.etag, digests: await pour(body, fd, order, new RangeEnd(order), undefined) };
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
  end: RangeEnd,
  arrival: Arrival | undefined,
): Promise<Digests> {
  const digester = algorithms.length === 0 ? undefined : new Digester(algorithms, range.end - range.start);
  let position = range.start;
  for await (const all of body.chunks) {
    // The next ones may be another's, and are there already.
    if (all.length > range.end - position) throw tooMuch(key, range);
    const chunk = all.subarray(0, end.take(all.length));
    digester?.update(chunk);
    for (let done = 0; done < chunk.length;) {
      const { bytesWritten } = await writeTo(fd, chunk, done, chunk.length - done, position + done);
      done += bytesWritten;
    }
    arrival?.add(position, position + chunk.length);
    position += chunk.length;
    onBytes(chunk.length);
    if (end.isCutAt(position)) return {};
  }
  if (position !== range.end) throw endedEarly(key, range, position);
  return digester?.digests() ?? {};
}

/** Where a range ends, which may become earlier while it comes. */
class RangeEnd {
  readonly #order: RangeOrder;
  #end: number;
  /** What is before it has come, or is being written. */
  #taken: number;

  constructor(order: RangeOrder) {
    this.#order = order;
    this.#end = order.range.end;
    this.#taken = order.range.start;
  }

  /** Of so many bytes that have come next, how many belong to it. */
  take(bytes: number): number {
    const wanted = Math.min(bytes, this.#end - this.#taken);
    this.#taken += wanted;
    return wanted;
  }

  cut(end: number): void {
    if (end <= this.#taken || end >= this.#end) return;
    this.#end = end;
    this.#order.onCut(end);
  }

  isCutAt(position: number): boolean {
    return position === this.#end && this.#end < this.#order.range.end;
  }
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
