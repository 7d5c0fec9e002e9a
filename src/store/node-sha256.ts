import {
  createHash,
  createHmac,
  createSecretKey,
  hash,
  type Hash,
  type Hmac,
  type KeyObject,
} from 'node:crypto';

/** Of no bytes: what a request without a body says of it. */
export const EMPTY_SHA256 = hash('sha256', '');

/** What the SDK's signer hashes with: Node's own. */
export class NodeSha256 {
  readonly #hash: Hash | Hmac;

  constructor(secret?: string | ArrayBuffer | ArrayBufferView) {
    this.#hash = secret === undefined ? createHash('sha256') : createHmac('sha256', keyOf(secret));
  }

  update(data: string | ArrayBuffer | ArrayBufferView): void {
    this.#hash.update(bytesOf(data));
  }

  digest(): Promise<Uint8Array> {
    return Promise.resolve(this.#hash.digest());
  }

  reset(): void {
    throw new Error('a digest is made once');
  }
}

/** The signer keeps its keys, and Node takes five times as long for one that is bytes. */
const keys = new WeakMap<ArrayBuffer | ArrayBufferView, KeyObject>();

function keyOf(secret: string | ArrayBuffer | ArrayBufferView): string | KeyObject {
  if (typeof secret === 'string') return secret;
  const known = keys.get(secret) ?? createSecretKey(bytesOf(secret) as Uint8Array);
  keys.set(secret, known);
  return known;
}

function bytesOf(data: string | ArrayBuffer | ArrayBufferView): string | Uint8Array {
  if (typeof data === 'string') return data;
  return ArrayBuffer.isView(data)
    ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
    : new Uint8Array(data);
}
