import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** What a certificate says. `days` below 0: it was valid once. */
export interface Certificate {
  /** As in subjectAltName. */
  readonly name: string;
  readonly days: number;
}

/** Files in PEM. */
export interface Certified {
  readonly key: string;
  readonly certificate: string;
}

/** Makes a certificate that vouches for itself, in `folder`. */
export function selfSigned(folder: string, { name, days }: Certificate): Certified {
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

function openssl(...args: readonly string[]): void {
  const { status, stderr } = spawnSync('openssl', args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`wanted openssl ${args[0]} to succeed, found:\n${stderr}`);
}
