import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { createConnection, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createServer } from 'node:tls';
import type { Rig } from './rig.ts';

/** A certificate that vouches for itself. `days` below 0: it was valid once. */
export interface Certificate {
  readonly name: string;
  readonly days: number;
}

export const GOOD: Certificate = { name: 'IP:127.0.0.1', days: 2 };

export interface TlsFront {
  readonly endpoint: string;
  /** For `AWS_CA_BUNDLE`. */
  readonly bundle: string;
}

/** The store under TLS. */
export async function withTls(rig: Rig, { name, days }: Certificate): Promise<TlsFront> {
  const [key, request, certificate, names] = ['key.pem', 'request.pem', 'certificate.pem', 'names'].map(
    (file) => join(rig.scratch, file),
  ) as [string, string, string, string];
  writeFileSync(names, `subjectAltName=${name}\nbasicConstraints=critical,CA:TRUE\n`);
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  openssl('req', '-new', ...curve, '-keyout', key, '-out', request, '-subj', '/CN=the store');
  const signed = ['-in', request, '-signkey', key, '-extfile', names];
  openssl('x509', '-req', ...signed, '-days', String(days), '-out', certificate);
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

function openssl(...args: readonly string[]): void {
  const { status, stderr } = spawnSync('openssl', args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`wanted openssl ${args[0]} to succeed, found:\n${stderr}`);
}
