import { close, constants, open, unlink, write } from 'node:fs';
import { promisify } from 'node:util';
import { ModelCacheError } from '../errors.ts';
import { Arrival } from '../model/arrival.ts';
import { Digester } from '../model/digester.ts';
import type { ByteRange } from '../model/parts.ts';
import { otherObject, otherSize } from './object-errors.ts';
import type { FetchOrder, FileOrder, FilesOrder, ObjectBody, RangeOrder, Ranges, Store } from './store.ts';

const openFile = promisify(open);
const closeFile = promisify(close);
const unlinkFile = promisify(unlink);
const writeTo = promisify(write);

const { O_CREAT, O_EXCL, O_NOFOLLOW, O_WRONLY } = constants;

/** Any store's, by its `get`. */
export function rangesByGet(store: Pick<Store, 'get'>): Ranges {
  return {
    provesParts: false,
    roundTrip: undefined,
    takeLoad: () => 0,
    prepare: () => undefined,
    fetch: (order) => fetchRange(store, order),
    fetchFiles: (order) => fetchFiles(store, order),
  };
}

async function fetchRange(store: Pick<Store, 'get'>, order: RangeOrder): Promise<void> {
  const { key, range, into } = order;
  const body = await bodyOf(store, order, order);
  order.onBegun(body.etag, undefined);
  const arrival = new Arrival(into.arrival);
  for await (const { bytes, position } of exactly(range, key, body)) {
    await arrival.writeMissingAside({ start: position, end: position + bytes.length }, ({ start, end }) =>
      writeAt(into.fd, bytes.subarray(start - position, end - position), start),
    );
    order.onBytes(bytes.length);
  }
}

async function fetchFiles(store: Pick<Store, 'get'>, order: FilesOrder): Promise<void> {
  for (const file of order.files) await fetchFile(store, file, order);
}

async function fetchFile(
  store: Pick<Store, 'get'>,
  { key, size, path, mode, algorithms }: FileOrder,
  order: FilesOrder,
): Promise<void> {
  const range = { start: 0, end: size };
  const body = await bodyOf(store, { key, range, size, etag: undefined }, order);
  const digester = new Digester(algorithms, size);
  let isOurs = false;
  try {
    const fd = await openFile(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode);
    isOurs = true;
    try {
      for await (const { bytes, position } of exactly(range, key, body)) {
        digester.update(bytes);
        await writeAt(fd, bytes, position);
        order.onBytes(bytes.length);
      }
    } finally {
      await closeFile(fd);
    }
  } catch (error) {
    await body.discard();
    if (isOurs) await unlinkFile(path).catch(() => undefined);
    throw error;
  }
  order.onMade({ etag: body.etag, digests: digester.digests() });
}

type Wanted = Pick<RangeOrder, 'key' | 'range' | 'size' | 'etag'>;

/** What the store has to give of it, if it is the object that is meant. */
async function bodyOf(
  store: Pick<Store, 'get'>,
  wanted: Wanted,
  { signal, onNewConnection }: FetchOrder,
): Promise<ObjectBody> {
  const { key, range, etag } = wanted;
  const isEmpty = range.start === range.end;
  const body = await store.get(key, { ...(isEmpty ? {} : { range }), etag, signal, onNewConnection });
  const other = otherThanWanted(wanted, body);
  if (other === undefined) return body;
  await body.discard();
  throw other;
}

/** The pieces of a range as they come. Throws where they are more or less than that. */
async function* exactly(
  range: ByteRange,
  key: string,
  { chunks }: ObjectBody,
): AsyncGenerator<{ readonly bytes: Buffer; readonly position: number }> {
  let position = range.start;
  for await (const bytes of chunks) {
    // The next ones may be another's, and are there already.
    if (bytes.length > range.end - position) throw tooMuch(key, range);
    yield { bytes, position };
    position += bytes.length;
  }
  if (position !== range.end) throw endedEarly(key, range, position);
}

async function writeAt(fd: number, bytes: Buffer, position: number): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    const { bytesWritten } = await writeTo(fd, bytes, done, bytes.length - done, position + done);
    done += bytesWritten;
  }
}

/** Not every store heeds the ETag that it is asked for. */
function otherThanWanted({ key, size, etag }: Wanted, found: ObjectBody): Error | undefined {
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
