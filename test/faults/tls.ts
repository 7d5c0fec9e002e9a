import { readFileSync } from 'node:fs';
import { createConnection, type AddressInfo } from 'node:net';
import { createServer } from 'node:tls';
import { selfSigned, type Certificate } from '../support/certificate.ts';
import type { Rig } from './rig.ts';

export const GOOD: Certificate = { name: 'IP:127.0.0.1', days: 2 };

export interface TlsFront {
  readonly endpoint: string;
  /** For `AWS_CA_BUNDLE`. */
  readonly bundle: string;
}

/** The store under TLS. */
export async function withTls(rig: Rig, wanted: Certificate): Promise<TlsFront> {
  const { key, certificate } = selfSigned(rig.scratch, wanted);
  const { hostname, port } = new URL(rig.minio.endpoint);
  const server = createServer({ key: readFileSync(key), cert: readFileSync(certificate) }, (socket) => {
    const store = createConnection({ host: hostname, port: Number(port) });
    socket.pipe(store).pipe(socket);
    for (const end of [socket, store])
      end.on('error', () => [socket, store].forEach((other) => other.destroy()));
    rig.later(() => [socket, store].forEach((open) => open.destroy()));
  });
  server.on('tlsClientError', () => undefined);
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  rig.later(() => void server.close());
  return { endpoint: `https://127.0.0.1:${(server.address() as AddressInfo).port}`, bundle: certificate };
}
