import { createConnection, createServer, type AddressInfo, type Socket } from 'node:net';
import { pipeline, Transform } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';

/** No stream of the relay holds more than this, so that what was sent and what has arrived differ by a few of them. */
const STEP_BYTES = 64 * 1024;
/** A link that was free for so long may catch up: timers are late by a millisecond or two. */
const CATCH_UP_MS = 20;

/** One pod's way to the store, which counts its bytes, is as slow as wanted, and can be cut. */
export interface Relay {
  /** The target's address as seen through the relay. Signatures stay valid: the Host header goes through as it came. */
  readonly endpoint: string;
  /** Bytes that went to the store, headers included, on all connections so far. */
  readonly bytesSent: number;
  /** Bytes that came from the store. */
  readonly bytesReceived: number;
  /** Destroys every connection; later ones are taken. */
  cut(): void;
  stop(): Promise<void>;
}

interface RelayOptions {
  /** For all connections together, as the link of a pod is; undefined: as fast as it goes. */
  readonly uploadBytesPerSecond?: number;
  readonly downloadBytesPerSecond?: number;
}

/** The relay lives in this process: a test that blocks its event loop stops the traffic. */
export async function startRelay(
  target: string,
  { uploadBytesPerSecond, downloadBytesPerSecond }: RelayOptions = {},
): Promise<Relay> {
  const { hostname, port } = new URL(target);
  const sockets = new Set<Socket>();
  const counts = { sent: 0, received: 0 };
  const [turnUp, turnDown] = [uploadBytesPerSecond, downloadBytesPerSecond].map((limit) =>
    limit === undefined ? undefined : turnsOn(limit),
  );
  const toStore = { host: hostname, port: Number(port), allowHalfOpen: true, highWaterMark: STEP_BYTES };
  const server = createServer({ allowHalfOpen: true, highWaterMark: STEP_BYTES }, (client) => {
    const store = createConnection(toStore);
    for (const socket of [client, store]) {
      sockets.add(socket);
      socket.setNoDelay(true);
      socket.once('close', () => sockets.delete(socket));
    }
    const closeBoth = (error: Error | null | undefined): void => {
      if (!error) return;
      client.destroy();
      store.destroy();
    };
    const sent = passing(turnUp, (bytes) => (counts.sent += bytes));
    const received = passing(turnDown, (bytes) => (counts.received += bytes));
    pipeline(client, sent, store, closeBoth);
    pipeline(store, received, client, closeBoth);
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const cut = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    get bytesSent() {
      return counts.sent;
    },
    get bytesReceived() {
      return counts.received;
    },
    cut,
    async stop() {
      const closed = new Promise((done) => server.close(done));
      cut();
      await closed;
    },
  };
}

type Turn = (bytes: number) => Promise<void>;

/** Steps leave one after the other, whichever connection they are of, each when the link has had the time for it. */
function turnsOn(bytesPerSecond: number): Turn {
  let freeAt = performance.now();
  return async (bytes) => {
    const now = performance.now();
    freeAt = Math.max(freeAt, now - CATCH_UP_MS) + (bytes / bytesPerSecond) * 1000;
    if (freeAt - now >= 1) await sleep(freeAt - now);
  };
}

function passing(turn: Turn | undefined, count: (bytes: number) => void): Transform {
  return new Transform({
    highWaterMark: STEP_BYTES,
    transform(chunk: Buffer, _encoding, done) {
      const pass = (): void => {
        count(chunk.length);
        done(null, chunk);
      };
      if (turn === undefined) pass();
      else void turn(chunk.length).then(pass);
    },
  });
}
