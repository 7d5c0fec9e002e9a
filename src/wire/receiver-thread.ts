import { parentPort, workerData } from 'node:worker_threads';
import { Silence } from './connection.ts';
import { Connections } from './connections.ts';
import type { Failure, FetchOrder, FromReceiver, ReceiverData, ToReceiver } from './messages.ts';
import { DiskFailed, OtherObject, RangeReader, Refused } from './range-reader.ts';
import { UnusualAnswer } from './response-head.ts';

/** One for all connections: what was read is written before the next read. */
const READ_BYTES = 1024 * 1024;
const TELL_EVERY_MS = 50;

class Cancelled extends Error {}

interface UnderWay {
  readonly reader: RangeReader;
  end: (reason: Error) => void;
}

const { endpoint, patience, signs: signsMemory } = workerData as ReceiverData;
const signs = new Int32Array(signsMemory);
const connections = new Connections(endpoint, Buffer.allocUnsafeSlow(READ_BYTES), patience);
const underWay = new Map<number, UnderWay>();

parentPort?.on('message', (message: ToReceiver) => {
  if (message.kind === 'fetch') void fetchRange(message);
  else underWay.get(message.id)?.end(new Cancelled());
});
setInterval(tellMoved, TELL_EVERY_MS).unref();

async function fetchRange(order: FetchOrder): Promise<void> {
  const { id, onNewConnection } = order;
  const reader = new RangeReader(order, signs, () => {
    if ('fd' in order.into) tell({ kind: 'begun', id, etag: reader.etag });
  });
  const work: UnderWay = { reader, end: () => undefined };
  underWay.set(id, work);
  try {
    const { connectMs } = await connections.exchange({ head: order.request }, reader, {
      onNewConnection,
      onBegin: (end) => (work.end = end),
    });
    const digests = reader.finish();
    tell({ kind: 'done', id, bytes: reader.moved, etag: reader.etag, digests, connectMs });
  } catch (error) {
    reader.giveUp();
    tell({ kind: 'failed', id, bytes: reader.moved, failure: failureOf(error) });
  } finally {
    underWay.delete(id);
  }
}

function tellMoved(): void {
  const moved: [number, number][] = [];
  for (const [id, { reader }] of underWay) {
    if (reader.moved === 0) continue;
    moved.push([id, reader.moved]);
    reader.moved = 0;
  }
  if (moved.length > 0) tell({ kind: 'moved', moved });
}

function failureOf(error: unknown): Failure {
  if (error instanceof Refused) return { kind: 'refused', refusal: error.refusal };
  if (error instanceof UnusualAnswer) return { kind: 'unusual', what: error.message };
  if (error instanceof OtherObject) return { kind: 'other-object', etag: error.etag, size: error.size };
  if (error instanceof Silence) return { kind: 'silent' };
  if (error instanceof Cancelled) return { kind: 'cancelled' };
  const kind = error instanceof DiskFailed ? 'disk' : 'connection';
  const { code, errno, syscall, path, message } = (
    error instanceof DiskFailed ? error.cause : error
  ) as NodeJS.ErrnoException;
  return { kind, code, errno, syscall, path, message };
}

function tell(message: FromReceiver): void {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
  parentPort?.postMessage(message);
}
