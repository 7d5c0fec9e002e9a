import { spawnSync } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Paths of files in PEM. The certificate vouches for itself. */
export interface Certificate {
  readonly key: string;
  readonly certificate: string;
}

/** `name` as in a subjectAltName; `days` below 0: it was valid once. */
export interface CertificateOf {
  readonly name: string;
  readonly days: number;
}

/** Made in a folder of its own below `scratch`. Throws where there is no openssl. */
export function makeCertificate(scratch: string, { name, days }: CertificateOf): Certificate {
  const folder = mkdtempSync(join(scratch, 'certificate-'));
  const [key, request, certificate, names] = ['key.pem', 'request.pem', 'certificate.pem', 'names'].map(
    (file) => join(folder, file),
  ) as [string, string, string, string];
  writeFileSync(names, `subjectAltName=${name}\nbasicConstraints=critical,CA:TRUE\n`);
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  openssl('req', '-new', ...curve, '-keyout', key, '-out', request, '-subj', '/CN=the store');
  const signed = ['-in', request, '-signkey', key, '-extfile', names];
  openssl('x509', '-req', ...signed, '-days', String(days), '-out', certificate);
  return { key, certificate };
}

/** False: it is here. */
export const NO_OPENSSL =
  spawnSync('openssl', ['version']).status === 0 ? false : 'openssl is not here to make certificates with';

function openssl(...args: readonly string[]): void {
  const { status, stderr } = spawnSync('openssl', args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`wanted openssl ${args[0]} to succeed, found:\n${stderr}`);
}
