import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { ModelCacheError, type ErrorCode } from '../../src/errors.ts';
import type { Multiparts, OpenUpload, PartToSend, SentPart, Store } from '../../src/store/store.ts';

interface StoredUpload extends OpenUpload {
  readonly parts: Map<number, SentPart & { readonly bytes: Buffer }>;
}

/** A bucket that several pods of one test share: multipart uploads as S3 has them, and a look at what happened. */
export class MemoryBucket {
  readonly objects = new Map<string, { readonly bytes: Buffer; readonly etag: string }>();
  readonly uploads: StoredUpload[] = [];
  /** What was called, in this order. */
  readonly calls: string[] = [];
  /** Bytes of parts that were sent, those of stopped requests included. */
  bytesSent = 0;
  /** Milliseconds that each piece takes, whatever its size. */
  pace = 0;
  /** What a call is answered with instead, when it gives an error. */
  refuse: (call: string, key: string, count: number) => ErrorCode | undefined = () => undefined;
  /** What a provider tells times in, in milliseconds. */
  timesIn = 1;
  etagOf: (bytes: Buffer) => string = (bytes) => createHash('md5').update(bytes).digest('hex');
  #ids = 0;

  /** One pod's door to it. */
  store(): Store {
    const never = (): never => {
      throw new Error('not of this test');
    };
    return {
      url: 's3://memory',
      kind: 'S3',
      access: '',
      list: never,
      get: never,
      put: never,
      putLarge: never,
      abandonUploads: never,
      close: never,
      head: (key) => {
        const object = this.objects.get(key);
        return Promise.resolve(object && { key, size: object.bytes.length, etag: object.etag });
      },
      ranges: undefined,
      multiparts: this.#multiparts(),
    };
  }

  /** An upload that somebody began before, with these parts. */
  begun(key: string, parts: Readonly<Record<number, Buffer>> = {}, initiated = Date.now()): OpenUpload {
    this.#ids += 1;
    // Later ones come first by their names, as is as likely as not.
    const upload: StoredUpload = { key, id: `upload-${1000 - this.#ids}`, initiated, parts: new Map() };
    this.uploads.push(upload);
    for (const [number, bytes] of Object.entries(parts)) this.#keep(upload, Number(number), bytes, initiated);
    return upload;
  }

  #multiparts(): Multiparts {
    return {
      list: async (key) => {
        await this.#called('list', key);
        return this.uploads
          .filter((upload) => upload.key === key)
          .map((upload) => ({
            key,
            id: upload.id,
            initiated: upload.initiated - (upload.initiated % this.timesIn),
          }));
      },
      create: async (key) => {
        await this.#called('create', key);
        return this.begun(key);
      },
      parts: async (upload) => {
        await this.#called('parts', upload.key);
        return [...this.#find(upload).parts.values()];
      },
      putPart: async (upload, part, signal) => {
        await this.#called('putPart', upload.key);
        const bytes = await this.#receive(part, signal);
        if (createHash('md5').update(bytes).digest('hex') !== part.md5)
          throw new ModelCacheError('object-digest-differs', 'BadDigest');
        return this.#keep(this.#find(upload), part.number, bytes, Date.now());
      },
      complete: async (upload, parts) => {
        await this.#called('complete', upload.key);
        this.#complete(this.#find(upload), parts);
      },
      abort: async (upload) => {
        await this.#called('abort', upload.key);
        this.#remove(upload);
      },
    };
  }

  async #receive({ chunks }: PartToSend, signal: AbortSignal | undefined): Promise<Buffer> {
    const received: Buffer[] = [];
    for await (const chunk of chunks()) {
      if (this.pace > 0) await sleep(this.pace, undefined, { signal });
      signal?.throwIfAborted();
      received.push(Buffer.from(chunk));
      this.bytesSent += chunk.length;
    }
    return Buffer.concat(received);
  }

  #keep(upload: StoredUpload, number: number, bytes: Buffer, modified: number): string {
    const etag = this.etagOf(bytes);
    upload.parts.set(number, { number, size: bytes.length, etag, modified, bytes });
    return etag;
  }

  #complete(upload: StoredUpload, parts: readonly SentPart[]): void {
    const chosen = parts
      .toSorted((a, b) => a.number - b.number)
      .map((part) => {
        const kept = upload.parts.get(part.number);
        if (kept?.etag !== part.etag) throw new ModelCacheError('object-part-invalid', 'InvalidPart');
        return kept.bytes;
      });
    const bytes = Buffer.concat(chosen);
    this.objects.set(upload.key, { bytes, etag: `${this.etagOf(bytes)}-${parts.length}` });
    this.#remove(upload);
  }

  #find({ id }: OpenUpload): StoredUpload {
    const upload = this.uploads.find((candidate) => candidate.id === id);
    if (upload === undefined) throw new ModelCacheError('object-upload-gone', 'NoSuchUpload');
    return upload;
  }

  #remove({ id }: OpenUpload): void {
    const index = this.uploads.findIndex((upload) => upload.id === id);
    if (index >= 0) this.uploads.splice(index, 1);
  }

  async #called(call: string, key: string): Promise<void> {
    this.calls.push(call);
    const count = this.calls.filter((name) => name === call).length;
    await sleep(1);
    const code = this.refuse(call, key, count);
    if (code !== undefined) throw new ModelCacheError(code, `${call} is refused`);
  }
}
