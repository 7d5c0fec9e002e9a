import { workerData } from 'node:worker_threads';
import { firstPace } from '../model/pace.ts';
import { ownDiskSigns, serve } from '../threads/serve.ts';
import { systemFailure } from '../threads/system-failure.ts';
import { Silence } from './connection.ts';
import { Connections } from './connections.ts';
import type { FetchReply, Fetched, FetchErrand, FetchFailure, FetchSaid, ReceiverData } from './messages.ts';
import { CutOff, DiskFailed, OtherObject, RangeReader, Refused } from './range-reader.ts';
import { UnusualAnswer } from './response-head.ts';

/** One for all connections: what was read is written before the next read. */
const READ_BYTES = 1024 * 1024;
const TELL_EVERY_MS = 50;
/** While so many others are under way, nobody waits for the result of one small file. */
const MANY = 16;

class Cancelled extends Error {}

/** With what was written before it. */
class Broken extends Error {
  readonly moved: number;

  constructor(cause: unknown, moved: number) {
    super('a fetch broke off', { cause });
    this.moved = moved;
  }
}

interface UnderWay {
  readonly reader: RangeReader;
  readonly say: (said: FetchSaid) => void;
  end: (reason: Error) => void;
}

const { endpoint, patience, ahead } = workerData as ReceiverData;
// With the others, before this thread has begun; a plain one does without.
if (endpoint.isTls) process.getBuiltinModule('node:tls');
const disk = ownDiskSigns();
const connections = new Connections(endpoint, Buffer.allocUnsafeSlow(READ_BYTES), patience);
const underWay = new Map<number, UnderWay>();

serve<FetchErrand, FetchSaid, Fetched, FetchFailure, FetchReply>({
  go: fetchRange,
  stop: (id) => underWay.get(id)?.end(new Cancelled()),
  hear: (id, { end }) => {
    const fetch = underWay.get(id);
    if (fetch?.reader.cut(end) === true) fetch.say({ kind: 'cut', end });
  },
  failureOf: (error) => failureOf(error as Broken),
  isOneOfMany: ({ into }) => 'path' in into && underWay.size >= MANY,
});
setInterval(tellMoved, TELL_EVERY_MS).unref();
if (ahead !== undefined)
  connections.openAhead((connectMs) => firstPace(connectMs, { width: ahead, partBytes: 0 }).width - 1);

async function fetchRange(errand: FetchErrand, id: number, say: (said: FetchSaid) => void): Promise<Fetched> {
  const reader = new RangeReader(errand, disk, () => {
    if ('fd' in errand.into) say({ kind: 'begun', etag: reader.etag });
  });
  const work: UnderWay = { reader, say, end: () => undefined };
  underWay.set(id, work);
  try {
    const { connectMs } = await connections.exchange({ head: errand.request }, reader, {
      onNewConnection: errand.onNewConnection,
      onBegin: (end) => (work.end = end),
    });
    const digests = reader.finish();
    return { moved: reader.takeMoved(), etag: reader.etag, digests, connectMs };
  } catch (error) {
    if (error instanceof CutOff)
      return { moved: reader.takeMoved(), etag: reader.etag, digests: {}, connectMs: undefined };
    reader.giveUp();
    throw new Broken(error, reader.takeMoved());
  } finally {
    underWay.delete(id);
  }
}

function tellMoved(): void {
  for (const { reader, say } of underWay.values()) {
    const bytes = reader.takeMoved();
    if (bytes > 0) say({ kind: 'moved', bytes });
  }
}

function failureOf({ cause, moved }: Broken): FetchFailure {
  if (cause instanceof Refused) return { moved, kind: 'refused', refusal: cause.refusal };
  if (cause instanceof UnusualAnswer) return { moved, kind: 'unusual', what: cause.message };
  if (cause instanceof OtherObject)
    return { moved, kind: 'other-object', etag: cause.etag, size: cause.size };
  if (cause instanceof Silence) return { moved, kind: 'silent' };
  if (cause instanceof Cancelled) return { moved, kind: 'cancelled' };
  if (cause instanceof DiskFailed) return { moved, kind: 'disk', error: systemFailure(cause.cause) };
  return { moved, kind: 'connection', error: systemFailure(cause) };
}
