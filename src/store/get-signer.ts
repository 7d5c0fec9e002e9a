import { createHmac, createSecretKey, hash, type KeyObject } from 'node:crypto';
import { createScope, getSigningKey } from '@smithy/signature-v4';
import type { ResolvedCredentials } from './credentials.ts';
import { EMPTY_SHA256, NodeSha256 } from './node-sha256.ts';

const ALGORITHM = 'AWS4-HMAC-SHA256';

/** All that signatures of one second have in common. */
interface Common {
  readonly identity: ResolvedCredentials['identity'];
  readonly second: number;
  readonly key: KeyObject;
  readonly headers: Readonly<Record<string, string>>;
  /** Of what is signed: behind the path, and before its hash. */
  readonly behindPath: string;
  readonly beforeHash: string;
  /** Of the `authorization` header. */
  readonly beforeSignature: string;
}

/**
 * Signs GETs of objects, of which a restore of many small files sends one each: only the path differs between two of
 * them. The key is derived by the SDK's signer, and the headers are, to the letter, those that it makes.
 */
export class GetSigner {
  readonly #host: string;
  readonly #region: string;
  readonly #provider: ResolvedCredentials['provider'];
  #common: Common | undefined;

  constructor(host: string, region: string, { provider }: ResolvedCredentials) {
    this.#host = host;
    this.#region = region;
    this.#provider = provider;
  }

  /** `path` as it is sent. Throws what the provider of the credentials throws. */
  async headers(path: string): Promise<Readonly<Record<string, string>>> {
    const { key, headers, behindPath, beforeHash, beforeSignature } = await this.#commonNow();
    const canonical = hash('sha256', `GET\n${path}${behindPath}`);
    const signature = createHmac('sha256', key).update(`${beforeHash}${canonical}`).digest('hex');
    return { ...headers, authorization: `${beforeSignature}${signature}` };
  }

  async #commonNow(): Promise<Common> {
    const identity = await this.#provider();
    const second = Math.floor(Date.now() / 1000);
    const known = this.#common;
    if (known?.identity === identity && known.second === second) return known;
    this.#common = await this.#begin(identity, second);
    return this.#common;
  }

  async #begin(identity: Common['identity'], second: number): Promise<Common> {
    // 20130524T000000Z
    const date = new Date(second * 1000).toISOString().replaceAll(/[-:]|\.\d+/g, '');
    const day = date.slice(0, 8);
    const scope = createScope(day, this.#region, 's3');
    const headers = {
      host: this.#host,
      'x-amz-content-sha256': EMPTY_SHA256,
      'x-amz-date': date,
      ...(identity.sessionToken && { 'x-amz-security-token': identity.sessionToken }),
    };
    const names = Object.keys(headers).join(';');
    const lines = Object.entries(headers).map(([name, value]) => `${name}:${canonicalValue(value)}\n`);
    return {
      identity,
      second,
      key: createSecretKey(await getSigningKey(NodeSha256, identity, day, this.#region, 's3')),
      headers,
      behindPath: `\n\n${lines.join('')}\n${names}\n${EMPTY_SHA256}`,
      beforeHash: `${ALGORITHM}\n${date}\n${scope}\n`,
      beforeSignature: `${ALGORITHM} Credential=${identity.accessKeyId}/${scope}, SignedHeaders=${names}, Signature=`,
    };
  }
}

/** As it is signed: blanks count once, and not at either end. */
function canonicalValue(value: string): string {
  return value.replaceAll(/[ \t\r\n]+/g, ' ').replaceAll(/^ | $/g, '');
}
