import { createHmac, createSecretKey, hash, type KeyObject } from 'node:crypto';
import { createScope, getSigningKey } from '@smithy/signature-v4';
import type { ResolvedCredentials } from './credentials.ts';
import { EMPTY_SHA256, NodeSha256 } from './node-sha256.ts';

const ALGORITHM = 'AWS4-HMAC-SHA256';

/** Signs GETs of one second: only their paths differ. */
export interface GetSigning {
  readonly identity: ResolvedCredentials['identity'];
  /** Since 1970. */
  readonly second: number;
  /** All headers but the signature. */
  readonly headers: Readonly<Record<string, string>>;
  /** The value of the `authorization` header, without the signature at its end. */
  readonly signedBy: string;
  /** Hex; `path` as it is sent. */
  readonly signature: (path: string) => string;
}

/**
 * Signs GETs of objects, of which a restore of many small files sends one each. The key is derived by the SDK's signer,
 * and the headers are, to the letter, those that it makes.
 */
export class GetSigner {
  readonly #host: string;
  readonly #region: string;
  readonly #provider: ResolvedCredentials['provider'];
  #last: GetSigning | undefined;

  constructor(host: string, region: string, { provider }: ResolvedCredentials) {
    this.#host = host;
    this.#region = region;
    this.#provider = provider;
  }

  /** For requests that are sent soon. Throws what the provider of the credentials throws. */
  async now(): Promise<GetSigning> {
    const identity = await this.#provider();
    const second = Math.floor(Date.now() / 1000);
    const last = this.#last;
    if (last?.identity === identity && last.second === second) return last;
    this.#last = await this.#begin(identity, second);
    return this.#last;
  }

  async #begin(identity: GetSigning['identity'], second: number): Promise<GetSigning> {
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
    const behindPath = `\n\n${lines.join('')}\n${names}\n${EMPTY_SHA256}`;
    const beforeHash = `${ALGORITHM}\n${date}\n${scope}\n`;
    const signedBy = `${ALGORITHM} Credential=${identity.accessKeyId}/${scope}, SignedHeaders=${names}, Signature=`;
    const key = createSecretKey(await getSigningKey(NodeSha256, identity, day, this.#region, 's3'));
    const signature = (path: string): string =>
      hmac(key, `${beforeHash}${hash('sha256', `GET\n${path}${behindPath}`)}`);
    return { identity, second, headers, signedBy, signature };
  }
}

function hmac(key: KeyObject, text: string): string {
  return createHmac('sha256', key).update(text).digest('hex');
}

/** As it is signed: blanks count once, and not at either end. */
function canonicalValue(value: string): string {
  return value.replaceAll(/[ \t\r\n]+/g, ' ').replaceAll(/^ | $/g, '');
}
