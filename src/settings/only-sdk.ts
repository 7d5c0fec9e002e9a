import type { ProxyVariables } from '../store/s3-access.ts';

/** What may keep the requests of our own from the store. */
export interface Surroundings {
  /** With a scheme; undefined: AWS. */
  readonly endpoint: string | undefined;
  readonly proxies: ProxyVariables;
  /** Certificates are not to be checked. */
  readonly trustsAnybody: boolean;
}

/** Why all bytes are to go through the AWS SDK; undefined: they need not. Safe to print. */
export function whyOnlySdk({ endpoint, proxies, trustsAnybody }: Surroundings): string | undefined {
  const isTls = endpoint?.startsWith('http:') !== true;
  if (isTls && trustsAnybody) return 'NODE_TLS_REJECT_UNAUTHORIZED is 0';
  const host = endpoint === undefined ? 's3.amazonaws.com' : new URL(endpoint).hostname;
  const name = isTls ? 'HTTPS_PROXY' : 'HTTP_PROXY';
  if (proxies[name] === undefined || isExempt(host, proxies.NO_PROXY ?? '')) return undefined;
  return `${name} is set`;
}

/** As everybody reads NO_PROXY: hosts, and domains with or without a dot before them; `*` is all. */
function isExempt(host: string, noProxy: string): boolean {
  return noProxy
    .split(/[\s,]+/)
    .filter((entry) => entry !== '')
    .map((entry) => entry.toLowerCase().replace(/^\*?\./, ''))
    .some((entry) => entry === '*' || host === entry || host.endsWith(`.${entry}`));
}
