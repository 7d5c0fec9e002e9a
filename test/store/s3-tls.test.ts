import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { IncomingHttpHeaders } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { soon } from './bodies.ts';
import { partOf } from './multiparts-conformance.ts';
import { withS3Store } from './s3-settings.ts';
import { assertStreamedPart } from './streamed-part.ts';

const scratch = mkdtempSync(join(tmpdir(), 's3-tls-'));
after(() => rmSync(scratch, { recursive: true }));
const key = join(scratch, 'key.pem');
const certificate = join(scratch, 'certificate.pem');
const skip = makeCertificate() ? false : 'openssl is not here to make a certificate with';

test(
  'the CA bundle of the settings is trusted, and what is sent is signed with its hash under TLS too',
  { skip },
  async () => {
    await withTlsServer(async (endpoint, seen) => {
      await withS3Store({ endpoint, caBundle: certificate }, (store) =>
        soon(store.put('k', Buffer.from('hello'))),
      );
      const hash = createHash('sha256').update('hello').digest('hex');
      assert.equal(seen[0]?.['x-amz-content-sha256'], hash);
    });
  },
);

test('a part is sent in a stream with its signed MD5 under TLS too', { skip }, async () => {
  await withTlsServer(async (endpoint, seen) => {
    await withS3Store({ endpoint, caBundle: certificate }, async ({ multiparts }) => {
      const part = partOf(1, Buffer.from('hello'));
      assert.equal(await soon(multiparts.putPart({ key: 'k', id: 'u', initiated: 0 }, part)), 'e');
    });
    assertStreamedPart(seen[0] ?? {}, Buffer.from('hello'));
  });
});

test('a certificate that nobody vouches for is an error of the store', { skip }, async () => {
  await withTlsServer(async (endpoint, seen) => {
    await withS3Store({ endpoint }, async (store) => {
      await assert.rejects(soon(store.put('k', Buffer.from('hello'))), { code: 'store-unreachable' });
    });
    assert.deepEqual(seen, []);
  });
});

test('a CA bundle without a certificate is an error before anything is sent; under plain HTTP there is none to read', async () => {
  const bundle = join(scratch, 'garbage.pem');
  writeFileSync(bundle, 'no certificate');
  for (const [caBundle, says] of [
    [bundle, /without certificates/],
    [join(scratch, 'nowhere.pem'), /cannot be read/],
  ] as const) {
    const endpoint = 'https://127.0.0.1:1';
    await assert.rejects(
      withS3Store({ endpoint, caBundle }, () => Promise.resolve()),
      {
        code: 'setting-invalid',
        message: says,
      },
    );
    await withS3Store({ endpoint: 'http://127.0.0.1:1', caBundle }, () => Promise.resolve());
  }
});

function makeCertificate(): boolean {
  const subject = ['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1'];
  const files = ['-keyout', key, '-out', certificate, '-days', '2', '-nodes'];
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'];
  return spawnSync('openssl', ['req', '-x509', ...curve, ...files, ...subject]).status === 0;
}

async function withTlsServer(
  work: (endpoint: string, seen: readonly IncomingHttpHeaders[]) => Promise<void>,
): Promise<void> {
  const seen: IncomingHttpHeaders[] = [];
  const options = { key: readFileSync(key), cert: readFileSync(certificate) };
  const server = createServer(options, (request, response) => {
    seen.push(request.headers);
    request.resume().on('end', () => response.writeHead(200, { etag: '"e"' }).end());
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  try {
    await work(`https://127.0.0.1:${(server.address() as AddressInfo).port}`, seen);
  } finally {
    server.closeAllConnections();
    await new Promise((done) => server.close(done));
  }
}
