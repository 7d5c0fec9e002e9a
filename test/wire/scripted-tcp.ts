import { readFileSync } from 'node:fs';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { createServer as createTlsServer, type TLSSocket } from 'node:tls';
import type { Endpoint } from '../../src/wire/connection.ts';
import type { Certificate } from '../support/certificate.ts';

/** A request, as it came. */
export interface Asked {
  /** The whole head. */
  readonly head: string;
  /** Among the connections, from 1. */
  readonly connection: number;
  /** Among all requests, from 1. */
  readonly nth: number;
}

export interface ScriptedTcp {
  readonly endpoint: Endpoint;
  readonly asked: readonly Asked[];
  /** Every connection there was. */
  readonly sockets: readonly Socket[];
}

/** Writes whatever bytes it likes. */
export type Answer = (socket: Socket, asked: Asked) => void;

/** Lends `work` a server that answers each request, which have no bodies, with exactly these bytes. */
export async function withTcp<T>(
  answer: Answer,
  work: (server: ScriptedTcp) => Promise<T>,
  certificate?: Certificate,
): Promise<T> {
  const asked: Asked[] = [];
  const sockets: Socket[] = [];
  const onConnection = (socket: Socket): void => {
    sockets.push(socket);
    const connection = sockets.length;
    let text = '';
    socket.on('error', () => undefined);
    socket.on('data', (bytes) => {
      text += bytes.toString('latin1');
      for (let end = text.indexOf('\r\n\r\n'); end >= 0; end = text.indexOf('\r\n\r\n')) {
        const request = { head: text.slice(0, end + 4), connection, nth: asked.length + 1 };
        text = text.slice(end + 4);
        asked.push(request);
        answer(socket, request);
      }
    });
  };
  const server =
    certificate === undefined
      ? createServer(onConnection)
      : createTlsServer(
          { key: readFileSync(certificate.key), cert: readFileSync(certificate.certificate) },
          onConnection as (socket: TLSSocket) => void,
        ).on('tlsClientError', () => undefined);
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as AddressInfo;
  try {
    const endpoint = { host: '127.0.0.1', port, isTls: certificate !== undefined, ca: undefined };
    return await work({ endpoint, asked, sockets });
  } finally {
    for (const socket of sockets) socket.destroy();
    await new Promise((done) => server.close(done));
  }
}

export const GET = 'GET /k HTTP/1.1\r\nhost: store\r\n\r\n';

/** A whole answer, of which the headers are these beside the length. */
export function plainAnswer(body: string, headers = '', status = '200 OK'): string {
  return `HTTP/1.1 ${status}\r\n${headers}content-length: ${body.length}\r\n\r\n${body}`;
}
