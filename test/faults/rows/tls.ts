import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { listener } from '../listeners.ts';
import type { Group } from '../row.ts';
import { GOOD, withTls } from '../tls.ts';

const NO_TRUST = 'S3 model sync failed: no trusted connection to https://…';
const NAME_THE_CA = 'if the certificate is of an authority of your own, name its file in AWS_CA_BUNDLE';

/** Nobody listens there, and nobody is asked. */
const HTTPS = 'https://127.0.0.1:1';

export const tls: Group = {
  name: 'tls',
  title: 'TLS',
  rows: [
    {
      fault: 'the certificate is of an authority that nobody here knows',
      sees: `${NO_TRUST}: DEPTH_ZERO_SELF_SIGNED_CERT…; ${NAME_THE_CA}`,
      todo: "Name the authority's file in `AWS_CA_BUNDLE`.",
      quick: true,
      needs: ['openssl'],
      expected: { within: 3, code: 'store-unreachable', published: 'nothing' },
      run: async (rig) => rig.init({ endpoint: (await withTls(rig, GOOD)).endpoint }),
    },
    {
      fault: 'the same, and AWS_CA_BUNDLE names it',
      sees: 'S3 model sync completed - models cached in …',
      todo: 'Nothing.',
      quick: true,
      needs: ['openssl'],
      expected: { within: 5, code: 'ok', published: 'everything' },
      run: async (rig) => {
        const { endpoint, bundle } = await withTls(rig, GOOD);
        return rig.init({ endpoint, env: { AWS_CA_BUNDLE: bundle } });
      },
    },
    {
      fault: 'the certificate has expired',
      sees: `${NO_TRUST}: CERT_HAS_EXPIRED…; renew the store's certificate, or set this machine's clock`,
      todo: "Renew the store's certificate; where it is not expired, set this machine's clock.",
      quick: true,
      needs: ['openssl'],
      expected: { within: 3, code: 'store-unreachable', published: 'nothing' },
      run: async (rig) => {
        const { endpoint, bundle } = await withTls(rig, { ...GOOD, days: -1 });
        return rig.init({ endpoint, env: { AWS_CA_BUNDLE: bundle } });
      },
    },
    {
      fault: 'the certificate is for another name',
      sees: `${NO_TRUST}: ERR_TLS_CERT_ALTNAME_INVALID…; name the store in the endpoint as its certificate does`,
      todo: 'Ask the store by the name that its certificate has.',
      needs: ['openssl'],
      expected: { within: 3, code: 'store-unreachable', published: 'nothing' },
      run: async (rig) => {
        const { endpoint, bundle } = await withTls(rig, { ...GOOD, name: 'DNS:elsewhere.example' });
        return rig.init({ endpoint, env: { AWS_CA_BUNDLE: bundle } });
      },
    },
    {
      fault: 'AWS_CA_BUNDLE names a file that is not there',
      sees: 'AWS_CA_BUNDLE names a file that cannot be read: …; name a file of certificates in PEM format, or unset it',
      todo: 'Correct the path, or mount the file.',
      quick: true,
      expected: { within: 3, code: 'setting-invalid', published: 'nothing' },
      run: (rig) => rig.init({ endpoint: HTTPS, env: { AWS_CA_BUNDLE: join(rig.scratch, 'nowhere.pem') } }),
    },
    {
      fault: 'AWS_CA_BUNDLE names a file without a certificate',
      sees: 'AWS_CA_BUNDLE names a file without certificates: …; name a file of certificates in PEM format, or unset it',
      todo: 'Put the certificates there in PEM format, beginning with `-----BEGIN CERTIFICATE-----`.',
      quick: true,
      expected: { within: 3, code: 'setting-invalid', published: 'nothing' },
      run: (rig) => {
        const bundle = join(rig.scratch, 'garbage.pem');
        writeFileSync(bundle, 'no certificate\n');
        return rig.init({ endpoint: HTTPS, env: { AWS_CA_BUNDLE: bundle } });
      },
    },
    {
      fault: 'the endpoint says https, and its port speaks http',
      sees: `${NO_TRUST}: EPROTO; check the endpoint: this port does not seem to speak TLS…`,
      todo: 'Write `http://` in `--endpoint-url`, or use the TLS port.',
      quick: true,
      expected: { within: 3, code: 'store-unreachable', published: 'nothing' },
      run: (rig) => rig.init({ endpoint: rig.minio.endpoint.replace('http:', 'https:') }),
    },
    {
      fault: 'the endpoint says http, and its port speaks TLS',
      sees: 'S3 model sync failed: …http://…',
      todo: 'Write `https://` in `--endpoint-url`.',
      needs: ['openssl'],
      expected: { within: 3, code: 'store-unreachable', published: 'nothing' },
      run: async (rig) => {
        const { endpoint } = await withTls(rig, GOOD);
        return rig.init({ endpoint: endpoint.replace('https:', 'http:') });
      },
    },
    {
      fault: 'the TLS port speaks something else altogether',
      sees: `${NO_TRUST}: EPROTO; check the endpoint: this port does not seem to speak TLS…`,
      todo: 'Look at what listens there.',
      expected: { within: 3, code: 'store-unreachable', published: 'nothing' },
      run: async (rig) =>
        rig.init({
          endpoint: `https://${await listener(rig, (socket) => socket.write('220 mail ready\r\n'))}`,
        }),
    },
    {
      fault: 'the port speaks something else than HTTP',
      sees: 'S3 model sync failed: http://… does not speak HTTP: …; check the endpoint: its scheme and its port',
      todo: 'Look at what listens there.',
      expected: { within: 3, code: 'store-unreachable', published: 'nothing' },
      run: async (rig) =>
        rig.init({
          endpoint: `http://${await listener(rig, (socket) => socket.write('220 mail ready\r\n'))}`,
        }),
    },
    {
      fault: 'a TLS handshake that never ends',
      sees: 'S3 model sync failed: nothing came from the store for 2 s (--stall)',
      todo: 'Look at the store and the way to it; `--stall` says how long it may say nothing.',
      expected: { within: 3.5, code: 'store-stalled', published: 'nothing' },
      run: async (rig) =>
        rig.init({ endpoint: `https://${await listener(rig, () => undefined)}`, args: ['--stall', '2s'] }),
    },
  ],
};
