import type { ErrorCode } from '../errors.ts';
import { detailOf, isUnreadable, nameOf, statusOf, type AwsFault } from './aws-fault.ts';

export interface Explanation {
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint?: string;
}

const NETWORK = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ETIMEDOUT',
  'EPIPE',
  'TimeoutError',
]);

/** Where nothing that S3 says came back: the network, TLS, HTTP. Undefined where something did. */
export function connectionExplanation(at: string, fault: AwsFault): Explanation | undefined {
  const name = nameOf(fault);
  const detail = detailOf(fault);
  if (NETWORK.has(name)) {
    const message = `cannot reach ${at}: ${name}${detail}`;
    return { code: 'store-unreachable', message, hint: 'check the endpoint and the network' };
  }
  if (/CERT|SELF_SIGNED|UNABLE_TO_|EPROTO|ERR_TLS|ERR_SSL/.test(name)) {
    // What OpenSSL says of a handshake is for its developers.
    const message = `no trusted connection to ${at}: ${name}${name === 'EPROTO' ? '' : detail}`;
    return { code: 'store-unreachable', message, hint: tlsHint(name) };
  }
  if (name.startsWith('HPE_')) {
    const message = `${at} does not speak HTTP: ${name}${detail}`;
    return { code: 'store-unreachable', message, hint: 'check the endpoint: its scheme and its port' };
  }
  if (isUnreadable(fault)) {
    const message = `${at} answered what no S3 store does${detail}`;
    const hint = 'check the endpoint; a proxy or a page to sign in at may stand before it';
    return { code: 'store-failed', message, hint };
  }
  if (statusOf(fault) !== undefined) return undefined;
  return { code: 'store-failed', message: `${at}: ${name || 'an unknown error'}${detail}` };
}

function tlsHint(name: string): string {
  switch (name) {
    case 'CERT_HAS_EXPIRED':
    case 'CERT_NOT_YET_VALID':
      return "renew the store's certificate, or set this machine's clock";
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
      return 'name the store in the endpoint as its certificate does';
    case 'EPROTO':
      return 'check the endpoint: this port does not seem to speak TLS (http:// or https://)';
    default:
      return 'if the certificate is of an authority of your own, name its file in AWS_CA_BUNDLE';
  }
}
